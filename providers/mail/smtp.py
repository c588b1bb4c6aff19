"""One mail to one recipient over SMTP: the standard library's client, in a thread, every wait with a deadline.

A server's own words are never passed on, only its code: a filter may quote the mail it refuses, link and all.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import smtplib
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP
from typing import Literal

from providers.errors import InvalidInput, ProviderError, Rejected, Transient, Unauthorized, Unconfirmed

Security = Literal["starttls", "tls", "none"]

_SIGN_IN_FIRST = {530, 534, 535, 538}
_WIRE = SMTP.clone(cte_type="7bit")  # a server need not know 8BITMIME


@dataclass(frozen=True)
class SmtpClient:
    host: str
    port: int = 587
    user: str | None = None
    password: str = field(default="", repr=False)
    security: Security = "starttls"
    sender: str = "slipway@localhost"
    timeout: float = 20  # seconds for one answer of the server

    async def send(self, message: EmailMessage) -> None:
        """Hand a mail to the server. Returns once the server has taken it.

        Transient where it was certainly not taken and may be later; Rejected and its kinds where a repeat cannot help.
        Unconfirmed where the connection was lost behind the mail's text: it may have been taken. There is no way to
        ask, so callers send again: a mail rather comes twice than never, and the twin has the same Message-ID.
        """
        await asyncio.to_thread(self._send, message)

    def _send(self, message: EmailMessage) -> None:
        with self._saying(), self._connected() as server:
            self._sign_in(server)
            self._refused_by(server.mail(self.sender)[0], "the sender", Rejected)
            code = server.rcpt(str(message["To"]))[0]
            self._refused_by(code, "the recipient", InvalidInput)
            code = server.docmd("DATA")[0]
            if code != 354:
                self._refused_by(code, "the mail", Rejected, certain=True)
            code = self._told(server, message)
            self._refused_by(code, "the mail", Rejected)
            with contextlib.suppress(smtplib.SMTPException, OSError):
                server.quit()

    @contextlib.contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        context = ssl.create_default_context()
        server = (
            smtplib.SMTP_SSL(self.host, self.port, timeout=self.timeout, context=context)
            if self.security == "tls"
            else smtplib.SMTP(self.host, self.port, timeout=self.timeout)
        )
        try:
            server.ehlo_or_helo_if_needed()
            if self.security == "starttls":
                server.starttls(context=context)
                server.ehlo()
            yield server
        finally:
            server.close()

    def _sign_in(self, server: smtplib.SMTP) -> None:
        if self.user:
            server.login(self.user, self.password)

    def _told(self, server: smtplib.SMTP, message: EmailMessage) -> int:
        """The text and its final dot, and what the server says to it."""
        text = message.as_bytes(policy=_WIRE)
        stuffed = re.sub(rb"(?m)^\.", b"..", text)
        try:
            server.send(stuffed.removesuffix(b"\r\n") + b"\r\n.\r\n")
            return server.getreply()[0]
        except (smtplib.SMTPServerDisconnected, OSError) as error:
            raise Unconfirmed(f"{self._name} did not say whether it took the mail ({type(error).__name__})") from None

    def _refused_by(self, code: int, what: str, kind: type[Rejected], *, certain: bool = False) -> None:
        if 200 <= code < 300 and not certain:
            return
        if code in _SIGN_IN_FIRST:
            raise Unauthorized(f"{self._name} wants another sign-in ({code})")
        if 500 <= code < 600:
            raise kind(f"{self._name} refused {what} ({code})", field="recipient" if kind is InvalidInput else None)
        raise Transient(f"{self._name} does not take {what} now ({code})")

    @contextlib.contextmanager
    def _saying(self) -> Iterator[None]:
        """Nothing of smtplib gets out: its exceptions hold what was said on the wire."""
        try:
            yield
        except ProviderError:
            raise
        except smtplib.SMTPResponseException as error:
            if isinstance(error, smtplib.SMTPAuthenticationError) and error.smtp_code >= 500:
                raise Unauthorized(f"{self._name} did not accept SMTP_USER and its password") from None
            self._refused_by(error.smtp_code, "the connection", Rejected, certain=True)
        except smtplib.SMTPNotSupportedError:
            raise Rejected(f"{self._name} offers no {'STARTTLS' if self.security == 'starttls' else 'sign-in'} "
                           "that was asked for") from None  # fmt: skip
        except (smtplib.SMTPException, OSError) as error:
            raise Transient(f"{self._name} cannot be reached ({type(error).__name__})") from None
        except ValueError:
            raise InvalidInput("the address cannot be written in a mail", field="recipient") from None

    @property
    def _name(self) -> str:
        return f"the mail server {self.host}:{self.port}"
