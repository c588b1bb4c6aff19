"""`make orders N=1000 [SEED=n]`: exit status 1 where a payment was lost, doubled or is not live in the end."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import sys
import time

from pydantic import SecretStr
from sqlalchemy import text

from sandbox.stripe.shop import Order, Shop
from tests.orders.judge import judge
from tests.orders.stack import COPIES, Stack, running

AT_ONCE = 20  # customers who pay at one moment
QUIET = 240.0  # seconds without another step of any order before the drill gives up
EVERY = 10.0


async def _sell(stack: Stack, number: int, chance: random.Random, shop: Shop) -> str | None:
    """One customer pays. The site calls not at all, once or twice; half bring a name. Returns the name."""
    domain = f"customer-{number}.example" if chance.random() < 0.5 else None
    order = Order(tenant_slug=stack.tenant, price_id=stack.price, email=f"customer-{number}@example.com", domain=domain,
                  amount=stack.amount)  # fmt: skip
    calls = chance.choice((0, 1, 1, 2))
    if calls:
        await shop.sell(order, calls=calls)
    else:
        async with Shop(stack.stripe.url) as silent:
            await silent.sell(order)
    return domain


async def _live(stack: Stack) -> int:
    async with stack.db.begin() as session:
        query = text("select count(*) from subscriptions where status = 'ACTIVE'")
        return int((await session.execute(query)).scalar_one())


async def _all_live(stack: Stack, wanted: int, began: float) -> None:
    last, since, told = -1, time.monotonic(), 0.0
    while True:
        # All orders come along side by side, so that the first is live when the last nearly is.
        live, steps, now = await _live(stack), await stack.done(), time.monotonic()
        if steps != last:
            last, since = steps, now
        if now - told > EVERY or live >= wanted:
            print(f"{live} of {wanted} live, {steps} steps done after {now - began:.0f} s; "
                  f"{stack.kills} workers killed", flush=True)  # fmt: skip
            told = now
        if live >= wanted or now - since > QUIET:
            return
        await asyncio.sleep(1)


async def drill(wanted: int, seed: int) -> list[str]:
    """What is wrong in the end, in sentences."""
    chance = random.Random(seed)
    async with running(wanted) as stack:
        began = time.monotonic()
        others = [asyncio.create_task(stack.kill_workers(random.Random(seed + 1))),
                  asyncio.create_task(stack.operator.retry_regularly())]  # fmt: skip
        turns = asyncio.Semaphore(AT_ONCE)
        async with Shop(stack.stripe.url, orders_url=f"{stack.api}/api/orders", internal_key=SecretStr(stack.key),
                        tries=20) as shop:  # fmt: skip

            async def one(number: int) -> str | None:
                async with turns:
                    return await _sell(stack, number, random.Random(seed * 1_000_003 + number), shop)

            numbers = list(range(wanted))
            chance.shuffle(numbers)
            paying = asyncio.gather(*(one(number) for number in numbers))
            await _all_live(stack, wanted, began)
            names = [name for name in await paying if name]
        for task in others:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        seconds = time.monotonic() - began
        await asyncio.sleep(8)  # the last copies of messages are still on their way
        wrong = await judge(stack, wanted, names)
        if wrong:
            for log in ("api.log", "workers.log"):
                print(f"-- {log}\n" + "\n".join((stack.folder / log).read_text().splitlines()[-15:])[-4000:])
        print(f"{wanted} payments, each told of {COPIES} times in random order, seed {seed}: {seconds:.0f} s, "
              f"{wanted / seconds:.1f} a second, {stack.kills} workers killed, "
              f"{stack.operator.retried} times an operator said to try again")  # fmt: skip
        return wrong


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.orders", description=__doc__)
    parser.add_argument("--orders", type=int, default=100, help="how many payments")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    wrong = asyncio.run(drill(given.orders, given.seed))
    for sentence in wrong:
        print(f"WRONG: {sentence}")
    print("nothing lost, nothing doubled" if not wrong else f"{len(wrong)} things are wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)  # the SDK may abort while the interpreter is torn down
