"""The name of an instance in DNS: published, withdrawn, and proven gone. Asks authoritative servers, never caches."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from temporalio import activity

from activities._context import Deps
from activities._errors import mapped
from activities._heartbeat import beating
from activities._log import Lines
from db.queries.runs import RunFacts, load
from domain.provisioning import Absence, StepCall
from providers.dns.lookup import Answer, authoritative_servers, seen_everywhere, survey
from providers.errors import NotFound, NotReady, StillPresent, Transient

CHALLENGE = "_acme-challenge"
ADDRESS_TYPES = ("A", "AAAA")
LOOK_SECONDS = 1.0
SPREAD_SECONDS = 60.0  # of one attempt; a secondary that takes longer is waited for by further attempts
SPREAD_RETRY_SECONDS = 10.0


class NameActivities:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    @activity.defn
    @mapped
    async def publish_dns(self, call: StepCall) -> None:
        """Point the instance's name at its server and wait until every authoritative server says so.

        Effect: one A (or AAAA) record set in PowerDNS, marked with the deployment.
        Idempotency: an identical record set is left alone; one that is not ours is never touched (Conflict).
        Undo: withdraw_dns.
        Heartbeat: while waiting.
        """
        facts = await self._facts(call)
        name, address = facts.deployment.assigned_subdomain, facts.address
        type_ = "AAAA" if ":" in address else "A"
        async with Lines(self._deps, call.deployment_id, "publish_dns") as log, beating():
            written = await self._deps.dns.publish(
                name, type_, [address], ttl=self._deps.config.dns_ttl, owner=call.deployment_id
            )
            await log.say(f"{name} {type_} {address} {'published' if written else 'already present'}")
            servers = await name_servers(self._deps, name)
            await await_spread(servers, name, type_, [address])
            await log.say(f"{name} is answered by {len(servers)} authoritative server(s)")

    @activity.defn
    @mapped
    async def withdraw_dns(self, call: StepCall) -> None:
        """Take the instance's name back.

        Effect: removes our address records of the name, and challenge values a killed worker left there.
        Idempotency: absent is success; records that are not ours are left alone.
        Undo: publish_dns.
        Heartbeat: throughout.
        """
        name = (await self._facts(call)).deployment.assigned_subdomain
        async with Lines(self._deps, call.deployment_id, "withdraw_dns") as log, beating():
            for record, type_ in [*((name, kind) for kind in ADDRESS_TYPES), (f"{CHALLENGE}.{name}", "TXT")]:
                if await self._deps.dns.withdraw(record, type_, owner=call.deployment_id):
                    await log.say(f"{record} {type_} withdrawn")
            await log.say(f"no record of ours is left at {name}")

    @activity.defn
    @mapped
    async def prove_name_absent(self, call: StepCall) -> Absence:
        """Prove that nothing of ours is published at the name any more.

        Effect: none, reads only.
        Idempotency: reads only.
        Undo: none.
        Heartbeat: throughout.
        """
        name = (await self._facts(call)).deployment.assigned_subdomain
        async with Lines(self._deps, call.deployment_id, "prove_absence") as log, beating():
            evidence = await evidence_of_absence(self._deps, name, call.deployment_id)
            await log.say(f"{name}: {evidence}")
        return Absence(what=f"DNS name {name}", evidence=evidence, at=datetime.now(UTC))

    # ---- parts

    async def _facts(self, call: StepCall) -> RunFacts:
        async with self._deps.db.begin() as session:
            return await load(session, call.deployment_id)


async def await_spread(servers: Sequence[str], name: str, type_: str, values: Sequence[str]) -> None:
    """Wait, for one attempt's time, until every server answers the values. NotReady names what is missing."""
    try:
        async with asyncio.timeout(SPREAD_SECONDS):
            while True:
                if await seen_everywhere(servers, name, type_, values):
                    return
                await asyncio.sleep(LOOK_SECONDS)
    except TimeoutError as error:
        raise NotReady(
            f"{name} {type_} {', '.join(values)} is not answered by every authoritative server yet "
            f"({', '.join(servers)})", provider="dns", retry_after=SPREAD_RETRY_SECONDS,
        ) from error  # fmt: skip


async def evidence_of_absence(deps: Deps, name: str, owner: str) -> str:
    """How it was seen that no address of the owner is published at the name. StillPresent where one is."""
    try:
        await deps.dns.zone_of(name)
    except NotFound:
        return "the name server holds no zone for it"
    for type_ in ADDRESS_TYPES:
        found = await deps.dns.read(name, type_)
        if found is not None and found.owner == owner:
            raise StillPresent(f"{name} {type_} is still published: {', '.join(found.values)}", provider="dns")
        if found is not None:
            return f"records that are not ours were left alone: {type_} {', '.join(found.values)}"
    servers = await name_servers(deps, name)
    said: dict[str, None] = {}  # in order, each once: NXDOMAIN is the same for both types
    for type_ in ADDRESS_TYPES:
        for answer in await survey(servers, name, type_):
            said[await _absent(deps, answer, name, type_)] = None
    return "; ".join(said)


async def _absent(deps: Deps, answer: Answer, name: str, type_: str) -> str:
    """What a server's answer proves. An address may still be answered where a wildcard covers the name."""
    if answer.absent:
        return f"{'NXDOMAIN' if answer.rcode == 'NXDOMAIN' else 'no address'} at {answer.server}"
    if not answer.values:
        raise Transient(f"name server {answer.server} cannot tell about {name}: {answer.rcode}", provider="dns")
    wildcard = f"*.{name.partition('.')[2]}"
    covering = await deps.dns.read(wildcard, type_)
    if covering is None or set(covering.values) != set(answer.values):
        raise StillPresent(f"{answer.server} still answers {name} {type_} {', '.join(answer.values)}", provider="dns")
    return f"only {wildcard} answers at {answer.server}"


async def name_servers(deps: Deps, name: str) -> list[str]:
    """The servers to ask about a name, as host:port: those configured, else the zone's own, else the public tree's."""
    if deps.config.dns_servers:
        return list(deps.config.dns_servers)
    own = await deps.dns.authoritative(await deps.dns.zone_of(name))
    return own or await authoritative_servers(name)
