"""What goes into and comes out of a check of an account's credentials: ids and sentences, never a key."""

from __future__ import annotations

from pydantic import BaseModel

from domain.errors import ErrorCode


class AccountCall(BaseModel):
    """Which account, and at which kind of cloud it is."""

    provider: str
    provider_id: str


class AccountChecked(BaseModel):
    """`code` says what is wrong where the cloud did not accept the credentials; retry_after in seconds."""

    valid: bool
    message: str
    code: ErrorCode | None = None
    retry_after: float | None = None
