"""Everything a batch runs on: PostgreSQL, Temporal, the sandbox cloud, and workers that are killed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from temporalio.client import Client

from bench import stack
from db.keyring import KeyRing
from db.session import Database
from sandbox.faults.dice import dice
from sandbox.faults.machine import Machine
from sandbox.transip.app import TransipApp
from sandbox.transip.records import Limits, Timings
from tests.faults.worker import Config
from tests.sandbox.transip.emulator import LOGIN, emulator, key_pair
from tests.sandbox.transip.memory_driver import MemoryDriver

ROOT = Path(__file__).parent.parent.parent
TIMINGS = Timings(appear=0.2, create=0.2, install=0.4, power=0.1, destroy=0.2)
NO_LIMIT = Limits(requests=10**9)
WORKERS = 2
# Seconds between kills. A killed worker is started again at once, which takes two seconds of a processor.
KILLS = (8.0, 20.0)


class Hosts(MemoryDriver):
    def _keep(self) -> None:
        """Nothing restarts the sandbox within a batch."""


@dataclass
class Stack:
    client: Client
    db: Database
    keys: KeyRing
    cloud: TransipApp
    machine: Machine
    config: Path
    log: Path
    processes: list[asyncio.subprocess.Process] = field(default_factory=list)
    kills: int = 0

    async def start_worker(self) -> asyncio.subprocess.Process:
        with self.log.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.faults.worker", str(self.config), cwd=ROOT, stdout=log, stderr=log,
                env=dict(os.environ) | {"PYTHONPATH": str(ROOT)})  # fmt: skip

    async def kill_workers(self, batch: int) -> None:
        """SIGKILL to one worker after another, at moments drawn from the batch's seed, until cancelled."""
        while True:
            thrown = dice(batch, "kill", self.kills)
            await asyncio.sleep(thrown.uniform(*KILLS))
            which = thrown.randrange(len(self.processes))
            with contextlib.suppress(ProcessLookupError):
                self.processes[which].send_signal(signal.SIGKILL)
            await self.processes[which].wait()
            self.kills += 1
            self.processes[which] = await self.start_worker()

    async def stop(self) -> None:
        for process in self.processes:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


@contextlib.asynccontextmanager
async def running(mutation: str = "") -> AsyncIterator[Stack]:
    machine, keys = Machine("transip"), KeyRing.generate("faults")
    with tempfile.TemporaryDirectory(prefix="slipway-faults-") as name, stack.database() as url:
        folder = Path(name)
        (folder / "cloud").mkdir()
        async with (
            stack.temporal() as client,
            emulator(folder / "cloud", timings=TIMINGS, limits=NO_LIMIT, driver=Hosts(folder / "hosts"),
                     machine=machine) as cloud,
        ):  # fmt: skip
            config = Config(
                temporal=client.service_client.config.target_host, database=url, keys=keys, cloud=cloud.url,
                username=LOGIN, private_key=key_pair()[0], mutation=mutation,
            )  # fmt: skip
            (folder / "config.json").write_text(config.model_dump_json())
            db = Database(url, pool_min=5, pool_max=40)
            made = Stack(client, db, KeyRing.parse(keys), cloud.app, machine, folder / "config.json",
                         folder / "workers.log")  # fmt: skip
            try:
                made.processes += [await made.start_worker() for _ in range(WORKERS)]
                yield made
            finally:
                await made.stop()
                await db.close()
