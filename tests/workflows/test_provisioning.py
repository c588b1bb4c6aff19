"""The provisioning story on a real dev server: real rows, a scripted outside, virtual time where time matters."""

from __future__ import annotations

import asyncio
import dataclasses
import uuid
from datetime import timedelta

import pytest
from sqlalchemy import select
from temporalio.client import Client, WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError, CancelledError
from temporalio.testing import ActivityEnvironment, WorkflowEnvironment

from activities.records import RecordActivities
from db.models import Deployment, DeploymentEvent, Placement, Secret
from domain.config import RunConfig
from domain.provisioning import RetryRequest, RollbackRequest, StepCall
from domain.statuses import Lifecycle
from providers.hosts.cloud_init import new_keypair
from tests.journal import no_events
from tests.offering import account
from tests.workflows.world import World, until_parked
from workflows.provisioning import Provisioning


async def story(world: World, deployment_id: str) -> list[tuple[str, str]]:
    async with world.db.begin() as session:
        rows = await session.execute(
            select(DeploymentEvent)
            .where(DeploymentEvent.deployment_id == deployment_id, DeploymentEvent.kind == "step")
            .order_by(DeploymentEvent.position)
        )
        events = list(rows.scalars())
    assert [event.seq for event in events] == list(range(1, len(events) + 1)), "the journal is complete and in order"
    return [(event.step, event.state) for event in events]


class TestHappyPath:
    async def test_a_dedicated_order_becomes_active_with_all_seven_messages(self, world: World, client: Client) -> None:
        order = await world.order("acme")
        assert await (await world.start(client, order)).result() == "https://acme.slipway.test"
        row = await world.row(order)
        assert (row.status, row.phase, row.attention) == ("active", "active", "none")
        assert row.access_url == "https://acme.slipway.test"
        assert row.price_cents_month == 2000
        async with world.db.begin() as session:
            messages = list((await session.execute(
                select(DeploymentEvent.message).where(DeploymentEvent.message.like("Step %/7: %"))
            )).scalars())  # fmt: skip
        assert {message[:9] for message in messages} == {f"Step {n}/7:" for n in range(1, 8)}
        assert "Step 4/7: Starting Docker services" in messages
        assert world.count["create_server"] == 1
        vps = await world.vps(order)
        assert vps is not None
        assert vps.lifecycle == Lifecycle.ACTIVE
        assert vps.vps_name == "acme-vps-1"

    async def test_independent_steps_run_side_by_side(self, world: World, client: Client) -> None:
        reached = [world.hold(name) for name in ("publish_dns", "start_services", "issue_certificate")]
        handle = await world.start(client, await world.order("parallel"))
        await asyncio.wait_for(asyncio.gather(*(event.wait() for event in reached)), 20)
        for event in world.holds.values():
            event.set()
        await handle.result()

    async def test_two_shared_orders_get_two_places_on_one_server(self, world: World, client: Client) -> None:
        first, second, third = [await world.order(f"shared{n}", "shared") for n in range(3)]
        await (await world.start(client, first)).result()
        handles = [await world.start(client, order) for order in (second, third)]
        for handle in handles:
            await handle.result()
        servers = [await world.vps(order) for order in (first, second, third)]
        assert len({vps.id for vps in servers if vps}) == 2, "two places a server, so the third order needs a new one"
        assert world.count["create_server"] == 2
        async with world.db.begin() as session:
            places = list((await session.execute(select(Placement.vps_id, Placement.place))).all())
        assert len(set(places)) == len(places)


class TestRefusedRows:
    async def test_a_place_that_is_taken_meanwhile_parks_the_reservation(self, world: World, client: Client) -> None:
        """What a local activity refuses waits for an operator too; it does not end the run without a word."""
        order = await world.order("squeezed", "shared")
        async with world.db.begin() as session:
            row = await session.get_one(Deployment, uuid.UUID(order.deployment_id))
            row.requested_vps_id = uuid.uuid4()
        handle = await world.start(client, order)
        await until_parked(handle, "reserve")
        row = await world.row(order)
        assert (row.attention, row.error_code) == ("awaiting_operator", "NoCapacity")
        await handle.execute_update("roll_back", RollbackRequest(reason="full"))
        with pytest.raises(WorkflowFailureError):
            await handle.result()
        assert (await world.row(order)).phase == "rolled_back"


