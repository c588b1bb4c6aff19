"""Credentials are shown once, to operators, after hand-over; then they are gone."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select, update

from db.models import Secret
from domain.statuses import Role
from tests.api.world import World


async def ask(world: World, ref: str) -> Any:
    return await world.client.get(f"/api/portal/instances/{ref}/credentials")


async def active(world: World, **columns: Any) -> str:
    ref = (await world.create(adminPassword="Sehr-geheim-42x"))["deploymentId"]
    await world.set_row(ref, phase="active", status="active", access_url="https://a.recruitiq.nl",
                        activated_at=datetime.now(UTC), **columns)  # fmt: skip
    return ref


async def secret(world: World, ref: str) -> Secret:
    async with world.db.begin() as session:
        return (await session.execute(select(Secret).where(Secret.deployment_id == uuid.UUID(ref)))).scalar_one()


async def test_once_and_never_again(world: World) -> None:
    ref = await active(world)
    status = (await world.client.get(f"/api/portal/instances/{ref}/status")).json()
    assert status["credentials_available"] is True
    first = await ask(world, ref)
    assert first.json()["credentials"] == {
        "url": "https://a.recruitiq.nl", "email": "admin@acme.com", "password": "Sehr-geheim-42x", "must_change": True,
    }  # fmt: skip
    assert first.headers["cache-control"] == "no-store"
    row = await secret(world, ref)
    assert row.ciphertext is None
    assert row.revealed_at is not None
    second = await ask(world, ref)
    assert (second.status_code, second.json()["code"]) == (410, "CONFLICT")
    status = (await world.client.get(f"/api/portal/instances/{ref}/status")).json()
    assert status["credentials_available"] is False
    assert [e.outcome for e in await world.audit("credentials.reveal") if e.target_id == ref] == ["ok", "refused"]


async def test_two_at_once_see_it_once(world: World) -> None:
    ref = await active(world)
    answers = await asyncio.gather(*(ask(world, ref) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 410, 410, 410]


async def test_not_before_the_hand_over(world: World) -> None:
    ref = (await world.create())["deploymentId"]
    assert (await ask(world, ref)).status_code == 409
    assert (await secret(world, ref)).ciphertext is not None


async def test_expired_ones_are_destroyed_unseen(world: World) -> None:
    ref = await active(world)
    past = datetime.now(UTC) - timedelta(days=30)
    await world.set_row(ref, activated_at=past)
    async with world.db.begin() as session:
        await session.execute(update(Secret).where(Secret.deployment_id == uuid.UUID(ref)).values(expires_at=past))
    assert (await ask(world, ref)).status_code == 410
    row = await secret(world, ref)
    assert (row.ciphertext, row.revealed_at) == (None, None)


async def test_a_run_that_waited_long_still_hands_over(world: World) -> None:
    ref = await active(world)
    past = datetime.now(UTC) - timedelta(days=1)
    async with world.db.begin() as session:
        await session.execute(update(Secret).where(Secret.deployment_id == uuid.UUID(ref)).values(expires_at=past))
    assert (await ask(world, ref)).status_code == 200


async def test_operators_only(world: World) -> None:
    ref = await active(world)
    for role in (Role.SUPPORT, Role.BILLING, Role.USER):
        await world.sign_in(role)
        assert (await ask(world, ref)).status_code == 403
