"""Jobs a second of the whole machinery over a bare Temporal SDK doing as many activities.

Both run on one server in turns, from one process, with outsides that answer at once. Ours adds queues apart, steps,
undo, journal and rows: beside the 14 remote activities some 15 local ones.
"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import time
import uuid

from temporalio.client import Client
from temporalio.worker import Worker

from bench.bare import QUEUE, Bare, nothing
from db.keyring import KeyRing
from db.session import Database
from domain.starting import provisioning_start
from tests.workflows.world import World
from workflows.provisioning import Provisioning

JOBS, ROUNDS = 40, 5
# Remote activities of one dedicated run: price, create, await, DNS, SSH, steps 1 to 7 with CSR and certificate.
REMOTE = 14


async def bare(client: Client) -> float:
    async with Worker(client, task_queue=QUEUE, workflows=[Bare], activities=[nothing]):
        began = time.perf_counter()
        handles = await asyncio.gather(*(
            client.start_workflow(Bare.run, REMOTE, id=f"bare-{uuid.uuid4()}", task_queue=QUEUE) for _ in range(JOBS)
        ))  # fmt: skip
        await asyncio.gather(*(handle.result() for handle in handles))
        return JOBS / (time.perf_counter() - began)


async def ours(client: Client, world: World, round_: int) -> float:
    orders = [await world.order(f"job{round_}x{number}") for number in range(JOBS)]
    began = time.perf_counter()
    handles = await asyncio.gather(*(
        client.start_workflow(Provisioning.run, order, **provisioning_start(order)) for order in orders
    ))  # fmt: skip
    await asyncio.gather(*(handle.result() for handle in handles))
    return JOBS / (time.perf_counter() - began)


async def measure(client: Client, url: str) -> dict[str, float]:
    world = World(Database(url), KeyRing.parse(KeyRing.generate()))
    plain: list[float] = []
    full: list[float] = []
    async with contextlib.AsyncExitStack() as stack:
        for worker in world.workers(client):
            await stack.enter_async_context(worker)
        await ours(client, world, 99)  # imports, caches and connections warm
        for round_ in range(ROUNDS):
            plain.append(await bare(client))
            full.append(await ours(client, world, round_))
    remote = sum(world.count.values()) / (JOBS * (ROUNDS + 1))
    await world.db.close()
    assert abs(remote - REMOTE) < 0.01, f"a run makes {remote} remote activities; set REMOTE to it"
    return {"ours": statistics.median(full), "bare": statistics.median(plain)}