class TestParking:
    async def test_a_parked_step_names_what_since_until_and_who(self, world: World, client: Client) -> None:
        world.fail("run_migrations", "MigrationFailed", "relation exists")
        order = await world.order("parked")
        handle = await world.start(client, order)
        await until_parked(handle, "run_migrations")
        await asyncio.sleep(0.5)
        row = await world.row(order)
        assert (row.status, row.attention, row.error_code) == ("deploying", "awaiting_operator", "MigrationFailed")
        wait = row.parked[0]
        assert wait["step"] == "run_migrations"
        assert wait["owner"] == "operator"
        assert wait["until"] > wait["since"]
        assert wait["editable"] == ["migration_command", "environment"]
        assert world.count["configure_tls"] == 1, "other branches go on"
        world.heal("run_migrations")
        await handle.execute_update(Provisioning.retry_step, RetryRequest())
        await handle.result()
        row = await world.row(order)
        assert (row.status, row.attention, row.error_code, row.parked) == ("active", "none", None, [])

    async def test_a_retry_carries_corrected_inputs_and_a_double_click_is_one_act(
        self, world: World, client: Client
    ) -> None:
        world.fail("run_migrations", "MigrationFailed", times=1)
        handle = await world.start(client, await world.order("fixed"))
        await until_parked(handle, "run_migrations")
        request = RetryRequest(step="run_migrations", changes={"migration_command": ["npm", "run", "migrate:fixed"]})
        for _ in range(2):
            await handle.execute_update(Provisioning.retry_step, request, id="click-1")
        await handle.result()
        assert world.inputs["run_migrations"].migration_command == ["npm", "run", "migrate:fixed"]
        assert world.count["run_migrations"] == 2

    @pytest.mark.parametrize(
        ("request_", "kind"),
        [
            (RetryRequest(step="write_env"), "InvalidState"),
            (RetryRequest(changes={"product": "bladevps-x8"}), "InvalidChange"),
            (RetryRequest(changes={"migration_command": "not a list"}), "InvalidChange"),
        ],
    )
    async def test_a_retry_that_does_not_fit_is_refused_and_changes_nothing(
        self, world: World, client: Client, request_: RetryRequest, kind: str
    ) -> None:
        world.fail("run_migrations", "MigrationFailed", times=1)
        slug = f"refused-{kind.lower()}-{len(request_.changes)}{request_.step or ''}".replace("_", "")
        handle = await world.start(client, await world.order(slug + str(abs(hash(str(request_))))[:5]))
        await until_parked(handle, "run_migrations")
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await handle.execute_update(Provisioning.retry_step, request_)
        assert isinstance(refused.value.cause, ApplicationError)
        assert refused.value.cause.type == kind
        await handle.signal("retry")
        await handle.result()

    async def test_standing_in_line_for_an_accounts_calls_is_no_failure(self, world: World, client: Client) -> None:
        world.fail("create_server", "RateLimited", times=3)
        order = await world.order("inline")
        await (await world.start(client, order)).result()
        assert world.count["create_server"] == 4
        assert "parked" not in {state for _, state in await story(world, order.deployment_id)}

    async def test_a_clouds_tasks_take_turns_by_account_and_an_operators_retry_goes_first(
        self, world: World, client: Client
    ) -> None:
        world.fail("create_server", "InvalidInput", times=1)
        order = await world.order("turns")
        order.inputs.provider_id = owner = str(await account(world.db))
        handle = await world.start(client, order)
        await until_parked(handle, "create_server")
        await handle.signal("retry")
        await handle.result()
        scheduled = [
            (event.activity_task_scheduled_event_attributes.activity_type.name,
             event.activity_task_scheduled_event_attributes.priority)
            async for event in handle.fetch_history_events()
            if event.HasField("activity_task_scheduled_event_attributes")
        ]  # fmt: skip
        creates = [priority for name, priority in scheduled if name == "create_server"]
        assert [(priority.priority_key, priority.fairness_key) for priority in creates] == [(0, owner), (1, owner)]
        others = dict(scheduled)
        assert others["await_server"].priority_key == 0
        assert others["publish_dns"].fairness_key == ""

    async def test_a_line_that_does_not_move_for_hours_parks(self, world: World, client: Client) -> None:
        world.fail("create_server", "RateLimited", times=40)
        order = await world.order("nomove")
        order.policy.line_minutes = 5
        handle = await world.start(client, order)
        await until_parked(handle, "create_server")
        world.heal("create_server")
        await handle.signal("retry")
        await handle.result()

    async def test_two_branches_park_on_their_own_and_a_decision_names_its_step(
        self, world: World, client: Client
    ) -> None:
        world.fail("issue_certificate", "RateLimited", times=1)
        world.fail("start_services", "CommandFailed", times=1)
        handle = await world.start(client, await world.order("twoparks"))
        await until_parked(handle, "issue_certificate", "start_services")
        await handle.signal("retry", "start_services")
        await until_parked(handle, "issue_certificate")
        await handle.signal("retry", {"step": "issue_certificate", "changes": {"acme_profile": "shortlived"}})
        await handle.result()
        assert world.inputs["issue_certificate"].acme_profile == "shortlived"

    async def test_a_deadline_that_passes_escalates_and_waits_on(
        self, world: World, client: Client, temporal_env: WorkflowEnvironment
    ) -> None:
        world.fail("health_check", "ExposedPort", times=1)
        order = await world.order("late")
        with temporal_env.with_time_skipping_disabled():
            handle = await world.start(client, order)
        await until_parked(handle, "health_check")
        await temporal_env.fast_forward(handle, timedelta(hours=25))
        for _ in range(100):
            if (await world.row(order)).attention == "escalated":
                break
            await asyncio.sleep(0.05)
        row = await world.row(order)
        assert row.attention == "escalated"
        assert row.parked[0]["step"] == "health_check"
        await handle.signal("retry")
        await handle.result()
        assert (await world.row(order)).attention == "none"

    async def test_a_retry_of_a_running_run_is_refused(self, world: World, client: Client) -> None:
        world.hold("set_up_server")
        handle = await world.start(client, await world.order("running"))
        await asyncio.wait_for(world.reached["set_up_server"].wait(), 20)
        for update, argument in ((Provisioning.retry_step, RetryRequest()),
                                 (Provisioning.roll_back_run, RollbackRequest())):  # fmt: skip
            with pytest.raises(WorkflowUpdateFailedError):
                await handle.execute_update(update, argument)
        world.holds["set_up_server"].set()
        await handle.result()


