"""Changes of zones that somebody asked for: carried to the name server, seen at all of them, written down."""

from __future__ import annotations

import uuid

from temporalio import activity

from activities._context import Deps
from activities._errors import mapped
from activities._heartbeat import beating
from activities._zones import await_published, new_zone_servers, remove_zone, zone_held
from activities.names import name_servers
from db.models_dns import DnsChange
from db.models_hosting import DnsZone
from db.queries import zone_changes, zone_rows
from domain.dns_records import RecordKey, RecordSet
from domain.errors import clip
from domain.sales import ServiceStatus
from domain.zones import ChangeCall, ChangeKind, ChangeState, ZoneCall, ZoneSeen
from providers.dns.propagation import check_gone, check_published
from providers.dns.rrsets import Rrset
from providers.dns.zone_shapes import ZoneOrder, owner_token
from providers.errors import NotReady, Transient

SHOWN = 500  # sets that a look tells of by name
SHOWN_TEXT = 300  # characters about one of them


class ZoneChangeActivities:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    @activity.defn
    @mapped
    async def change_zone(self, call: ChangeCall) -> None:
        """Carry one change to the name server and wait until every authoritative server says so.

        Effect: a zone, its sets or one set in PowerDNS as the rows say by now, or the zone gone; state on our rows.
        Idempotency: what is there stays; what is not ours is never touched (Conflict); a change that ended is left
            alone.
        Undo: another change.
        Heartbeat: throughout.
        """
        async with self._deps.db.begin() as session:
            change = await session.get_one(DnsChange, uuid.UUID(call.change_id))
            zone = await session.get_one(DnsZone, change.zone_id)
        if change.state != ChangeState.WAITING:
            return
        async with beating():
            match ChangeKind(change.kind):
                case ChangeKind.ZONE:
                    order = ZoneOrder.model_validate({
                        "name": zone.zone_name, "kind": zone.kind,
                        "nameservers": await new_zone_servers(self._deps)})  # fmt: skip
                    await self._deps.dns.zones.ensure(order, owner=zone_rows.owner_of(zone))
                    said = await self._publish(zone, None)
                case ChangeKind.SET:
                    said = await self._publish(zone, RecordKey(name=change.name, type=change.type))
                case ChangeKind.END:
                    said = await self._take_away(zone)
        async with self._deps.db.begin() as session:
            await zone_changes.end(session, change.id, ChangeState.PUBLISHED, said)
            row = await session.get_one(DnsZone, zone.id, with_for_update=True)
            if change.kind == ChangeKind.END:
                row.status = ServiceStatus.REMOVED
            elif change.kind == ChangeKind.ZONE and row.subscription_id is None:
                row.status = ServiceStatus.ACTIVE

    @activity.defn
    @mapped
    async def look_at_zone(self, call: ZoneCall) -> ZoneSeen:
        """What the name servers hold, beside what the rows say.

        Effect: none, reads only.
        Idempotency: reads only.
        Undo: none.
        Heartbeat: throughout.
        """
        async with self._deps.db.begin() as session:
            zone = await session.get_one(DnsZone, uuid.UUID(call.zone_id))
            wanted = {item.key: item for item in await zone_rows.sets(session, zone.id)}
        name = zone.zone_name
        async with beating():
            found = await self._deps.dns.zones.read(name)
            if found is None or found.owner != owner_token(zone_rows.owner_of(zone)):
                why = "the name server does not have this zone" if found is None else "the zone there is not this one"
                return _cut(dict.fromkeys(wanted, why), [], ZoneSeen(behind=why))
            there = {_key(item): item for item in await self._deps.dns.records.all(name)}
            differing = {
                key: said for key, item in wanted.items()
                if (said := _differs(there.get(key), item, zone_rows.owner_of(zone)))
            }  # fmt: skip
            own = {RecordKey(name=name, type=type_) for type_ in ("SOA", "NS")}
            unlisted = [str(key) for key in there if key not in wanted and key not in own]
            servers = await name_servers(self._deps, name)
            try:
                published, behind = await check_published(servers, name, [], serial=found.serial), ""
            except (NotReady, Transient) as late:
                published, behind = "", late.message
        return _cut(differing, unlisted, ZoneSeen(serial=found.serial, published=published, behind=behind))

    # ---- parts

    async def _publish(self, zone: DnsZone, key: RecordKey | None) -> str:
        """Everything the rows say, or one set: whatever they say now, which may be more than when it was asked for."""
        async with zone_held(self._deps, zone.zone_name) as session:
            sets = await zone_rows.sets(session, zone.id, key)
            gone = [key] if key is not None and not sets else []
            changed = await self._deps.dns.records.change(
                zone.zone_name, owner=zone_rows.owner_of(zone), put=sets, remove=gone)  # fmt: skip
            (await session.get_one(DnsZone, zone.id)).serial = changed.serial
        servers = await name_servers(self._deps, zone.zone_name)
        return await await_published(servers, zone.zone_name, sets, changed.serial)

    async def _take_away(self, zone: DnsZone) -> str:
        name, owner = zone.zone_name, zone_rows.owner_of(zone)
        found = await self._deps.dns.zones.read(name)
        if found is not None and found.owner != owner_token(owner):
            return f"the zone {name} at the name server is not this one, and was left alone"
        await remove_zone(self._deps, zone)
        # Those of the platform: the zone's own names cannot be asked for any more.
        return await check_gone(await name_servers(self._deps, self._deps.config.base_domain), name)


def _key(item: Rrset) -> RecordKey:
    return RecordKey(name=item.name.removesuffix("."), type=item.type)


def _differs(found: Rrset | None, wanted: RecordSet, owner: str) -> str | None:
    if found is None:
        return "it is not there"
    if found.owner != owner:
        return "a set that is not ours is there"
    if found.disabled:
        return "it is switched off there"
    if (found.ttl, found.values) != (wanted.ttl, wanted.values):
        return f"it is there with ttl {found.ttl} as {', '.join(found.values)}"
    return None


def _cut(differing: dict[RecordKey, str], unlisted: list[str], seen: ZoneSeen) -> ZoneSeen:
    """A payload is bounded: the first ones by name."""
    listed = {str(key): clip(why, SHOWN_TEXT) for key, why in sorted(differing.items(), key=lambda one: str(one[0]))}
    cut = dict(list(listed.items())[:SHOWN])
    return seen.model_copy(
        update={"differing": cut, "whole": len(cut) == len(listed), "unlisted": sorted(unlisted)[:SHOWN]}
    )
