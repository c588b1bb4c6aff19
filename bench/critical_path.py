"""How much longer than its outside delays a provisioning takes: wall time over the sum along the critical path.

The outside is scripted with delays of the size of real ones, scaled down; the engine, the journal and the rows are the
real ones. Side branches (DNS, certificate) fit beside the application's branch: a strictly sequential run would show.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from datetime import UTC, datetime, timedelta

from temporalio.client import Client
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from db.keyring import KeyRing
from db.session import Database
from domain.provisioning import RunInputs
from tests.workflows.world import World

# Seconds. The server needs BOOT from the order until it runs; it is looked at each POLL, as the cloud allows.
DELAYS = {
    "quote_server": 0.3, "create_server": 1.5, "await_ssh": 1.0, "set_up_server": 6.0, "transfer_files": 0.5,
    "write_env": 0.3, "start_services": 5.0, "run_migrations": 1.5, "health_check": 1.0, "publish_dns": 1.0,
    "make_csr": 0.3, "issue_certificate": 3.0, "configure_tls": 0.5,
}  # fmt: skip
BOOT, POLL = 6.0, 0.5
CRITICAL = ("quote_server", "create_server", "await_ssh", "set_up_server", "transfer_files", "write_env",
            "start_services", "run_migrations", "health_check")  # fmt: skip


class SlowWorld(World):
    """The scripted outside, with delays."""

    def __init__(self, db: Database, keys: KeyRing) -> None:
        super().__init__(db, keys)
        self.born = datetime.now(UTC)

    async def _act(self, name: str, inputs: RunInputs | None = None) -> None:
        await super()._act(name, inputs)
        if name == "await_server":
            running_since = (datetime.now(UTC) - self.born).total_seconds()
            if running_since < BOOT:
                raise ApplicationError("booting", type="NotReady", next_retry_delay=timedelta(seconds=POLL),
                                       category=ApplicationErrorCategory.BENIGN)  # fmt: skip
        await asyncio.sleep(DELAYS.get(name, 0))
        if name == "create_server":
            self.born = datetime.now(UTC)


async def measure(client: Client, url: str) -> dict[str, float]:
    world = SlowWorld(Database(url), KeyRing.parse(KeyRing.generate()))
    outside = sum(DELAYS[name] for name in CRITICAL) + BOOT
    async with contextlib.AsyncExitStack() as stack:
        for worker in world.workers(client):
            await stack.enter_async_context(worker)
        walls = []
        for number in range(3):
            order = await world.order(f"path{number}")
            began = time.perf_counter()
            await (await world.start(client, order)).result()
            walls.append(time.perf_counter() - began)
    await world.db.close()
    return {"wall": sorted(walls)[1], "outside": outside, "sequential": sum(DELAYS.values()) + BOOT}
