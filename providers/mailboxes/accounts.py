"""One mailbox as one file: a passwd-file of Dovecot 2.4 with a single line, and our record of it as a comment above.

A file per mailbox needs no rewriting of others, so no mailbox can be lost by a change of another. The line is made
from the record and never read back. Documented at doc.dovecot.org, "Passwd-file":
user:password:uid:gid:(gecos):home:(shell):extra_fields, where `userdb_` overrides a setting for this user.
"""

from __future__ import annotations

import json
from typing import Literal

from pydantic import BaseModel, SecretStr, ValidationError, field_serializer

from providers.mailboxes.passwords import LOCKED

MARK = "# slipway "
State = Literal["active", "suspended", "leaving"]


class Account(BaseModel, frozen=True):
    """`leaving`: its removal has begun; it is shut like a suspended one and cannot come back."""

    address: str
    owner: str
    quota_mb: int
    password_hash: SecretStr | None = None
    state: State = "active"

    @field_serializer("password_hash")
    def _plain(self, value: SecretStr | None) -> str | None:
        return value.get_secret_value() if value else None

    def render(self) -> bytes:
        is_open = self.state == "active"
        password = self.password_hash.get_secret_value() if is_open and self.password_hash else LOCKED
        extra = [f"userdb_quota_storage_size={self.quota_mb}M"]
        if not is_open:
            # The user is neither known nor unknown: quota-status and LMTP both answer "try again later".
            extra.append("userdb_tempfail=yes")
        record = json.dumps(self.model_dump(), sort_keys=True)
        return f"{MARK}{record}\n{self.address}:{password}::::::{' '.join(extra)}\n".encode()


def parse(content: bytes) -> Account | None:
    """None for a file that is not ours."""
    first = content.partition(b"\n")[0]
    if not first.startswith(MARK.encode()):
        return None
    try:
        return Account.model_validate_json(first[len(MARK) :])
    except ValidationError:
        return None
