"""A small SMTP server for tests: it speaks the protocol, keeps what it takes, and misbehaves as told."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default


@dataclass
class SmtpServer:
    """`says`: another answer to a verb (`RCPT`, `.` for the end of a mail), used `times` times. `hang`, `drop`: the
    verbs after which it says nothing, or hangs up."""

    port: int = 0
    user: str = ""
    password: str = ""
    says: dict[str, str] = field(default_factory=dict)
    times: int = 10**6
    hang: set[str] = field(default_factory=set)
    drop: set[str] = field(default_factory=set)
    taken: list[EmailMessage] = field(default_factory=list)
    verbs: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _answer(self, writer: asyncio.StreamWriter, verb: str, usual: str) -> bool:
        """False where the talk is over."""
        self.verbs.append(verb)
        if verb in self.hang:
            await asyncio.sleep(30)
        if verb in self.drop:
            return False
        told = self.says.get(verb) if self.times > 0 else None
        if told is not None:
            self.times -= 1
        writer.write(f"{told or usual}\r\n".encode())
        await writer.drain()
        return True

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not await self._answer(writer, "", "220 mail.test"):
            return
        while line := (await reader.readline()).decode().strip():
            verb = line.split()[0].upper()
            if verb == "AUTH":
                good = base64.b64encode(f"\0{self.user}\0{self.password}".encode()).decode()
                usual = "235 welcome" if line.split()[-1] == good else "535 5.7.8 no"
            else:
                usual = {"EHLO": "250-mail.test\r\n250 AUTH PLAIN", "DATA": "354 go on", "QUIT": "221 bye"}.get(
                    verb, "250 ok"
                )
            if not await self._answer(writer, verb, usual) or verb == "QUIT":
                return
            if verb == "DATA" and "DATA" not in self.says:
                text = await reader.readuntil(b"\r\n.\r\n")
                mail = message_from_bytes(text[:-3].replace(b"\r\n..", b"\r\n."), policy=default)
                assert isinstance(mail, EmailMessage)
                if not (self.says.get(".") and self.times > 0):
                    self.taken.append(mail)
                if not await self._answer(writer, ".", "250 taken"):
                    return


@asynccontextmanager
async def smtp_server(**how: str) -> AsyncIterator[SmtpServer]:
    made = SmtpServer(**how)  # type: ignore[arg-type]
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
