"""Rates of the clouds' task queues: how many tasks a second one account may start there, and how accounts weigh.

`python -m workers.limits show`, and `set KIND RATE [--account ID=WEIGHT …]`, live, as `temporal task-queue config`
does it. Workers set what nobody has set. The exact budget of calls is another one: docs/decisions/0008.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Iterable, Mapping

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import RateLimit, TaskQueue, TaskQueueConfig
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest, UpdateTaskQueueConfigRequest
from temporalio.client import Client
from temporalio.service import RPCError

from domain.ids import cloud_queue
from domain.servers import SERVED
from providers.cloud.base import CallLimit
from settings import get_settings
from temporal import connect

logger = logging.getLogger("slipway.workers")

REASON = "slipway"
ACTIVITIES = TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY


def rate_of(limits: Iterable[CallLimit]) -> float:
    """Tasks a second that no account can have work for: a task makes one call at least. The fastest class counts, as
    not every task makes calls of the slower ones."""
    return round(max(limit.count / limit.seconds for limit in limits), 2)


async def config_of(client: Client, queue: str) -> TaskQueueConfig:
    request = DescribeTaskQueueRequest(namespace=client.namespace, task_queue=TaskQueue(name=queue),
                                       task_queue_type=ACTIVITIES, report_config=True)  # fmt: skip
    return (await client.workflow_service.describe_task_queue(request)).config


async def set_rate(
    client: Client, queue: str, rate: float, *, reason: str = "", weights: Mapping[str, float] | None = None
) -> None:
    """Of each account; a weight of 2 gives an account twice the rate, and twice the turns."""
    limit = UpdateTaskQueueConfigRequest.RateLimitUpdate(
        rate_limit=RateLimit(requests_per_second=rate), reason=reason)  # fmt: skip
    await client.workflow_service.update_task_queue_config(UpdateTaskQueueConfigRequest(
        namespace=client.namespace, identity=REASON, task_queue=queue, task_queue_type=ACTIVITIES,
        update_fairness_key_rate_limit_default=limit, set_fairness_weight_overrides=weights or {}))  # fmt: skip


async def ensure_rates(client: Client, limits: Mapping[str, Iterable[CallLimit]]) -> list[str]:
    """Set the rate of each kind of cloud that has none; what somebody has set stays. Returns the queues it set.

    A server that knows no such rates is no reason not to work: the budget holds without them.
    """
    changed = []
    for kind, documented in limits.items():
        queue = cloud_queue(kind)
        try:
            if (await config_of(client, queue)).HasField("fairness_keys_rate_limit_default"):
                continue
            await set_rate(client, queue, rate_of(documented), reason=REASON)
        except RPCError as error:
            logger.warning("the rate of %s was not set: %s", queue, error.message)
            continue
        changed.append(queue)
    return changed


async def show(client: Client) -> None:
    for kind in SERVED:
        config = await config_of(client, cloud_queue(kind))
        held = config.fairness_keys_rate_limit_default
        rate = f"{held.rate_limit.requests_per_second:g}/s an account ({held.metadata.reason or 'no reason given'})"
        weights = ", ".join(f"{key} weighs {weight:g}" for key, weight in config.fairness_weight_overrides.items())
        known = rate if config.HasField("fairness_keys_rate_limit_default") else "no rate"
        print(f"{kind:<14}{known}{', ' if weights else ''}{weights}")  # noqa: T201 - its answer


def weight(text: str) -> tuple[str, float]:
    key, _, value = text.partition("=")
    return key, float(value)


async def main(arguments: argparse.Namespace) -> None:
    client = await connect(get_settings())
    if arguments.do == "set":
        await set_rate(client, cloud_queue(arguments.kind), arguments.rate, reason=arguments.reason,
                       weights=dict(arguments.account))  # fmt: skip
    await show(client)


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="slipway limits", description="Rates of the clouds' task queues.")
    verbs = parser.add_subparsers(dest="do", required=True)
    verbs.add_parser("show", help="what holds now")
    setting = verbs.add_parser("set", help="change it, live")
    setting.add_argument("kind", choices=[str(kind) for kind in SERVED])
    setting.add_argument("rate", type=float, help="tasks a second that each account may start")
    setting.add_argument("--account", type=weight, action="append", default=[], metavar="ID=WEIGHT")
    setting.add_argument("--reason", default="an operator")
    return parser


if __name__ == "__main__":
    asyncio.run(main(parser().parse_args()))
    sys.stdout.flush()
    # The SDK's own threads now and then abort an interpreter that is ending; the work is done, so leave at once.
    os._exit(0)
