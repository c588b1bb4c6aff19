"""Rows only: the journal, reservations, hand-over, the end of a run. Called as local activities, so they stay short.

Each writes the journal's batch in its own transaction: a row's change and the events that led to it are there together,
or not at all.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities._clouds import parsed
from activities._context import Deps
from activities._errors import mapped
from db import secrets
from db.models import Deployment, Secret, VpsInstance
from db.queries import intents, journal, mails, reservation, servers
from db.queries.runs import DeploymentMissing, RunFacts, load
from domain import ids
from domain.errors import Trouble
from domain.journal import JournalBatch
from domain.mails import MailEnd
from domain.provisioning import MoveCall, PlanOrder, Reservation, StepCall
from domain.servers import ROOT_PASSWORD, STACKSCRIPT_DATA, USER_DATA, ActionEnd
from domain.statuses import DeploymentType, IntentState, Lifecycle, Phase
from providers.hosts.cloud_init import new_keypair, public_line


class RecordActivities:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._autocommit = deps.db.engine.execution_options(isolation_level="AUTOCOMMIT")

    @activity.defn
    @mapped
    async def record(self, batch: JournalBatch) -> None:
        """Write a run's step events and what its row shows.

        Effect: rows in deployment_events, columns of instance_deployments, one NOTIFY.
        Idempotency: (run_id, seq) is unique; an older projection never replaces a newer one. What a given-up task of
        the workflow wrote yields to the task that took its place.
        Undo: none; history is kept.
        Heartbeat: none, one short transaction.
        """
        # One statement is its own transaction: nothing to begin or to commit around it.
        async with self._autocommit.connect() as connection:
            await journal.record(connection, batch)

    @activity.defn
    @mapped
    async def reserve(self, call: StepCall, batch: JournalBatch) -> Reservation:
        """Take a place, or make the rows of a new server: name, intent, key pairs.

        Effect: rows in placements, vps_instances, server_intents and secrets.
        Idempotency: a deployment that has its place gets the same answer again.
        Undo: release.
        Heartbeat: none, one short transaction.
        """
        config = self._deps.config
        deployment_id = uuid.UUID(call.deployment_id)
        async with self._deps.db.begin() as session:
            await journal.record(session, batch)
            try:
                vps, placement, intent = await reservation.reserve(
                    session, deployment_id, provider=call.inputs.provider, provider_id=parsed(call.inputs.provider_id),
                    shared_places=config.shared_places, base_domain=config.base_domain,
                )  # fmt: skip
            except reservation.NoPlace as error:
                raise ApplicationError(str(error), type=Trouble.NO_CAPACITY, non_retryable=True) from None
            except reservation.NoAccount as error:
                raise ApplicationError(str(error), type=Trouble.MISSING_SETTING, non_retryable=True) from None
            ours = (await session.get_one(Deployment, deployment_id)).deployment_type != DeploymentType.SERVER
            if intent is not None and ours:  # a bare server is the customer's: no key of ours gets in
                # Both keys exist before the server does: the host is known before the first command.
                private = config.ssh_private_key or new_keypair()[0]
                kept = await secrets.ensure(session, self._deps.keys, "ssh-key", lambda: private, vps_id=vps.id)
                host_private, host_public = new_keypair()
                if vps.host_key is None:
                    await secrets.ensure(session, self._deps.keys, "host-key", lambda: host_private, vps_id=vps.id)
                    vps.host_key = host_public
                    vps.specs = {**vps.specs, "ssh_public_key": public_line(kept)}
            return Reservation(
                vps_id=str(vps.id), vps_name=vps.vps_name, place=placement.place, new_server=intent is not None,
                intent_id=str(intent.id) if intent else None,
            )  # fmt: skip

    @activity.defn
    @mapped
    async def move(self, call: MoveCall, batch: JournalBatch) -> None:
        """Point the order at another place, because the first has no room.

        Effect: provider and account on the server's row and its intent.
        Idempotency: the same values again; refused once anything was, or may have been, bought.
        Undo: none; nothing was bought.
        Heartbeat: none, one short transaction.
        """
        async with self._deps.db.begin() as session:
            await journal.record(session, batch)
            if not await intents.move(session, uuid.UUID(call.deployment_id), call.to):
                raise ApplicationError("an order was sent already; it stays where it is", type=Trouble.CONFLICT,
                                       non_retryable=True)  # fmt: skip

    @activity.defn
    @mapped
    async def preview(self, order: PlanOrder) -> Reservation:
        """Say where an order would live, by the same choice that reserve makes.

        Effect: none, reads only.
        Idempotency: reads only.
        Undo: none.
        Heartbeat: none, one short transaction.
        """
        async with self._deps.db.begin() as session:
            wanted = uuid.UUID(order.vps_id) if order.vps_id else None
            try:
                choice = await reservation.choose(session, order.deployment_type, wanted, lock=False)
            except reservation.NoPlace as error:
                raise ApplicationError(str(error), type=Trouble.NO_CAPACITY, non_retryable=True) from None
            if choice.vps is not None:
                return Reservation(vps_id=str(choice.vps.id), vps_name=choice.vps.vps_name, place=choice.place,
                                   new_server=False)  # fmt: skip
            name = await reservation.next_server_name(session, order.slug)
            return Reservation(vps_id="", vps_name=name, new_server=True)

    @activity.defn
    @mapped
    async def activate(self, call: StepCall, batch: JournalBatch) -> str:
        """Hand over: the address is published, the first credentials may be revealed for a while. Returns the address.

        A bare server is handed over by its IP; the secrets of its order are destroyed. Not once the order was called
        back: a try of a workflow task that was given up may come late.

        Effect: access_url and activated_at; the admin password's secret gets its expiry.
        Idempotency: the first time is kept.
        Undo: none; a handed-over instance is terminated, not rolled back.
        Heartbeat: none, one short transaction.
        """
        config = self._deps.config
        async with self._deps.db.begin() as session:
            await journal.record(session, batch)
            row = (
                await session.execute(
                    select(
                        Deployment.id,
                        Deployment.assigned_subdomain,
                        Deployment.activated_at,
                        Deployment.deployment_type,
                        Deployment.vps_id,
                        Deployment.phase,
                    )
                    .where(Deployment.id == uuid.UUID(call.deployment_id))
                    .with_for_update()
                )
            ).one_or_none()
            if row is None:
                raise DeploymentMissing(f"no deployment {call.deployment_id}")
            if row.phase not in (Phase.RUNNING, Phase.ACTIVE):
                raise ApplicationError(f"it is {row.phase}", type=Trouble.CONFLICT, non_retryable=True)
            if row.deployment_type == DeploymentType.SERVER:
                return await self._hand_over_server(session, row.id, row.vps_id)
            url = ids.access_url(row.assigned_subdomain, config.https_port)
            activated = row.activated_at or datetime.now(UTC)
            await session.execute(
                update(Deployment).where(Deployment.id == row.id).values(access_url=url, activated_at=activated)
            )
            await session.execute(
                update(Secret)
                .where(Secret.deployment_id == row.id, Secret.purpose == "admin-password")
                .values(expires_at=activated + timedelta(days=config.credentials_days))
            )
            return url

    async def _hand_over_server(self, session: AsyncSession, deployment_id: uuid.UUID, vps_id: uuid.UUID) -> str:
        vps = await session.get_one(VpsInstance, vps_id, with_for_update=True)
        vps.lifecycle = Lifecycle.ACTIVE
        await session.execute(
            update(Deployment).where(Deployment.id == deployment_id, Deployment.activated_at.is_(None))
            .values(activated_at=datetime.now(UTC)))  # fmt: skip
        # What the order needed, the server has; what it was started with may still be asked for by nobody.
        for purpose in (ROOT_PASSWORD, STACKSCRIPT_DATA, USER_DATA):
            await secrets.destroy(session, vps_id=vps_id, purpose=purpose)
        return vps.vps_ip or ""

    @activity.defn
    @mapped
    async def call_back(self, call: StepCall, batch: JournalBatch) -> str | None:
        """Close the way to the hand-over, before anything is undone. Returns the address where it was too late.

        A workflow task that handed over may have been given up because of the very cancellation that asks for this:
        then the run knows nothing of the hand-over, and the customer does.

        Effect: the deployment's phase, which keeps `activate` from handing over.
        Idempotency: whichever of the two came first stays.
        Undo: none.
        Heartbeat: none, one short transaction.
        """
        async with self._deps.db.begin() as session:
            await journal.record(session, batch)
            row = await session.get(Deployment, uuid.UUID(call.deployment_id), with_for_update=True)
            if row is None:
                raise DeploymentMissing(f"no deployment {call.deployment_id}")
            if row.activated_at is None:
                row.phase = Phase.ROLLING_BACK
                return None
            if row.deployment_type == DeploymentType.SERVER:
                return (await session.get_one(VpsInstance, row.vps_id)).vps_ip or ""
            return row.access_url or ""

    @activity.defn
    @mapped
    async def release(self, call: StepCall, batch: JournalBatch) -> None:
        """Give the place back and destroy the deployment's secrets.

        Effect: placement removed, secrets emptied; keys of a server that is gone too.
        Idempotency: what is gone is gone.
        Undo: none.
        Heartbeat: none, one short transaction.
        """
        deployment_id = uuid.UUID(call.deployment_id)
        async with self._deps.db.begin() as session:
            await journal.record(session, batch)
            facts = await load(session, deployment_id)
            await reservation.release(session, deployment_id)
            await secrets.destroy(session, deployment_id=deployment_id)
            if facts.vps is not None and facts.vps.lifecycle == Lifecycle.TERMINATED:
                await secrets.destroy(session, vps_id=facts.vps.id)
            elif facts.vps is not None and _never_ordered(facts):
                facts.vps.lifecycle = Lifecycle.TERMINATED
                if facts.intent is not None:
                    facts.intent.state = IntentState.RELEASED
                await secrets.destroy(session, vps_id=facts.vps.id)

    @activity.defn
    @mapped
    async def end_action(self, end: ActionEnd) -> None:
        """Write that it failed, and why.

        Effect: state, code and sentence on the action's row.
        Idempotency: the first end stays.
        Undo: none.
        Heartbeat: none, one short transaction.
        """
        async with self._deps.db.begin() as session:
            await servers.end_action(session, uuid.UUID(end.action_id), "failed", code=end.code, message=end.message)

    @activity.defn
    @mapped
    async def end_mail(self, end: MailEnd) -> None:
        """Write that a mail was given up, and why.

        Effect: state and sentence on the mail's row; its link's token is destroyed.
        Idempotency: a mail that was sent stays sent.
        Undo: none.
        Heartbeat: none, one short transaction.
        """
        async with self._deps.db.begin() as session:
            await mails.failed(session, uuid.UUID(end.mail_id), end.message)


def _never_ordered(facts: RunFacts) -> bool:
    """The row of a server that never was: this deployment meant to order it, and nothing was ever bought."""
    intent = facts.intent
    return intent is not None and intent.deployment_id == facts.deployment.id and intent.state == IntentState.INTENDED
