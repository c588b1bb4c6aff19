"""Zones as the API's tests need them: rows as a run or the office would have made them, and a stand-in for the run."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from db.base import new_id
from db.models import Organization
from db.models_dns import DnsChange
from db.models_hosting import DnsZone
from db.models_sales import Customer, Order, Subscription
from db.queries import zone_changes, zone_rows
from domain.dns_records import RecordInput, normal_set
from domain.statuses import Role
from domain.zones import ChangeState, ZoneCall
from tests.api.world import World
from tests.sales import a_payment, an_email, open_shop

WHERE = "/api/dns/zones"


async def organization(world: World) -> uuid.UUID:
    made = new_id()
    async with world.db.begin() as session:
        session.add(Organization(id=made, name=f"Firm {made}", slug=f"f{made.hex[-12:]}"))
    return made


async def sign_in_as_member(world: World, organization_id: uuid.UUID | None) -> None:
    await world.sign_in(Role.USER, organization_id=organization_id)


async def a_zone(world: World, organization_id: uuid.UUID | None = None, **columns: Any) -> DnsZone:
    values = {"id": new_id(), "zone_name": f"z{uuid.uuid4().hex[:10]}.example", "status": "ACTIVE",
              "organization_id": organization_id}  # fmt: skip
    async with world.db.begin() as session:
        zone = DnsZone(**(values | columns))
        session.add(zone)
    return zone


async def a_subscription(world: World, organization_id: uuid.UUID) -> uuid.UUID:
    shop = await open_shop(world.db)
    async with world.db.begin() as session:
        customer = Customer(id=new_id(), tenant_id=shop.tenant.id, organization_id=organization_id, email=an_email())
        session.add(customer)
        await session.flush()
        order = Order(id=new_id(), tenant_id=shop.tenant.id, customer_id=customer.id, price_id=shop.price.id,
                      total_amount_cents=995, currency="EUR", stripe_payment_intent_id=a_payment(),
                      source="marketing")  # fmt: skip
        session.add(order)
        await session.flush()
        made = Subscription(id=new_id(), tenant_id=shop.tenant.id, order_id=order.id, customer_id=customer.id,
                            price_id=shop.price.id, current_period_start=datetime.now(UTC))  # fmt: skip
        session.add(made)
    return made.id


async def put_row(world: World, zone: DnsZone, name: str, type_: str, *values: str, managed: bool = False) -> None:
    async with world.db.begin() as session:
        made = normal_set(zone.zone_name, RecordInput(name=name, type=type_, values=values))
        await zone_rows.put(session, zone.id, made, managed=managed)


async def values_of(world: World, zone: DnsZone) -> dict[tuple[str, str], tuple[str, ...]]:
    async with world.db.begin() as session:
        return {(one.name, one.type.value): one.values for one in await zone_rows.sets(session, zone.id)}


async def changes_of(world: World, zone_id: uuid.UUID) -> list[DnsChange]:
    query = select(DnsChange).where(DnsChange.zone_id == zone_id).order_by(DnsChange.number)
    async with world.db.begin() as session:
        return list((await session.execute(query)).scalars())


def carried_out(
    world: World, state: ChangeState = ChangeState.PUBLISHED, *, trouble: str = "", message: str = "seen"
) -> None:
    """From now on the zone's run ends whatever waits the moment it is told."""

    async def start_workflow(workflow: str, call: ZoneCall, *, id: str, **options: Any) -> None:
        assert (workflow, id, options["start_signal"]) == ("ChangeZone", f"zone/{call.zone_id}", "asked")
        async with world.db.begin() as session:
            while (change := await zone_changes.next_of(session, uuid.UUID(call.zone_id))) is not None:
                await zone_changes.end(session, change.id, state, message, trouble=trouble)
                await session.refresh(change)

    world.temporal.start_workflow = start_workflow  # type: ignore[method-assign]
