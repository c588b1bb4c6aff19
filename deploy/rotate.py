"""Bring every stored secret under the first key of SECRET_KEYS. Safe to repeat, and while everything runs.

    python -m deploy.rotate

In this order: put the new key in front of SECRET_KEYS and restart every process (all can read both now), run this, and
once it says that no other key is needed, take the old one out. Exit status 1 where something could not be read.
With PAYLOAD_ENCRYPTION the histories in Temporal need the old key until they have ended their retention.
"""

from __future__ import annotations

import asyncio
import sys

from db.keyring import KeyRing
from db.rotation import Rotated, rotate
from db.session import Database
from settings import Settings, get_settings


async def run(settings: Settings) -> Rotated:
    if settings.secret_keys is None:
        raise SystemExit("SECRET_KEYS must be set: id:base64key, 32 bytes each, the new one first")
    db = Database(settings.sqlalchemy_url, pool_min=1, pool_max=2)
    try:
        return await rotate(db, KeyRing.parse(settings.secret_keys.get_secret_value()))
    finally:
        await db.close()


def told(done: Rotated, *, encrypted: bool) -> list[str]:
    """Sentences for whoever ran it. `encrypted`: payloads in Temporal are, too."""
    lines = [f"{table}: {count} brought under the first key" for table, count in sorted(done.changed.items())]
    lines += [f"{table}: {count} cannot be read" for table, count in sorted(done.unreadable.items())]
    if done.left:
        return [
            *lines,
            "still needed: " + ", ".join(f"{key} (for {count})" for key, count in sorted(done.left.items())),
        ]
    lines = lines or ["nothing to change"]
    if encrypted:
        return [*lines, "no stored secret needs another key; Temporal's histories do until their retention is over"]
    return [*lines, "no other key is needed any more"]


if __name__ == "__main__":
    settings = get_settings()
    result = asyncio.run(run(settings))
    print("\n".join(told(result, encrypted=settings.payload_encryption)), flush=True)  # noqa: T201
    sys.exit(1 if result.left else 0)
