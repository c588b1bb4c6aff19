"""Products and their prices (R035, R040-R043). A price that was sold is never changed: another takes its place."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from db.base import new_id
from db.models_shop import Price, Product

Sold = tuple[Product, list[Price]]


class SlugTaken(Exception):
    """A product has this slug, or had it before it was deleted."""


class NoSuchPrice(Exception):
    """No active price of this product has this id."""


@dataclass(frozen=True)
class NewPrice:
    interval: str
    amount_cents: int
    currency: str
    limits: dict[str, Any]
    stripe_price_id: str | None = None

    @property
    def place(self) -> tuple[str, str]:
        """A product has one active price for each of these."""
        return self.interval, self.currency


@dataclass(frozen=True)
class ProductFilter:
    search: str | None = None
    type: str | None = None
    active: bool | None = None


# ---- reading


async def on_sale(session: AsyncSession) -> list[Sold]:
    """Active products with their active prices, by name."""
    query = _there().where(Product.active).order_by(Product.name, Product.id)
    return await _priced(session, (await session.execute(query)).scalars().all())


async def page(session: AsyncSession, wanted: ProductFilter, *, offset: int, limit: int) -> tuple[int, list[Sold]]:
    """(how many match, one page of them with their active prices, newest first)."""
    query = _matching(wanted)
    total = (await session.execute(select(func.count()).select_from(query.subquery()))).scalar_one()
    shown = query.order_by(Product.created_at.desc(), Product.id.desc()).offset(offset).limit(limit)
    return total, await _priced(session, (await session.execute(shown)).scalars().all())


async def get(session: AsyncSession, product_id: uuid.UUID, *, lock: bool = False) -> Product | None:
    """None where there is none, or it was deleted. `lock`: nobody else changes it or its prices meanwhile."""
    query = _there().where(Product.id == product_id)
    return (await session.execute(query.with_for_update() if lock else query)).scalar_one_or_none()


async def prices_of(session: AsyncSession, row: Product) -> list[Price]:
    """All it ever had, the active ones first."""
    query = select(Price).where(Price.product_id == row.id).order_by(Price.active.desc(), *_ORDER)
    return list((await session.execute(query)).scalars())


# ---- writing; the caller holds the lock of what it changes


async def create(
    session: AsyncSession, *, name: str, slug: str, kind: str, description: str, active: bool,
    prices: Iterable[NewPrice],
) -> Product:  # fmt: skip
    """SlugTaken leaves the transaction usable."""
    row = Product(id=new_id(), name=name, slug=slug, type=kind, description=description, active=active)
    try:
        async with session.begin_nested():
            session.add(row)
    except IntegrityError as error:
        if "uq_products_slug" in str(error.orig):
            raise SlugTaken(slug) from None
        raise
    session.add_all(_row(row, price) for price in prices)
    await session.flush()
    await session.refresh(row)  # the database's own times
    return row


async def change(
    session: AsyncSession, row: Product, given: dict[str, Any], prices: Sequence[NewPrice], removed: Sequence[uuid.UUID]
) -> list[str]:
    """Set what is given; returns the names of what changed. NoSuchPrice before anything is written."""
    living = {price.id: price for price in await prices_of(session, row) if price.active}
    for ref in removed:
        if ref not in living:
            raise NoSuchPrice(ref)
    changed = [field for field, value in given.items() if value != getattr(row, field)]
    for field in changed:
        setattr(row, field, given[field])
    ending = [living.pop(ref) for ref in dict.fromkeys(removed)]
    if await _replace(session, row, ending, living.values(), prices):
        changed.append("prices")
        row.updated_at = func.now()
    await session.flush()
    await session.refresh(row)
    return changed


async def remove(session: AsyncSession, row: Product) -> None:
    """Soft: orders and invoices still name it, and its slug stays taken."""
    row.active, row.deleted_at = False, func.now()
    for price in await prices_of(session, row):
        price.active = False
    await session.flush()


async def _replace(
    session: AsyncSession, row: Product, ending: list[Price], staying: Iterable[Price], prices: Sequence[NewPrice]
) -> bool:
    """Whether any price ended or began. Prices that say what is there already leave it alone."""
    there = {(price.interval, price.currency): price for price in staying}
    beginning, named = [], False
    for new in prices:
        old = there.get(new.place)
        if old is not None and (old.amount_cents, old.limits_json) == (new.amount_cents, new.limits):
            if new.stripe_price_id in (None, old.stripe_price_id):
                continue
            if old.stripe_price_id is None:  # it only becomes known what it is called there
                old.stripe_price_id, named = new.stripe_price_id, True
                continue
        beginning.append(new)
        if old is not None:
            ending.append(old)
    for price in ending:
        price.active = False
    await session.flush()  # first: the session would write new rows before changed ones, and two would be active
    session.add_all(_row(row, price) for price in beginning)
    return named or bool(ending or beginning)


def _row(product: Product, price: NewPrice) -> Price:
    return Price(id=new_id(), product_id=product.id, interval=price.interval, amount_cents=price.amount_cents,
                 currency=price.currency, limits_json=price.limits, stripe_price_id=price.stripe_price_id)  # fmt: skip


_ORDER = (Price.currency, Price.amount_cents, Price.created_at.desc(), Price.id.desc())


def _there() -> Select[Product]:
    return select(Product).where(Product.deleted_at.is_(None))


def _matching(wanted: ProductFilter) -> Select[Product]:
    query = _there()
    if wanted.type is not None:
        query = query.where(Product.type == wanted.type)
    if wanted.active is not None:
        query = query.where(Product.active == wanted.active)
    if wanted.search:
        columns = (Product.name, Product.slug, Product.description)
        query = query.where(or_(*(column.icontains(wanted.search, autoescape=True) for column in columns)))
    return query


async def _priced(session: AsyncSession, found: Sequence[Product]) -> list[Sold]:
    """One query for the prices of all of them."""
    query = select(Price).where(Price.active, Price.product_id.in_([row.id for row in found])).order_by(*_ORDER)
    prices: dict[uuid.UUID, list[Price]] = {row.id: [] for row in found}
    for price in (await session.execute(query)).scalars() if found else ():
        prices[price.product_id].append(price)
    return [(row, prices[row.id]) for row in found]
