"""Step 7: an instance is active when the host says so from inside and the world sees so from outside."""

from __future__ import annotations

from datetime import UTC, datetime

from temporalio import activity

from activities._context import Deps
from activities._errors import mapped
from activities._heartbeat import beating
from activities._hosts import Work, open_work
from activities._log import Lines
from db.queries.runs import load
from domain.provisioning import Absence, StepCall
from providers.dns.lookup import survey
from providers.errors import Unhealthy
from providers.hosts import probe
from providers.hosts.inspection import inspect_health
from providers.hosts.tls import key_on_host


class HealthActivities:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    @activity.defn
    @mapped
    async def health_check(self, call: StepCall) -> None:
        """Check containers, databases and API on the host; then name, ports, certificate and pages from outside.

        Effect: none, reads only.
        Idempotency: reads only.
        Undo: none.
        Heartbeat: while at work.
        """
        work = await open_work(self._deps, call)
        config, context = self._deps.config, work.app.context
        async with Lines(self._deps, call.deployment_id, "health_check") as log, beating():
            async with work.enter(log) as host:
                await inspect_health(host, work.app, log.say)
                key = await key_on_host(host, work.app)
            address = work.facts.address
            await log.say(f"Outside: {await self._resolved(work, address)}")
            ports = await probe.check_ports(
                address,
                wanted=(config.ssh_port, config.http_port, config.https_port),
                application_ports=work.app.blueprint.ports(context.place).values(),
            )
            await log.say(f"Outside: {ports}")
            for line in await probe.check_https(
                address, context.fqdn, port=config.https_port, trust_file=config.trust_file, host_key_spki=key
            ):
                await log.say(f"Outside: {line}")

    async def _resolved(self, work: Work, address: str) -> str:
        """R220: every authoritative server gives this address and no other."""
        name, config = work.app.context.fqdn, self._deps.config
        servers = list(config.dns_servers) or await self._deps.dns.authoritative(await self._deps.dns.zone_of(name))
        kind = "AAAA" if ":" in address else "A"
        for answer in await survey(servers, name, kind):
            if answer.values != (address,):
                said = ", ".join(answer.values) or answer.rcode
                raise Unhealthy(f"{answer.server} answers {said} for {name} instead of {address}")
        return f"{name} is {address} at {len(servers)} authoritative server{'s' if len(servers) > 1 else ''}"

    @activity.defn
    @mapped
    async def prove_host_silent(self, call: StepCall) -> Absence:
        """After the end of a server: nothing of it answers any more.

        Effect: none, reads only.
        Idempotency: reads only.
        Undo: none.
        Heartbeat: while connecting.
        """
        async with self._deps.db.begin() as session:
            facts = await load(session, call.deployment_id)
        vps, config = facts.vps, self._deps.config
        if vps is None or vps.vps_ip is None:
            return Absence(what="open ports", evidence="the server never had an address", at=datetime.now(UTC))
        async with beating():
            evidence = await probe.check_silent(
                vps.vps_ip, (config.http_port, config.https_port), ssh_port=config.ssh_port, host_key=vps.host_key
            )
        return Absence(what=f"open ports of {vps.vps_name}", evidence=evidence, at=datetime.now(UTC))
