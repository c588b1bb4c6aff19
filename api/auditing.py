"""One line in the audit log around an act, whatever becomes of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request

from api.deps import Caller, actor
from api.errors import ApiError
from api.services import Services
from db.queries import audit
from domain.errors import ErrorCode


@asynccontextmanager
async def audited(
    held: Services, request: Request, principal: Caller, action: str, target: tuple[str, str], **details: object
) -> AsyncIterator[None]:
    """For what happens outside our rows: a run that is spoken to, a cloud. `target`: what kind of thing, and its id."""
    async with _unsuccessful(held, request, principal, action, target, details):
        yield
    kind, ref = target
    async with held.db.begin() as session:
        await audit.record(session, actor(request, principal), action, kind, ref, outcome="ok", **details)


@asynccontextmanager
async def audited_change(
    held: Services, request: Request, principal: Caller, action: str, target: tuple[str, str], **details: object
) -> AsyncIterator[AsyncSession]:
    """For a change of rows: the change and its line are one transaction. `target` as above."""
    kind, ref = target
    async with _unsuccessful(held, request, principal, action, target, details), held.db.begin() as session:
        yield session
        await audit.record(session, actor(request, principal), action, kind, ref, outcome="ok", **details)


@asynccontextmanager
async def _unsuccessful(
    held: Services,
    request: Request,
    principal: Caller,
    action: str,
    target: tuple[str, str],
    details: dict[str, object],
) -> AsyncIterator[None]:
    try:
        yield
    except Exception as error:
        status, code = (error.status, error.code) if isinstance(error, ApiError) else (500, ErrorCode.UNKNOWN_ERROR)
        outcome = "unavailable" if status >= 500 else "refused"
        kind, ref = target
        async with held.db.begin() as session:
            await audit.record(session, actor(request, principal), action, kind, ref, outcome=outcome,
                               **(details | {"code": code}))  # fmt: skip
        raise
