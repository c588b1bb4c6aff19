"""What may be sent about changes of a subscription and the ways into it, and documented examples of it."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from api import ssh_keys
from api.examples import described
from api.schemas import Asked, NewPassword, Reason, Text200

MAX_KEYS = 20


def _public_key(value: str) -> str:
    try:
        return ssh_keys.host_key(value)
    except ssh_keys.KeyRefused as refused:
        raise PydanticCustomError("public_key", f"Each of keys {refused}") from None


PublicKey = Annotated[str, StringConstraints(max_length=4_096), AfterValidator(_public_key)]


class Why(Asked):
    reason: Reason = ""


class Suspension(Asked):
    """The customer is told the reason."""

    reason: Text200


class PriceChange(Asked):
    price_id: uuid.UUID
    reason: Reason = ""


class End(Asked):
    """`confirm` is the site's name, as a guard against the wrong one."""

    confirm: Annotated[str, StringConstraints(strip_whitespace=True, to_lower=True, max_length=253)]
    reason: Reason = ""


class Password(Asked):
    password: NewPassword


class SftpKeys(Asked):
    """All that may sign in from now on; an empty list shuts the way by keys."""

    keys: Annotated[list[PublicKey], Field(max_length=MAX_KEYS)]


SUSPENSION_REQUEST: dict[str, Any] = {"reason": "Spam was sent from the site."}
PRICE_REQUEST: dict[str, Any] = {"priceId": "0198f2b4-6f00-7c3a-9a51-0a4d1f2e3b4c"}
END_REQUEST: dict[str, Any] = {"confirm": "bakery.nl", "reason": "moved elsewhere"}
PASSWORD_REQUEST: dict[str, Any] = {"password": "SecurePassword123!"}
KEYS_REQUEST: dict[str, Any] = {
    "keys": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJ1o7Wk0lBvSxU0Y2gqk3yN5x9pOQm0vS1d8zJq7fXK"],
}
_JOB: dict[str, Any] = {"id": "job-uuid", "type": "SUSPEND", "status": "PENDING", "subscription_id": "sub-uuid"}
NO_SENSE: dict[str, Any] = {"description": "It makes no sense in the state that it is in by now"}
CHANGING = described("It is being done by the job; Location names it", {"message": "Suspension initiated", "job": _JOB})
