"""A zone as rows beside two real name servers, and one try at a change of it, as a worker would make it."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from temporalio.testing import ActivityEnvironment

from activities._context import Deps
from activities.zone_changes import ZoneChangeActivities
from db.keyring import KeyRing
from db.models_dns import DnsChange
from db.models_hosting import DnsZone
from db.queries import zone_changes, zone_rows
from db.session import Database
from domain.config import RunConfig
from domain.dns_records import RecordInput, RecordKey, RecordSet, normal_set
from domain.zones import ChangeCall, ChangeKind, ZoneCall, ZoneSeen
from providers.dns.zone_shapes import ZoneOrder
from tests.clouds import FixedClouds
from tests.dnspair import NAMESERVERS, Pair


async def once(call: Callable[..., Awaitable[Any]], *arguments: object) -> Any:
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(environment.info, activity_id=uuid.uuid4().hex)
    return await environment.run(call, *arguments)


def deps_of(db: Database, keys: KeyRing, pair: Pair) -> Deps:
    config = RunConfig(
        base_domain="slipway.test", dns_servers=tuple(pair.servers), dns_nameservers=NAMESERVERS,
        dns_zone_kind="Primary",
    )  # fmt: skip
    return Deps(config=config, db=db, keys=keys, clouds=FixedClouds(), dns=pair.primary, acme=None, blueprints=None)  # type: ignore[arg-type]


async def copied(pair: Pair, name: str) -> None:
    """Let the secondary know of a zone, as a catalogue would; it copies what the primary has or will have."""
    order = ZoneOrder(name=name, kind="Secondary", primaries=("{}:{}".format(*pair.built.address),))
    await pair.secondary.zones.ensure(order, owner="copies")


class Office:
    """One zone that the office has made, and what it asks for."""

    def __init__(self, deps: Deps, pair: Pair, zone: DnsZone) -> None:
        self.deps, self.pair, self.zone, self.name = deps, pair, zone, zone.zone_name
        self.activities = ZoneChangeActivities(deps)

    @property
    def owner(self) -> str:
        return zone_rows.owner_of(self.zone)

    def set_of(self, name: str, type_: str, *values: str, ttl: int = 300) -> RecordSet:
        return normal_set(self.name, RecordInput(name=name, type=type_, values=values, ttl=ttl))

    async def want(self, wanted: RecordSet) -> DnsChange:
        async with self.deps.db.begin() as session:
            await zone_rows.put(session, self.zone.id, wanted)
        return await self.ask(ChangeKind.SET, wanted.key)

    async def drop(self, key: RecordKey) -> DnsChange:
        async with self.deps.db.begin() as session:
            await zone_rows.remove(session, self.zone.id, key)
        return await self.ask(ChangeKind.SET, key)

    async def ask(self, kind: ChangeKind, key: RecordKey | None = None) -> DnsChange:
        async with self.deps.db.begin() as session:
            return await zone_changes.ask(session, self.zone, kind, "ada", key=key)

    async def carry_out(self, change: DnsChange) -> DnsChange:
        await once(self.activities.change_zone, ChangeCall(change_id=str(change.id)))
        async with self.deps.db.begin() as session:
            return await session.get_one(DnsChange, change.id)

    async def row(self) -> DnsZone:
        async with self.deps.db.begin() as session:
            return await session.get_one(DnsZone, self.zone.id)

    async def look(self) -> ZoneSeen:
        seen: ZoneSeen = await once(self.activities.look_at_zone, ZoneCall(zone_id=str(self.zone.id)))
        return seen
