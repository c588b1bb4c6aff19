"""Certificates that were uploaded together with their keys (X18): kept, made the default, put in places, withdrawn."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from db.base import new_id
from db.keyring import KeyRing
from db.models_certificates import Certificate, SharedCertificate
from db.queries.certificate_view import SERVED
from domain.certificate_pairs import CertificatePair
from domain.certificates import covers
from domain.renewal import Action


def context_of(shared_id: uuid.UUID) -> str:
    """The place a key is bound to (db/keyring.py)."""
    return f"shared_certificates/{shared_id}"


class Withdrawn(Exception):
    """Its key is gone, and not to be used again."""


@dataclass(frozen=True)
class Places:
    """In how many it is served, and in how many it is still to be put."""

    serving: int
    waiting: int


async def keep(session: AsyncSession, keys: KeyRing, brought: CertificatePair, by: str) -> SharedCertificate:
    """Its row, locked. The same one where it was uploaded before; Withdrawn where that was withdrawn."""
    row_id = new_id()
    key_id, ciphertext = keys.encrypt(brought.key_pem.encode(), context=context_of(row_id))
    await session.execute(
        insert(SharedCertificate)
        .values(
            id=row_id, names=brought.names, serial=brought.serial, issuer=brought.issuer,
            not_before=brought.not_before, not_after=brought.not_after, chain_pem=brought.chain_pem,
            key_sha256=brought.key_sha256, key_type=brought.key_type, key_id=key_id, ciphertext=ciphertext,
            uploaded_by=by,
        )
        .on_conflict_do_nothing()
    )  # fmt: skip
    query = select(SharedCertificate).where(
        SharedCertificate.serial == brought.serial, SharedCertificate.issuer == brought.issuer
    )
    row = (await session.execute(query.with_for_update())).scalar_one()
    if row.withdrawn_at is not None:
        raise Withdrawn
    return row


async def get(session: AsyncSession, shared_id: uuid.UUID, *, lock: bool = False) -> SharedCertificate | None:
    return await session.get(SharedCertificate, shared_id, with_for_update=lock)


async def usable(session: AsyncSession, shared_id: uuid.UUID) -> SharedCertificate:
    """Locked, so that it is not withdrawn before this transaction ends; Withdrawn where it was."""
    row = await get(session, shared_id, lock=True)
    if row is None or row.withdrawn_at is not None:
        raise Withdrawn
    return row


def private_key(row: SharedCertificate, keys: KeyRing) -> str:
    """Withdrawn: there is none any more."""
    if row.ciphertext is None:
        raise Withdrawn
    return keys.decrypt(row.key_id, row.ciphertext, context=context_of(row.id)).decode()


async def is_shared(session: AsyncSession, key_sha256: str) -> bool:
    """Whether a key was uploaded at any time, by its public half."""
    query = select(SharedCertificate.id).where(SharedCertificate.key_sha256 == key_sha256).limit(1)
    return (await session.execute(query)).scalar_one_or_none() is not None


async def page(session: AsyncSession, *, offset: int, limit: int) -> tuple[int, list[tuple[SharedCertificate, Places]]]:
    """The last that was uploaded first."""
    total = (await session.execute(select(func.count()).select_from(SharedCertificate))).scalar_one()
    query = select(SharedCertificate).order_by(SharedCertificate.created_at.desc(), SharedCertificate.id)
    rows = (await session.execute(query.offset(offset).limit(limit))).scalars().all()
    return total, [(row, await places(session, row)) for row in rows]


async def places(session: AsyncSession, row: SharedCertificate) -> Places:
    serving = select(func.count()).select_from(Certificate).where(SERVED, Certificate.shared_id == row.id)
    waiting = select(func.count()).select_from(Certificate).where(SERVED, Certificate.awaits_id == row.id)
    return Places((await session.execute(serving)).scalar_one(), (await session.execute(waiting)).scalar_one())


async def served_by(session: AsyncSession, shared_id: uuid.UUID) -> list[Certificate]:
    """The places that serve it or wait for it, locked."""
    either = (Certificate.shared_id == shared_id) | (Certificate.awaits_id == shared_id)
    query = select(Certificate).where(SERVED, either).order_by(Certificate.id).with_for_update()
    return list((await session.execute(query)).scalars())


async def in_place(session: AsyncSession, shared_id: uuid.UUID, holder_id: uuid.UUID) -> Certificate | None:
    """The holder's row for it, where it has one that nothing has replaced."""
    query = select(Certificate).where(
        Certificate.shared_id == shared_id, Certificate.superseded_at.is_(None),
        (Certificate.subscription_id == holder_id) | (Certificate.deployment_id == holder_id),
    )  # fmt: skip
    return (await session.execute(query.limit(1))).scalar_one_or_none()


# ---- the default ----------------------------------------------------------------------------------------------------


async def make_default(session: AsyncSession, row: SharedCertificate) -> None:
    await session.execute(
        update(SharedCertificate)
        .where(SharedCertificate.is_default, SharedCertificate.id != row.id)
        .values(is_default=False)
    )
    row.is_default = True
    await session.flush()


async def default_for(session: AsyncSession, names: Sequence[str], now: datetime) -> SharedCertificate | None:
    """The default one, where it covers all of the names and a third of its life is left."""
    query = select(SharedCertificate).where(SharedCertificate.is_default)
    row = (await session.execute(query)).scalar_one_or_none()
    if row is None or now > row.not_after - (row.not_after - row.not_before) / 3:
        return None
    return row if all(covers(row.names, name) for name in names) else None


# ---- where it goes --------------------------------------------------------------------------------------------------


def give(row: SharedCertificate, place: Certificate, now: datetime) -> None:
    """Have it put in this certificate's place, by the sweep of renewals if nobody starts that before."""
    place.awaits_id, place.replace_after = row.id, now
    _due(place, now, "an uploaded certificate takes its place")


async def withdraw(session: AsyncSession, row: SharedCertificate, now: datetime) -> list[Certificate]:
    """Forget its key, and have each place that serves it, and returned, get one of its own. Again: nothing changes."""
    if row.withdrawn_at is not None:
        return []
    row.withdrawn_at, row.ciphertext, row.is_default = now, None, False
    # What a run is bringing at this moment has no plan yet: its end makes one, by these facts.
    await session.execute(
        update(Certificate)
        .where(Certificate.shared_id == row.id, Certificate.superseded_at.is_(None))
        .values(replace_after=now, replace_key=True)
    )
    found = await served_by(session, row.id)
    for place in found:
        if place.awaits_id == row.id:
            place.awaits_id = None
            place.replace_after = place.replace_after if place.drill_id is not None else None
        _due(place, now, "the uploaded certificate was withdrawn")
    return [place for place in found if place.shared_id == row.id]


def _due(place: Certificate, now: datetime, why: str) -> None:
    """The run that this brings plans it by all of its facts; where nothing is due by them it says so and ends."""
    place.renew_after, place.next_action, place.why = now, Action.RENEW.value, why
