"""An order's zone: made of the configured kind, its records published, and exported before it is taken away."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import select
from temporalio.exceptions import ApplicationError

from activities.zones import ZoneActivities
from db.keyring import KeyRing
from db.models_hosting import DnsRecord, DnsZone
from db.queries import delivery, zone_rows
from db.session import Database
from domain.dns_records import RecordInput, normal_set
from domain.errors import Trouble
from domain.fulfilment import FulfilmentInputs, JobCall
from domain.sales import JobType
from providers.dns.lookup import ask
from tests.activities.zones import copied, deps_of, once
from tests.dnspair import Pair, name_pair
from tests.workflows.house import HouseWorld

ADDRESS = "192.0.2.80"  # of the scripted web server


@pytest.fixture(scope="module")
async def pair(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pair]:
    async with name_pair(tmp_path_factory.mktemp("pair")) as made:
        yield made


class Shop:
    """A paid order for a name of the customer's own, its rows claimed."""

    def __init__(self, world: HouseWorld, pair: Pair, name: str, call: JobCall) -> None:
        self.world, self.pair, self.name, self.call = world, pair, name, call
        self.zones = ZoneActivities(deps_of(world.db, world.deps.keys, pair))

    async def zone(self) -> DnsZone:
        async with self.world.db.begin() as session:
            return (await session.execute(select(DnsZone).where(DnsZone.zone_name == self.name))).scalar_one()

    async def records(self, zone: DnsZone) -> set[tuple[str, str, str, bool]]:
        async with self.world.db.begin() as session:
            rows = (await session.execute(select(DnsRecord).where(DnsRecord.zone_id == zone.id))).scalars()
            return {(row.name, row.type, row.content, row.managed) for row in rows}


@pytest.fixture
async def shop(db: Database, keys: KeyRing, pair: Pair) -> Shop:
    world, slug = HouseWorld(db, keys), f"s{uuid.uuid4().hex[:8]}"
    await world.retire_servers()
    await world.server()
    order = await world.paid(slug, domain=f"{slug}.example")
    async with db.begin() as session:
        await delivery.claim(
            session, order.subscription_id, FulfilmentInputs(), "slipway.test", zone_kind="Primary")  # fmt: skip
    await copied(pair, f"{slug}.example")
    call = JobCall(job_id=order.parts[JobType.PROVISION_DNS], subscription_id=order.subscription_id)
    return Shop(world, pair, f"{slug}.example", call)


async def test_the_site_is_answered_by_every_name_server_and_kept_as_managed_rows(shop: Shop) -> None:
    await once(shop.zones.publish_zone, shop.call)
    await once(shop.zones.publish_records, shop.call)
    found = await shop.pair.primary.zones.read(shop.name)
    assert found is not None
    assert found.kind == "Primary"
    for name in (shop.name, f"www.{shop.name}"):
        assert [(await ask(server, name, "A")).values for server in shop.pair.servers] == [(ADDRESS,)] * 2
    zone = await shop.zone()
    wanted = {(name, "A", ADDRESS, True) for name in (shop.name, f"www.{shop.name}")}
    assert wanted <= await shop.records(zone)
    assert zone.serial == found.serial


async def test_a_run_takes_over_a_set_that_its_customer_had_under_the_same_name(shop: Shop) -> None:
    await once(shop.zones.publish_zone, shop.call)
    zone = await shop.zone()
    async with shop.world.db.begin() as session:
        for label in ("www", "blog"):
            made = normal_set(shop.name, RecordInput(name=label, type="A", content="203.0.113.9"))
            await zone_rows.put(session, zone.id, made)
    await once(shop.zones.publish_records, shop.call)
    records = await shop.records(zone)
    assert {row for row in records if row[0] == f"www.{shop.name}"} == {(f"www.{shop.name}", "A", ADDRESS, True)}
    assert (f"blog.{shop.name}", "A", "203.0.113.9", False) in records


async def test_an_end_keeps_the_last_export_and_takes_the_customers_records_along(shop: Shop) -> None:
    await once(shop.zones.publish_zone, shop.call)
    await once(shop.zones.publish_records, shop.call)
    zone = await shop.zone()
    blog = normal_set(shop.name, RecordInput(name="blog", type="A", content="203.0.113.9"))
    await shop.pair.primary.records.change(shop.name, owner=zone_rows.owner_of(zone), put=[blog])
    await once(shop.zones.withdraw_zone, shop.call)
    assert await shop.pair.primary.zones.read(shop.name) is None
    await once(shop.zones.withdraw_zone, shop.call)
    kept = (await shop.zone()).last_export
    assert kept is not None
    assert "203.0.113.9" in kept
    assert ADDRESS in kept


async def test_a_zone_with_what_is_not_ours_stays_and_says_so(shop: Shop) -> None:
    await once(shop.zones.publish_zone, shop.call)
    stranger = "0192f0c1-7d2a-7000-8000-00000000ffff"
    await shop.pair.primary.publish(f"theirs.{shop.name}", "A", ["203.0.113.9"], ttl=60, owner=stranger)
    with pytest.raises(ApplicationError) as caught:
        await once(shop.zones.withdraw_zone, shop.call)
    assert caught.value.type == Trouble.CONFLICT
    assert await shop.pair.primary.zones.read(shop.name) is not None
