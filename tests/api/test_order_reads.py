"""Orders and subscriptions as they are read: filters, everything that belongs to one, and whose they are."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from api.envelope import stamp
from db.base import new_id
from db.models_hosting import BackupJob, DnsZone, HostingAccount, MailAccount, Server
from db.models_jobs import Job
from db.models_sales import PaymentEvent, Refund, Subscription
from db.queries import orders
from db.queries.orders import Placed
from domain.statuses import Role
from tests.api.world import World
from tests.sales import Shop, an_email, open_shop
from tests.standing import delivered

END = datetime(2027, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 12, 1, tzinfo=UTC)


@pytest.fixture
async def shop(world: World) -> Shop:
    return await open_shop(world.db)


async def placed(world: World, shop: Shop, **changes: Any) -> Placed:
    async with world.db.begin() as session:
        return await orders.place(session, shop.asked(**changes))


async def get(world: World, where: str, **params: Any) -> dict[str, Any]:
    answer = await world.client.get(where, params=params)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def deliver(world: World, made: Placed) -> None:
    """Rows of everything that may belong to a subscription."""
    own, server = made.subscription.id, new_id()
    name = f"{own.hex}.nl"
    async with world.db.begin() as session:
        session.add(Server(id=server, hostname=f"web-{own.hex}.nl", ip_address="192.0.2.1", type="web"))
        await session.flush()
        session.add_all([
            DnsZone(id=new_id(), zone_name=name, subscription_id=own),
            HostingAccount(id=new_id(), subscription_id=own, server_id=server, system_user=f"h{own.hex[:20]}",
                           home_dir="/srv/sites/h", fqdn=name, quota_mb=1024),
            MailAccount(id=new_id(), subscription_id=own, email=f"info@{name}", quota_mb=512),
            BackupJob(id=new_id(), subscription_id=own, reason="manual"),
            Refund(id=new_id(), order_id=made.order.id, amount_cents=995, currency="EUR", reason="x"),
            PaymentEvent(id=f"evt_{own.hex}", type="payment_intent.succeeded", happened_at=datetime.now(UTC),
                         livemode=False, outcome="done", order_id=made.order.id),
        ])  # fmt: skip


@pytest.mark.parametrize("kind", ["orders", "subscriptions"])
class TestLists:
    async def test_the_newest_comes_first_a_page_at_a_time(self, world: World, shop: Shop, kind: str) -> None:
        made = [await placed(world, shop) for _ in range(3)]
        refs = [str((one.order if kind == "orders" else one.subscription).id) for one in made]
        first = await get(world, f"/api/{kind}", tenant=shop.tenant.slug, limit=2)
        second = await get(world, f"/api/{kind}", tenant=shop.tenant.slug, limit=2, page=2)
        assert [one["id"] for one in (*first[kind], *second[kind])] == refs[::-1]
        assert first["pagination"] == {
            "page": 1, "limit": 2, "total": 3, "totalPages": 2, "hasNext": True, "hasPrev": False,
        }  # fmt: skip

    async def test_is_narrowed_by_customer_status_and_words(self, world: World, shop: Shop, kind: str) -> None:
        email, name = an_email(), f"s{uuid.uuid4().hex[:10]}.nl"
        wanted = await placed(world, shop, customer_email=email, domain=name)
        await placed(world, shop)
        status = "PAID" if kind == "orders" else "INACTIVE"
        for params in ({"customer": str(wanted.customer.id)}, {"q": email.upper()[:16]}, {"q": name[1:8]},
                       {"q": name, "status": status, "tenant": shop.tenant.slug}):  # fmt: skip
            found = await get(world, f"/api/{kind}", **params)
            assert [one["domain"] for one in found[kind]] == [name], params
        other = "REFUNDED" if kind == "orders" else "TERMINATED"
        assert (await get(world, f"/api/{kind}", status=other, tenant=shop.tenant.slug))[kind] == []

    async def test_what_is_no_filter_is_422(self, world: World, shop: Shop, kind: str) -> None:
        for params in ({"status": "x"}, {"customer": "x"}, {"q": "a\0"}, {"limit": 0}):
            assert (await world.client.get(f"/api/{kind}", params=params)).status_code == 422

    async def test_a_customer_sees_the_own_organizations_alone(self, world: World, shop: Shop, kind: str) -> None:
        mine, other = await placed(world, shop), await placed(world, shop)
        await world.sign_in(Role.USER, organization_id=mine.customer.organization_id)
        found = await get(world, f"/api/{kind}")
        ref = mine.order.id if kind == "orders" else mine.subscription.id
        assert [one["id"] for one in found[kind]] == [str(ref)]
        foreign = other.order.id if kind == "orders" else other.subscription.id
        assert (await world.client.get(f"/api/{kind}/{ref}")).status_code == 200
        assert (await world.client.get(f"/api/{kind}/{foreign}")).status_code == 404

    async def test_a_customer_without_an_organization_sees_nothing(self, world: World, shop: Shop, kind: str) -> None:
        made = await placed(world, shop)
        await world.sign_in(Role.USER)
        assert (await get(world, f"/api/{kind}"))["pagination"]["total"] == 0
        ref = made.order.id if kind == "orders" else made.subscription.id
        assert (await world.client.get(f"/api/{kind}/{ref}")).status_code == 404

    @pytest.mark.parametrize("role", [Role.OPERATOR, Role.BILLING, Role.SUPPORT])
    async def test_staff_sees_all(self, world: World, shop: Shop, kind: str, role: Role) -> None:
        await placed(world, shop)
        await world.sign_in(role)
        assert (await get(world, f"/api/{kind}", tenant=shop.tenant.slug))["pagination"]["total"] == 1

    async def test_an_id_that_is_none_is_404(self, world: World, shop: Shop, kind: str) -> None:
        for ref in ("x", "%00", str(uuid.uuid4())):
            assert (await world.client.get(f"/api/{kind}/{ref}")).status_code == 404


async def test_an_order_is_shown_with_all_that_belongs_to_it(world: World, shop: Shop) -> None:
    made = await placed(world, shop, domain="whole.nl")
    await deliver(world, made)
    shown = await get(world, f"/api/orders/{made.order.id}")
    assert shown["order"]["customer_email"] == made.customer.email
    assert shown["subscription"]["id"] == str(made.subscription.id)
    assert [one["zone_name"] for one in shown["zones"]] == [f"{made.subscription.id.hex}.nl"]
    assert [job["type"] for job in shown["jobs"]] == [job.type for job in made.jobs]
    assert [(one["amount"], one["status"]) for one in shown["refunds"]] == [(995, "PENDING")]
    assert [one["outcome"] for one in shown["payment_events"]] == ["done"]
    await world.sign_in(Role.USER, organization_id=made.customer.organization_id)
    assert (await get(world, f"/api/orders/{made.order.id}"))["payment_events"] == []


async def test_a_subscription_is_shown_with_all_that_is_delivered_for_it(world: World, shop: Shop) -> None:
    made = await placed(world, shop, domain="delivered.nl")
    await deliver(world, made)
    shown = await get(world, f"/api/subscriptions/{made.subscription.id}")
    assert shown["subscription"]["domain"] == shown["order"]["domain"] == "delivered.nl"
    assert [one["name"] for one in shown["domains"]] == ["delivered.nl"]
    for kind in ("zones", "hosting_accounts", "mailboxes", "backups"):
        assert [one["status"] for one in shown[kind]] == ["PENDING"], kind
    assert len(shown["jobs"]) == 4


@pytest.mark.parametrize(
    ("columns", "what", "at"),
    [
        ({"status": "INACTIVE"}, None, None),
        ({"status": "ACTIVE"}, "renew", END),
        ({"status": "ACTIVE", "cancel_at_period_end": True}, "terminate", END),
        ({"status": "PAST_DUE", "past_due_since": END}, "suspend", END + timedelta(days=7)),
        ({"status": "SUSPENDED", "past_due_since": END, "suspended_at": END, "suspended_for": "non-payment"},
         "terminate", END + timedelta(days=30)),
        ({"status": "SUSPENDED", "suspended_at": END, "suspended_for": "spam"}, None, None),
        ({"status": "TERMINATED", "cancel_at_period_end": True, "ended_at": END}, None, None),
    ],
)  # fmt: skip
async def test_a_subscription_says_what_comes_next_by_itself(
    world: World, shop: Shop, columns: dict[str, Any], what: str | None, at: datetime | None
) -> None:
    made = await placed(world, shop)
    async with world.db.begin() as session:
        await session.execute(
            update(Subscription).where(Subscription.id == made.subscription.id)
            .values(current_period_end=END, **columns))  # fmt: skip
    told = (await get(world, f"/api/subscriptions/{made.subscription.id}"))["subscription"]["next"]
    assert told == (None if what is None or at is None else {"what": what, "at": stamp(at)})


async def test_a_subscription_says_what_it_may_be_asked_for_by_now(world: World, shop: Shop) -> None:
    made = await delivered(world.db, shop)
    where = f"/api/subscriptions/{made.subscription.id}"
    assert (await get(world, where))["changes"] == ["suspend", "change", "cancel", "terminate", "refund"]
    assert (await world.client.post(f"{where}/suspend", json={"reason": "spam"})).status_code == 202
    assert (await get(world, where))["changes"] == []  # one at a time


async def test_one_that_was_never_delivered_may_be_asked_for_nothing(world: World, shop: Shop) -> None:
    made = await placed(world, shop)
    async with world.db.begin() as session:
        await session.execute(update(Job).where(Job.subscription_id == made.subscription.id).values(ended_at=NOW))
    assert (await get(world, f"/api/subscriptions/{made.subscription.id}"))["changes"] == []
