"""What must hold of a run's end, asked of all clouds themselves first and of our rows second."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from temporalio.client import WorkflowExecutionStatus

from db.models import Deployment, DeploymentEvent, Placement, Secret
from db.models_inventory import CloudResource
from db.queries.runs import RunFacts, load
from domain.statuses import Attention, DeploymentStatus, DeploymentType, IntentState, Lifecycle, Phase, StepState
from tests.faults.clouds import Bought
from tests.faults.stack import Stack

Kind = Literal["duplicate", "orphan", "lost"]

ENDS = {
    Phase.ACTIVE: (DeploymentStatus.ACTIVE, WorkflowExecutionStatus.COMPLETED),
    Phase.ROLLED_BACK: (DeploymentStatus.FAILED, WorkflowExecutionStatus.FAILED),
    Phase.CANCELLED: (DeploymentStatus.FAILED, WorkflowExecutionStatus.CANCELED),
    Phase.TERMINATED: (DeploymentStatus.ACTIVE, WorkflowExecutionStatus.COMPLETED),
}
READABLE = {"admin-password", "env:JWT_SECRET", "env:DB_PASSWORD", "ssh-key", "host-key"}


@dataclass(frozen=True)
class Violation:
    """duplicate: more was bought, written or made than once; orphan: something lives on that nobody accounts for; lost:
    something that must be there is not, or a run does not end."""

    kind: Kind
    what: str


class Judge:
    def __init__(self, stack: Stack, deployment_id: str, twins: int) -> None:
        """`twins`: how many orders the network doubled by itself; their invoices are nobody's mistake."""
        self._stack = stack
        self._id = uuid.UUID(deployment_id)
        self._twins = twins
        self._found: list[Violation] = []
        self.moves = 0  # how often the order went to another place, by the journal

    def _say(self, kind: Kind, what: str) -> None:
        self._found.append(Violation(kind, what))

    async def verdict(self, told: str, ended: WorkflowExecutionStatus | None) -> list[Violation]:
        """Everything that is wrong with a run that has ended: by its row, which was `told`, and by Temporal's word."""
        servers = self._stack.clouds.bought(str(self._id))
        async with self._stack.db.begin() as session:
            facts = await load(session, self._id)
            if facts.deployment.phase != told:
                self._say("lost", f"the row told of an end, {told}, that was none: {facts.deployment.phase}")
            self._cloud(facts, servers, await self._set_aside(session))
            self._row(facts, ended)
            await self._journal(session, facts)
            await self._credentials(session, facts)
            placed = (await session.execute(select(Placement.id).where(Placement.deployment_id == self._id))).all()
        if bool(placed) != (facts.deployment.phase == Phase.ACTIVE):
            self._say(
                "lost" if not placed else "orphan", f"{len(placed)} places of a run that is {facts.deployment.phase}"
            )
        return self._found

    # ---- the clouds

    def _cloud(self, facts: RunFacts, servers: list[Bought], aside: set[tuple[str, str]]) -> None:
        paid = sum(server.paid for server in servers)
        if paid > 1 + self._twins:
            self._say("duplicate", f"{paid} servers were paid for, {self._twins} of them doubled by the network")
        for server in servers:
            if facts.vps is None or server.cloud != facts.vps.provider_type:
                self._say("duplicate", f"{server} was ordered where this run's server is not")
        living = [server for server in servers if server.living]
        if facts.deployment.phase != Phase.ACTIVE:
            for server in living:
                self._say("orphan", f"{server} lives on after the run was {facts.deployment.phase}")
            return
        row = facts.server
        ours = row.provider_type, row.provider_instance_id or ""
        if ours not in {server.name for server in living}:
            self._say("lost", f"the active run's server {ours[1] or 'without a name'} does not live at {ours[0]}")
        for server in living:
            if server.name not in {ours, *aside}:
                self._say("duplicate", f"{server} lives beside {ours[1]}, and no row explains it")
            if server.name == ours and server.label != (row.label or row.vps_name):
                self._say("lost", f"{server} was never claimed: it is called {server.label!r}")

    async def _set_aside(self, session: AsyncSession) -> set[tuple[str, str]]:
        """The clouds' names of further servers of this order that the ledger knows."""
        facts = await load(session, self._id)
        token = facts.intent.correlation if facts.intent else ""
        columns = CloudResource.provider, CloudResource.provider_ref
        rows = await session.execute(select(*columns).where(CloudResource.correlation == token))
        return {(row.provider, row.provider_ref) for row in rows}

    # ---- our rows

    def _row(self, facts: RunFacts, ended: WorkflowExecutionStatus | None) -> None:
        row = facts.deployment
        if Phase(row.phase) not in ENDS:
            return  # said above
        status, workflow = ENDS[Phase(row.phase)]
        if row.status != status and row.phase != Phase.TERMINATED:
            self._say("lost", f"the row's status is {row.status} in phase {row.phase}")
        if ended != workflow:
            self._say("lost", f"Temporal says {ended.name if ended else None} of a run that is {row.phase}")
        if row.attention != Attention.NONE or row.parked:
            self._say("lost", f"the row still asks for attention: {row.attention}, {row.parked}")
        active = row.phase == Phase.ACTIVE
        # A bare server has no address but its own.
        if (row.ended_at is None) != active or (row.access_url is not None) != (active and not _bare(facts)):
            self._say("lost", f"{row.phase}: ended_at {row.ended_at}, access_url {row.access_url}")
        if not active and row.absence is None:
            self._say("lost", "no proof of absence was written")
        if facts.vps is None:
            return
        lifecycle = Lifecycle.ACTIVE if active else Lifecycle.TERMINATED
        intent = facts.intent.state if facts.intent else None
        if facts.vps.lifecycle != lifecycle:
            self._say("lost", f"the server's row is {facts.vps.lifecycle} in phase {row.phase}")
        if intent != (IntentState.ADOPTED if active else IntentState.RELEASED):
            self._say("lost", f"the intent is {intent} in phase {row.phase}")

    async def _journal(self, session: AsyncSession, facts: RunFacts) -> None:
        rows = (await session.execute(
            select(DeploymentEvent.run_id, DeploymentEvent.seq, DeploymentEvent.position, DeploymentEvent.state,
                   DeploymentEvent.kind, DeploymentEvent.message)
            .where(DeploymentEvent.deployment_id == self._id).order_by(DeploymentEvent.position))).all()  # fmt: skip
        positions = [row.position for row in rows]
        if len(set(positions)) != len(positions):
            self._say("duplicate", "two events have one position")
        steps = [row for row in rows if row.kind == "step"]
        told = [row.run_id for row in steps if row.state == StepState.ENDED]
        if len(set(told)) != len(told):
            self._say("duplicate", "the journal tells of two ends of one run")
        self.moves = sum(row.message.startswith("No room at") for row in steps)
        for run_id in dict.fromkeys(row.run_id for row in steps):
            told = [row.seq for row in steps if row.run_id == run_id]
            if sorted(told) != [*range(1, len(told) + 1)]:
                self._say("duplicate" if len(set(told)) < len(told) else "lost", f"the journal of {run_id} is {told}")
            elif told != sorted(told):
                self._say("lost", f"the journal of {run_id} is out of order: {told}")
        if not steps or steps[-1].state != StepState.ENDED:
            self._say("lost", "the journal does not tell the end")
        elif (facts.deployment.run_id, facts.deployment.seq) != (steps[-1].run_id, steps[-1].seq):
            self._say("lost", "the row does not show the newest event")

    async def _credentials(self, session: AsyncSession, facts: RunFacts) -> None:
        owners = [Secret.deployment_id == self._id]
        if facts.vps is not None:
            owners.append(Secret.vps_id == facts.vps.id)
        rows: list[Secret] = []
        for owner in owners:
            rows += (await session.execute(select(Secret).where(owner))).scalars()
        readable = [row.purpose for row in rows if row.ciphertext is not None]
        if facts.deployment.phase != Phase.ACTIVE:
            if readable:
                self._say("orphan", f"secrets can still be read: {sorted(readable)}")
            return
        if len(readable) != len(set(readable)):
            self._say("duplicate", f"secrets were made twice: {sorted(readable)}")
        wanted = set() if _bare(facts) else READABLE
        if missing := wanted - set(readable):
            self._say("lost", f"secrets are missing: {sorted(missing)}")
        if _bare(facts) and readable:
            self._say("orphan", f"what a bare server was ordered with can still be read: {sorted(readable)}")
        for row in rows:
            if row.ciphertext is not None:
                self._stack.keys.decrypt(row.key_id, row.ciphertext, context=f"secrets/{row.id}")


def _bare(facts: RunFacts) -> bool:
    return facts.deployment.deployment_type == DeploymentType.SERVER


async def stuck(stack: Stack, deployment_id: str, what: str) -> Violation:
    async with stack.db.begin() as session:
        row = await session.get_one(Deployment, uuid.UUID(deployment_id))
        waits = ", ".join(str(wait["step"]) for wait in row.parked) or "nothing it names"
    return Violation("lost", f"{what}; it is {row.phase}, waits for {waits}: {row.status_message}")
