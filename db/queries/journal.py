"""The event streams of deployments and jobs: step events and log lines, in commit order, announced by NOTIFY.

Every writer first takes the subject's row (by adding to `position`), so positions are handed out in commit order.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from psycopg import AsyncConnection as Psycopg
from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import NoResultFound
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from db.models import Deployment, DeploymentEvent
from db.models_jobs import Job, JobEvent
from domain.journal import JournalBatch, StepEvent, SubjectKind
from domain.statuses import ENDED_PHASES, StepState


@dataclass(frozen=True)
class LogLine:
    line_no: int
    stream: str  # out | err | info
    message: str
    at: datetime


class _Stream(NamedTuple):
    """Where the events of one kind of subject lie, and the columns that only its row has."""

    row: type[Deployment] | type[Job]
    event: type[DeploymentEvent] | type[JobEvent]
    owner: str  # the event's column
    channel: str
    shown: dict[str, str]


CHANNEL = "deployment_events"
_STATUS = "cast(%(status)s as text)"
_STREAMS = {
    SubjectKind.DEPLOYMENT: _Stream(
        Deployment, DeploymentEvent, "deployment_id", CHANNEL,
        {"status": _STATUS, "access_url": "case when %(ended)s then null else d.access_url end"}),
    SubjectKind.JOB: _Stream(
        Job, JobEvent, "job_id", "job_events",
        {"status": f"case when {_STATUS} = 'RUNNING' and %(attention)s <> 'none' then 'WAITING' else {_STATUS} end",
         "attempts": "d.attempts + %(begun)s"}),
}  # fmt: skip


async def _positions(session: AsyncSession, stream: _Stream, owner: uuid.UUID, count: int) -> int:
    """Reserve `count` positions; returns the first. Holds the subject's row lock until the transaction ends."""
    last = (
        await session.execute(
            update(stream.row)
            .where(stream.row.id == owner)
            .values(position=stream.row.position + count)
            .returning(stream.row.position)
            .execution_options(synchronize_session=False)
        )
    ).scalar_one()
    return int(last) - count + 1


async def record(session: AsyncSession | AsyncConnection, batch: JournalBatch) -> None:
    """Write a run's step events once each, and let the newest projection win: one statement, prepared, one round trip.

    A retried local activity or a replayed batch finds its rows by (run_id, seq) and changes nothing. Within a run what
    is newer has the later task, or the same and the higher seq; a new run (a reset, a termination) starts over. What a
    later task notes takes the place of what a given-up one wrote: same number, new position, so that readers of the
    stream see it; what that one noted beyond it is removed.
    """
    if not batch.events:
        return
    shown = batch.projection.model_dump(mode="json")
    values = shown | {
        "deployment_id": uuid.UUID(batch.deployment_id),
        "count": len(batch.events),
        "events": json.dumps([_step_row(event) for event in batch.events], default=str),
        "family": batch.family,
        "run_id": batch.run_id,
        "task": batch.task,
        "seq": batch.events[-1].seq,
        "parked": json.dumps(shown["parked"]),
        "absence": json.dumps(shown["absence"]) if shown["absence"] else None,
        "ended": batch.projection.phase in ENDED_PHASES,
        "begun": sum(event.state == StepState.STARTED for event in batch.events),
        "channel": _STREAMS[batch.kind].channel,
        "topic": batch.deployment_id,
    }
    connection = session if isinstance(session, AsyncConnection) else await session.connection()
    driver: Psycopg | None = (await connection.get_raw_connection()).driver_connection
    assert driver is not None
    answer = await (await driver.execute(_RECORD[batch.kind], values, prepare=True)).fetchone()
    if answer is None:
        raise NoResultFound(f"no {batch.kind} {batch.deployment_id}")
    if answer[0]:  # seldom; and its own statement, because it must see what was committed while the first one waited
        await driver.execute(_FORGET[batch.kind], values)