class TestTakingBack:
    async def test_a_rollback_undoes_in_reverse_with_proof(self, world: World, client: Client) -> None:
        world.fail("run_migrations", "MigrationFailed")
        order = await world.order("back")
        handle = await world.start(client, order)
        await until_parked(handle, "run_migrations")
        await handle.execute_update(Provisioning.roll_back_run, RollbackRequest(reason="wrong customer"))
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()
        assert isinstance(failed.value.cause, ApplicationError)
        assert failed.value.cause.type == "RolledBack"
        undone = [step for step, state in await story(world, order.deployment_id) if state == "undone"]
        assert undone[:3] == ["publish_dns", "create_server", "reserve"]
        row = await world.row(order)
        assert (row.status, row.phase) == ("failed", "rolled_back")
        assert row.ended_at is not None
        assert row.absence is not None
        assert [proof["evidence"] for proof in row.absence["proofs"]] == ["NXDOMAIN", "404", "closed"]
        assert world.servers == set()
        async with world.db.begin() as session:
            left = (await session.execute(select(Secret).where(Secret.deployment_id == row.id))).scalars()
            assert all(secret.ciphertext is None for secret in left)

    async def test_the_signal_of_the_web_ui_rolls_back(self, world: World, client: Client) -> None:
        world.fail("start_services", "CommandFailed")
        order = await world.order("signalled")
        handle = await world.start(client, order)
        await until_parked(handle, "start_services")
        await handle.signal("rollback")
        with pytest.raises(WorkflowFailureError):
            await handle.result()
        assert (await world.row(order)).phase == "rolled_back"

    async def test_an_undo_that_fails_parks_and_is_retried_never_skipped(self, world: World, client: Client) -> None:
        world.fail("run_migrations", "MigrationFailed")
        world.fail("destroy_server", "Unauthorized")
        order = await world.order("stuckundo")
        handle = await world.start(client, order)
        await until_parked(handle, "run_migrations")
        await handle.signal("rollback")
        await until_parked(handle, "create_server")
        with pytest.raises(WorkflowUpdateFailedError):
            await handle.execute_update(Provisioning.roll_back_run, RollbackRequest())
        assert world.servers == {order.deployment_id}
        world.heal("destroy_server")
        await handle.execute_update(Provisioning.retry_step, RetryRequest(step="create_server"))
        with pytest.raises(WorkflowFailureError):
            await handle.result()
        assert world.servers == set()
        assert (await world.row(order)).phase == "rolled_back"

    async def test_a_cancel_during_create_waits_for_it_and_then_undoes_it(self, world: World, client: Client) -> None:
        reached = world.put_on_the_wire("create_server")
        order = await world.order("cancelled")
        handle = await world.start(client, order)
        await asyncio.wait_for(reached.wait(), 20)
        await handle.cancel()
        await asyncio.sleep(1.5)  # an undo that overtakes would land before its effect
        world.holds["create_server"].set()
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()
        assert isinstance(failed.value.cause, CancelledError)
        assert world.calls.index("create_server landed") < world.calls.index("destroy_server")
        assert world.servers == set()
        assert (await world.row(order)).phase == "cancelled"

    async def test_an_effect_that_failed_may_be_half_done_and_is_undone(self, world: World, client: Client) -> None:
        """The order was sent and its answer lost: the step failed, and there may be a server all the same."""
        world.fail("create_server", "Unconfirmed")
        handle = await world.start(client, await world.order("halfdone"))
        await until_parked(handle, "create_server")
        await handle.signal("rollback")
        with pytest.raises(WorkflowFailureError):
            await handle.result()
        assert world.count["destroy_server"] == 1
        assert world.count["prove_server_absent"] == 1

    async def test_a_cancel_while_branches_run_leaves_nothing(self, world: World, client: Client) -> None:
        reached = world.hold("start_services")
        order = await world.order("cancelbranches")
        handle = await world.start(client, order)
        await asyncio.wait_for(reached.wait(), 20)
        await handle.cancel()
        world.holds["start_services"].set()
        with pytest.raises(WorkflowFailureError):
            await handle.result()
        assert world.servers == set()
        assert world.count["run_migrations"] == 0

    @pytest.mark.parametrize("step", ["create_server", "start_services"], ids=["alone", "beside others"])
    async def test_a_step_that_fails_after_a_cancel_asks_nobody_any_more(
        self, world: World, client: Client, step: str
    ) -> None:
        reached = world.put_on_the_wire(step)
        world.fail(step, "CommandFailed")
        order = await world.order(f"leaves-{step.replace('_', '-')}")
        handle = await world.start(client, order)
        await asyncio.wait_for(reached.wait(), 20)
        await handle.cancel()
        await asyncio.sleep(1.5)  # the run hears of it first
        world.holds[step].set()
        with pytest.raises(WorkflowFailureError) as failed:
            await asyncio.wait_for(handle.result(), 20)
        assert isinstance(failed.value.cause, CancelledError)
        assert world.servers == set()
        assert (await world.row(order)).phase == "cancelled"

    async def test_a_slug_is_free_again_after_a_rollback(self, world: World, client: Client) -> None:
        world.fail("create_server", "QuotaExceeded", times=1)
        order = await world.order("again")
        handle = await world.start(client, order)
        await until_parked(handle, "create_server")
        await handle.signal("rollback")
        with pytest.raises(WorkflowFailureError):
            await handle.result()
        assert (await world.row(order)).ended_at is not None


class TestKeys:
    async def test_each_server_gets_a_key_of_its_own(self, world: World, client: Client) -> None:
        orders = [await world.order(f"keys{number}") for number in range(2)]
        for order in orders:
            await (await world.start(client, order)).result()
        servers = [await world.vps(order) for order in orders]
        assert len({vps.specs["ssh_public_key"] for vps in servers if vps}) == 2
        assert len({vps.host_key for vps in servers if vps}) == 2

    async def test_a_configured_platform_key_is_used_for_all(self, world: World) -> None:
        private, public = new_keypair()
        deps = dataclasses.replace(world.deps, config=RunConfig(ssh_private_key=private))
        order = await world.order("platformkey")
        call, batch = StepCall(deployment_id=order.deployment_id), no_events(order.deployment_id)
        await ActivityEnvironment().run(RecordActivities(deps).reserve, call, batch)
        vps = await world.vps(order)
        assert vps is not None
        assert vps.specs["ssh_public_key"].split()[:2] == public.split()[:2]
