"""A site is live when the world sees it so: the name at every name server, HTTPS with the key on the server."""

from __future__ import annotations

from cryptography import x509
from temporalio import activity

from activities._context import Deps
from activities._errors import mapped
from activities._heartbeat import beating
from activities._log import Lines
from activities.names import name_servers
from db.queries import delivery
from domain.fulfilment import JobCall
from domain.journal import SubjectKind
from providers.acme.csr import key_sha256
from providers.dns.lookup import survey
from providers.errors import Unhealthy
from providers.hosts import probe

# A new site's own page, or whatever its customer has put there by now: anything but the server's own failure.
SERVED = range(200, 500)


class SiteCheckActivities:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    @activity.defn
    @mapped
    async def check_site(self, call: JobCall) -> None:
        """Look at the site from outside, by each of its names.

        Effect: none, reads only.
        Idempotency: reads only.
        Undo: none.
        Heartbeat: while at work.
        """
        async with self._deps.db.begin() as session:
            held = await delivery.load(session, call.subscription_id)
            keys = await delivery.certified_keys(session, held.subscription.id)
        config, address = self._deps.config, held.site[1].ip_address
        async with Lines(self._deps, call.job_id, "check_site", kind=SubjectKind.JOB) as log, beating():
            for name in held.names:
                await log.say(await self._resolved(name, address))
                page = await probe.fetch(address, name, "/", port=config.https_port, trust_file=config.trust_file)
                if key_sha256(x509.load_der_x509_certificate(page.leaf_der).public_key()) not in keys:
                    raise Unhealthy(f"{name} shows a certificate for another key than the one on its server")
                if page.status not in SERVED:
                    raise Unhealthy(f"https://{name}/ answers {page.status}")
                await log.say(f"https://{name}/ answers {page.status}, with a certificate for its own key")

    async def _resolved(self, name: str, address: str) -> str:
        servers = await name_servers(self._deps, name)
        for answer in await survey(servers, name, "AAAA" if ":" in address else "A"):
            if answer.values != (address,):
                said = ", ".join(answer.values) or answer.rcode
                raise Unhealthy(f"{answer.server} answers {said} for {name} instead of {address}")
        return f"{name} is {address} at {len(servers)} authoritative server{'s' if len(servers) > 1 else ''}"
