"""A subscription's names in DNS: a zone of its own, or records in the platform's. Asks authoritative servers, never
caches."""

from __future__ import annotations

from datetime import UTC, datetime

from temporalio import activity

from activities._context import Deps
from activities._errors import mapped
from activities._heartbeat import beating
from activities._log import Lines
from activities._zones import await_published, new_zone_servers, remove_zone, zone_held
from activities.names import await_spread, evidence_of_absence, name_servers
from db.queries import delivery, zone_rows
from db.queries.delivery import Delivery
from domain.dns_records import MIN_TTL, RecordInput, RecordSet, normal_set
from domain.fulfilment import JobCall
from domain.journal import SubjectKind
from domain.provisioning import Absence
from domain.sales import ServiceStatus
from providers.dns.propagation import check_gone
from providers.dns.zone_shapes import ZoneOrder
from providers.mailboxes.dns_records import records_for


class ZoneActivities:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    @activity.defn
    @mapped
    async def publish_zone(self, call: JobCall) -> None:
        """Make the zone of a customer's own name; for a name of the platform's there is nothing to make.

        Effect: one zone in PowerDNS, marked with the subscription.
        Idempotency: a zone of ours stays; somebody else's is never touched (Conflict).
        Undo: withdraw_zone.
        Heartbeat: while the name server is spoken to.
        """
        held = await self._load(call)
        async with self._log(call, "publish_zone") as log, beating():
            if held.zone is None:
                await log.say(f"{held.name} is a name of the platform's zone")
                return
            order = ZoneOrder.model_validate({
                "name": held.zone.zone_name, "kind": held.zone.kind,
                "nameservers": await new_zone_servers(self._deps)})  # fmt: skip
            made = await self._deps.dns.zones.ensure(order, owner=held.owner)
            await log.say(f"zone {order.name} {'made' if made else 'already present'}")

    @activity.defn
    @mapped
    async def publish_records(self, call: JobCall) -> None:
        """Point the names at the web server and the mail at the mail server; wait until every name server says so.

        Effect: record sets in PowerDNS, marked with the subscription; rows in dns_records.
        Idempotency: what is there stays; a set that is not ours is never touched (Conflict).
        Undo: withdraw_zone.
        Heartbeat: while waiting.
        """
        held = await self._load(call)
        async with self._log(call, "publish_records") as log, beating():
            servers = await name_servers(self._deps, held.name)
            sets = self._sets(held)
            if held.zone is None:
                for one in sets:
                    await self._deps.dns.publish(one.name, one.type, one.values, ttl=one.ttl, owner=held.owner)
                    await await_spread(servers, one.name, one.type, one.values)
                await log.say(f"{held.name} is answered by {len(servers)} authoritative server(s)")
                return
            zone = held.zone.zone_name
            async with zone_held(self._deps, zone) as session:
                changed = await self._deps.dns.records.change(zone, owner=held.owner, put=sets)
                await zone_rows.keep_managed(session, held.zone.id, sets, changed.serial)
            await log.say(f"{len(changed.written)} record sets written, serial {changed.serial}")
            await log.say(await await_published(servers, zone, sets, changed.serial))

    @activity.defn
    @mapped
    async def withdraw_zone(self, call: JobCall) -> None:
        """Take the zone, or the records in the platform's zone, away.

        Effect: removes what bears the subscription's mark; a zone's last export is kept on its row before.
        Idempotency: absent is success. A zone that holds anything without our mark stays whole (Conflict).
        Undo: publish_zone, publish_records.
        Heartbeat: throughout.
        """
        held = await self._load(call)
        if held.domain is None:
            return
        async with self._log(call, "withdraw_zone") as log, beating():
            if held.zone is not None:
                gone = await remove_zone(self._deps, held.zone)
                await log.say(f"zone {held.zone.zone_name} {'removed' if gone else 'already absent'}")
                return
            for one in self._sets(held):
                if await self._deps.dns.withdraw(one.name, one.type, owner=held.owner):
                    await log.say(f"{one.name} {one.type} withdrawn")

    @activity.defn
    @mapped
    async def prove_zone_absent(self, call: JobCall) -> Absence:
        """Prove that nothing of the subscription is published any more.

        Effect: none, reads only.
        Idempotency: reads only.
        Undo: none.
        Heartbeat: throughout.
        """
        held = await self._load(call)
        now = datetime.now(UTC)
        if held.domain is None:
            return Absence(what="DNS names", evidence="no name was ever claimed", at=now)
        async with beating():
            if held.zone is None:
                evidence = await evidence_of_absence(self._deps, held.name, held.owner)
                return Absence(what=f"DNS name {held.name}", evidence=evidence, at=now)
            servers = await name_servers(self._deps, self._deps.config.base_domain)
            evidence = await check_gone(servers, held.zone.zone_name)
        return Absence(what=f"DNS zone {held.zone.zone_name}", evidence=evidence, at=now)

    # ---- parts

    async def _load(self, call: JobCall) -> Delivery:
        async with self._deps.db.begin() as session:
            return await delivery.load(session, call.subscription_id)

    def _log(self, call: JobCall, step: str) -> Lines:
        return Lines(self._deps, call.job_id, step, kind=SubjectKind.JOB)

    def _sets(self, held: Delivery) -> list[RecordSet]:
        address = held.site[1].ip_address
        kind, ttl = "AAAA" if ":" in address else "A", max(MIN_TTL, self._deps.config.dns_ttl)
        zone = held.zone.zone_name if held.zone is not None else held.name
        given = [RecordInput(name=f"{name}.", type=kind, values=(address,), ttl=ttl) for name in held.names]
        if held.mail is not None and held.mailbox is not None and held.mailbox.status != ServiceStatus.REMOVED:
            given += [
                RecordInput(name=one.name, type=one.type, values=one.values, ttl=ttl)
                for one in records_for(held.name, held.mail.hostname, ttl=ttl)
            ]
        return [normal_set(zone, one) for one in given]