# What a batch's projection writes where it is the newest; the casts also tell the server the parameters' types.
_SHOWN = {
    "run_id": "cast(%(run_id)s as text)", "task": "cast(%(task)s as bigint)", "seq": "cast(%(seq)s as bigint)",
    "phase": "cast(%(phase)s as text)", "attention": "cast(%(attention)s as text)",
    "status_message": "cast(%(status_message)s as text)", "error_code": "cast(%(error_code)s as text)",
    "error_message": "cast(%(error_message)s as text)", "parked": "cast(%(parked)s as jsonb)",
    "absence": "coalesce(cast(%(absence)s as jsonb), d.absence)",
    "ended_at": "case when %(ended)s then now() else d.ended_at end",
}  # fmt: skip
_NEWER = ("d.run_id is distinct from cast(%(run_id)s as text) "
          "or (d.task, d.seq) < (cast(%(task)s as bigint), cast(%(seq)s as bigint))")  # fmt: skip


def _statement(stream: _Stream) -> str:
    """The update takes the row before an event gets its position, and hands out the positions that the insert uses.

    `old` is the row as it is once nobody else holds it. Who was overtaken by a later task of the run writes nothing.
    """
    shown = (_SHOWN | stream.shown).items()
    return f"""
with old as (
  select id, run_id is not distinct from cast(%(run_id)s as text) as same, task, seq
    from {stream.row.__tablename__} where id = %(deployment_id)s for update
), taken as (
  update {stream.row.__tablename__} d
     set position = d.position + %(count)s, updated_at = now(),
         {", ".join(f"{name} = case when {_NEWER} then {value} else d.{name} end" for name, value in shown)}
    from old
   where d.id = old.id
  returning d.position, not (old.same and old.task > cast(%(task)s as bigint)) as heard,
            old.same and old.task < cast(%(task)s as bigint) and old.seq > cast(%(seq)s as bigint) as went_further
), written as (
  insert into {stream.event.__tablename__} as known
         ({stream.owner}, position, kind, family, run_id, task, seq, step, state, message, data, at)
  select %(deployment_id)s, taken.position - %(count)s + e.number, 'step', %(family)s, %(run_id)s, %(task)s,
         e.seq, e.step, e.state, e.message, e.data, e.at
    from taken,
         rows from (jsonb_to_recordset(cast(%(events)s as jsonb))
                    as (seq bigint, step text, state text, message text, data jsonb, at timestamptz))
         with ordinality as e(seq, step, state, message, data, at, number)
   where taken.heard
  on conflict (run_id, seq) where kind = 'step' do update
     set position = excluded.position, task = excluded.task, step = excluded.step, state = excluded.state,
         message = excluded.message, data = excluded.data, at = excluded.at
   where known.task < excluded.task
     and (known.step, known.state, known.message, known.data)
         is distinct from (excluded.step, excluded.state, excluded.message, excluded.data)
)
select went_further, pg_notify(%(channel)s, %(topic)s) from taken
"""  # noqa: S608 - constants of this module only


_RECORD = {kind: _statement(stream) for kind, stream in _STREAMS.items()}
_FORGET = {
    kind: f"""
delete from {stream.event.__tablename__}
 where run_id = %(run_id)s and kind = 'step' and seq > %(seq)s and task < %(task)s
"""  # noqa: S608 - as above
    for kind, stream in _STREAMS.items()
}


async def write_lines(
    session: AsyncSession,
    subject_id: str,
    *,
    kind: SubjectKind = SubjectKind.DEPLOYMENT,
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
    owner, stream = uuid.UUID(subject_id), _STREAMS[kind]
    first = await _positions(session, stream, owner, len(lines))
    await session.execute(
        insert(stream.event)
        .values(
            [
                {
                    stream.owner: owner,
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
    await session.execute(select(func.pg_notify(stream.channel, subject_id)))


def _step_row(event: StepEvent) -> dict[str, object]:
    return {
        "seq": event.seq,
        "step": event.step,
        "state": event.state,
        "message": _storable(event.message),
        "data": event.data,
        "at": event.at.isoformat(),
    }


def _storable(message: str) -> str:
    """PostgreSQL's text holds no NUL."""
    return message.replace("\x00", "\N{REPLACEMENT CHARACTER}")
