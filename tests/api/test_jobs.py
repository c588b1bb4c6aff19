"""Jobs over the API: read with their story, retried and rolled back as instances are."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from db.base import new_id
from db.models_hosting import Server
from db.models_jobs import Job, JobEvent
from db.queries import orders
from db.queries.orders import Placed
from domain.provisioning import RetryRequest, RollbackRequest
from domain.statuses import Role
from tests.api.test_commands import raising, rejected
from tests.api.world import World, temporal_is_away
from tests.sales import open_shop


@pytest.fixture
async def made(world: World) -> Placed:
    shop = await open_shop(world.db)
    async with world.db.begin() as session:
        return await orders.place(session, shop.asked(domain="jobs.nl"))


async def write(world: World, job: uuid.UUID, *rows: tuple[str, str, str, str]) -> None:
    """Events as (kind, step, state, message)."""
    async with world.db.begin() as session:
        for position, (kind, step, state, message) in enumerate(rows, 1):
            log = {"activity_id": "a", "attempt": 1, "line_no": position} if kind == "log" else {"seq": position}
            await session.execute(
                insert(JobEvent).values(job_id=job, position=position, kind=kind, family="fulfilment", step=step,
                                        run_id=f"run-{job}", state=state, message=message, data={},
                                        at=datetime.now(UTC) + timedelta(seconds=position), **log)
            )  # fmt: skip


async def server_job(world: World) -> uuid.UUID:
    server, job = new_id(), new_id()
    async with world.db.begin() as session:
        session.add(Server(id=server, hostname=f"web-{server.hex}.nl", ip_address="192.0.2.1", type="web"))
        await session.flush()
        session.add(Job(id=job, type="SET_UP_SERVER", server_id=server, workflow_id=f"job/{job}"))
    return job


class TestReading:
    async def test_a_list_is_narrowed_by_type_status_and_subscription(self, world: World, made: Placed) -> None:
        ref = str(made.subscription.id)
        found = (await world.client.get("/api/jobs", params={"subscription": ref})).json()
        assert {one["id"] for one in found["jobs"]} == {str(job.id) for job in made.jobs}
        narrow = {"subscription": ref, "type": "PROVISION_DNS", "status": "PENDING"}
        found = (await world.client.get("/api/jobs", params=narrow)).json()
        assert [one["workflow_id"] for one in found["jobs"]] == [made.jobs[1].workflow_id]
        found = (await world.client.get("/api/jobs", params=narrow | {"status": "FAILED"})).json()
        assert found["pagination"]["total"] == 0

    async def test_one_names_its_run_for_staff_alone(self, world: World, made: Placed) -> None:
        where = f"/api/jobs/{made.jobs[0].id}"
        assert "order%2Fpi_" in (await world.client.get(where)).json()["job"]["temporal_url"]
        await world.sign_in(Role.USER, organization_id=made.customer.organization_id)
        assert "temporal_url" not in (await world.client.get(where)).json()["job"]

    async def test_a_customer_sees_the_own_jobs_and_no_servers(self, world: World, made: Placed) -> None:
        foreign = await server_job(world)
        await world.sign_in(Role.USER, organization_id=made.customer.organization_id)
        found = (await world.client.get("/api/jobs")).json()
        assert found["pagination"]["total"] == 4
        for where in (f"/api/jobs/{foreign}", f"/api/jobs/{foreign}/events", "/api/jobs/x"):
            assert (await world.client.get(where)).status_code == 404

    async def test_its_story_is_read_on_from_a_position(self, world: World, made: Placed) -> None:
        job = made.jobs[0].id
        await write(world, job, ("step", "claim_names", "started", "Claiming"), ("log", "claim_names", "out", "a line"),
                    ("step", "claim_names", "done", ""))  # fmt: skip
        first = (await world.client.get(f"/api/jobs/{job}/events", params={"limit": 2})).json()
        assert [(one["kind"], one["step"], one["state"]) for one in first["events"]] == [
            ("step", "claim_names", "started"), ("log", "claim_names", "out"),
        ]  # fmt: skip
        assert (first["position"], first["has_more"], first["done"]) == (2, True, False)
        rest = (await world.client.get(f"/api/jobs/{job}/events", params={"after": 2})).json()
        assert [one["shown"] for one in rest["events"]] == ["done"]
        assert (rest["position"], rest["has_more"]) == (3, False)
        nothing = (await world.client.get(f"/api/jobs/{job}/events", params={"after": 3})).json()
        assert (nothing["events"], nothing["position"]) == ([], 3)

    async def test_one_shows_its_steps_in_their_order_with_what_was_told_of_each(
        self, world: World, made: Placed
    ) -> None:
        job = made.jobs[1].id
        await write(world, job, ("step", "publish_zone", "started", "x"), ("step", "publish_zone", "done", ""),
                    ("step", "publish_records", "started", "x"))  # fmt: skip
        shown = (await world.client.get(f"/api/jobs/{job}")).json()["job"]["steps"]
        assert [(one["name"], one["state"], one["after"]) for one in shown] == [
            ("publish_zone", "done", []), ("publish_records", "running", ["publish_zone"]),
        ]  # fmt: skip
        assert shown[0]["title"] == "Create zone"
        assert shown[0]["seconds"] == 1.0

    async def test_the_way_back_adds_its_own_steps(self, world: World, made: Placed) -> None:
        job = made.jobs[0].id
        await write(world, job, ("step", "claim_names", "started", "x"), ("step", "claim_names", "undone", ""),
                    ("step", "refund_order", "started", "x"))  # fmt: skip
        async with world.db.begin() as session:
            (await session.get_one(Job, job)).phase = "rolling_back"
        shown = (await world.client.get(f"/api/orders/{made.order.id}")).json()["jobs"]
        steps = next(one for one in shown if one["id"] == str(job))["steps"]
        assert {(one["name"], one["state"]) for one in steps} >= {
            ("claim_names", "undone"), ("provision_dns", "skipped"), ("refund_order", "running"),
        }  # fmt: skip
        assert [one["name"] for one in steps if one["family"] == "way_back"] == ["refund_order"]


class TestCommands:
    async def test_a_retry_reaches_the_jobs_run_once_per_request(self, world: World, made: Placed) -> None:
        job = made.jobs[1]
        answer = await world.client.post(
            f"/api/jobs/{job.id}/retry", json={"step": "claim_names", "changes": {"domain": "other.nl"}},
            headers={"Idempotency-Key": "abc"})  # fmt: skip
        assert (answer.status_code, answer.json()["steps"]) == (202, ["set_up_server"])
        assert answer.headers["location"] == f"/api/jobs/{job.id}"
        [(workflow_id, update, argument, options)] = world.temporal.updates
        assert (workflow_id, update, options["id"]) == (job.workflow_id, "retry_step", "retry/abc")
        assert isinstance(argument, RetryRequest)
        assert (argument.step, argument.changes) == ("claim_names", {"domain": "other.nl"})
        [entry] = [one for one in await world.audit("job.retry") if one.target_id == str(job.id)]
        assert (entry.outcome, entry.details["changed"]) == ("ok", ["domain"])

    async def test_a_rollback_reaches_the_jobs_run(self, world: World, made: Placed) -> None:
        answer = await world.client.post(f"/api/jobs/{made.jobs[0].id}/rollback", json={"reason": "name is taken"})
        assert answer.status_code == 202
        [(workflow_id, update, argument, _)] = world.temporal.updates
        assert (workflow_id, update) == (made.jobs[0].workflow_id, "roll_back")
        assert isinstance(argument, RollbackRequest)
        assert argument.reason == "name is taken"

    @pytest.mark.parametrize(
        ("body", "field"),
        [({"step": "fly"}, "step"), ({"changes": {"product": "x"}}, "changes.product"),
         ({"changes": {"domain": 1}}, "changes.domain")],
    )  # fmt: skip
    async def test_what_no_step_offers_is_422(
        self, world: World, made: Placed, body: dict[str, Any], field: str
    ) -> None:
        answer = await world.client.post(f"/api/jobs/{made.jobs[0].id}/retry", json=body)
        assert (answer.status_code, answer.json()["field"]) == (422, field)
        assert world.temporal.updates == []

    async def test_what_the_run_refuses_is_409_and_audited(self, world: World, made: Placed) -> None:
        world.temporal.answer_update = raising(rejected("no step waits for an operator", "InvalidState"))
        for verb in ("retry", "rollback"):
            answer = await world.client.post(f"/api/jobs/{made.jobs[0].id}/{verb}")
            assert (answer.status_code, answer.json()["code"]) == (409, "CONFLICT")
            assert (await world.audit(f"job.{verb}"))[-1].outcome == "refused"

    async def test_a_job_that_is_over_is_409_without_asking_its_run(self, world: World, made: Placed) -> None:
        async with world.db.begin() as session:
            row = await session.get_one(Job, made.jobs[0].id)
            row.ended_at, row.phase = datetime.now(UTC), "rolled_back"
        answer = await world.client.post(f"/api/jobs/{made.jobs[0].id}/retry")
        assert (answer.status_code, answer.json()["message"]) == (409, "The job is over: rolled back.")
        assert world.temporal.updates == []

    async def test_with_temporal_away_it_is_503(self, world: World, made: Placed) -> None:
        world.temporal.answer_update = raising(temporal_is_away())
        assert (await world.client.post(f"/api/jobs/{made.jobs[0].id}/retry")).status_code == 503

    @pytest.mark.parametrize("role", [Role.BILLING, Role.SUPPORT, Role.USER])
    async def test_it_is_for_operators_alone(self, world: World, made: Placed, role: Role) -> None:
        await world.sign_in(role, organization_id=made.customer.organization_id)
        for verb in ("retry", "rollback"):
            assert (await world.client.post(f"/api/jobs/{made.jobs[0].id}/{verb}")).status_code == 403
