"""`make kills N=50`: real provisionings, several at a time, a process killed at a random moment of each.

Prints a line a kill and, at the end, `n kills: a arrived, r rolled back with proof, 0 lost`; exit 1 otherwise.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import httpx

from tests.e2e.stack import Running, running
from tests.kills.orders import LOOK, Lost, Order, Outcome
from tests.kills.plan import PARTS, Kill, plan
from tests.parts import missing

AT_ONCE = {"machine": 4, "emulated": 6}  # what 2 cores and 24 GiB carry
# Killing is no client that should be slowed down; a step may retry by itself for as long as in production.
LIMITS = {"RATE_LIMIT_MAX_REQUESTS": "100000", "RATE_LIMIT_MAX_READS": "100000", "ACTIVITY_MINUTES": "10"}


class Slayer:
    """Kills one part at a time: two kills of one part would be one."""

    def __init__(self, stack: Running) -> None:
        self._stack = stack
        self._lock = threading.Lock()
        self.done: Counter[str] = Counter()

    def strike(self, order: Order) -> str:
        kill = order.kill
        order.reached()
        time.sleep(kill.delay)
        if kill.part == "host":
            told = self._cut_power(order)
        else:
            with self._lock:
                self._stack.kill(kill.part)
            told = kill.part
        self.done[kill.part] += 1
        return f"{told} killed with {order.look()['done']} steps done"

    def _cut_power(self, order: Order) -> str:
        """Power off and on again, of this order's own host."""

        def named(row: dict[str, object]) -> bool:
            return bool(row["provider_instance_id"] and row["vps_ip"]) or row["phase"] != "running"

        name = order.until(named)["provider_instance_id"]
        if not name:
            raise Lost("it ended before it had a host")
        self._cloud(f"/_sandbox/hosts/{name}/kill")
        time.sleep(order.kill.off)
        self._cloud(f"/_sandbox/hosts/{name}/start")
        return f"host {name}"

    def _cloud(self, path: str) -> None:
        for _ in range(200):
            with contextlib.suppress(httpx.HTTPError):
                self._stack.sandbox.post(path).raise_for_status()
                return
            time.sleep(LOOK)
        raise Lost(f"the cloud does not answer {path}")


def one(stack: Running, slayer: Slayer, kill: Kill) -> Outcome:
    order, begun, told = Order(stack, kill), time.monotonic(), "nothing killed"
    try:
        order.place()
        told = slayer.strike(order)
        row = order.settle(("active", "rolled_back"))
        ended = "arrived" if row["phase"] == "active" else "rolled back"
        if row["phase"] == "active":
            order.judge_active(row)
            seconds = time.monotonic() - begun
            order.take_away()
        else:
            seconds = time.monotonic() - begun
            order.judge_gone(row, proofs=3)
    except (Lost, AssertionError, OSError, httpx.HTTPError) as error:
        return Outcome(kill, "lost", f"{told}: {error}", time.monotonic() - begun)
    return Outcome(kill, ended, told, seconds)  # type: ignore[arg-type]


def strays(stack: Running) -> list[str]:
    return [vps["name"] for vps in stack.living()]


def run(count: int, seed: int, hosts: str, at_once: int) -> int:
    print(f"{count} kills on {hosts} hosts, {at_once} orders at a time, seed {seed}", flush=True)
    ended: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="slipway-kills-") as place:
        with running(Path(place) / "state", hosts, **LIMITS) as stack, ThreadPoolExecutor(at_once) as pool:
            slayer = Slayer(stack)
            asked = [pool.submit(one, stack, slayer, kill) for kill in plan(count, seed)]
            for number, future in enumerate(as_completed(asked), start=1):
                outcome = future.result()
                ended[outcome.ended] += 1
                print(f"{number:>3}/{count}  {outcome.kill.slug:<14} {outcome.told}: {outcome.ended} after "
                      f"{outcome.seconds:.0f} s", flush=True)  # fmt: skip
            left = [] if ended["lost"] else strays(stack)
    if left:
        print(f"servers that belong to no order: {', '.join(left)}")
    print("killed: " + ", ".join(f"{part} {slayer.done[part]}" for part in PARTS))
    print(f"{count} kills: {ended['arrived']} arrived, {ended['rolled back']} rolled back with proof, "
          f"{ended['lost']} lost")  # fmt: skip
    return 1 if ended["lost"] or left else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="make kills")
    parser.add_argument("-n", type=int, default=50)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 100_000)
    parser.add_argument("--hosts", choices=("machine", "emulated"), default="emulated" if missing("lab") else "machine")
    parser.add_argument("--at-once", type=int, default=0)
    given = parser.parse_args()
    return run(given.n, given.seed, given.hosts, given.at_once or AT_ONCE[given.hosts])


if __name__ == "__main__":
    sys.exit(main())
