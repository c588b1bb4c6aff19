"""The gate in front of an account: it lets through, waits, sends away, and lets nothing through blindly."""

from __future__ import annotations

import asyncio
import contextvars
import uuid
from typing import Any

import pytest

from activities._gate import AccountGate
from db.base import new_id
from db.models_clouds import CallBudget, ServiceProvider
from db.session import Database
from providers.cloud.base import CallLimit
from providers.errors import RateLimited, Transient

FEW = (CallLimit(calls="requests", count=1, seconds=5),)


@pytest.fixture
async def account(db: Database) -> uuid.UUID:
    async with db.begin() as session:
        row = ServiceProvider(id=new_id(), name=f"a {uuid.uuid4()}", type="linode", api_key_encrypted="x")
        session.add(row)
    return row.id


async def another_try(call: Any) -> Any:
    """In a context of its own, as each try of an activity is."""
    return await asyncio.get_running_loop().create_task(call, context=contextvars.Context())


class TestEnter:
    async def test_calls_within_the_budget_pass(self, db: Database, account: uuid.UUID) -> None:
        gate = AccountGate(db, account, (CallLimit(calls="hour", count=1000, seconds=10),))
        for _ in range(5):
            await gate.enter("hour")
        async with db.begin() as session:
            assert (await session.get_one(CallBudget, (account, "hour"))).taken == 5

    async def test_without_a_slot_it_says_when_to_come_again(self, db: Database, account: uuid.UUID) -> None:
        gate = AccountGate(db, account, FEW)
        await another_try(gate.enter("requests"))
        with pytest.raises(RateLimited) as raised:
            await another_try(gate.enter("requests"))
        assert raised.value.retry_after is not None
        assert 5 < raised.value.retry_after < 20

    async def test_who_has_begun_is_let_through_to_the_end(
        self, db: Database, account: uuid.UUID, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Sent away in the middle, it would repeat its first calls for ever under a full load."""
        slept: list[float] = []

        async def no_sleep(seconds: float) -> None:
            slept.append(seconds)

        monkeypatch.setattr(asyncio, "sleep", no_sleep)
        gate = AccountGate(db, account, FEW)

        async def two_calls() -> None:
            await gate.enter("requests")
            await gate.enter("requests")

        await another_try(two_calls())
        assert slept[0] == 0
        assert 5 < slept[1] <= 7

    async def test_limits_can_be_given_anew(self, db: Database, account: uuid.UUID) -> None:
        gate = AccountGate(db, account, FEW)
        gate.keep_to((CallLimit(calls="requests", count=100, seconds=5),))
        for _ in range(5):
            await another_try(gate.enter("requests"))

    async def test_a_class_without_a_limit_is_a_mistake_of_ours(self, db: Database, account: uuid.UUID) -> None:
        with pytest.raises(KeyError):
            await AccountGate(db, account, FEW).enter("unheard-of")

    def test_a_limit_of_nothing_is_refused(self, db: Database) -> None:
        with pytest.raises(ValueError, match="lets nothing through"):
            AccountGate(db, new_id(), (CallLimit(calls="requests", count=0, seconds=5),))


class TestRefused:
    async def test_after_a_429_the_class_rests(self, db: Database, account: uuid.UUID) -> None:
        gate = AccountGate(db, account, (CallLimit(calls="hour", count=1000, seconds=10),))
        await gate.refused("hour", 40)
        with pytest.raises(RateLimited) as raised:
            await gate.enter("hour")
        assert raised.value.retry_after is not None
        assert raised.value.retry_after > 39


class TestWithoutPostgres:
    async def test_nothing_is_called_blindly(self) -> None:
        away = Database("postgresql+psycopg://nobody@127.0.0.1:1/none", pool_min=1, pool_max=1)
        gate = AccountGate(away, new_id(), FEW)
        with pytest.raises(Transient, match="budget"):
            await gate.enter("requests")
        await gate.refused("requests", 10)  # the 429 is what the caller is told, not our database's trouble
        await away.close()
