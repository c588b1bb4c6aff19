"""Everything a batch runs on: PostgreSQL, Temporal, the sandbox's clouds, and workers that are killed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

from temporalio.client import Client

from bench import stack
from db.keyring import KeyRing
from db.models_clouds import ServiceProvider
from db.session import Database
from sandbox.faults.dice import dice
from tests.faults import clouds
from tests.faults.story import CLOUDS
from tests.faults.worker import Config
from tests.sandbox.transip.emulator import LOGIN, key_pair

ROOT = Path(__file__).parent.parent.parent
WORKERS = 2
# What lies between two kills: so many seeds that end, or so many seconds. A killed worker is started again at once.
KILLS_SEEDS = (5.0, 30.0)
KILLS_SECONDS = (6.0, 40.0)


@dataclass
class Stack:
    client: Client
    db: Database
    keys: KeyRing
    clouds: clouds.Clouds
    accounts: dict[str, str]  # the id of the one account at each cloud
    log: Path
    forks: asyncio.subprocess.Process  # starts workers
    workers: list[int] = field(default_factory=list)  # their process ids
    kills: int = 0

    async def start_worker(self) -> int:
        """Returns its process id."""
        source, answers = self.forks.stdin, self.forks.stdout
        assert source is not None
        assert answers is not None
        source.write(b"start\n")
        return int(await answers.readline())

    async def kill_workers(self, batch: int, ended: Callable[[], int]) -> None:
        """SIGKILL to one worker after another, as drawn from the batch's seed, until cancelled.

        In between some seeds end (`ended` counts them): a slow machine would otherwise do nothing but start workers.
        Hence the wait doubles with every kill before which none did.
        """
        in_vain = 0
        while True:
            thrown, before, began = dice(batch, "kill", self.kills), ended(), time.monotonic()
            seeds, seconds = thrown.uniform(*KILLS_SEEDS), thrown.uniform(*KILLS_SECONDS) * 2**in_vain
            while ended() - before < seeds and time.monotonic() - began < seconds:
                await asyncio.sleep(0.1)
            in_vain = 0 if ended() > before else in_vain + 1
            await asyncio.sleep(thrown.uniform(0, 1))
            which = thrown.randrange(len(self.workers))
            os.kill(self.workers[which], signal.SIGKILL)
            self.kills += 1
            self.workers[which] = await self.start_worker()

    async def stop(self) -> None:
        if self.forks.stdin is not None:
            self.forks.stdin.close()
        await self.forks.wait()


@contextlib.asynccontextmanager
async def running(mutation: str = "") -> AsyncIterator[Stack]:
    keys = KeyRing.generate("faults")
    with tempfile.TemporaryDirectory(prefix="slipway-faults-") as name, stack.database() as url:
        folder = Path(name)
        async with stack.temporal() as client, clouds.running(folder / "clouds") as sandbox:
            config = Config(
                temporal=client.service_client.config.target_host, database=url, keys=keys, clouds=sandbox.urls,
                username=LOGIN, private_key=key_pair()[0], token=clouds.TOKEN, mutation=mutation,
            )  # fmt: skip
            (folder / "config.json").write_text(config.model_dump_json())
            db = Database(url, pool_min=5, pool_max=40)
            log = folder / "workers.log"
            with log.open("ab") as said:
                forks = await asyncio.create_subprocess_exec(
                    sys.executable, "-m", "tests.faults.worker", str(folder / "config.json"), cwd=ROOT,
                    stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=said,
                    env=dict(os.environ) | {"PYTHONPATH": str(ROOT)})  # fmt: skip
            made = Stack(client, db, KeyRing.parse(keys), sandbox, await _accounts(db), log, forks)
            try:
                made.workers += [await made.start_worker() for _ in range(WORKERS)]
                yield made
            finally:
                await made.stop()
                await db.close()


async def _accounts(db: Database) -> dict[str, str]:
    """Rows for what orders name. The workers' clients are made without them."""
    async with db.begin() as session:
        rows = [ServiceProvider(name=cloud, type=cloud, api_key_encrypted="") for cloud in CLOUDS]
        session.add_all(rows)
        await session.flush()
        return {row.type: str(row.id) for row in rows}
