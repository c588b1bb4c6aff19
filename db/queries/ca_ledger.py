"""The ledger of a CA's limits: one row a bucket, locked while something is taken (domain/ca_limits.py).

What is taken for an order that is then lost stays taken: the ledger errs on the careful side and mends itself in time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from db.models_certificates import CaBucket
from domain import ca_limits
from domain.ca_limits import Bucket, CaLimit, Charge, Possible, Renewal, Spent, Wanted

Limits = Mapping[CaLimit, Bucket]


async def possible(
    session: AsyncSession, directory_url: str, wanted: Wanted, now: datetime, limits: Limits
) -> Possible:
    """When the CA would let this order through; nothing is taken."""
    charges = _all_charges(wanted)
    query = select(CaBucket).where(CaBucket.directory_url == directory_url, _among(charges))
    rows = (await session.execute(query)).scalars().all() if charges else []
    return await _judged(session, directory_url, wanted, now, limits, {_charge(row): _spent(row) for row in rows})


async def reserve(session: AsyncSession, directory_url: str, wanted: Wanted, now: datetime, limits: Limits) -> Possible:
    """Take what the order draws on, or nothing where `by` says what stands in its way."""
    ledger = await _locked(session, directory_url, _all_charges(wanted))
    found = await _judged(session, directory_url, wanted, now, limits, ledger)
    if found.by is None:
        await _take(session, directory_url, ledger, _spends(wanted), now, limits)
    return found


async def take(
    session: AsyncSession, directory_url: str, charges: Iterable[Charge], now: datetime, limits: Limits
) -> None:
    """Note what happened anyway."""
    wanted = list(charges)
    ledger = await _locked(session, directory_url, wanted)
    await _take(session, directory_url, ledger, wanted, now, limits)


async def give_back(session: AsyncSession, directory_url: str, wanted: Wanted, limits: Limits) -> None:
    """The certificate was not issued; the order was placed all the same."""
    charges = ca_limits.spent_by_issue(wanted)
    for charge, spent in (await _locked(session, directory_url, charges)).items():
        if (bucket := limits.get(charge.limit)) is not None:
            await _write(session, directory_url, charge, ca_limits.given_back(bucket, spent))


async def refused(session: AsyncSession, directory_url: str, charge: Charge, until: datetime) -> None:
    """The CA itself said so; it knows of others who draw on the same bucket."""
    ledger = await _locked(session, directory_url, [charge])
    await _write(session, directory_url, charge, Spent((), until, ledger[charge].full_at))


# ---- parts ----------------------------------------------------------------------------------------------------------


def _spends(wanted: Wanted) -> list[Charge]:
    return ca_limits.spent_by_order(wanted) + ca_limits.spent_by_issue(wanted)


def _all_charges(wanted: Wanted) -> list[Charge]:
    return list(dict.fromkeys(ca_limits.charges_of(wanted) + _spends(wanted)))


async def _judged(
    session: AsyncSession, directory_url: str, wanted: Wanted, now: datetime, limits: Limits,
    ledger: Mapping[Charge, Spent],
) -> Possible:  # fmt: skip
    found = ca_limits.possible_at(wanted, ledger, now, limits=limits)
    if wanted.renewal is Renewal.ARI:
        return found
    for charge, spent in (await _refusals(session, directory_url, wanted, now)).items():
        if spent.refused_until is not None and spent.refused_until > found.at:
            why = f"the CA refused more for {charge.subject or 'us'} until {spent.refused_until:%Y-%m-%d %H:%M} UTC"
            found = Possible(spent.refused_until, charge, 0, why)
    return found


async def _refusals(
    session: AsyncSession, directory_url: str, wanted: Wanted, now: datetime
) -> dict[Charge, Spent]:  # fmt: skip
    """What the CA refused, by its own idea of what a registered domain is; also of limits that we do not know."""
    above = {part for name in wanted.names for part in _suffixes(name)} if wanted.renewal is Renewal.NEW else set()
    charges = _all_charges(wanted) + [Charge(CaLimit.REGISTERED_DOMAIN, part) for part in sorted(above)]
    query = select(CaBucket).where(
        CaBucket.directory_url == directory_url, CaBucket.refused_until > now, _among(list(dict.fromkeys(charges)))
    )
    return {_charge(row): _spent(row) for row in (await session.execute(query)).scalars()}


def _suffixes(name: str) -> list[str]:
    labels = name.lower().removeprefix("*.").split(".")
    return [".".join(labels[start:]) for start in range(len(labels) - 1)]


async def _locked(session: AsyncSession, directory_url: str, charges: list[Charge]) -> dict[Charge, Spent]:
    """In one order for everybody, so that nobody waits in a circle."""
    if not charges:
        return {}
    ordered = sorted(set(charges), key=lambda charge: (charge.limit, charge.subject))
    await session.execute(
        insert(CaBucket)
        .values([{"directory_url": directory_url, "limit": c.limit.value, "subject": c.subject} for c in ordered])
        .on_conflict_do_nothing()
    )
    query = (
        select(CaBucket)
        .where(CaBucket.directory_url == directory_url, _among(ordered))
        .order_by(CaBucket.limit, CaBucket.subject)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return {_charge(row): _spent(row) for row in (await session.execute(query)).scalars()}


async def _take(
    session: AsyncSession, directory_url: str, ledger: Mapping[Charge, Spent], charges: list[Charge], now: datetime,
    limits: Limits,
) -> None:  # fmt: skip
    for charge in charges:
        if (bucket := limits.get(charge.limit)) is not None:
            await _write(session, directory_url, charge, ca_limits.taken(bucket, ledger[charge], now))


async def _write(session: AsyncSession, directory_url: str, charge: Charge, spent: Spent) -> None:
    await session.execute(
        update(CaBucket)
        .where(CaBucket.directory_url == directory_url, CaBucket.limit == charge.limit.value,
               CaBucket.subject == charge.subject)
        .values(full_at=spent.full_at, refused_until=spent.refused_until)
    )  # fmt: skip


def _among(charges: list[Charge]) -> ColumnElement[bool]:
    return or_(*((CaBucket.limit == c.limit.value) & (CaBucket.subject == c.subject) for c in charges))


def _charge(row: CaBucket) -> Charge:
    return Charge(CaLimit(row.limit), row.subject)


def _spent(row: CaBucket) -> Spent:
    return Spent((), row.refused_until, row.full_at)
