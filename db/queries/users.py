"""People who may sign in: their rows and password hashes. Passwords themselves are never kept."""

from __future__ import annotations

import asyncio
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import bcrypt
from sqlalchemy import func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from db.base import new_id
from db.models import User
from db.queries.reading import Reader, Row
from domain.statuses import Role

MAX_PASSWORD_BYTES = 72  # bcrypt reads no further
NOBODY_KNOWS = "!"  # the hash of who has not chosen a password yet: no password has it

# One hash at a time: bcrypt is meant to be slow, and a flood of sign-ins must leave a core to everybody else.
_hashing = ThreadPoolExecutor(max_workers=1, thread_name_prefix="bcrypt")

_PRINCIPAL = """
select u.id, u.username, u.email, u.name, u.role, u.organization_id, u.must_change_password,
       u.is_active and exists (
         select 1 from refresh_tokens t where t.family_id = %s and t.user_id = u.id and t.revoked_at is null) as alive
  from users u where u.id = %s
"""


@dataclass(frozen=True)
class EnsuredUser:
    id: uuid.UUID
    created: bool


async def hash_password(password: str, rounds: int) -> str:
    loop = asyncio.get_running_loop()
    made = await loop.run_in_executor(_hashing, bcrypt.hashpw, password.encode(), bcrypt.gensalt(rounds))
    return made.decode()


async def check_password(password: str, password_hash: str) -> bool:
    """One full bcrypt computation, also for passwords that cannot be right; none where nobody has chosen one yet."""
    if password_hash == NOBODY_KNOWS:
        return False
    given = password.encode()
    shortened = given[:MAX_PASSWORD_BYTES]
    loop = asyncio.get_running_loop()
    matches = await loop.run_in_executor(_hashing, bcrypt.checkpw, shortened, password_hash.encode())
    return matches and len(given) <= MAX_PASSWORD_BYTES


async def ensure_user(
    session: AsyncSession,
    username: str,
    email: str,
    password: str,
    role: Role = Role.ADMINISTRATOR,
    must_change: bool = False,
    *,
    name: str = "",
    rounds: int = 12,
) -> EnsuredUser:
    """Create the user unless the username or the e-mail exists; an existing one keeps password and role (X26)."""
    row = await find_user(session, username) or await find_user(session, email)
    if row is not None:
        return EnsuredUser(row.id, created=False)
    made = await session.execute(
        insert(User)
        .values(id=new_id(), username=username, email=email, name=name, role=role.value,
                password_hash=await hash_password(password, rounds), must_change_password=must_change)
        .on_conflict_do_nothing()
        .returning(User.id)
    )  # fmt: skip
    new = made.scalar_one_or_none()
    if new is not None:
        return EnsuredUser(new, created=True)
    raced = await find_user(session, username) or await find_user(session, email)
    if raced is None:
        raise LookupError(f"user {username!r} can be neither created nor found")
    return EnsuredUser(raced.id, created=False)


async def find_user(session: AsyncSession, login: str) -> User | None:
    """By username or e-mail, whatever the case; an exact username wins."""
    wanted = login.casefold()
    query = select(User).where(or_(func.lower(User.username) == wanted, func.lower(User.email) == wanted))
    rows = (await session.execute(query.order_by((User.username == login).desc()).limit(1))).scalars()
    return rows.first()


async def find_by_email(session: AsyncSession, email: str, *, lock: bool = False) -> User | None:
    """By e-mail alone, whatever the case. None where two accounts differ by case only: neither is meant for certain."""
    query = select(User).where(func.lower(User.email) == email.casefold()).limit(2)
    rows = (await session.execute(query.with_for_update() if lock else query)).scalars().all()
    return rows[0] if len(rows) == 1 else None


async def set_password(session: AsyncSession, user: User, password: str, rounds: int) -> None:
    user.password_hash = await hash_password(password, rounds)
    user.must_change_password = False
    await session.flush()


async def principal_row(reader: Reader, user_id: uuid.UUID, family_id: uuid.UUID) -> Row | None:
    """Who an access token stands for now; `alive` is false once the user or the session (token family) has ended."""
    return await reader.one(_PRINCIPAL, (family_id, user_id))
