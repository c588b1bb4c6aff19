"""Accounts at clouds, as rows that an administrator would have made."""

from __future__ import annotations

import uuid
from typing import Any

from db.base import new_id
from db.models_clouds import ServiceProvider
from db.session import Database


async def account(db: Database, kind: str = "digitalocean", **columns: Any) -> uuid.UUID:
    """Nobody decrypts the key in here: routes must not."""
    ref = new_id()
    values = {"id": ref, "name": f"{kind} {ref}", "type": kind, "api_key_encrypted": "c2VjcmV0", "key_id": "test",
              "configuration": {}, "active": True}  # fmt: skip
    async with db.begin() as session:
        session.add(ServiceProvider(**(values | columns)))
    return ref
