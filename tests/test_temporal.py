"""The second wall: with payload encryption on, Temporal's own database shows nothing of a run's payloads."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from pydantic import SecretStr
from temporalio import workflow
from temporalio.client import Client, WorkflowFailureError
from temporalio.converter import WithSerializationContext, WorkflowSerializationContext
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from db.keyring import KeyRing
from settings import Settings
from temporal import connect, data_converter
from tests.conftest import TEMPORAL

CANARY = "canary-in-a-payload"


@workflow.defn(sandboxed=False)
class Parrot:
    @workflow.run
    async def run(self, word: str) -> str:
        if word.endswith("!"):
            raise ApplicationError(f"refused {word}", non_retryable=True)
        await workflow.sleep(timedelta(milliseconds=1))
        return word


@pytest.fixture
async def server() -> AsyncIterator[str]:
    env = await WorkflowEnvironment.start_local(
        dev_server_existing_path=TEMPORAL, dev_server_startup_timeout=timedelta(seconds=60),
        dev_server_log_level="error",
    )  # fmt: skip
    async with env:
        yield env.client.service_client.config.target_host


def settings(server: str, **more: object) -> Settings:
    return Settings(
        _env_file=None, temporal_address=server, payload_encryption=True,
        secret_keys=SecretStr(KeyRing.generate()), **more,  # type: ignore[arg-type]
    )  # fmt: skip


async def said(client: Client, word: str) -> tuple[str, str]:
    """(what came of it, the raw history as the server keeps it)."""
    name = str(uuid.uuid4())
    async with Worker(client, task_queue="q", workflows=[Parrot], workflow_runner=UnsandboxedWorkflowRunner()):
        handle = await client.start_workflow(Parrot.run, word, id=name, task_queue="q")
        try:
            result = await handle.result()
        except WorkflowFailureError as error:
            result = str(error.cause)
    return result, (await handle.fetch_history()).to_json()


async def test_inputs_results_and_failures_are_unreadable_in_history(server: str) -> None:
    client = await connect(settings(server))
    result, history = await said(client, CANARY)
    assert result == CANARY
    assert CANARY not in history
    failure, history = await said(client, f"{CANARY}!")
    assert CANARY in failure
    assert CANARY not in history


async def test_a_client_with_another_key_cannot_read(server: str) -> None:
    writer, stranger = await connect(settings(server)), await connect(settings(server))
    async with Worker(writer, task_queue="q", workflows=[Parrot], workflow_runner=UnsandboxedWorkflowRunner()):
        name = str(uuid.uuid4())
        await writer.execute_workflow(Parrot.run, CANARY, id=name, task_queue="q")
    with pytest.raises(Exception, match=r"not on the ring|does not belong"):
        await stranger.get_workflow_handle(name).result()


def test_the_converter_and_the_codec_treat_every_payload_alike() -> None:
    """What `temporal._ContextFreeRunner` relies on: nobody would use a payload's serialization context."""
    converter = data_converter(settings("127.0.0.1:1"))
    payloads = converter.payload_converter
    assert isinstance(payloads, WithSerializationContext)
    assert payloads.with_context(WorkflowSerializationContext(namespace="n", workflow_id="w")) is payloads
    assert converter.payload_codec is not None
    assert not isinstance(converter.payload_codec, WithSerializationContext)
    assert not isinstance(converter.failure_converter, WithSerializationContext)
    assert converter.external_storage is None
