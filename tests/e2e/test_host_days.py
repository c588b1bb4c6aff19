"""Bad days on a host, on the whole stack: the run waits or parks with a sentence, and in the end it arrives."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from temporalio.api.activity.v1 import ActivityOptions
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import UpdateActivityOptionsRequest
from temporalio.client import Client
from temporalio.service import RPCError

from tests.e2e.stack import Running
from tests.e2e.test_bad_days import one_server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

NEXT = "next"


@pytest.fixture
def stack(emulated: Running) -> Iterator[Running]:
    """The stack of this session; a fault that no host was born with does not wait for another test's."""
    yield emulated
    heal(emulated, NEXT)


# ---- what a test does to a host, and sees of it


def harm(stack: Running, host: str, kind: str, **more: Any) -> None:
    stack.sandbox.post(f"/_sandbox/hosts/{host}/fault", json={"kind": kind, **more}).raise_for_status()


def heal(stack: Running, host: str) -> None:
    stack.sandbox.delete(f"/_sandbox/hosts/{host}/fault").raise_for_status()


def look(stack: Running, host: str) -> dict[str, Any]:
    return dict(stack.sandbox.get(f"/_sandbox/hosts/{host}").raise_for_status().json())


def host_of(stack: Running, deployment: str) -> str:
    label = stack.status(deployment)["vps"]["name"]
    (name,) = [vps["name"] for vps in stack.living() if vps["description"] == label]
    return str(name)


def waiting(status: dict[str, Any], step: str) -> dict[str, Any]:
    (found,) = [wait for wait in status["parked"] if wait["step"] == step]
    return dict(found)


def in_state(step: str, state: str) -> Callable[[dict[str, Any]], bool]:
    def done(status: dict[str, Any]) -> bool:
        assert not status["parked"], f"parked: {status['parked']}"
        return any(s["name"] == step and s["state"] == state for s in status["steps"])

    return done


def arrives(stack: Running, deployment: str) -> dict[str, Any]:
    """The run's end as everybody sees it: the API, the site, the cloud and the host tell the same."""
    status = stack.until_active(deployment)
    assert {step["state"] for step in status["steps"]} == {"done"}
    assert (status["attention"], status["error_code"]) == ("none", None)
    name = status["access_url"].removeprefix("https://").partition(":")[0]
    assert stack.get_site(status["vps"]["ip"], name, "/api/health")[0] == 200
    one_server(stack, deployment)
    host = look(stack, host_of(stack, deployment))
    assert host["faults"] == [], "the fault was met and is over"
    assert (host["half_installed"], host["unknown"]) == ([], [])
    return host


def retry(stack: Running, deployment: str, step: str) -> None:
    answer = stack.http.post(f"/api/portal/instances/{deployment}/retry", json={"step": step})
    assert answer.status_code < 300, answer.text


def parks(stack: Running, deployment: str, step: str) -> dict[str, Any]:
    """Wait until a step gives up; its automatic retries, which may go on for minutes, are ended soon."""
    stack.until(deployment, lambda s: any(t["name"] == step and t["state"] != "pending" for t in s["steps"]))
    with contextlib.suppress(RPCError):  # it may have parked at once
        asyncio.run(_end_retries(stack, deployment, step, timedelta(seconds=10)))
    return waiting(stack.until_parked(deployment, step), step)


async def _end_retries(stack: Running, deployment: str, step: str, after: timedelta) -> None:
    """As an operator may in Temporal: give the activity another budget."""
    client = await Client.connect(stack.details["temporal_address"])
    budget = Duration()
    budget.FromTimedelta(after)
    await client.workflow_service.update_activity_options(
        UpdateActivityOptionsRequest(
            namespace=client.namespace,
            execution=WorkflowExecution(workflow_id=f"provision/{deployment}"),
            type=step,
            activity_options=ActivityOptions(schedule_to_close_timeout=budget),
            update_mask=FieldMask(paths=["schedule_to_close_timeout"]),
        )
    )


# ---- the days


