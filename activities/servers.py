"""Servers at clouds. The rule of this file: an order is settled before it is ever repeated.

No cloud has an idempotency key. An intent row with a unique token is written first; the token goes into the order, and
by it the server is found again whatever answer was lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities._clouds import cloud_of, cloud_of_server
from activities._context import Deps
from activities._errors import mapped
from activities._heartbeat import beating
from activities._log import Lines
from activities._looks import Looks, Shared
from activities._orders import complete, draft, with_options
from db.models import ServerIntent, VpsInstance
from db.queries import intents, reservation
from db.queries.runs import RunFacts, load
from domain.errors import Trouble
from domain.provisioning import (
    Absence,
    DestroyCall,
    Destroyed,
    QuoteCall,
    ServerFound,
    ServerQuote,
    StepCall,
)
from domain.statuses import IntentState, Lifecycle, PowerState
from providers.cloud.base import Cancellation, Cloud, CloudServer, OrderReceipt, Price
from providers.errors import NotFound, NotReady, ProviderError, StillPresent, Unconfirmed

QUOTE_SECONDS = 30.0  # for so long a price and the room for an order count; the order itself says the rest


class ServerActivities:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._shared = Shared()
        self._looks = Looks()

    @activity.defn
    @mapped
    async def quote_server(self, call: QuoteCall) -> ServerQuote:
        """Ask the cloud whether it sells this and for how much, before it is asked to build.

        Effect: price and product on the server's and the deployment's row; for a plan none.
        Idempotency: the same values again.
        Undo: none.
        Heartbeat: none, some short calls; who asks for the same within moments gets one answer.
        """
        cloud = await cloud_of(self._deps, call.inputs.provider, call.inputs.provider_id)
        order = draft(cloud, call.tier, call.inputs, correlation="0" * 32, hostname="quote")
        if call.deployment_id is not None:
            async with self._deps.db.begin() as session:
                order = with_options(order, await load(session, call.deployment_id))

        async def ask() -> Price:
            await cloud.check_order(order)
            return await cloud.price(order.product, order.availability_zone)

        price = await self._shared.of(cloud, order.model_dump_json(), ask, seconds=QUOTE_SECONDS)
        quote = ServerQuote(
            product=order.product, availability_zone=order.availability_zone,
            operating_system=order.operating_system, price_cents_month=price.cents_month, currency=price.currency,
            hourly=price.hourly,
        )  # fmt: skip
        if call.deployment_id is not None:
            async with self._deps.db.begin() as session:
                await reservation.note_price(session, uuid.UUID(call.deployment_id), quote)
        return quote

    @activity.defn
    @mapped
    async def create_server(self, call: StepCall) -> ServerFound:
        """Order the server once and find it by its token.

        Effect: at most one order at the cloud; provider_instance_id on our row.
        Idempotency: looks for the token first; after an unanswered order it only looks, until the cloud's late-accept
            window has passed; extra servers with the token go into the inventory, never used.
        Undo: destroy_server.
        Heartbeat: while a call is under way.
        """
        async with Lines(self._deps, call.deployment_id, "create_server") as log, beating():
            async with self._deps.db.begin() as session:
                facts = await load(session, call.deployment_id)
                # Another one may stand for this kind of cloud by the next try; an order is looked for where it went.
                await reservation.settle_account(session, facts.server)
            intent, vps = _intent(facts), facts.server
            cloud = await cloud_of_server(self._deps, vps)
            found = await cloud.find(intent.correlation)
            if not found and intent.state == IntentState.ADOPTED:
                found = [await cloud.get(intent.provider_ref or "")]  # a list may lack what we know to be there
            if not found:
                await self._order_or_wait(cloud, facts, call, log)
                found = await cloud.find(intent.correlation)
            if not found:
                raise NotReady(
                    "the order is accepted, the server is not listed yet", retry_after=cloud.poll_interval)  # fmt: skip
            async with self._deps.db.begin() as session:
                adopted = await intents.adopt(session, intent.id, cloud.name, _listed(found))
            if adopted is None:
                raise ApplicationError("the order was given up already", type=Trouble.CONFLICT, non_retryable=True)
            ref, extras = adopted
            await log.say(f"VPS created: {vps.vps_name} ({cloud.name} {ref})")
            await _tell_extras(log, extras)
            address = next((server.address for server in found if server.provider_ref == ref), None)
            return ServerFound(vps_id=str(vps.id), provider_ref=ref, address=address)

    async def _order_or_wait(self, cloud: Cloud, facts: RunFacts, call: StepCall, log: Lines) -> None:
        intent = _intent(facts)
        if intent.state == IntentState.RELEASED:
            raise ApplicationError("the order was given up already", type=Trouble.CONFLICT, non_retryable=True)
        if intent.state == IntentState.SENT and intent.sent_at is not None:
            waited = datetime.now(UTC) - intent.sent_at
            if waited < timedelta(seconds=cloud.late_accept_window):
                raise NotReady(
                    f"an order was sent {waited.seconds} s ago and its server is not listed yet; "
                    "it is not sent again before that is settled",
                    retry_after=cloud.poll_interval,
                )
            await self._check_given_up(cloud, intent)
            await log.say("The earlier order was never accepted; ordering again")
        await cloud_of(self._deps, facts.server.provider_type, facts.server.provider_id)  # a disabled one is refused
        order = await complete(self._deps, cloud, facts, call.inputs, intent.correlation)
        async with self._deps.db.begin() as session:
            if not await intents.begin_sending(session, intent):
                raise NotReady("another try of this step has the order in hand", retry_after=cloud.poll_interval)
        try:
            receipt = await cloud.order(order)
        except Unconfirmed:
            await log.say("The cloud did not answer our order; looking whether it was accepted")
            raise Unconfirmed("the order was not answered; settling", retry_after=cloud.poll_interval) from None
        except ProviderError:
            # Surely refused, or never left this machine: nothing was bought, so the intent is as good as never sent.
            # The client says Unconfirmed where that is in doubt.
            async with self._deps.db.begin() as session:
                await intents.never_sent(session, intent)
            raise
        async with self._deps.db.begin() as session:
            await intents.accepted(session, intent, receipt.action_ref)
        await log.say(f"Ordered {order.product} in {order.availability_zone} with {order.operating_system}")

    async def _check_given_up(self, cloud: Cloud, intent: ServerIntent) -> None:
        """An order may be sent again only if the cloud no longer works on it and two looks do not show its server."""
        if intent.action_ref is not None and await cloud.order_in_progress(OrderReceipt(action_ref=intent.action_ref)):
            raise NotReady("the cloud still works on the order", retry_after=cloud.poll_interval)
        if await self._look_again(cloud, intent):
            raise NotReady("the ordered server is listed now", retry_after=cloud.poll_interval)

    async def _look_again(self, cloud: Cloud, intent: ServerIntent) -> list[CloudServer]:
        """A list may lack what lives. That something is not there is believed when two looks in a row agree."""
        await asyncio.sleep(cloud.poll_interval)
        return await cloud.find(intent.correlation)

    @activity.defn
    @mapped
    async def await_server(self, call: StepCall) -> ServerFound:
        """Look once whether the server runs, then claim it; a try that finds it not ready is repeated.

        Effect: address, size and power state on our row, label and tags at the cloud, once it runs; a second server
            that carries our token by then is set aside: a network may send an order twice.
        Idempotency: the same values again. Claiming waits until now because a cloud locks what it installs; until then
            the token in the description says whose it is.
        Undo: none of its own.
        Heartbeat: while calls are under way.
        """
        async with Lines(self._deps, call.deployment_id, "await_server") as log, beating():
            async with self._deps.db.begin() as session:
                facts = await load(session, call.deployment_id)
            vps, cloud = facts.server, await cloud_of_server(self._deps, facts.server)
            if vps.provider_instance_id is None:
                raise ApplicationError("the server has no name at the cloud yet", type=Trouble.NOT_FOUND)
            server = await self._looks.at(cloud, vps.provider_instance_id)
            if not server.running or server.locked or server.address is None:
                raise NotReady(f"the server is {server.status}", retry_after=cloud.poll_interval)
            intent = _intent(facts)
            await self._set_others_aside(cloud, intent, server.provider_ref, log)
            await cloud.claim(server.provider_ref, label=vps.label or vps.vps_name, correlation=intent.correlation)
            await self._set_others_aside(cloud, intent, server.provider_ref, log)
            async with self._deps.db.begin() as session:
                row = await session.get_one(VpsInstance, vps.id)
                row.vps_ip, row.power_state = server.address, PowerState.RUNNING
                row.ipv6_address, row.seen_at = server.ipv6_address, datetime.now(UTC)
                row.location = server.location or row.location
                sizes = {"cpu": server.cpus, "ram_mb": server.memory_mb, "disk_gb": server.disk_gb,
                         "transfer_gb": server.transfer_gb}  # fmt: skip
                row.specs = {**row.specs, **{k: v for k, v in sizes.items() if v is not None}}
            await log.say(f"VPS running, IP: {server.address}")
            return ServerFound(vps_id=str(vps.id), provider_ref=server.provider_ref, address=server.address)

    async def _set_others_aside(self, cloud: Cloud, intent: ServerIntent, ours: str, log: Lines) -> None:
        others = [server for server in await cloud.find(intent.correlation) if server.provider_ref != ours]
        if others:
            async with self._deps.db.begin() as session:
                await _tell_extras(log, await intents.set_aside(session, intent, cloud.name, _listed(others)))

    @activity.defn
    @mapped
    async def destroy_server(self, call: DestroyCall) -> Destroyed:
        """Cancel every server that carries our token, and look again after the late-accept window.

        Effect: cancellation at the cloud; lifecycle terminated once nothing of it is left.
        Idempotency: a server that is gone or cancelled already is a success; nothing ordered is nothing to do.
        Undo: none.
        Heartbeat: while a call is under way.
        """
        async with Lines(self._deps, call.deployment_id, "destroy_server") as log, beating():
            async with self._deps.db.begin() as session:
                facts = await load(session, call.deployment_id)
                if facts.vps is None or facts.intent is None:
                    return Destroyed()
                if await self._lives_on(session, facts):
                    await log.say(f"{facts.vps.vps_name} is kept: other applications live on it")
                    return Destroyed(provider_ref=facts.vps.provider_instance_id, kept=True)
            vps, intent = facts.vps, facts.intent
            cloud = await cloud_of_server(self._deps, vps)
            cancellation = Cancellation(accepted=False)
            if intent.sends > 0:
                found = await self._everything(cloud, intent, vps.provider_instance_id)
                for server in found:
                    cancellation = await cloud.cancel(server.provider_ref, immediately=call.immediately)
                    if activity.info().attempt == 1:
                        await log.say(f"Cancelled {server.provider_ref} at {cloud.name}")
                if found and call.immediately:
                    raise NotReady("the cancelled server is still listed", retry_after=cloud.poll_interval)
                if not found:
                    await self._check_settled(cloud, intent)
            kept_running = cancellation.accepted and not call.immediately
            async with self._deps.db.begin() as session:
                if not kept_running and not await intents.release(session, intent):
                    raise NotReady("an order was sent meanwhile", retry_after=cloud.poll_interval)
                row = await session.get_one(VpsInstance, vps.id)
                row.billed_until = cancellation.billed_until
                if not kept_running:
                    row.lifecycle, row.power_state = Lifecycle.TERMINATED, PowerState.STOPPED
            return Destroyed(
                provider_ref=vps.provider_instance_id, billed_until=cancellation.billed_until,
                still_billed=cancellation.note or None if kept_running or cancellation.billed_until else None,
            )  # fmt: skip

    async def _lives_on(self, session: AsyncSession, facts: RunFacts) -> bool:
        """Whether the server stays for others. Decided under its row lock: no new place is given away meanwhile."""
        vps = facts.server
        locked = await session.execute(select(VpsInstance).where(VpsInstance.id == vps.id).with_for_update())
        if vps.is_shared and await reservation.others_on(session, vps.id, facts.deployment.id):
            return True
        row = locked.scalar_one()
        if row.lifecycle in (Lifecycle.PROVISIONING, Lifecycle.ACTIVE):
            row.lifecycle = Lifecycle.TERMINATING
        return False

    async def _everything(self, cloud: Cloud, intent: ServerIntent, ref: str | None) -> list[CloudServer]:
        """What the list shows with our token, and the server we know by name whether it is listed or not."""
        found = await cloud.find(intent.correlation)
        if ref is not None and all(server.provider_ref != ref for server in found):
            with contextlib.suppress(NotFound):
                found.append(await cloud.get(ref))
        return found

    async def _check_settled(self, cloud: Cloud, intent: ServerIntent) -> None:
        """An unanswered order may still become a server: nothing is released before it no longer can."""
        if intent.state == IntentState.SENT and intent.sent_at is not None:
            waited = (datetime.now(UTC) - intent.sent_at).total_seconds()
            if waited < cloud.late_accept_window:
                raise NotReady("an unanswered order may still become a server", retry_after=cloud.poll_interval)
            await self._check_given_up(cloud, intent)
        elif await self._look_again(cloud, intent):
            raise NotReady("another server of this order is listed", retry_after=cloud.poll_interval)

    @activity.defn
    @mapped
    async def prove_server_absent(self, call: StepCall) -> Absence:
        """Ask the cloud for the server by name and by token, and write down that it has neither.

        Effect: none, reads only.
        Idempotency: reads only.
        Undo: none.
        Heartbeat: none, two short calls.
        """
        async with self._deps.db.begin() as session:
            facts = await load(session, call.deployment_id)
        if facts.vps is None or facts.intent is None or facts.intent.sends == 0:
            return Absence(what="server", evidence="none was ever ordered", at=datetime.now(UTC))
        cloud, ref = await cloud_of_server(self._deps, facts.vps), facts.vps.provider_instance_id
        if ref is not None:
            try:
                await cloud.get(ref)
            except NotFound:
                pass
            else:
                raise StillPresent(f"{ref} is still known to {cloud.name}")
        if await cloud.find(facts.intent.correlation):
            raise StillPresent(f"{cloud.name} still lists a server with our token")
        name = ref or "the ordered server"
        return Absence(
            what=f"server {facts.vps.vps_name}",
            evidence=f"{cloud.name} answered 404 for {name} and lists no server with our token",
            at=datetime.now(UTC),
        )


def _intent(facts: RunFacts) -> ServerIntent:
    if facts.intent is None:
        raise ApplicationError("no order was reserved", type=Trouble.MISSING_SETTING, non_retryable=True)
    return facts.intent


def _listed(servers: list[CloudServer]) -> list[intents.Listed]:
    return [
        intents.Listed(server.provider_ref, server.address, server.label, server.product, server.status)
        for server in servers
    ]


async def _tell_extras(log: Lines, extras: list[intents.Listed]) -> None:
    for extra in extras:
        await log.say(f"A second server with our token was set aside: {extra.provider_ref}")
