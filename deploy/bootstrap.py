"""Prepare a Temporal namespace: search attributes and how long closed runs are kept. Safe to repeat.

    python -m deploy.bootstrap

Run before workers start. Works on the development server and on a cluster alike.
"""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta

from google.protobuf.duration_pb2 import Duration
from temporalio.api.namespace.v1 import NamespaceConfig
from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    RegisterNamespaceRequest,
    UpdateNamespaceRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from settings import Settings, get_settings
from temporal import connect
from workers.bootstrap import ensure_search_attributes

RETENTION = timedelta(days=30)  # long enough to look at a run a customer asks about weeks later
PATIENCE = timedelta(seconds=60)


async def ensure_namespace(client: Client) -> bool:
    """Make the namespace where it is missing and keep closed runs for at least RETENTION. True if something changed."""
    service, name = client.workflow_service, client.namespace
    retention = Duration()
    retention.FromTimedelta(RETENTION)
    try:
        found = await service.describe_namespace(DescribeNamespaceRequest(namespace=name))
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        request = RegisterNamespaceRequest(namespace=name, workflow_execution_retention_period=retention)
        await service.register_namespace(request)
        return True
    if found.config.workflow_execution_retention_ttl.ToTimedelta() >= RETENTION:
        return False
    config = NamespaceConfig(workflow_execution_retention_ttl=retention)
    await service.update_namespace(UpdateNamespaceRequest(namespace=name, config=config))
    return True


async def search_attributes(client: Client) -> list[str]:
    """Register what is missing; returns the names that were added. A new namespace is unknown for some seconds."""
    give_up = asyncio.get_running_loop().time() + PATIENCE.total_seconds()
    while True:
        try:
            return await ensure_search_attributes(client)
        except RPCError as error:
            late = asyncio.get_running_loop().time() > give_up
            passing = (RPCStatusCode.NOT_FOUND, RPCStatusCode.UNAVAILABLE, RPCStatusCode.ALREADY_EXISTS)
            if late or error.status not in passing:
                raise
            await asyncio.sleep(1)


async def bootstrap(settings: Settings) -> list[str]:
    """Everything above, in order; returns what was done, as words for a log line."""
    client = await connect(settings)
    done = [f"namespace {client.namespace}"] if await ensure_namespace(client) else []
    return done + await search_attributes(client)


if __name__ == "__main__":
    changed = asyncio.run(bootstrap(get_settings()))
    print("changed: " + ", ".join(changed) if changed else "nothing to change", flush=True)  # noqa: T201
    # The SDK's own threads now and then abort an interpreter that is ending; the work is done, so leave at once.
    os._exit(0)
