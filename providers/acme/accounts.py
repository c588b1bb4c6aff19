"""The account at a CA: found, made (with an external binding), given another key, closed (RFC 8555 §7.3).

The functions block; `Wire.call` runs them in a thread and turns their errors into ours.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from acme import jws, messages
from josepy.errors import Error as JoseError
from josepy.jwa import ES256
from josepy.jwk import JWKEC
from pydantic import BaseModel, SecretStr

from providers.acme.problems import PROVIDER, code_of
from providers.errors import InvalidInput, Unauthorized

if TYPE_CHECKING:
    from providers.acme.wire import Session


class ExternalAccount(BaseModel, frozen=True):
    """An account elsewhere that a CA wants ours bound to (§7.3.4). The key is base64url, as CAs hand it out."""

    key_id: str
    hmac_key: SecretStr
    algorithm: str = "HS256"


def find(session: Session) -> str | None:
    """The URL of our key's account; None where the CA knows none. A closed one is Unauthorized."""
    try:
        return _ask(session, messages.NewRegistration(only_return_existing=True))
    except messages.Error as error:
        if code_of(error) != "accountDoesNotExist":
            raise
        return None


def find_or_make(session: Session, email: str | None, external: ExternalAccount | None) -> str:
    """One call for both: a CA returns the account that the key has (§7.3)."""
    binding = _binding(session, external)
    return _ask(
        session,
        messages.NewRegistration.from_data(email=email, terms_of_service_agreed=True, external_account_binding=binding),
    )


def roll_over(session: Session, account_url: str, new: JWKEC) -> None:
    """§7.3.5: the new key signs who it takes over, the old one signs that."""
    url = session.directory["keyChange"]
    takeover = json.dumps({"account": account_url, "oldKey": session.public_jwk.to_json()}).encode()
    inner = jws.JWS.sign(takeover, key=new, alg=ES256, nonce=None, url=url)
    session.send(url, inner.to_json())


def deactivate(session: Session, account_url: str) -> None:
    session.send(account_url, {"status": "deactivated"})


def _ask(session: Session, registration: messages.NewRegistration) -> str:
    session.net.account = None  # newAccount is signed with the key itself
    answer = session.send(session.directory["newAccount"], registration.to_json())
    url = str(answer.headers["Location"])
    session.net.account = messages.RegistrationResource(uri=url, body=messages.Registration())
    return url


def _binding(session: Session, external: ExternalAccount | None) -> dict[str, object] | None:
    if external is None:
        if session.directory.meta.external_account_required and find(session) is None:
            raise Unauthorized("the CA wants an external account binding, and none is configured", provider=PROVIDER)
        return None
    try:
        made: dict[str, object] = messages.ExternalAccountBinding.from_data(
            session.public_jwk, external.key_id, external.hmac_key.get_secret_value(), session.directory,
            external.algorithm,
        )  # fmt: skip
    except (ValueError, TypeError, JoseError):
        raise InvalidInput(
            "the external account's HMAC key or algorithm cannot be used", provider=PROVIDER, field="external_account"
        ) from None  # the cause would show the key
    return made
