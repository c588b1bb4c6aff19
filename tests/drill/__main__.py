"""`make drill N=1000 [PACE=n] [SEED=n]`: exit status 1 unless each certificate was issued once, within the budget."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import sys
import time
from datetime import UTC, datetime
from typing import Any

import uvloop

from tests.drill import ca_log
from tests.drill.judge import Declared, judge
from tests.drill.stack import WORKERS, Stack, running
from tests.drill.stock import stock

PACE = 12_000  # certificates an hour: two hundred a minute
QUIET = 2_400.0  # seconds without another one replaced before the drill gives up: what failed twice rests half an hour
EVERY = 10.0


async def _begin(stack: Stack, pace: int) -> dict[str, Any]:
    body = {"ca": stack.deps.acme.directory_url, "pacePerHour": pace, "reason": "make drill"}
    answer = await stack.http.post("/api/ssl/drills", json=body)
    answer.raise_for_status()
    return dict(answer.json()["drill"])


async def _ended(stack: Stack, drill: dict[str, Any], began: float) -> None:
    last, since, told = -1, time.monotonic(), 0.0
    while True:
        answer = await stack.http.get(f"/api/ssl/drills/{drill['id']}")
        answer.raise_for_status()
        drill, now = dict(answer.json()["drill"]), time.monotonic()
        if drill["replaced"] != last:
            last, since = drill["replaced"], now
        over = drill["state"] == "done" or now - since > QUIET
        if now - told > EVERY or over:
            print(f"{last} of {drill['total']} replaced after {now - began:.0f} s; {drill['under_way']} under way, "
                  f"{drill['failing']} failing, {drill['waiting']} waiting; {stack.kills} workers killed",
                  flush=True)  # fmt: skip
            told = now
        if over:
            return
        await asyncio.sleep(1)


async def drill(count: int, pace: int, seed: int) -> list[str]:
    """What is wrong in the end, in sentences."""
    async with running() as stack:
        began = time.monotonic()
        await stock(stack.deps, stack.ledger, count)
        first = ca_log.issued(stack.ca_log)
        orders = ca_log.ordered(stack.ca_log)
        print(f"{len(first)} certificates issued at first in {time.monotonic() - began:.0f} s", flush=True)
        stack.workers += [await stack.start_worker() for _ in range(WORKERS)]
        began, declared = time.monotonic(), Declared(count, pace, datetime.now(UTC))
        begun = await _begin(stack, pace)
        others = [asyncio.create_task(stack.sweep()), asyncio.create_task(stack.kill_workers(random.Random(seed)))]
        await _ended(stack, begun, began)
        for task in others:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        wrong = await judge(stack, declared, {one.serial for one in first})
        if wrong:
            for log in ("api.log", "workers.log"):
                print(f"-- {log}\n" + "\n".join((stack.folder / log).read_text().splitlines()[-15:])[-4000:])
        _report(stack, declared, time.monotonic() - began, len(first), orders)
    return wrong


def _report(stack: Stack, declared: Declared, seconds: float, first: int, orders: int) -> None:
    since = ca_log.issued(stack.ca_log)[first:]
    took = max(((max(one.at for one in since) - declared.began).total_seconds() if since else 0.0), 1.0)
    print(f"{len(since)} issued by the CA in {took:.0f} s ({seconds:.0f} s with the drill's end): "
          f"{len(since) / took:.1f} a second, {len(since) / took * 3600:.0f} an hour")  # fmt: skip
    used, fullest = len(since) / (declared.pace * took / 3600), ca_log.fullest_minute(since)
    print(
        f"budget: {declared.pace} an hour, {used:.0%} of it used; fullest minute {fullest} of {declared.pace / 60:.0f}"
    )
    print(f"{stack.kills} workers killed; {ca_log.ordered(stack.ca_log) - orders} orders placed")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.drill", description=__doc__)
    parser.add_argument("--certificates", type=int, default=100, help="how many certificates")
    parser.add_argument("--pace", type=int, default=PACE, help="certificates an hour")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        wrong = runner.run(drill(given.certificates, given.pace, given.seed))
    for sentence in wrong:
        print(f"WRONG: {sentence}")
    print(f"{given.certificates} certificates: each issued once" if not wrong else f"{len(wrong)} things are wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)  # the SDK may abort while the interpreter is torn down
