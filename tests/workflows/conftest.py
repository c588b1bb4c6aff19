from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import pytest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from db.keyring import KeyRing
from db.session import Database
from tests.workflows.changes import ChangeWorld
from tests.workflows.house import HouseWorld
from tests.workflows.world import World


@pytest.fixture
async def world(temporal_env: WorkflowEnvironment, db: Database, keys: KeyRing) -> AsyncIterator[World]:
    made = World(db, keys)
    async with contextlib.AsyncExitStack() as stack:
        for worker in made.workers(temporal_env.client):
            await stack.enter_async_context(worker)
        yield made


@pytest.fixture
async def house(temporal_env: WorkflowEnvironment, db: Database, keys: KeyRing) -> AsyncIterator[HouseWorld]:
    made = HouseWorld(db, keys)
    await made.retire_servers()
    async with contextlib.AsyncExitStack() as stack:
        for worker in made.workers(temporal_env.client):
            await stack.enter_async_context(worker)
        yield made


@pytest.fixture
async def changes(temporal_env: WorkflowEnvironment, db: Database, keys: KeyRing) -> AsyncIterator[ChangeWorld]:
    made = ChangeWorld(db, keys)
    async with contextlib.AsyncExitStack() as stack:
        for worker in made.workers(temporal_env.client):
            await stack.enter_async_context(worker)
        yield made


@pytest.fixture
def client(temporal_env: WorkflowEnvironment) -> Client:
    return temporal_env.client
