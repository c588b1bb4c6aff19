"""Keys of machines, as rows that an administrator would have made."""

from __future__ import annotations

import uuid
from typing import Any

from db.queries import api_keys
from domain.api_keys import Scope
from tests.api.world import World


async def key_for(world: World, *scopes: Scope, tenant_id: uuid.UUID | None = None, **columns: Any) -> str:
    """A new key in clear."""
    values = {"name": f"machine {uuid.uuid4().hex[:8]}", "kind": "portal", "scopes": list(scopes)} | columns
    async with world.db.begin() as session:
        return (await api_keys.create(session, tenant_id=tenant_id, **values))[1]


async def as_machine(world: World, *scopes: Scope, **columns: Any) -> str:
    """From now on the world's client sends such a key."""
    key = await key_for(world, *scopes, **columns)
    world.client.headers["Authorization"] = f"Bearer {key}"
    return key
