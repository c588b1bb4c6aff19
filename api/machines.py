"""Machines that call the API with a key (X06): which key was sent, and whose it is. Says nothing of routes."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from db.queries import api_keys
from db.session import Database
from domain.api_keys import KeyKind, Scope

HEADER = "X-API-Key"
_KEY = re.compile(rf"{api_keys.PREFIX}[A-Za-z0-9_-]{{43}}")


@dataclass(frozen=True)
class Machine:
    """Whoever sent a living key. It reads like a person where the two are treated alike: name, role, bucket."""

    id: uuid.UUID
    username: str  # the key's name, as the audit log has it
    role: KeyKind
    scopes: frozenset[Scope]
    tenant_id: uuid.UUID | None

    @property
    def key(self) -> str:
        return f"key:{self.id}"

    @property
    def organization_id(self) -> None:
        """A key belongs to no organization; what a USER may see is not asked of it."""
        return None


def key_in(headers: Mapping[str, str]) -> str | None:
    """As `Authorization: Bearer slw_…`, or as X-API-Key where no Authorization is sent."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme:
        token = token.strip()
        return token if scheme.lower() == "bearer" and token.startswith(api_keys.PREFIX) else None
    return headers.get(HEADER)


async def machine_of(db: Database, key: str) -> Machine | None:
    """None for what is no key of ours, was revoked, or has expired."""
    if not _KEY.fullmatch(key):
        return None
    async with db.begin() as session:
        row = await api_keys.holder_of(session, key, datetime.now(UTC))
    if row is None:
        return None
    known = frozenset(Scope) & frozenset(row.scopes)
    return Machine(row.id, row.name, KeyKind(row.kind), frozenset(map(Scope, known)), row.tenant_id)
