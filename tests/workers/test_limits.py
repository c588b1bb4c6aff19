"""The rates of the clouds' queues: set where nobody did, live, and obeyed between accounts."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from datetime import timedelta

import pytest
from temporalio import activity, workflow
from temporalio.api.taskqueue.v1 import RateLimitConfig
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from domain.ids import cloud_queue
from domain.provisioning import RunPolicy
from providers.cloud.base import CallLimit
from providers.cloud.registry import CLOUDS, LIMITS
from workers.limits import config_of, ensure_rates, parser, rate_of, set_rate, show
from workflows._options import activity_options

MINUTE = (CallLimit(calls="burst", count=250, seconds=60), CallLimit(calls="keys", count=10, seconds=60))


def new_kind() -> str:
    return f"test-{uuid.uuid4().hex[:8]}"


async def told(client: Client, queue: str) -> RateLimitConfig:
    """The rate as the server tells it, which may be a moment after it was set."""
    for _ in range(100):
        config = await config_of(client, queue)
        if config.HasField("fairness_keys_rate_limit_default"):
            break
        await asyncio.sleep(0.1)
    return config.fairness_keys_rate_limit_default


class TestRates:
    def test_every_cloud_has_one(self) -> None:
        assert set(LIMITS) == set(CLOUDS)
        assert all(rate_of(limits) > 0 for limits in LIMITS.values())

    def test_the_fastest_class_counts(self) -> None:
        assert rate_of(MINUTE) == 4.17

    async def test_workers_set_it_where_nobody_did(self, temporal_env: WorkflowEnvironment) -> None:
        client, kind = temporal_env.client, new_kind()
        assert await ensure_rates(client, {kind: MINUTE}) == [cloud_queue(kind)]
        held = await told(client, cloud_queue(kind))
        assert held.rate_limit.requests_per_second == pytest.approx(4.17)
        assert held.metadata.reason == "slipway"

    async def test_what_an_operator_set_stays(self, temporal_env: WorkflowEnvironment) -> None:
        client, kind = temporal_env.client, new_kind()
        await set_rate(client, cloud_queue(kind), 0.5, reason="quiet, please", weights={"a": 2})
        assert await ensure_rates(client, {kind: MINUTE}) == []
        config = await config_of(client, cloud_queue(kind))
        assert config.fairness_keys_rate_limit_default.rate_limit.requests_per_second == 0.5
        assert dict(config.fairness_weight_overrides) == {"a": 2}

    async def test_it_is_shown(self, temporal_env: WorkflowEnvironment, capsys: pytest.CaptureFixture[str]) -> None:
        chosen = parser().parse_args(["set", "linode", "1.5", "--account", "a=3", "--reason", "busy"])
        await set_rate(temporal_env.client, cloud_queue(chosen.kind), chosen.rate, reason=chosen.reason,
                       weights=dict(chosen.account))  # fmt: skip
        await show(temporal_env.client)
        assert "linode        1.5/s an account (busy), a weighs 3" in capsys.readouterr().out


@workflow.defn
class Crowd:
    """So many tasks of each account, at once, with the options of an activity at a cloud."""

    @workflow.run
    async def run(self, kind: str, tasks: dict[str, int]) -> None:
        async def one(account: str) -> None:
            options = activity_options("await_server", kind, RunPolicy(), account=account)
            await workflow.execute_activity("served", account, **options)

        await asyncio.gather(*(one(account) for account, count in tasks.items() for _ in range(count)))


async def test_a_few_tasks_of_one_account_do_not_wait_for_the_many_of_another(
    temporal_env: WorkflowEnvironment,
) -> None:
    client, kind, order = temporal_env.client, new_kind(), list[str]()

    @activity.defn
    async def served(account: str) -> None:
        order.append(account)
        await asyncio.sleep(0.05)

    await set_rate(client, cloud_queue(kind), 8)
    with temporal_env.with_time_skipping_disabled():
        async with (
            Worker(client, task_queue="crowds", workflows=[Crowd], workflow_runner=UnsandboxedWorkflowRunner()),
            Worker(client, task_queue=cloud_queue(kind), activities=[served], max_concurrent_activities=2),
        ):
            await client.execute_workflow(Crowd.run, args=[kind, {"big": 60, "small": 6}], id=kind, task_queue="crowds",
                                          execution_timeout=timedelta(minutes=1))  # fmt: skip
    assert Counter(order) == {"big": 60, "small": 6}
    last_of_small = max(place for place, account in enumerate(order) if account == "small")
    assert last_of_small < 45
