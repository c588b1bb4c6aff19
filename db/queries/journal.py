"""The event stream of a deployment: step events and log lines, in commit order, announced by NOTIFY.

Every writer first takes the deployment's row (by adding to `position`), so positions are handed out in commit order.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from db.models import Deployment, DeploymentEvent
from domain.journal import JournalBatch, Projection, StepEvent
from domain.statuses import ENDED_PHASES

CHANNEL = "deployment_events"


@dataclass(frozen=True)
class LogLine:
    line_no: int
    stream: str  # out | err | info
    message: str
    at: datetime


async def _positions(session: AsyncSession, deployment_id: uuid.UUID, count: int) -> int:
    """Reserve `count` positions; returns the first. Holds the deployment's row lock until the transaction ends."""
    last = (
        await session.execute(
            update(Deployment)
            .where(Deployment.id == deployment_id)
            .values(position=Deployment.position + count)
            .returning(Deployment.position)
            .execution_options(synchronize_session=False)
        )
    ).scalar_one()
    return int(last) - count + 1


async def _announce(session: AsyncSession, deployment_id: uuid.UUID) -> None:
    await session.execute(select(func.pg_notify(CHANNEL, str(deployment_id))))


async def record(session: AsyncSession, batch: JournalBatch) -> None:
    """Write a run's step events once each, and let the newest projection win.

    A retried local activity or a replayed batch finds its rows by (run_id, seq) and changes nothing. The projection is
    guarded by seq within a run; a new run (a reset, a termination) starts over.
    """
    deployment_id = uuid.UUID(batch.deployment_id)
    if not batch.events:
        return
    first = await _positions(session, deployment_id, len(batch.events))
    await session.execute(
        insert(DeploymentEvent)
        .values([_step_row(deployment_id, batch, event, first + n) for n, event in enumerate(batch.events)])
        .on_conflict_do_nothing(index_elements=["run_id", "seq"], index_where=text("kind = 'step'"))
    )
    newest = batch.events[-1].seq
    changes = _columns(batch.projection)
    changes |= {"run_id": batch.run_id, "seq": newest, "updated_at": func.now()}
    await session.execute(
        update(Deployment)
        .where(Deployment.id == deployment_id)
        .where((Deployment.run_id.is_distinct_from(batch.run_id)) | (Deployment.seq < newest))
        .values(**changes)
        .execution_options(synchronize_session=False)
    )
    await _announce(session, deployment_id)


async def write_lines(
    session: AsyncSession,
    deployment_id: str,
    *,
    run_id: str,
    family: str,
    activity_id: str,
    attempt: int,
    step: str,
    lines: Sequence[LogLine],
) -> None:
    """Append what an activity said; repeated delivery of the same lines changes nothing."""
    if not lines:
        return
    owner = uuid.UUID(deployment_id)
    first = await _positions(session, owner, len(lines))
    await session.execute(
        insert(DeploymentEvent)
        .values(
            [
                {
                    "deployment_id": owner,
                    "position": first + n,
                    "kind": "log",
                    "family": family,
                    "run_id": run_id,
                    "activity_id": activity_id,
                    "attempt": attempt,
                    "line_no": line.line_no,
                    "step": step,
                    "state": line.stream,
                    "message": _storable(line.message),
                    "data": {},
                    "at": line.at,
                }
                for n, line in enumerate(lines)
            ]
        )
        .on_conflict_do_nothing(
            index_elements=["run_id", "activity_id", "attempt", "line_no"], index_where=text("kind = 'log'")
        )
    )
    await _announce(session, owner)


def _step_row(deployment_id: uuid.UUID, batch: JournalBatch, event: StepEvent, position: int) -> dict[str, Any]:
    return {
        "deployment_id": deployment_id,
        "position": position,
        "kind": "step",
        "family": batch.family,
        "run_id": batch.run_id,
        "seq": event.seq,
        "step": event.step,
        "state": event.state,
        "message": _storable(event.message),
        "data": json.loads(json.dumps(event.data, default=str)),
        "at": event.at,
    }


def _columns(projection: Projection) -> dict[str, Any]:
    values = projection.model_dump(mode="json")
    if projection.phase in ENDED_PHASES:
        values["ended_at"] = func.now()
    return values


def _storable(message: str) -> str:
    """PostgreSQL's text holds no NUL."""
    return message.replace("\x00", "\N{REPLACEMENT CHARACTER}")
