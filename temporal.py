"""The one way to reach Temporal: converter, codec, interceptors, sandbox. Shared by API, workers and replay tests."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable, Sequence
from typing import Any

from temporalio import activity, workflow
from temporalio.api.common.v1 import Payload
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.client import Client, Interceptor
from temporalio.contrib.opentelemetry import TracingInterceptor
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import (
    DataConverter,
    DefaultFailureConverterWithEncodedAttributes,
    PayloadCodec,
    StorageDriverStoreContext,
)
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from db.keyring import KeyRing
from settings import Settings

# Workflow files import activity classes for their types. These modules are pure or never run inside a workflow; loading
# them again in each sandbox would cost seconds and, for asyncssh and SQLAlchemy, crash the interpreter.
PASSED_THROUGH = (
    "activities", "db", "domain", "providers", "acme", "alembic", "asyncssh", "cryptography", "dns", "httpx", "jinja2",
    "josepy", "opentelemetry", "psycopg", "pydantic_core", "requests", "sqlalchemy", "uuid_utils", "yaml",
)  # fmt: skip

logger = logging.getLogger("slipway.temporal")

_ENCODING = b"binary/slipway-aes-gcm"
# The converter knows no such encoding and repeats its name in the error.
_REFUSED = Payload(metadata={"encoding": b"refused: not encrypted, and PAYLOAD_ENCRYPTION is on"})

# Which activity or run a log line is about stands in fields of its own; within its sentence it would only hide that.
activity.logger.activity_info_on_message = False
workflow.logger.workflow_info_on_message = False


class EncryptionCodec(PayloadCodec):
    """Second wall: payloads hold references only, and even those are unreadable in Temporal's database.

    It also says who may speak: whoever reaches Temporal but has no key cannot start work or change it. What is not
    encrypted is passed on as a payload that nothing can be made of, because an error in here would fail the whole
    workflow task: that way a plain signal would stop a run for good. So a start is refused for as long as it is tried,
    a signal is dropped, an update is rejected.
    """

    def __init__(self, keys: KeyRing, *, accept_plain: bool = False) -> None:
        self._keys = keys
        self._accept_plain = accept_plain

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [self._seal(payload) for payload in payloads]

    async def decode(self, payloads: Iterable[Payload]) -> list[Payload]:
        return [self._open(payload) for payload in payloads]

    def _seal(self, payload: Payload) -> Payload:
        key_id, blob = self._keys.encrypt(payload.SerializeToString(), context="temporal")
        return Payload(metadata={"encoding": _ENCODING, "key": key_id.encode()}, data=blob)

    def _open(self, payload: Payload) -> Payload:
        if payload.metadata.get("encoding") != _ENCODING:
            if self._accept_plain:
                return payload
            logger.warning("a payload is not encrypted and was refused: PAYLOAD_ENCRYPTION is on")
            return _REFUSED
        key_id = payload.metadata["key"].decode()
        return Payload.FromString(self._keys.decrypt(key_id, payload.data, context="temporal"))


def data_converter(settings: Settings) -> DataConverter:
    if not settings.payload_encryption:
        return pydantic_data_converter
    if settings.secret_keys is None:
        raise ValueError("PAYLOAD_ENCRYPTION needs SECRET_KEYS")
    return dataclasses.replace(
        pydantic_data_converter,
        payload_codec=EncryptionCodec(
            KeyRing.parse(settings.secret_keys.get_secret_value()),
            accept_plain=settings.payload_encryption_accept_plain,
        ),
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    )


def interceptors() -> list[Interceptor]:
    return [TracingInterceptor()]


async def connect(settings: Settings, *, lazy: bool = False) -> Client:
    """A client for this process. `lazy` returns at once and connects on first use, so reads work without Temporal."""
    return await Client.connect(
        settings.temporal_address,
        namespace=settings.temporal_namespace,
        data_converter=data_converter(settings),
        interceptors=interceptors(),
        tls=settings.temporal_tls,
        api_key=settings.temporal_api_key.get_secret_value() if settings.temporal_api_key else None,
        lazy=lazy,
    )


def sandbox_runner() -> WorkflowRunner:
    restrictions = SandboxRestrictions.default.with_passthrough_modules(*PASSED_THROUGH)
    return _ContextFreeRunner(restrictions=restrictions)


class _ContextFreeRunner(SandboxedWorkflowRunner):
    """Runs workflows in the SDK's sandbox without asking it what each payload belongs to.

    The SDK asks several times a payload, each time by entering the sandbox: a third of the CPU of a run's worker. Our
    converter and codec treat every payload alike (a test holds them to it), so the answer would not be used.
    """

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        return _ContextFree(super().create_instance(det))


class _ContextFree(WorkflowInstance):
    def __init__(self, inner: WorkflowInstance) -> None:
        self._inner = inner

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        return self._inner.activate(act)

    def get_info(self) -> workflow.Info:
        return self._inner.get_info()

    def get_thread_id(self) -> int | None:
        return self._inner.get_thread_id()

    def get_serialization_context(self, command_info: Any) -> None:
        return None

    def get_external_store_context(self, command_info: Any) -> StorageDriverStoreContext:
        return StorageDriverStoreContext(target=None)


__all__ = ["EncryptionCodec", "connect", "data_converter", "interceptors", "sandbox_runner"]
