"""What is done once inside the database and Temporal before anybody uses them: schema, namespace, first sign-in."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import httpx

from db import migrate as schema
from db.queries.users import check_password, ensure_user, find_user
from db.session import Database
from domain.statuses import Role
from sandbox.stack.keys import Secrets
from sandbox.stack.layout import PROJECT, StackError
from settings import Settings

USERNAME = "admin"


@dataclass(frozen=True)
class FirstUser:
    username: str
    password: str = field(repr=False)  # the generated one; empty once somebody chose another


async def migrate(settings: Settings) -> None:
    await asyncio.to_thread(schema.upgrade, settings.sqlalchemy_url)


async def bootstrap_temporal(environment: dict[str, str]) -> None:
    """Search attributes and retention, by the very command that a deployment runs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "deploy.bootstrap", env=environment, cwd=PROJECT, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    if process.returncode:
        raise StackError(f"Temporal could not be prepared:\n{said.decode(errors='replace')[-1500:]}")


async def first_administrator(settings: Settings, secrets: Secrets) -> FirstUser:
    """Make the first administrator with this stack's generated password, unless somebody did before.

    It need not be changed at once: scripts sign in with what up.json (0600) says, and it opens only this sandbox.
    """
    database = Database(settings.sqlalchemy_url, pool_min=1, pool_max=1)
    try:
        async with database.begin() as session:
            email = f"{USERNAME}@{settings.base_domain}"
            await ensure_user(
                session, USERNAME, email, secrets.admin_password, Role.ADMINISTRATOR,
                name="Administrator", rounds=settings.bcrypt_rounds,
            )  # fmt: skip
            user = await find_user(session, USERNAME)
            unchanged = user is not None and await check_password(secrets.admin_password, user.password_hash)
            return FirstUser(USERNAME, secrets.admin_password if unchanged else "")
    finally:
        await database.close()


@contextlib.asynccontextmanager
async def office(api: str, user: FirstUser) -> AsyncIterator[httpx.AsyncClient]:
    """The product's API, signed in as the first administrator."""
    async with httpx.AsyncClient(base_url=api, trust_env=False, timeout=30) as client:
        given = {"username": user.username, "password": user.password}
        answer = await client.post("/api/auth/login", json=given)
        answer.raise_for_status()
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        yield client


def make_administrator(settings: Settings, username: str, email: str, password: str) -> bool:
    """Make an administrator who has to choose a password at the first sign-in; False if the name or address exists."""

    async def make() -> bool:
        database = Database(settings.sqlalchemy_url, pool_min=1, pool_max=1)
        try:
            async with database.begin() as session:
                made = await ensure_user(
                    session, username, email, password, Role.ADMINISTRATOR, must_change=True,
                    rounds=settings.bcrypt_rounds,
                )  # fmt: skip
                return made.created
        finally:
            await database.close()

    return asyncio.run(make())
