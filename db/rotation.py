"""Secrets brought under the ring's first key, so that an older one can be dropped. A repeat finds nothing to do.

Rows change in small batches, each locked for a moment, so processes may read and write all the while. What cannot be
read any more stays as it is, and is told.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import InstrumentedAttribute

from db.keyring import KeyRing, KeyRingError
from db.models import Secret
from db.models_certificates import SharedCertificate
from db.models_clouds import ServiceProvider
from db.queries import providers, shared_certificates
from db.secrets import context_of
from db.session import Database

BATCH = 200


@dataclass
class Rotated:
    """By table: how many are under the first key now, and how many could not be read. `left`: by the key they are
    under, how many still need it."""

    changed: Counter[str] = field(default_factory=Counter)
    unreadable: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class _Store:
    table: Any
    value: InstrumentedAttribute[Any]
    context: Callable[[Any], str]
    as_text: bool = False


_STORES = (
    _Store(Secret, Secret.ciphertext, context_of),
    _Store(SharedCertificate, SharedCertificate.ciphertext, shared_certificates.context_of),
    _Store(ServiceProvider, ServiceProvider.api_key_encrypted, providers.context_of, as_text=True),
)


async def rotate(db: Database, keys: KeyRing, *, batch: int = BATCH) -> Rotated:
    done = Rotated()
    for store in _STORES:
        await _rotate(db, keys, store, batch, done)
    return done


async def _rotate(db: Database, keys: KeyRing, store: _Store, batch: int, done: Rotated) -> None:
    table, name, after = store.table, store.value.key, None
    while True:
        # By id, so that what cannot be read is not met again and again.
        query = select(table).where(store.value.is_not(None), table.key_id != keys.current).order_by(table.id)
        if after is not None:
            query = query.where(table.id > after)
        async with db.begin() as session:
            rows = (await session.execute(query.limit(batch).with_for_update())).scalars().all()
            for row in rows:
                after, before = row.id, row.key_id
                blob = getattr(row, name)
                try:
                    plain = keys.decrypt(before, base64.b64decode(blob) if store.as_text else blob,
                                         context=store.context(row.id))  # fmt: skip
                except (KeyRingError, ValueError):
                    done.unreadable[table.__tablename__] += 1
                    done.left[before] += 1
                    continue
                key_id, made = keys.encrypt(plain, context=store.context(row.id))
                values = {"key_id": key_id, name: base64.b64encode(made).decode() if store.as_text else made}
                # What it says is what it said: nobody has to read it anew.
                same = {"updated_at": table.updated_at} if hasattr(table, "updated_at") else {}
                await session.execute(
                    update(table).where(table.id == row.id).values(**values, **same)
                    .execution_options(synchronize_session=False)
                )  # fmt: skip
                done.changed[table.__tablename__] += 1
        if len(rows) < batch:
            return