class TestTheConnection:
    def test_refused_for_a_while_is_waited_for(self, stack: Running) -> None:
        harm(stack, NEXT, "refuse_ssh", seconds=8)
        deployment = stack.order("refusing")
        stack.until(deployment, in_state("await_ssh", "running"))
        arrives(stack, deployment)

    def test_dropped_in_the_middle_of_apt_is_taken_up_again(self, stack: Running) -> None:
        harm(stack, NEXT, "drop", times=1, match="install -y")
        deployment = stack.order("dropping")
        host = arrives(stack, deployment)
        assert {"docker.io", "docker-compose", "nginx", "ufw"} <= set(host["installed"])
        assert any("dpkg --force-confold --configure -a" in line for line in host["commands"])
        assert "An interrupted package installation is being finished" in stack.messages(deployment)

    def test_dropped_behind_a_finished_command_repeats_no_harm(self, stack: Running) -> None:
        harm(stack, NEXT, "drop", times=1, match="useradd", after=True)
        harm(stack, NEXT, "drop", times=1, match=" up ", after=True)
        deployment = stack.order("dropping-late")
        arrives(stack, deployment)

    def test_to_a_host_with_another_key_is_refused_and_nothing_is_sent(self, stack: Running) -> None:
        harm(stack, NEXT, "wrong_host_key")
        deployment = stack.order("impostor")
        status = stack.until_parked(deployment, "await_ssh")
        wait = waiting(status, "await_ssh")
        assert wait["trouble"] == "HostKeyMismatch"
        assert "nothing was sent" in wait["message"]
        assert status["attention"] == "awaiting_operator"
        assert look(stack, host_of(stack, deployment))["commands"] == []
        label = status["vps"]["name"]
        answer = stack.http.post(f"/api/portal/instances/{deployment}/rollback", json={"reason": "not our server"})
        assert answer.status_code < 300, answer.text
        ended = stack.until_ended(deployment)
        assert (ended["phase"], ended["status"]) == ("rolled_back", "failed")
        assert len(ended["absence"]["proofs"]) == 3
        assert label not in [vps["description"] for vps in stack.living()]


class TestTheMachine:
    def test_a_package_lock_held_by_another_is_waited_for(self, stack: Running) -> None:
        harm(stack, NEXT, "dpkg_lock", times=2)
        deployment = stack.order("locked")
        arrives(stack, deployment)
        assert any("Could not get lock" in line for line in stack.messages(deployment))

    def test_cloud_init_at_work_is_waited_for(self, stack: Running) -> None:
        harm(stack, NEXT, "cloud_init_running", seconds=8)
        deployment = stack.order("booting")
        stack.until(deployment, in_state("set_up_server", "running"))
        host = arrives(stack, deployment)
        assert host["commands"].index("cloud-init status --wait") < next(
            number for number, line in enumerate(host["commands"]) if "apt-get" in line
        )

    def test_a_full_disk_parks_with_a_sentence_and_goes_on_when_freed(self, stack: Running) -> None:
        harm(stack, NEXT, "disk_full")
        deployment = stack.order("full")
        wait = parks(stack, deployment, "set_up_server")
        assert wait["trouble"] == "DiskFull"
        assert "No space left on device" in wait["message"]
        heal(stack, host_of(stack, deployment))
        retry(stack, deployment, "set_up_server")
        arrives(stack, deployment)


class TestTheRegistry:
    def test_down_for_a_while_is_waited_for(self, stack: Running) -> None:
        harm(stack, NEXT, "registry_down", times=2)
        deployment = stack.order("pulling")
        arrives(stack, deployment)
        assert any("connection refused" in line for line in stack.messages(deployment))

    def test_that_stays_down_parks_and_is_named(self, stack: Running) -> None:
        harm(stack, NEXT, "registry_down")
        deployment = stack.order("unpullable")
        wait = parks(stack, deployment, "start_services")
        assert wait["trouble"] == "Transient"
        assert wait["message"].startswith("images could not be pulled from docker.io")
        assert "registry" in wait["editable"]
        heal(stack, host_of(stack, deployment))
        retry(stack, deployment, "start_services")
        arrives(stack, deployment)

    def test_that_refuses_us_parks_at_once(self, stack: Running) -> None:
        harm(stack, NEXT, "registry_denied")
        deployment = stack.order("denied")
        wait = waiting(stack.until_parked(deployment, "start_services"), "start_services")
        assert wait["trouble"] == "Unauthorized"
        assert "refuses our credentials" in wait["message"]
        heal(stack, host_of(stack, deployment))
        retry(stack, deployment, "start_services")
        arrives(stack, deployment)


class TestTheNameServer:
    def test_down_while_the_host_is_set_up_delays_its_name_only(self, stack: Running) -> None:
        stack.send("dns", signal.SIGSTOP)
        try:
            deployment = stack.order("unnamed")
            status = stack.until(deployment, in_state("run_migrations", "done"))
            states = {step["name"]: step["state"] for step in status["steps"]}
            assert states["publish_dns"] == "running"
            assert status["phase"] == "running"
        finally:
            stack.send("dns", signal.SIGCONT)
        arrives(stack, deployment)
