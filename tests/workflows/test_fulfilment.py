"""A paid order becomes a live site, waits by name, or is taken back with proof and paid back once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select
from temporalio.client import Client, WorkflowFailureError
from temporalio.testing import WorkflowEnvironment

from db.models import User
from db.models_mail import OutgoingMail
from db.models_sales import Refund
from db.queries import registrations
from domain.provisioning import RetryRequest, RollbackRequest
from tests.workflows.house import HouseWorld
from tests.workflows.world import until_parked
from workflows.fulfilment import Fulfilment
from workflows.parts import ProvisionHosting


async def test_a_paid_order_becomes_a_live_site(house: HouseWorld, client: Client) -> None:
    await house.server()
    await house.server("mail")
    order = await house.paid("shop", domain="shop.example")
    handle = await house.begin(client, order)
    assert await handle.result() == "Live at https://shop.example"
    held = await house.held(order)
    assert held.domain is not None
    assert held.zone is not None
    assert held.account is not None
    assert held.mailbox is not None
    assert (held.subscription.status, held.order.status) == ("ACTIVE", "FULFILLED")
    assert {held.domain.status, held.zone.status, held.account.status, held.mailbox.status} == {"ACTIVE"}
    assert (held.mailbox.email, held.names) == ("info@shop.example", ["shop.example", "www.shop.example"])
    for job_id in (order.job_id, *order.parts.values()):
        job = await house.job(job_id)
        assert (job.status, job.phase, job.attention) == ("SUCCESS", "done", "none")
        assert job.ended_at is not None
    async with house.db.begin() as session:
        to_her = select(OutgoingMail).where(OutgoingMail.recipient == "shop@example.com")
        (mail,) = (await session.execute(to_her)).scalars()
    assert mail.template == "site-live"
    assert house.count["create_account"] == house.count["create_mailbox"] == house.count["publish_records"] == 1


@pytest.mark.parametrize("proven", [True, False])
async def test_who_has_shown_that_the_address_is_theirs_sees_what_was_bought(
    house: HouseWorld, client: Client, proven: bool
) -> None:
    await house.server()
    buyer = "shown" if proven else "said"
    async with house.db.begin() as session:
        _, token = await registrations.ask(session, email=f"{buyer}@example.com", name="Ann", password_hash="x",
                                           lifetime=timedelta(days=1))  # fmt: skip
        asked = await registrations.find(session, token)
        assert asked is not None
        user = await registrations.confirm(session, asked)
        if not proven:
            asked.email = "another@example.com"  # the account's own was changed in its profile
    order = await house.paid(buyer)
    await (await house.begin(client, order)).result()
    held = await house.held(order)
    async with house.db.begin() as session:
        (mail,) = (await session.execute(select(OutgoingMail).where(OutgoingMail.recipient == user.email))).scalars()
        seen = (await session.get_one(User, user.id)).organization_id
    assert mail.template == "site-live-again"
    assert seen == (held.customer.organization_id if proven else None)


async def test_without_a_domain_and_a_mail_server_the_platforms_name_and_a_record_serve(
    house: HouseWorld, client: Client
) -> None:
    await house.server()
    order = await house.paid("plain")
    await (await house.begin(client, order)).result()
    held = await house.held(order)
    assert held.mailbox is not None
    assert (held.zone, held.mail) == (None, None)
    assert held.name.endswith(".slipway.test")


async def test_a_name_of_somebody_elses_waits_and_goes_on_with_another(house: HouseWorld, client: Client) -> None:
    await house.server()
    await (await house.begin(client, await house.paid("first", domain="mine.example"))).result()
    order = await house.paid("second", domain="sub.mine.example")
    handle = await house.begin(client, order)
    await until_parked(handle, "claim_names")
    job = await house.job(order.job_id)
    assert (job.status, job.attention, job.error_code) == ("WAITING", "awaiting_operator", "Conflict")
    assert "mine.example belongs to another subscription" in str(job.error_message)
    await handle.execute_update(
        Fulfilment.retry_step, RetryRequest(step="claim_names", changes={"domain": "other.example"}))  # fmt: skip
    assert await handle.result() == "Live at https://other.example"


async def test_a_full_server_is_a_named_wait_and_not_a_lost_order(house: HouseWorld, client: Client) -> None:
    await house.server(places=0)
    order = await house.paid("late")
    handle = await house.begin(client, order)
    await until_parked(handle, "claim_names")
    assert (await house.job(order.job_id)).error_code == "NoCapacity"
    await handle.execute_update(Fulfilment.roll_back_run, RollbackRequest(reason="no room"))
    with pytest.raises(WorkflowFailureError):
        await handle.result()
    held = await house.held(order)
    assert (held.order.status, held.subscription.status) == ("REFUNDED", "TERMINATED")


async def test_a_part_that_is_rolled_back_takes_the_whole_order_back_and_pays_once(
    house: HouseWorld, client: Client
) -> None:
    await house.server()
    order = await house.paid("undone", domain="undone.example")
    house.fail("create_site", "CommandFailed", "nginx refuses")
    handle = await house.begin(client, order)
    part = client.get_workflow_handle_for(ProvisionHosting.run, "order/pi_undone/hosting")
    await until_parked(part, "create_site")
    assert (await house.job(order.parts["PROVISION_HOSTING"])).status == "WAITING"
    await part.execute_update(ProvisionHosting.roll_back_run, RollbackRequest(reason="broken host"))
    with pytest.raises(WorkflowFailureError):
        await handle.result()
    held = await house.held(order)
    assert held.domain is not None
    assert held.zone is not None
    assert held.account is not None
    assert (held.order.status, held.subscription.status) == ("REFUNDED", "TERMINATED")
    assert {held.domain.status, held.zone.status, held.account.status} == {"REMOVED"}
    parent = await house.job(order.job_id)
    assert (parent.status, parent.phase) == ("FAILED", "rolled_back")
    assert parent.absence is not None
    assert len(parent.absence["proofs"]) == 3
    assert (await house.job(order.parts["PROVISION_HOSTING"])).status == "FAILED"
    assert house.count["send_refund"] == 1
    async with house.db.begin() as session:
        (refund,) = (await session.execute(select(Refund).where(Refund.order_id == held.order.id))).scalars()
    assert (refund.status, refund.amount_cents) == ("SUCCEEDED", 1200)


async def test_a_cancelled_order_is_taken_back_and_paid_back(house: HouseWorld, client: Client) -> None:
    await house.server()
    order = await house.paid("gone")
    reached = house.hold("create_site")
    handle = await house.begin(client, order)
    await reached.wait()
    await handle.cancel()
    with pytest.raises(WorkflowFailureError):
        await handle.result()
    held = await house.held(order)
    assert (held.order.status, held.subscription.status) == ("REFUNDED", "TERMINATED")
    assert (await house.job(order.job_id)).status == "CANCELLED"
    assert (await house.job(order.parts["PROVISION_HOSTING"])).status == "CANCELLED"
    assert house.count["remove_account"] >= 1


async def test_a_refund_that_fails_waits_for_billing_and_takes_a_reference(house: HouseWorld, client: Client) -> None:
    await house.server(places=0)
    order = await house.paid("owed")
    house.fail("send_refund", "MissingSetting", "no payment service is set up")
    handle = await house.begin(client, order)
    await until_parked(handle, "claim_names")
    await handle.execute_update(Fulfilment.roll_back_run, RollbackRequest())
    await until_parked(handle, "refund_order")
    (wait,) = (await house.job(order.job_id)).parked
    assert (wait["owner"], wait["editable"]) == ("billing", ["refund_reference"])
    assert (await house.held(order)).order.status == "REFUNDING"
    house.heal("send_refund")
    await handle.execute_update(Fulfilment.retry_step, RetryRequest(changes={"refund_reference": "re_by_hand"}))
    with pytest.raises(WorkflowFailureError):
        await handle.result()
    assert (await house.held(order)).order.status == "REFUNDED"


async def test_a_free_order_that_is_taken_back_owes_nothing(house: HouseWorld, client: Client) -> None:
    await house.server(places=0)
    order = await house.paid("gift", amount=0)
    handle = await house.begin(client, order)
    await until_parked(handle, "claim_names")
    await handle.execute_update(Fulfilment.roll_back_run, RollbackRequest())
    with pytest.raises(WorkflowFailureError):
        await handle.result()
    assert (await house.held(order)).order.status == "CANCELLED"
    assert house.count["send_refund"] == 0


async def test_one_payment_is_one_run_however_often_it_is_started(
    house: HouseWorld, client: Client, temporal_env: WorkflowEnvironment
) -> None:
    await house.server()
    order = await house.paid("once")
    handles = [await house.begin(client, order) for _ in range(3)]
    assert len({handle.result_run_id for handle in handles}) == 1
    await handles[0].result()
    assert house.count["create_account"] == 1
