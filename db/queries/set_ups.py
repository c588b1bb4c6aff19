"""The jobs that set servers of the house up: asked for, and found again when their start was lost."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession

from db.base import new_id
from db.models_hosting import Server
from db.models_jobs import Job
from domain import ids
from domain.house_servers import SetUpServerOrder
from domain.provisioning import RunPolicy
from domain.sales import JobType, ServerType


def order_of(job: Job, server: Server, policy: RunPolicy) -> SetUpServerOrder:
    return SetUpServerOrder(
        job_id=str(job.id), server_id=str(server.id), label=server.hostname, type=ServerType(server.type), policy=policy
    )


async def living(session: AsyncSession, server_id: uuid.UUID) -> Job | None:
    """The set-up that is under way."""
    query = select(Job).where(Job.server_id == server_id, Job.ended_at.is_(None))
    return (await session.execute(query)).scalar_one_or_none()


async def newest(session: AsyncSession, server_ids: list[uuid.UUID]) -> dict[uuid.UUID, Job]:
    """Each server's last set-up."""
    query = (
        select(Job)
        .where(Job.server_id.in_(server_ids))
        .order_by(Job.server_id, Job.created_at.desc(), Job.id.desc())
        .ext(distinct_on(Job.server_id))
    )
    return {job.server_id: job for job in (await session.execute(query)).scalars() if job.server_id is not None}


async def ask(session: AsyncSession, server: Server, requested_by: str) -> Job:
    """The set-up that is under way, or a new one. The caller holds the server's row."""
    found = await living(session, server.id)
    if found is not None:
        return found
    job_id = new_id()
    job = Job(
        id=job_id, type=JobType.SET_UP_SERVER, server_id=server.id, workflow_id=ids.change_workflow_id(str(job_id)),
        requested_by=requested_by, payload={"hostname": server.hostname, "type": server.type},
    )  # fmt: skip
    session.add(job)
    await session.flush()
    return job


async def unstarted(session: AsyncSession, before: datetime, limit: int, policy: RunPolicy) -> list[SetUpServerOrder]:
    query = (
        select(Job, Server)
        .join(Server, Server.id == Job.server_id)
        .where(Job.type == JobType.SET_UP_SERVER, Job.started_at.is_(None), Job.parent_id.is_(None))
        .where(Job.created_at < before)
        .order_by(Job.created_at)
        .limit(limit)
    )
    return [order_of(job, server, policy) for job, server in await session.execute(query)]
