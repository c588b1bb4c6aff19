"""The drill itself: a small one ends well, and its judge is not blind."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.drill import ca_log
from tests.drill.__main__ import drill
from tests.drill.ca_log import IssuedByCa
from tests.drill.judge import Declared, judge, too_soon
from tests.drill.outside import new_key, opened
from tests.drill.stack import running
from tests.drill.stock import stock
from tests.parts import require

NOON = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
LOG = """Pebble 2026/11/28 11:59:59 Issued certificate serial 0a1b for order x1
Pebble 2026/11/28 12:00:01 There are now 7 orders in the db
Pebble 2026/11/28 12:00:07 Issued certificate serial 5c for order x2
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_every_certificate_is_issued_anew_once_although_workers_are_killed() -> None:
    for part in ("postgres", "lab", "pebble"):
        require(part)
    assert await drill(8, pace=1_200, seed=3) == []


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_the_judge_sees_what_is_issued_twice_lost_or_strange() -> None:
    for part in ("postgres", "lab", "pebble"):
        require(part)
    async with running() as stack:
        await stock(stack.deps, stack.ledger, 1)
        body = {"ca": stack.deps.acme.directory_url, "pacePerHour": 60, "reason": "drill"}
        (await stack.http.post("/api/ssl/drills", json=body)).raise_for_status()
        ledger = opened(stack.ledger)
        ledger.execute("insert into hosts values ('lost.slipway.test', ?, 'ff')", (new_key(),))
        ledger.execute("insert into installed values ('c0.slipway.test', 'aa'), ('c0.slipway.test', 'bb')")
        ledger.execute("insert into strangers values ('c0.slipway.test', 'was given bb after aa')")
        ledger.close()
        said = "\n".join(await judge(stack, Declared(2, 60, datetime.now(UTC)), set()))
    assert "the CA issued 1 certificates, not 2" in said
    assert "1 hosts were given more than one new certificate, such as c0.slipway.test" in said
    assert "c0.slipway.test was given bb after aa" in said
    assert "certificates are issued and not served" in said
    assert "names are served another one than our rows say" in said
    assert "the drill says running, 0 of 1" in said


def test_what_the_ca_says_is_read_from_its_log(tmp_path: Path) -> None:
    log = tmp_path / "pebble.log"
    log.write_text(LOG)
    assert ca_log.issued(log) == [
        IssuedByCa(NOON - timedelta(seconds=1), "a1b"), IssuedByCa(NOON + timedelta(seconds=7), "5c"),
    ]  # fmt: skip
    assert ca_log.ordered(log) == 7
    assert ca_log.fullest_minute(ca_log.issued(log)) == 2


def test_what_comes_sooner_than_its_pace_is_told() -> None:
    declared = Declared(3, pace=3_600, began=NOON)
    right = [IssuedByCa(NOON + timedelta(seconds=second), f"{second}") for second in (0, 1, 2)]
    assert too_soon(declared, right) == []
    assert too_soon(declared, [IssuedByCa(NOON, f"{n}") for n in range(3)]) == [
        "3 were issued by 12:00:00, and 3600 an hour allow 2"
    ]
