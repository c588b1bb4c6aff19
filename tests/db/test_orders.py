"""Placing orders: one payment is one order and one e-mail one customer, however many come at once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from db.base import new_id
from db.models import Organization
from db.models_hosting import Domain
from db.models_jobs import Job
from db.models_sales import Customer, Order, Subscription
from db.queries import jobs, orders
from db.queries.orders import OtherContent, Placed, Refused
from db.session import Database
from domain import ids
from domain.orders import OrderAsked
from domain.provisioning import RunPolicy
from domain.sales import JobType
from tests.locks import waiting
from tests.sales import Shop, a_payment, an_email, open_shop

POLICY = RunPolicy()


@pytest.fixture
async def shop(db: Database) -> Shop:
    return await open_shop(db)


async def placed(db: Database, asked: OrderAsked) -> Placed:
    async with db.begin() as session:
        return await orders.place(session, asked)


async def count(db: Database, table: Any, *where: Any) -> int:
    async with db.begin() as session:
        return (await session.execute(select(func.count()).select_from(table).where(*where))).scalar_one()


class TestOneOrder:
    async def test_writes_every_documented_row(self, db: Database, shop: Shop) -> None:
        asked = shop.asked(domain="bakery.nl")
        made = await placed(db, asked)
        assert made.created
        assert (made.order.status, made.order.total_amount_cents, made.order.currency) == ("PAID", 995, "EUR")
        assert made.subscription.status == "INACTIVE"
        assert made.subscription.current_period_end is not None
        assert timedelta(days=28) <= made.subscription.current_period_end - made.subscription.current_period_start
        assert [job.type for job in made.jobs] == [
            "FULFIL_ORDER", "PROVISION_DNS", "PROVISION_HOSTING", "PROVISION_MAIL",
        ]  # fmt: skip
        assert {job.status for job in made.jobs} == {"PENDING"}
        parent, *parts = made.jobs
        assert parent.workflow_id == ids.order_workflow_id(asked.payment_intent)
        assert {part.parent_id for part in parts} == {parent.id}
        assert parts[0].workflow_id == f"order/{asked.payment_intent}/dns"
        async with db.begin() as session:
            domain = (
                await session.execute(select(Domain).where(Domain.subscription_id == made.subscription.id))
            ).scalar_one()
            organization = await session.get_one(Organization, made.customer.organization_id)
        assert (domain.name, domain.status, domain.organization_id) == ("bakery.nl", "PENDING", organization.id)
        assert (organization.slug, organization.tenant_id) == ("bakery", shop.tenant.id)

    async def test_without_a_domain_no_name_is_written(self, db: Database, shop: Shop) -> None:
        made = await placed(db, shop.asked())
        assert await count(db, Domain, Domain.subscription_id == made.subscription.id) == 0

    async def test_what_is_paid_once_has_no_end(self, db: Database) -> None:
        shop = await open_shop(db, interval="once")
        assert (await placed(db, shop.asked())).subscription.current_period_end is None

    async def test_a_name_that_is_taken_does_not_refuse_money_that_has_come(self, db: Database, shop: Shop) -> None:
        first = await placed(db, shop.asked(domain="taken.nl"))
        async with db.begin() as session:
            row = (
                await session.execute(select(Domain).where(Domain.subscription_id == first.subscription.id))
            ).scalar_one()
            row.status = "ACTIVE"
        assert (await placed(db, shop.asked(domain="taken.nl"))).created


class TestTheSamePaymentAgain:
    async def test_gets_the_same_order(self, db: Database, shop: Shop) -> None:
        asked = shop.asked(domain="again.nl", customer_email="Owner@Again.example.com")
        first = await placed(db, asked)
        second = await placed(db, asked.model_copy(update={"customer_email": "owner@again.example.com"}))
        assert not second.created
        assert second.order.id == first.order.id
        assert [job.id for job in second.jobs] == [job.id for job in first.jobs]

    @pytest.mark.parametrize(
        ("field", "change"),
        [
            ("customerEmail", {"customer_email": "somebody@else.example.com"}),
            ("domain", {"domain": "other.nl"}),
            ("domain", {"domain": None}),
        ],
    )
    async def test_with_other_content_is_refused_by_the_field(
        self, db: Database, shop: Shop, field: str, change: dict[str, Any]
    ) -> None:
        asked = shop.asked(domain="mine.nl")
        await placed(db, asked)
        with pytest.raises(OtherContent) as refused:
            await placed(db, asked.model_copy(update=change))
        assert refused.value.field == field

    async def test_of_another_tenant_or_price_is_refused_by_the_field(self, db: Database, shop: Shop) -> None:
        other, asked = await open_shop(db), shop.asked()
        await placed(db, asked)
        for change in ({"tenant_slug": other.tenant.slug}, {"price_id": str(other.price.id)}):
            with pytest.raises(OtherContent) as refused:
                await placed(db, asked.model_copy(update=change))
            assert refused.value.field in ("tenantSlug", "priceId")

    async def test_is_answered_also_after_the_price_has_ended(self, db: Database, shop: Shop) -> None:
        asked = shop.asked()
        first = await placed(db, asked)
        async with db.begin() as session:
            (await session.merge(shop.price)).active = False
        assert (await placed(db, asked)).order.id == first.order.id


class TestAtOnce:
    async def test_one_waits_while_its_payment_is_being_ordered_for(self, db: Database, shop: Shop) -> None:
        asked = shop.asked()
        async with db.begin() as session:
            await orders.lock_payment(session, asked.payment_intent)
            second = asyncio.create_task(placed(db, asked))
            assert await waiting(session, 1)
        assert (await second).created

    async def test_twenty_with_one_payment_make_one_order(self, db: Database, shop: Shop) -> None:
        asked = shop.asked(domain="once.nl")
        made = await asyncio.gather(*(placed(db, asked) for _ in range(20)))
        assert sum(one.created for one in made) == 1
        assert {one.order.id for one in made} == {made[0].order.id}
        subscription = made[0].subscription.id
        assert await count(db, Job, Job.subscription_id == subscription) == 4
        assert await count(db, Domain, Domain.subscription_id == subscription) == 1
        assert await count(db, Customer, Customer.tenant_id == shop.tenant.id) == 1
        assert await count(db, Organization, Organization.tenant_id == shop.tenant.id) == 1

    async def test_twenty_with_one_address_make_one_customer(self, db: Database, shop: Shop) -> None:
        email = an_email()
        wanted = [shop.asked(customer_email=email.upper() if n % 2 else email) for n in range(20)]
        made = await asyncio.gather(*(placed(db, asked) for asked in wanted))
        assert all(one.created for one in made)
        assert {one.customer.id for one in made} == {made[0].customer.id}
        assert await count(db, Organization, Organization.tenant_id == shop.tenant.id) == 1
        assert await count(db, Subscription, Subscription.tenant_id == shop.tenant.id) == 20

    async def test_organizations_that_would_be_called_alike_get_slugs_of_their_own(
        self, db: Database, shop: Shop
    ) -> None:
        made = await asyncio.gather(*(placed(db, shop.asked(domain="alike.nl")) for _ in range(10)))
        assert len({one.customer.organization_id for one in made}) == 10

    async def test_one_address_is_another_customer_at_another_tenant(self, db: Database, shop: Shop) -> None:
        email, other = an_email(), await open_shop(db)
        here, there = [await placed(db, one.asked(customer_email=email)) for one in (shop, other)]
        assert here.customer.id != there.customer.id
        assert here.customer.organization_id != there.customer.organization_id


class TestRefusals:
    async def test_names_the_field_and_leaves_nothing(self, db: Database, shop: Shop) -> None:
        mail = await open_shop(db, kind="mail")
        ended = await open_shop(db)
        async with db.begin() as session:
            (await session.merge(ended.price)).active = False
        closed = await open_shop(db)
        async with db.begin() as session:
            (await session.merge(closed.tenant)).is_active = False
        for field, change in (
            ("tenantSlug", {"tenant_slug": "nobody"}),
            ("tenantSlug", {"tenant_slug": closed.tenant.slug}),
            ("priceId", {"price_id": str(new_id())}),
            ("priceId", {"price_id": str(ended.price.id)}),
            ("priceId", {"price_id": str(mail.price.id)}),
        ):
            with pytest.raises(Refused) as refused:
                await placed(db, shop.asked(**change))
            assert refused.value.field == field
        assert await count(db, Customer, Customer.tenant_id == shop.tenant.id) == 0

    async def test_a_product_that_is_off_is_not_sold(self, db: Database, shop: Shop) -> None:
        async with db.begin() as session:
            (await session.merge(shop.product)).active = False
        with pytest.raises(Refused, match="not sold any more"):
            await placed(db, shop.asked())


class TestRuns:
    async def test_an_order_is_unstarted_until_it_is_marked(self, db: Database, shop: Shop) -> None:
        asked = shop.asked(domain="later.nl")
        made = await placed(db, asked)
        soon = datetime.now(UTC) + timedelta(minutes=1)
        async with db.begin() as session:
            found = {run.order_id: run for run in await orders.unstarted(session, soon, 100, POLICY)}
        run = found[str(made.order.id)]
        assert run == orders.run_of(made, POLICY)
        assert (run.label, run.inputs.domain) == (f"{shop.tenant.slug}/later.nl", "later.nl")
        assert run.parts == {job.type: str(job.id) for job in made.jobs[1:]}
        async with db.begin() as session:
            await orders.mark_started(session, run)
        async with db.begin() as session:
            assert str(made.order.id) not in {
                one.order_id for one in await orders.unstarted(session, soon, 100, POLICY)
            }
            again = await orders.of_payment(session, asked.payment_intent)
        assert again is not None
        assert again.jobs[0].started_at is not None
        assert again.jobs[1].started_at is None

    async def test_one_change_at_a_time_is_asked_of_a_subscription(self, db: Database, shop: Shop) -> None:
        made = await placed(db, shop.asked(payment_intent=a_payment()))
        ref = made.subscription.id
        async with db.begin() as session:
            assert await jobs.request(session, ref, JobType.SUSPEND, reason="unpaid", requested_by="x") is None
            (await session.get_one(Job, made.jobs[0].id)).ended_at = datetime.now(UTC)
        async with db.begin() as session:
            job = await jobs.request(session, ref, JobType.SUSPEND, reason="unpaid", requested_by="x")
            assert job is not None
            change = await jobs.change_of(session, job, POLICY)
            assert await jobs.request(session, ref, JobType.RESUME, reason="", requested_by="x") is None
        soon = datetime.now(UTC) + timedelta(minutes=1)
        async with db.begin() as session:
            assert await jobs.unstarted_changes(session, soon, 100, POLICY) == [change]
            await jobs.started(session, job.id)
        assert (change.job_type, change.reason, change.requested_by) == ("SUSPEND", "unpaid", "x")
        async with db.begin() as session:
            assert await jobs.unstarted_changes(session, soon, 100, POLICY) == []
        assert await count(db, Order, Order.id == made.order.id) == 1
