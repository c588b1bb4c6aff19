"""People who ask for an account themselves (R105): wanted, and confirmed once the address is proven."""

from __future__ import annotations

import secrets
import uuid
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from db.base import new_id
from db.models import User
from db.models_mail import OutgoingMail, Registration
from db.models_sales import Customer
from db.queries import people
from db.queries.tokens import digest
from domain.mails import REGISTRATION, REGISTRATION_KNOWN
from domain.statuses import Role


async def mails_since(session: AsyncSession, email: str, since: datetime) -> int:
    """How many mails about registration went to that address, whoever asked for them."""
    query = select(func.count()).where(
        func.lower(OutgoingMail.recipient) == email.lower(), OutgoingMail.created_at > since,
        OutgoingMail.template.in_([REGISTRATION, REGISTRATION_KNOWN]),
    )  # fmt: skip
    return (await session.execute(query)).scalar_one()


async def ask(
    session: AsyncSession, *, email: str, name: str, password_hash: str, lifetime: timedelta
) -> tuple[uuid.UUID, str]:
    """(id, token) of a new one, behind the lock of people. One for the same address that waits is replaced, and those
    that nobody confirmed in time are forgotten. The token is in no row: keep it now or never."""
    now = datetime.now(UTC)
    same = func.lower(Registration.email) == email.lower()
    await session.execute(
        delete(Registration).where(Registration.confirmed_at.is_(None), same | (Registration.expires_at < now))
    )
    ref, token = new_id(), secrets.token_urlsafe(32)
    session.add(Registration(id=ref, email=email, name=name, password_hash=password_hash, token_hash=digest(token),
                             expires_at=now + lifetime))  # fmt: skip
    await session.flush()
    return ref, token


async def find(session: AsyncSession, token: str, *, lock: bool = False) -> Registration | None:
    """The one that waits for this token; None where it is unknown, over or confirmed."""
    query = select(Registration).where(
        Registration.token_hash == digest(token), Registration.confirmed_at.is_(None),
        Registration.expires_at > func.now(),
    )  # fmt: skip
    return (await session.execute(query.with_for_update() if lock else query)).scalar_one_or_none()


async def confirm(session: AsyncSession, asked: Registration) -> User:
    """Behind the lock of people: the account, of a customer where exactly one has this address. people.Taken where
    somebody has been given the address meanwhile."""
    user = await people.create(
        session, name=asked.name, email=asked.email, password_hash=asked.password_hash, role=Role.USER, username=None,
        organization_id=await _organization(session, asked.email), must_change=False,
    )  # fmt: skip
    asked.user_id, asked.confirmed_at, asked.password_hash = user.id, datetime.now(UTC), ""
    await session.flush()
    return user


async def is_proven(session: AsyncSession, user: User) -> bool:
    """Whether the user has shown that the address is theirs: what stands in a profile is only said."""
    query = select(Registration.id).where(
        Registration.user_id == user.id, func.lower(Registration.email) == user.email.lower()
    )
    return (await session.execute(query.limit(1))).first() is not None


async def _organization(session: AsyncSession, email: str) -> uuid.UUID | None:
    query = select(Customer.organization_id).where(func.lower(Customer.email) == email.lower()).distinct().limit(2)
    found = (await session.execute(query)).scalars().all()
    return found[0] if len(found) == 1 else None
