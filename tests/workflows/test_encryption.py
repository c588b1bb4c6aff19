"""With payload encryption on, runs go their way, and a client without the key can neither start one nor change one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from pydantic import SecretStr
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowUpdateFailedError
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from db.keyring import KeyRing
from db.session import Database
from domain.provisioning import RetryRequest
from domain.visibility import SEARCH_ATTRIBUTES
from settings import Settings
from temporal import connect
from tests.conftest import TEMPORAL
from tests.workflows.world import World, until_parked
from workflows.provisioning import Provisioning


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[str]:
    env = await WorkflowEnvironment.start_local(
        dev_server_existing_path=TEMPORAL, dev_server_startup_timeout=timedelta(seconds=60),
        dev_server_log_level="error", search_attributes=SEARCH_ATTRIBUTES,
    )  # fmt: skip
    async with env:
        yield env.client.service_client.config.target_host


def settings(server: str, **more: object) -> Settings:
    return Settings(_env_file=None, temporal_address=server, payload_encryption=True, **more)  # type: ignore[arg-type]


@pytest.fixture
def key() -> SecretStr:
    return SecretStr(KeyRing.generate())


@pytest.fixture
async def plain(server: str) -> Client:
    """Somebody who reaches Temporal, and knows our types, but has no key."""
    return await Client.connect(server, data_converter=pydantic_data_converter)


@contextlib.asynccontextmanager
async def running(db: Database, keys: KeyRing, client: Client) -> AsyncIterator[World]:
    world = World(db, keys)
    async with contextlib.AsyncExitStack() as stack:
        for worker in world.workers(client):
            await stack.enter_async_context(worker)
        yield world


@pytest.fixture
async def client(server: str, key: SecretStr) -> Client:
    return await connect(settings(server, secret_keys=key))


@pytest.fixture
async def world(db: Database, keys: KeyRing, client: Client) -> AsyncIterator[World]:
    async with running(db, keys, client) as made:
        yield made


async def test_an_encrypted_run_arrives_and_its_history_is_unreadable(world: World, client: Client) -> None:
    order = await world.order("sealed")
    handle = await world.start(client, order)
    assert await handle.result() == "https://sealed.slipway.test"
    assert "slipway.test" not in (await handle.fetch_history()).to_json()


async def test_a_run_that_a_plain_client_starts_never_acts(world: World, plain: Client) -> None:
    order = await world.order("intruder")
    handle = await world.start(plain, order)
    for _ in range(400):
        events = [event async for event in handle.fetch_history_events()]
        failed = [event for event in events if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED]
        if failed:
            break
        await asyncio.sleep(0.05)
    assert failed, "the worker refuses the workflow task"
    assert not any(event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED for event in events)
    assert (await handle.describe()).status is WorkflowExecutionStatus.RUNNING
    assert world.calls == []
    assert (await world.row(order)).seq == 0, "not even a row was written"
    await handle.terminate()


async def test_a_plain_signal_is_dropped_and_stops_nothing(
    world: World, client: Client, plain: Client, caplog: pytest.LogCaptureFixture
) -> None:
    world.fail("create_server", "QuotaExceeded", times=1)
    handle = await world.start(client, await world.order("signalled"))
    await until_parked(handle, "create_server")
    stranger = plain.get_workflow_handle(handle.id)
    await stranger.signal("retry", {"step": "create_server", "changes": {"product": "bladevps-x8"}})
    with pytest.raises(WorkflowUpdateFailedError):
        await stranger.execute_update("retry_step", RetryRequest(changes={"product": "bladevps-x8"}))
    await until_parked(handle, "create_server")
    assert "a payload is not encrypted and was refused" in caplog.text
    await handle.execute_update(Provisioning.retry_step, RetryRequest())
    await handle.result()
    assert world.inputs["create_server"].product == ""


async def test_runs_from_before_encryption_go_on_where_that_is_allowed(
    db: Database, keys: KeyRing, server: str, key: SecretStr, plain: Client
) -> None:
    patient = await connect(settings(server, secret_keys=key, payload_encryption_accept_plain=True))
    async with running(db, keys, patient) as world:
        handle = await world.start(plain, await world.order("older"))
        assert await patient.get_workflow_handle(handle.id, result_type=str).result() == "https://older.slipway.test"
