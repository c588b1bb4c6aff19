"""`make record`: run every story on a dev server and keep its history; for workflows changed on purpose.

`python -m tests.histories.record NAME …` keeps the others' histories as they are: old runs must go on beside new ones.
It also writes down the fingerprints of the code that made them.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from datetime import timedelta
from pathlib import Path

import psycopg
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from db.keyring import KeyRing
from db.migrate import upgrade
from db.session import Database
from domain.visibility import SEARCH_ATTRIBUTES
from tests import postgres
from tests.conftest import TEMPORAL
from tests.histories import fingerprints
from tests.histories.stories import STORIES
from tests.workflows.changes import ChangeWorld

HERE = Path(__file__).parent


async def record(client: Client, server: str, names: list[str]) -> None:
    for path in HERE.glob("*.json"):
        if path.stem not in STORIES and path != fingerprints.FILE:
            path.unlink()
    for name in names:
        story = STORIES[name]
        with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
            connection.execute(f"create database {name}")
        url = f"{server.replace('postgresql://', 'postgresql+psycopg://')}/{name}"
        await asyncio.to_thread(upgrade, url)
        world = ChangeWorld(Database(url), KeyRing.parse(KeyRing.generate()))
        async with contextlib.AsyncExitStack() as stack:
            for worker in world.workers(client):
                await stack.enter_async_context(worker)
            handle = await story(world, client)
            history = await handle.fetch_history()
            (HERE / f"{name}.json").write_text(history.to_json() + "\n")
            print(f"{name}: {len(history.events)} events")
            with contextlib.suppress(Exception):
                await handle.terminate()
        await world.db.close()


async def main() -> None:
    env = await WorkflowEnvironment.start_local(
        dev_server_existing_path=TEMPORAL, dev_server_startup_timeout=timedelta(seconds=60),
        dev_server_log_level="error", data_converter=pydantic_data_converter, search_attributes=SEARCH_ATTRIBUTES,
    )  # fmt: skip
    with postgres.server() as server:
        async with env:
            await record(env.client, server, sys.argv[1:] or list(STORIES))
    fingerprints.keep()


if __name__ == "__main__":
    asyncio.run(main())
