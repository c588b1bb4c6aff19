"""The drill itself: a small one ends well, and its judge is not blind."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from tests.orders.__main__ import drill
from tests.orders.judge import judge
from tests.orders.outside import opened
from tests.orders.stack import running
from tests.parts import require

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


async def test_payments_told_of_many_times_are_live_once_each_although_workers_are_killed() -> None:
    require("postgres")
    require("lab")
    assert await drill(12, seed=7) == []


async def test_the_judge_sees_what_is_lost_doubled_or_strange() -> None:
    require("postgres")
    require("lab")
    async with running(1) as stack:
        ledger = opened(stack.ledger)
        ledger.execute("insert into things values ('account', 'h1', 'a')")
        ledger.execute("insert into strangers values ('account', 'h1', 'a', 'b')")
        ledger.close()
        async with stack.db.begin() as session:
            await session.execute(
                text(
                    "insert into payment_events (id, type, happened_at, livemode, outcome) "
                    "values ('evt_1', 'payment_intent.succeeded', now(), false, 'case')"
                )
            )
        said = "\n".join(await judge(stack, 1, ["lost.example"]))
    assert "0 orders, not 1" in said
    assert "1 payment cases" in said
    assert "account h1 of a was asked for by b" in said
    assert "1 names were asked for and are not live, such as lost.example" in said
    assert "1 zones are missing or left over, such as lost.example" in said
