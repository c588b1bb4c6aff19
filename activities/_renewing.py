"""Where a certificate goes: the server of a deployment, or the web server of a subscription's site."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

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
from providers.hosting import account, certificates
from providers.hosting.account import Account
from providers.hosts import blueprints, challenges, host_keys, tls
from providers.hosts.application import Application
from providers.hosts.setup import deploy_target
from providers.hosts.ssh import Host, connect


class Holder(NamedTuple):
    """Whose certificate it is. The id marks the challenge records."""

    kind: HolderKind
    id: uuid.UUID


def holder_of(renewal: Renewal) -> Holder:
    return Holder(renewal.holder_kind, uuid.UUID(renewal.holder_id))


@dataclass(frozen=True)
class Place:
    """Signed in at the server that serves the names."""

    host: Host
    site: Application | Account

    async def make_csr(self, names: Sequence[str], *, fresh_key: bool) -> str:
        if isinstance(self.site, Application):
            return await tls.make_csr(self.host, self.site, say, names=names, fresh_key=fresh_key)
        return await certificates.make_csr(self.host, self.site, say, names=names, fresh_key=fresh_key)

    async def bring_key(self, key_pem: str) -> None:
        await host_keys.bring(self.host, self._key_file, key_pem)

    async def discard_fresh_key(self) -> None:
        await host_keys.discard_next(self.host, self._key_file)

    async def install(self, chain_pem: str) -> None:
        if isinstance(self.site, Application):
            await tls.renew_chain(self.host, self.site, chain_pem, say)
        else:
            await certificates.install_certificate(self.host, self.site, chain_pem, say)

    async def publish_challenge(self, token: str, content: str) -> None:
        if isinstance(self.site, Application):
            await tls.serve_challenges(self.host, self.site)
        await challenges.publish(self.host, self._challenges, token, content)

    async def withdraw_challenge(self, token: str) -> None:
        await challenges.withdraw(self.host, self._challenges, token)

    @property
    def _key_file(self) -> str:
        return self.site.context.key_file if isinstance(self.site, Application) else self.site.key_file

    @property
    def _challenges(self) -> str:
        return blueprints.CHALLENGES if isinstance(self.site, Application) else account.CHALLENGES


async def say(message: str) -> None:
    activity.logger.info(message)


@contextlib.asynccontextmanager
async def visit(deps: Deps, renewal: Renewal) -> AsyncIterator[Place]:
    """At the holder's server while the block lasts; heartbeats are sent."""
    async with beating(), enter(deps, holder_of(renewal)) as place:
        yield place


@contextlib.asynccontextmanager
async def enter(deps: Deps, holder: Holder) -> AsyncIterator[Place]:
    site: Application | Account
    ref = str(holder.id)
    if holder.kind is HolderKind.DEPLOYMENT:
        async with deps.db.begin() as session:
            facts = await load(session, ref)
        call = StepCall(deployment_id=ref, inputs=RunInputs.model_validate(facts.deployment.inputs))
        work = await open_work(deps, call)
        target, site = deploy_target(work.root), work.app
    else:
        async with deps.db.begin() as session:
            held = await delivery.load(session, ref)
        target, site = await house_target(deps, held.site[1]), account_of(held)
    async with connect(target) as host:
        yield Place(host, site)


async def address_of(deps: Deps, holder: Holder) -> str:
    """Where the names are served, as the world reaches it."""
    async with deps.db.begin() as session:
        if holder.kind is HolderKind.DEPLOYMENT:
            return (await load(session, holder.id)).address
        return (await delivery.load(session, holder.id)).site[1].ip_address
