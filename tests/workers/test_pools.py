"""The table of pools covers every activity and workflow, each once, on the queue its options name."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from activities._context import Deps
from db.session import Database
from domain import ids
from domain.config import RunConfig
from domain.provisioning import RunPolicy
from domain.servers import SERVED
from providers.cloud.registry import CLOUDS
from workers.pools import POOLS, WORKFLOWS
from workflows._options import ACTIVITIES, activity_options


@pytest.fixture
def deps() -> Deps:
    nothing = cast(Any, SimpleNamespace())
    unused = Database("postgresql+psycopg://nobody@127.0.0.1:1/nothing")  # connects on first use, so never
    return Deps(
        config=RunConfig(), db=unused, keys=nothing, clouds=nothing, dns=nothing, acme=nothing, blueprints=nothing
    )


def test_every_remote_activity_is_served_on_the_queue_its_options_name(deps: Deps) -> None:
    served = {
        (activity.__name__, pool.queue)
        for pool in POOLS.values()
        for activity in pool.activities(deps)
        if not pool.workflows
    }
    wanted = {(name, activity_options(name, kind, RunPolicy())["task_queue"]) for name in ACTIVITIES for kind in SERVED}
    assert served == wanted


def test_every_cloud_with_a_client_has_a_pool() -> None:
    assert set(CLOUDS) <= set(SERVED)


def test_workflows_run_on_their_queue_and_have_distinct_names() -> None:
    assert POOLS["runs"].queue == ids.RUNS_QUEUE
    assert POOLS["runs"].workflows == WORKFLOWS
    assert len({workflow.__name__ for workflow in WORKFLOWS}) == len(WORKFLOWS)


@pytest.mark.parametrize("name", ACTIVITIES)
def test_no_activity_is_without_a_deadline(name: str) -> None:
    options = activity_options(name, "transip", RunPolicy(automatic_minutes=0.01))
    assert options["schedule_to_close_timeout"] >= options["start_to_close_timeout"]
    assert options["heartbeat_timeout"] is not None
    assert options["retry_policy"].maximum_attempts == 0, "a deploy must not use attempts up"
