"""What operators send to a run: passed on once, refused with a sentence, audited either way."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from temporalio.client import WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from domain.provisioning import RetryRequest, RollbackRequest, TerminationOrder
from domain.statuses import Role
from tests.api.world import World, temporal_is_away


def raising(error: Exception) -> Callable[[], Any]:
    def answer() -> Any:
        raise error

    return answer


def rejected(message: str, type: str, *details: Any) -> WorkflowUpdateFailedError:
    return WorkflowUpdateFailedError(ApplicationError(message, *details, type=type))


async def send(world: World, ref: str, verb: str, body: Any = None, **headers: str) -> tuple[int, dict]:
    url = f"/api/portal/instances/{ref}" + (f"/{verb}" if verb != "terminate" else "")
    method = "DELETE" if verb == "terminate" else "POST"
    answer = await world.client.request(method, url, json=body, headers=headers)
    return answer.status_code, answer.json()


@pytest.fixture
async def ref(world: World) -> str:
    return str((await world.create())["deploymentId"])


class TestRetry:
    async def test_reaches_the_run_once_per_request(self, world: World, ref: str) -> None:
        status, body = await send(
            world, ref, "retry", {"step": "create_server", "changes": {"product": "bladevps-x8"}},
            **{"Idempotency-Key": "abc"})  # fmt: skip
        assert (status, body["steps"]) == (202, ["set_up_server"])
        workflow_id, update, argument, options = world.temporal.updates[0]
        assert (workflow_id, update) == (f"provision/{ref}", "retry_step")
        assert isinstance(argument, RetryRequest)
        assert (argument.step, argument.changes, argument.operator) == (
            "create_server", {"product": "bladevps-x8"}, world.username)  # fmt: skip
        assert options["id"] == "retry/abc"
        assert options["rpc_timeout"].total_seconds() == 5
        entry = (await world.audit("instance.retry"))[-1]
        assert (entry.target_id, entry.outcome, entry.details["changed"]) == (ref, "ok", ["product"])

    async def test_without_a_body(self, world: World, ref: str) -> None:
        assert (await send(world, ref, "retry"))[0] == 202

    async def test_a_terminating_deployment_asks_its_termination(self, world: World, ref: str) -> None:
        await world.set_row(ref, phase="terminating")
        await send(world, ref, "retry")
        assert world.temporal.updates[0][0] == f"terminate/{ref}"

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"step": "dance"}, "step"),
            ({"changes": {"color": "red"}}, "changes.color"),
            ({"changes": {"product": 7}}, "changes.product"),
            ({"changes": {"migration_command": "npm"}}, "changes.migration_command"),
            ({"changes": []}, "changes"),
            ({"what": 1}, "what"),
        ],
    )
    async def test_malformed_corrections_go_nowhere(self, world: World, ref: str, body: dict, field: str) -> None:
        status, error = await send(world, ref, "retry", body)
        assert (status, error["code"], error["field"]) == (422, "VALIDATION_ERROR", field)
        assert not world.temporal.updates

    @pytest.mark.parametrize(
        ("trouble", "status", "code", "field", "outcome"),
        [
            (rejected("no step waits", "InvalidState"), 409, "CONFLICT", None, "refused"),
            (
                rejected("'x' cannot be corrected", "InvalidChange", {"field": "x"}),
                422,
                "VALIDATION_ERROR",
                "x",
                "refused",
            ),
            (RPCError("workflow not found", RPCStatusCode.NOT_FOUND, b""), 409, "CONFLICT", None, "refused"),
            (WorkflowUpdateRPCTimeoutOrCancelledError(), 503, "API_ERROR", None, "unavailable"),
            (temporal_is_away(), 503, "API_ERROR", None, "unavailable"),
        ],
    )
    async def test_refusals(
        self, world: World, ref: str, trouble: Exception, status: int, code: str, field: str | None, outcome: str
    ) -> None:
        world.temporal.answer_update = raising(trouble)
        got, error = await send(world, ref, "retry", {})
        assert (got, error["code"], error.get("field")) == (status, code, field)
        assert error["message"][0].isupper() or error["message"][0] == "'"
        assert (await world.audit("instance.retry"))[-1].outcome == outcome


class TestRollback:
    async def test_reaches_the_run(self, world: World, ref: str) -> None:
        status, _ = await send(world, ref, "rollback", {"reason": "wrong customer"})
        assert status == 202
        _, update, argument, _ = world.temporal.updates[0]
        assert update == "roll_back"
        assert isinstance(argument, RollbackRequest)
        assert argument.reason == "wrong customer"

    @pytest.mark.parametrize("phase", ["active", "rolled_back", "cancelled", "terminated", "terminating"])
    async def test_what_is_over_cannot_be_rolled_back(self, world: World, ref: str, phase: str) -> None:
        await world.set_row(ref, phase=phase)
        status, error = await send(world, ref, "rollback")
        assert (status, error["code"]) == (409, "CONFLICT")
        assert not world.temporal.updates


class TestCancel:
    async def test_only_while_running(self, world: World, ref: str) -> None:
        assert (await send(world, ref, "cancel", {}))[0] == 202
        assert world.temporal.cancelled == [f"provision/{ref}"]
        for phase in ("rolling_back", "active", "terminating", "terminated"):
            await world.set_row(ref, phase=phase)
            assert (await send(world, ref, "cancel"))[0] == 409
        assert len(world.temporal.cancelled) == 1

    async def test_a_run_that_never_started(self, world: World, ref: str) -> None:
        world.temporal.trouble = RPCError("not found", RPCStatusCode.NOT_FOUND, b"")
        assert (await send(world, ref, "cancel"))[0] == 409


class TestTerminate:
    async def test_starts_one_termination(self, world: World, ref: str) -> None:
        await world.set_row(ref, phase="active", status="active")
        for _ in range(2):
            status, body = await send(world, ref, "terminate", {"immediately": False})
            assert (status, body["deploymentId"]) == (202, ref)
        name, argument, options = world.temporal.started[f"terminate/{ref}"]
        assert name == "Termination"
        assert isinstance(argument, TerminationOrder)
        assert (argument.immediately, argument.requested_by) == (False, world.username)
        assert options["id_reuse_policy"] is WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY

    @pytest.mark.parametrize("phase", ["running", "rolling_back", "rolled_back", "cancelled", "terminated"])
    async def test_only_what_is_active(self, world: World, ref: str, phase: str) -> None:
        await world.set_row(ref, phase=phase)
        status, error = await send(world, ref, "terminate")
        assert (status, error["code"]) == (409, "CONFLICT")
        assert f"terminate/{ref}" not in world.temporal.started

    async def test_temporal_away_changes_nothing(self, world: World, ref: str) -> None:
        await world.set_row(ref, phase="active", status="active")
        world.temporal.trouble = temporal_is_away()
        assert (await send(world, ref, "terminate"))[0] == 503
        assert (await world.deployment(ref)).phase == "active"


@pytest.mark.parametrize("verb", ["retry", "rollback", "cancel", "terminate"])
class TestEveryCommand:
    async def test_needs_an_operator(self, world: World, ref: str, verb: str) -> None:
        for role in (Role.SUPPORT, Role.BILLING, Role.USER):
            await world.sign_in(role)
            assert (await send(world, ref, verb))[0] == 403
        del world.client.headers["Authorization"]
        assert (await send(world, ref, verb))[0] == 401
        assert not world.temporal.updates

    async def test_operators_may(self, world: World, ref: str, verb: str) -> None:
        await world.sign_in(Role.OPERATOR)
        if verb == "terminate":
            await world.set_row(ref, phase="active")
        assert (await send(world, ref, verb))[0] == 202

    async def test_unknown_deployments(self, world: World, verb: str) -> None:
        for ref in (str(uuid.uuid4()), "nonsense"):
            assert (await send(world, ref, verb))[0] == 404
