"""Programs of a drill: the product's workers as processes, ended by SIGKILL one after another and started again."""

from __future__ import annotations

import abc
import asyncio
import contextlib
import random
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path

import httpx

ROOT = Path(__file__).parent.parent


@dataclass(kw_only=True)
class Programs(abc.ABC):
    """`worker`: the arguments of a worker. `pause`: seconds between two kills; `steps`: so much is done meanwhile."""

    folder: Path
    environment: dict[str, str]
    worker: tuple[str, ...]
    pause: tuple[float, float]
    steps: int
    workers: list[asyncio.subprocess.Process] = field(default_factory=list)
    kills: int = 0

    @abc.abstractmethod
    async def done(self) -> int:
        """How much has been done so far."""

    async def program(self, *argv: str, log: str) -> asyncio.subprocess.Process:
        with (self.folder / log).open("ab") as said:
            return await asyncio.create_subprocess_exec(
                sys.executable, *argv, cwd=ROOT, env=self.environment, stdin=asyncio.subprocess.DEVNULL, stdout=said,
                stderr=said)  # fmt: skip

    async def start_worker(self) -> asyncio.subprocess.Process:
        return await self.program(*self.worker, log="workers.log")

    async def kill_workers(self, chance: random.Random) -> None:
        """SIGKILL to one worker after another until cancelled; each is started again at once.

        Between two kills something is done, or the wait is doubled: a slow machine would only start workers.
        """
        in_vain = 0
        while True:
            before = await self.done()
            await asyncio.sleep(chance.uniform(*self.pause) * 2**in_vain)
            in_vain = 0 if await self.done() > before + self.steps else min(in_vain + 1, 4)
            which = chance.randrange(len(self.workers))
            victim = self.workers[which]
            with contextlib.suppress(ProcessLookupError):
                victim.send_signal(signal.SIGKILL)
            await victim.wait()
            self.kills += 1
            self.workers[which] = await self.start_worker()


async def ended(*processes: asyncio.subprocess.Process) -> None:
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def answers(url: str) -> None:
    """Returns once something answers there."""
    async with asyncio.timeout(90), httpx.AsyncClient(trust_env=False) as client:
        while True:
            with contextlib.suppress(httpx.TransportError):
                if (await client.get(url)).status_code < 500:
                    return
            await asyncio.sleep(0.2)


async def make_zone(url: str, key: str, name: str) -> None:
    await answers(url)
    async with httpx.AsyncClient(trust_env=False, headers={"X-API-Key": key}) as client:
        body = {"name": f"{name}.", "kind": "Native", "nameservers": [f"ns1.{name}."]}
        (await client.post(f"{url}/servers/localhost/zones", json=body)).raise_for_status()
