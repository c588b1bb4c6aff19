"""The event stream: each event once, in commit order, with the newest picture on the row."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from sqlalchemy import select

from db.models import Deployment, DeploymentEvent
from db.queries.journal import LogLine, record, write_lines
from db.session import Database
from domain.journal import JournalBatch, Projection, StepEvent
from domain.provisioning import Absence, AbsenceReport
from tests.db.conftest import MakeDeployment


def batch(deployment: Deployment, *seqs: int, status: str = "provisioning", run_id: str = "",
          phase: str = "running", task: int = 3, says: str = "m") -> JournalBatch:  # fmt: skip
    events = [StepEvent(seq=n, step="reserve", state="note", message=f"{says}{n}", at=datetime.now(UTC)) for n in seqs]
    return JournalBatch(
        deployment_id=str(deployment.id), run_id=run_id or f"run of {deployment.id}", family="provisioning", task=task,
        events=events,
        projection=Projection(status=status, phase=phase, attention="none", status_message=f"at {seqs[-1]}"),
    )  # fmt: skip


async def write(db: Database, made: JournalBatch) -> None:
    async with db.begin() as session:
        await record(session, made)


async def messages(db: Database, deployment: Deployment, after: int = 0) -> list[str]:
    async with db.begin() as session:
        rows = await session.execute(
            select(DeploymentEvent.message)
            .where(DeploymentEvent.deployment_id == deployment.id, DeploymentEvent.position > after)
            .order_by(DeploymentEvent.position)
        )
        return list(rows.scalars())


async def row(db: Database, deployment: Deployment) -> Deployment:
    async with db.begin() as session:
        return await session.get_one(Deployment, deployment.id)


async def test_a_batch_written_twice_leaves_one_row_an_event(db: Database, make_deployment: MakeDeployment) -> None:
    deployment = await make_deployment("twice")
    for _ in range(2):
        await write(db, batch(deployment, 1, 2, 3))
    assert await messages(db, deployment) == ["m1", "m2", "m3"]


async def test_an_older_batch_never_replaces_a_newer_picture(db: Database, make_deployment: MakeDeployment) -> None:
    deployment = await make_deployment("older")
    await write(db, batch(deployment, 3, 4, status="active"))
    await write(db, batch(deployment, 1, 2, status="deploying"))
    found = await row(db, deployment)
    assert (found.status, found.seq, found.status_message) == ("active", 4, "at 4")


class TestGivenUpTasks:
    """A task that wrote rows and was given up is done again later, and perhaps otherwise."""

    async def test_what_it_wrote_yields_to_the_task_in_its_place(
        self, db: Database, make_deployment: MakeDeployment
    ) -> None:
        deployment = await make_deployment("givenup")
        await write(db, batch(deployment, 1, 2))
        await write(db, batch(deployment, 3, 4, 5, task=7, status="active", phase="active", says="never "))
        await write(db, batch(deployment, 3, task=11, phase="rolling_back", says="now "))
        assert await messages(db, deployment) == ["m1", "m2", "now 3"]
        found = await row(db, deployment)
        assert (found.phase, found.seq, found.task, found.status_message) == ("rolling_back", 3, 11, "at 3")
        await write(db, batch(deployment, 4, task=15, says="now "))
        assert await messages(db, deployment) == ["m1", "m2", "now 3", "now 4"]

    async def test_readers_of_the_stream_hear_what_took_its_place(
        self, db: Database, make_deployment: MakeDeployment
    ) -> None:
        deployment = await make_deployment("heard")
        await write(db, batch(deployment, 1, 2))
        seen = (await row(db, deployment)).position
        await write(db, batch(deployment, 1, 2, task=7, says="now "))
        assert await messages(db, deployment, after=seen) == ["now 1", "now 2"]

    async def test_what_is_told_again_stays_where_it_is(self, db: Database, make_deployment: MakeDeployment) -> None:
        deployment = await make_deployment("same")
        await write(db, batch(deployment, 1, 2))
        seen = (await row(db, deployment)).position
        await write(db, batch(deployment, 1, 2, 3, task=7))
        assert await messages(db, deployment, after=seen) == ["m3"]

    async def test_it_writes_nothing_any_more_once_its_successor_has(
        self, db: Database, make_deployment: MakeDeployment
    ) -> None:
        """Its worker may be slow, not dead."""
        deployment = await make_deployment("slow")
        await write(db, batch(deployment, 1, task=11, phase="rolling_back"))
        await write(db, batch(deployment, 1, 2, 3, task=7, status="active", phase="active", says="never "))
        assert await messages(db, deployment) == ["m1"]
        assert (await row(db, deployment)).phase == "rolling_back"

    async def test_it_writes_nothing_where_its_successor_is_just_writing(
        self, db: Database, make_deployment: MakeDeployment
    ) -> None:
        deployment = await make_deployment("race")
        async with db.begin() as session:
            await record(session, batch(deployment, 1, task=11, phase="rolling_back"))
            late = asyncio.create_task(write(db, batch(deployment, 1, 2, task=7, phase="active", says="never ")))
            await asyncio.sleep(0.3)
        await late
        assert await messages(db, deployment) == ["m1"]
        assert (await row(db, deployment)).phase == "rolling_back"

    async def test_what_it_is_just_writing_yields_too(self, db: Database, make_deployment: MakeDeployment) -> None:
        deployment = await make_deployment("race2")
        async with db.begin() as session:
            await record(session, batch(deployment, 1, 2, task=7, phase="active", says="never "))
            later = asyncio.create_task(write(db, batch(deployment, 1, task=11, phase="rolling_back")))
            await asyncio.sleep(0.3)
        await later
        assert await messages(db, deployment) == ["m1"]
        assert (await row(db, deployment)).phase == "rolling_back"


async def test_a_new_run_takes_the_row_over(db: Database, make_deployment: MakeDeployment) -> None:
    deployment = await make_deployment("newrun")
    await write(db, batch(deployment, 9, status="active"))
    await write(db, batch(deployment, 1, status="active", run_id="run-2", phase="terminated"))
    found = await row(db, deployment)
    assert (found.run_id, found.seq, found.phase) == ("run-2", 1, "terminated")
    assert found.ended_at is not None


async def test_the_end_and_the_proofs_of_absence_are_there_together(
    db: Database, make_deployment: MakeDeployment
) -> None:
    deployment = await make_deployment("ended")
    ended = batch(deployment, 1, status="active", phase="terminated")
    proof = Absence(what="server", evidence="404", at=datetime.now(UTC))
    ended.projection.absence = AbsenceReport(proofs=[proof])
    await write(db, ended)
    await write(db, batch(deployment, 2, status="active", phase="terminated"))
    found = await row(db, deployment)
    assert found.absence is not None
    assert [one["evidence"] for one in found.absence["proofs"]] == ["404"]
    assert found.access_url is None


async def test_positions_follow_commits_when_many_write_at_once(db: Database, make_deployment: MakeDeployment) -> None:
    """A reader that remembers the highest position it saw must never miss an event that commits later."""
    deployment = await make_deployment("busy")
    done = asyncio.Event()
    seen: list[int] = []

    async def read() -> None:
        last = 0
        while True:
            finished = done.is_set()
            async with db.begin() as session:
                rows = await session.execute(
                    select(DeploymentEvent.position)
                    .where(DeploymentEvent.deployment_id == deployment.id, DeploymentEvent.position > last)
                    .order_by(DeploymentEvent.position)
                )
                fresh = list(rows.scalars())
            if fresh:
                seen.extend(fresh)
                last = fresh[-1]
            elif finished:
                return

    async def write_some(attempt: int) -> None:
        for line_no in range(1, 11):
            async with db.begin() as session:
                await write_lines(
                    session, str(deployment.id), run_id="r", family="provisioning", activity_id="1", attempt=attempt,
                    step="reserve", lines=[LogLine(line_no, "info", "x", datetime.now(UTC))],
                )  # fmt: skip

    reader = asyncio.create_task(read())
    await asyncio.gather(*(write_some(attempt) for attempt in range(1, 9)))
    done.set()
    await reader
    assert len(seen) == 80
    assert len(set(seen)) == 80


async def test_lines_delivered_twice_are_kept_once(db: Database, make_deployment: MakeDeployment) -> None:
    deployment = await make_deployment("lines")
    lines = [LogLine(n, "out", f"line {n}\x00", datetime.now(UTC)) for n in (1, 2)]
    for _ in range(2):
        async with db.begin() as session:
            await write_lines(session, str(deployment.id), run_id="r", family="provisioning", activity_id="5",
                              attempt=1, step="set_up_server", lines=lines)  # fmt: skip
    assert await messages(db, deployment) == ["line 1\ufffd", "line 2\ufffd"]
