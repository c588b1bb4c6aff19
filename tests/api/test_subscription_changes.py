"""Changes of subscriptions over the API: who may, what is refused, and the one job that comes of it."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from db.models_hosting import HostingAccount, MailAccount
from db.models_jobs import Job
from db.models_sales import Refund
from db.queries import access, delivery, jobs
from domain.fulfilment import ChangeOrder
from domain.sales import JobType
from domain.statuses import Role
from tests.api.world import World, temporal_is_away
from tests.sales import open_shop
from tests.standing import delivered

PASSWORD = "Correct-Horse-7"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
ASKED: dict[str, dict[str, Any]] = {
    "suspend": {"reason": "spam"}, "resume": {}, "cancel": {}, "keep": {}, "refund": {}, "change": {}, "terminate": {},
}  # fmt: skip


async def post(
    world: World, ref: object, what: str, body: dict[str, Any] | None = None, **headers: str
) -> httpx.Response:
    asked = ASKED[what] if body is None else body
    return await world.client.post(f"/api/subscriptions/{ref}/{what}", json=asked, headers=headers)


async def run_of(world: World, answer: httpx.Response) -> ChangeOrder:
    assert answer.status_code == 202, answer.text
    job = answer.json()["job"]["id"]
    assert answer.headers["location"] == f"/api/jobs/{job}"
    workflow, order, _ = world.temporal.started[f"job/{job}"]
    assert workflow == "SubscriptionChange"
    assert isinstance(order, ChangeOrder)
    return order


async def name_of(world: World, ref: uuid.UUID) -> str:
    async with world.db.begin() as session:
        return (await delivery.load(session, ref)).name


class TestAsking:
    async def test_a_suspension_is_one_job_whose_run_is_started(self, world: World) -> None:
        ref = (await delivered(world.db)).subscription.id
        answer = await post(world, ref, "suspend", {"reason": "spam was sent"})
        order = await run_of(world, answer)
        assert (order.job_type, order.reason, order.subscription_id) == ("SUSPEND", "spam was sent", str(ref))
        assert order.requested_by == world.username
        [line] = [one for one in await world.audit("subscription.suspend") if one.target_id == str(ref)]
        assert (line.outcome, line.details["reason"]) == ("ok", "spam was sent")

    @pytest.mark.parametrize(("what", "kind"), [("cancel", "CANCEL"), ("refund", "REFUND")])
    async def test_others_need_no_body(self, world: World, what: str, kind: str) -> None:
        ref = (await delivered(world.db)).subscription.id
        assert (await run_of(world, await world.client.post(f"/api/subscriptions/{ref}/{what}"))).job_type == kind

    async def test_another_change_under_way_is_named(self, world: World) -> None:
        ref = (await delivered(world.db)).subscription.id
        first = (await post(world, ref, "cancel")).json()["job"]["id"]
        answer = await post(world, ref, "suspend")
        assert (answer.status_code, answer.json()["code"]) == (409, "CONFLICT")
        assert f"CANCEL, job {first}" in answer.json()["message"]

    async def test_a_repeat_with_its_key_is_the_same_job(self, world: World) -> None:
        ref = (await delivered(world.db)).subscription.id
        first, second = [await post(world, ref, "cancel", **{"Idempotency-Key": "once"}) for _ in range(2)]
        assert second.json()["job"]["id"] == first.json()["job"]["id"]
        assert second.headers["idempotent-replay"] == "true"

    async def test_with_temporal_away_the_row_is_kept_for_the_sweep(self, world: World) -> None:
        ref = (await delivered(world.db)).subscription.id
        world.temporal.trouble = temporal_is_away()
        assert (await post(world, ref, "cancel")).status_code == 202
        async with world.db.begin() as session:
            job = await jobs.living(session, ref)
        assert job is not None
        assert job.started_at is None

    @pytest.mark.parametrize(
        ("what", "columns"),
        [
            ("suspend", {"status": "SUSPENDED", "suspended_at": datetime.now(UTC)}),
            ("suspend", {"status": "INACTIVE"}),
            ("resume", {}),
            ("keep", {}),
            ("cancel", {"cancel_at_period_end": True}),
            ("cancel", {"current_period_end": None}),
            ("refund", {"status": "INACTIVE"}),
            ("cancel", {"status": "TERMINATED", "ended_at": datetime.now(UTC)}),
        ],
    )
    async def test_what_makes_no_sense_is_refused_in_a_sentence(
        self, world: World, what: str, columns: dict[str, Any]
    ) -> None:
        ref = (await delivered(world.db, **columns)).subscription.id
        answer = await post(world, ref, what)
        assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_ACTION"), answer.text

    @pytest.mark.parametrize("ref", [uuid.UUID(int=1), "nothing", "%00"])
    async def test_one_that_is_not_there_is_404(self, world: World, ref: object) -> None:
        assert (await post(world, ref, "cancel")).status_code == 404


class TestLimits:
    async def test_the_price_travels_with_the_job(self, world: World) -> None:
        ref = (await delivered(world.db)).subscription.id
        other = await open_shop(world.db, cents=2000)
        order = await run_of(world, await post(world, ref, "change", {"priceId": str(other.price.id)}))
        assert (order.job_type, order.inputs.price_id) == ("CHANGE_LIMITS", str(other.price.id))

    @pytest.mark.parametrize("shop", [{"kind": "vps"}, {"interval": "month", "kind": "mail"}, None])
    async def test_a_price_of_something_else_is_refused_by_the_field(
        self, world: World, shop: dict[str, Any] | None
    ) -> None:
        ref = (await delivered(world.db)).subscription.id
        price = (await open_shop(world.db, **shop)).price.id if shop else uuid.UUID(int=2)
        answer = await post(world, ref, "change", {"priceId": str(price)})
        assert (answer.status_code, answer.json()["field"]) == (422, "priceId")

    async def test_the_price_it_has_is_refused(self, world: World) -> None:
        shop = await open_shop(world.db)
        ref = (await delivered(world.db, shop)).subscription.id
        answer = await post(world, ref, "change", {"priceId": str(shop.price.id)})
        assert (answer.status_code, answer.json()["field"]) == (422, "priceId")


class TestEnd:
    async def test_it_needs_the_sites_name(self, world: World) -> None:
        ref = (await delivered(world.db)).subscription.id
        wrong = await post(world, ref, "terminate", {"confirm": "another.example"})
        assert (wrong.status_code, wrong.json()["field"]) == (422, "confirm")
        name = await name_of(world, ref)
        order = await run_of(world, await post(world, ref, "terminate", {"confirm": f" {name.upper()} "}))
        assert order.job_type == "TERMINATE"


class TestMoney:
    async def test_what_was_paid_back_is_not_paid_back_again(self, world: World) -> None:
        placed = await delivered(world.db)
        async with world.db.begin() as session:
            session.add(Refund(order_id=placed.order.id, amount_cents=995, currency="EUR", status="SUCCEEDED"))
        assert (await post(world, placed.subscription.id, "refund")).status_code == 409

    async def test_a_free_order_has_nothing_to_give_back(self, world: World) -> None:
        placed = await delivered(world.db, await open_shop(world.db, cents=0))
        assert (await post(world, placed.subscription.id, "refund")).status_code == 400


class TestWhoMay:
    @pytest.mark.parametrize("what", ASKED)
    @pytest.mark.parametrize("role", Role)
    async def test_each_role_may_what_it_is_for(self, world: World, what: str, role: Role) -> None:
        billing = {"suspend", "resume", "refund", "cancel", "keep"}
        mine = {Role.ADMINISTRATOR: set(ASKED), Role.OPERATOR: set(ASKED), Role.BILLING: billing, Role.SUPPORT: set(),
                Role.USER: {"cancel", "keep"}}[role]  # fmt: skip
        placed = await delivered(world.db)
        await world.sign_in(role, organization_id=placed.customer.organization_id)
        body = (
            ASKED[what] | {"confirm": "x", "priceId": str(uuid.UUID(int=3))}
            if what in ("change", "terminate")
            else None
        )
        status = (await post(world, placed.subscription.id, what, body)).status_code
        assert (status != 403) is (what in mine)

    @pytest.mark.parametrize("what", ["cancel", "keep"])
    async def test_a_customer_does_not_see_another_organizations(self, world: World, what: str) -> None:
        foreign, own = await delivered(world.db), await delivered(world.db)
        await world.sign_in(Role.USER, organization_id=own.customer.organization_id)
        assert (await post(world, foreign.subscription.id, what)).status_code == 404
        assert (await post(world, own.subscription.id, "cancel")).status_code == 202


class TestAccess:
    async def ids(self, world: World, ref: uuid.UUID) -> tuple[uuid.UUID, uuid.UUID]:
        async with world.db.begin() as session:
            mailbox = select(MailAccount.id).where(MailAccount.subscription_id == ref)
            account = select(HostingAccount.id).where(HostingAccount.subscription_id == ref)
            return (await session.execute(mailbox)).scalar_one(), (await session.execute(account)).scalar_one()

    async def where(self, world: World, ref: uuid.UUID, kind: JobType) -> str:
        mailbox, account = await self.ids(world, ref)
        return {
            JobType.MAILBOX_PASSWORD: f"/api/mailboxes/{mailbox}/password",
            JobType.SFTP_PASSWORD: f"/api/hosting/accounts/{account}/password",
            JobType.SFTP_KEYS: f"/api/hosting/accounts/{account}/sftp-keys",
        }[kind]

    @pytest.mark.parametrize("kind", [JobType.MAILBOX_PASSWORD, JobType.SFTP_PASSWORD])
    async def test_a_password_is_kept_as_an_encrypted_hash_and_nowhere_else(self, world: World, kind: JobType) -> None:
        placed = await delivered(world.db)
        await world.sign_in(Role.USER, organization_id=placed.customer.organization_id)
        where = await self.where(world, placed.subscription.id, kind)
        answer = await world.client.post(where, json={"password": PASSWORD})
        order = await run_of(world, answer)
        assert order.job_type == kind
        async with world.db.begin() as session:
            kept = await access.read(session, world.app.state.services.keys, order.job_id)
            job = await session.get_one(Job, uuid.UUID(order.job_id))
        assert kept is not None
        assert kept.get_secret_value().startswith("$2b$")
        for text in (answer.text, order.model_dump_json(), str(job.payload)):
            assert PASSWORD not in text
            assert "$2b$" not in text

    async def test_keys_are_exactly_the_named_ones(self, world: World) -> None:
        placed = await delivered(world.db)
        where = await self.where(world, placed.subscription.id, JobType.SFTP_KEYS)
        order = await run_of(world, await world.client.post(where, json={"keys": [f"{KEY} me@home", KEY]}))
        async with world.db.begin() as session:
            assert (await session.get_one(Job, uuid.UUID(order.job_id))).payload["keys"] == [KEY]

    @pytest.mark.parametrize(
        ("kind", "body"),
        [(JobType.SFTP_KEYS, {"keys": ["nonsense"]}), (JobType.SFTP_KEYS, {"keys": [f'command="x" {KEY}']}),
         (JobType.MAILBOX_PASSWORD, {"password": "short"})],
    )  # fmt: skip
    async def test_what_cannot_be_set_is_422(self, world: World, kind: JobType, body: dict[str, Any]) -> None:
        placed = await delivered(world.db)
        assert (
            await world.client.post(await self.where(world, placed.subscription.id, kind), json=body)
        ).status_code == 422

    async def test_a_mailbox_that_is_a_record_only_has_no_password(self, world: World) -> None:
        placed = await delivered(world.db, mail=False)
        where = await self.where(world, placed.subscription.id, JobType.MAILBOX_PASSWORD)
        answer = await world.client.post(where, json={"password": PASSWORD})
        assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_ACTION")

    @pytest.mark.parametrize("kind", [JobType.MAILBOX_PASSWORD, JobType.SFTP_PASSWORD, JobType.SFTP_KEYS])
    async def test_another_organizations_are_404_and_their_subscription_is_not_named(
        self, world: World, kind: JobType
    ) -> None:
        foreign, own = await delivered(world.db), await delivered(world.db)
        await world.sign_in(Role.USER, organization_id=own.customer.organization_id)
        where = await self.where(world, foreign.subscription.id, kind)
        answer = await world.client.post(
            where, json={"keys": []} if kind is JobType.SFTP_KEYS else {"password": PASSWORD}
        )
        assert answer.status_code == 404
        assert str(foreign.subscription.id) not in answer.text
