"""Users as administrators manage them: lists, counts and changes that always leave an administrator.

Every change runs behind one lock, so that two administrators who demote each other cannot both succeed, and two new
users cannot get one name that differs in its case only.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Select, cast, delete, distinct, func, or_, select
from sqlalchemy import String as Text
from sqlalchemy.ext.asyncio import AsyncSession

from db.base import new_id
from db.models import AuditEntry, Organization, User
from db.queries import tokens
from domain.statuses import Role

PEOPLE_LOCK = 7466895
SEEN_DAYS = 30


class Taken(Exception):
    """Somebody else has that username or e-mail."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


class LastAdministrator(Exception):
    """Without this one nobody could administer anything any more."""


class NoOrganization(Exception):
    pass


@dataclass(frozen=True)
class PeopleFilter:
    search: str | None = None
    role: Role | None = None
    active: bool | None = None


@dataclass(frozen=True)
class Stats:
    total: int
    active: int
    by_role: dict[str, int]
    signed_in: int


async def lock(session: AsyncSession) -> None:
    """Until the transaction ends nobody else changes people."""
    await session.execute(select(func.pg_advisory_xact_lock(PEOPLE_LOCK)))


async def get(session: AsyncSession, user_id: uuid.UUID, *, locked: bool = False) -> User | None:
    return await session.get(User, user_id, with_for_update=True if locked else None)


async def listed(session: AsyncSession, wanted: PeopleFilter, *, offset: int, limit: int) -> tuple[int, list[User]]:
    """(how many match, one page of them, newest first)."""
    query = _matching(wanted)
    total = (await session.execute(select(func.count()).select_from(query.subquery()))).scalar_one()
    page = query.order_by(User.created_at.desc(), User.id.desc()).offset(offset).limit(limit)
    return total, list((await session.execute(page)).scalars())


def _matching(wanted: PeopleFilter) -> Select[User]:
    query = select(User)
    if wanted.role is not None:
        query = query.where(User.role == wanted.role.value)
    if wanted.active is not None:
        query = query.where(User.is_active == wanted.active)
    if wanted.search:
        columns = (User.username, User.email, User.name)
        query = query.where(or_(*(column.icontains(wanted.search, autoescape=True) for column in columns)))
    return query


async def stats(session: AsyncSession) -> Stats:
    """`signed_in`: how many of today's users signed in during the last 30 days, by the audit log; tokens are gone by
    then."""
    rows = await session.execute(select(User.role, User.is_active, func.count()).group_by(User.role, User.is_active))
    by_role = {role.value: 0 for role in Role}
    active = 0
    for role, is_active, count in rows:
        by_role[role] += count
        active += count if is_active else 0
    since = datetime.now(UTC) - timedelta(days=SEEN_DAYS)
    signed_in = (
        select(func.count(distinct(User.id)))
        .join(AuditEntry, AuditEntry.target_id == cast(User.id, Text))
        .where(AuditEntry.action == "auth.login", AuditEntry.outcome == "ok", AuditEntry.at >= since)
    )
    return Stats(sum(by_role.values()), active, by_role, (await session.execute(signed_in)).scalar_one())


async def create(
    session: AsyncSession,
    *,
    name: str,
    email: str,
    password_hash: str,
    role: Role,
    username: str | None,
    organization_id: uuid.UUID | None,
    must_change: bool = True,
) -> User:
    """Behind the lock. Whoever is made by somebody else must change the password first."""
    if organization_id is not None and await session.get(Organization, organization_id) is None:
        raise NoOrganization
    if await _is_taken(session, email):
        raise Taken("email")
    if username is not None and await _is_taken(session, username):
        raise Taken("username")
    user = User(
        id=new_id(), username=username or await _username_from(session, email), email=email, name=name,
        password_hash=password_hash, role=role.value, organization_id=organization_id, must_change_password=must_change,
        is_active=True,
    )  # fmt: skip
    session.add(user)
    await session.flush()
    await session.refresh(user)
    return user


async def change_profile(session: AsyncSession, user: User, *, name: str | None, email: str | None) -> None:
    """Behind the lock."""
    if email is not None and await _is_taken(session, email, but=user.id):
        raise Taken("email")
    user.name = user.name if name is None else name
    user.email = user.email if email is None else email
    await session.flush()


async def set_role(session: AsyncSession, user: User, role: Role) -> None:
    """Behind the lock."""
    if role is not Role.ADMINISTRATOR:
        await _not_the_last(session, user)
    user.role = role.value
    await session.flush()


async def set_active(session: AsyncSession, user: User, active: bool) -> None:
    """Behind the lock. Sessions end with the account; one renewed at that very moment ends at the way back."""
    if user.is_active == active:
        return
    if not active:
        await _not_the_last(session, user)
    user.is_active = active
    await tokens.revoke_all(session, user.id)
    await session.flush()


async def remove(session: AsyncSession, user: User) -> None:
    """Behind the lock. Sessions go with the row."""
    await _not_the_last(session, user)
    await session.execute(delete(User).where(User.id == user.id))


async def _not_the_last(session: AsyncSession, user: User) -> None:
    if user.role != Role.ADMINISTRATOR or not user.is_active:
        return
    others = select(func.count()).where(
        User.role == Role.ADMINISTRATOR.value, User.is_active, User.id != user.id
    )  # fmt: skip
    if not (await session.execute(others)).scalar_one():
        raise LastAdministrator


async def _is_taken(session: AsyncSession, login: str, *, but: uuid.UUID | None = None) -> bool:
    """By either name, because people sign in with either."""
    wanted = func.lower(login)
    query = select(User.id).where(or_(func.lower(User.username) == wanted, func.lower(User.email) == wanted))
    if but is not None:
        query = query.where(User.id != but)
    return (await session.execute(query.limit(1))).first() is not None


async def _username_from(session: AsyncSession, email: str) -> str:
    """What stands before the @, with a number where somebody has that name."""
    base = re.sub(r"[^a-z0-9._-]", "", email.partition("@")[0].lower())[:80].lstrip("._-") or "user"
    name, number = base, 1
    while await _is_taken(session, name):
        number += 1
        name = f"{base}-{number}"
    return name
