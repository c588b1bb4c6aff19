"""Where a renewed certificate goes: the server of a deployment, or the web server of a subscription's site."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from temporalio import activity

from activities._context import Deps
from activities._heartbeat import beating
from activities._hosts import open_work
from activities._house import house_target
from activities.hosting import account_of
from db.queries import delivery
from db.queries.runs import load
from domain.certificates import HolderKind, Renewal
from domain.provisioning import RunInputs, StepCall
from providers.hosting import certificates
from providers.hosting.account import Account
from providers.hosts import tls
from providers.hosts.application import Application
from providers.hosts.setup import deploy_target
from providers.hosts.ssh import Host, connect


@dataclass(frozen=True)
class Place:
    """Signed in at the server that serves the names."""

    host: Host
    site: Application | Account

    async def make_csr(self, *, fresh_key: bool) -> str:
        if isinstance(self.site, Application):
            return await tls.make_csr(self.host, self.site, say, fresh_key=fresh_key)
        return await certificates.make_csr(self.host, self.site, say, fresh_key=fresh_key)

    async def install(self, chain_pem: str) -> None:
        if isinstance(self.site, Application):
            await tls.renew_chain(self.host, self.site, chain_pem, say)
        else:
            await certificates.install_certificate(self.host, self.site, chain_pem, say)


async def say(message: str) -> None:
    activity.logger.info(message)


@contextlib.asynccontextmanager
async def visit(deps: Deps, renewal: Renewal) -> AsyncIterator[Place]:
    """At the holder's server while the block lasts; heartbeats are sent."""
    site: Application | Account
    if renewal.holder_kind is HolderKind.DEPLOYMENT:
        async with deps.db.begin() as session:
            facts = await load(session, renewal.holder_id)
        call = StepCall(deployment_id=renewal.holder_id, inputs=RunInputs.model_validate(facts.deployment.inputs))
        work = await open_work(deps, call)
        target, site = deploy_target(work.root), work.app
    else:
        async with deps.db.begin() as session:
            held = await delivery.load(session, renewal.holder_id)
        target, site = await house_target(deps, held.site[1]), account_of(held)
    async with beating(), connect(target) as host:
        yield Place(host, site)


async def address_of(deps: Deps, renewal: Renewal) -> str:
    """Where the names are served, as the world reaches it."""
    async with deps.db.begin() as session:
        if renewal.holder_kind is HolderKind.DEPLOYMENT:
            return (await load(session, renewal.holder_id)).address
        return (await delivery.load(session, renewal.holder_id)).site[1].ip_address
