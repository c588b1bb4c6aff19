"""One line in the audit log around an act, whatever becomes of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import Request

from api.deps import Caller, actor
from api.errors import ApiError
from api.services import Services
from db.queries import audit


@asynccontextmanager
async def audited(
    held: Services, request: Request, principal: Caller, action: str, target: tuple[str, str], **details: object
) -> AsyncIterator[None]:
    """`target`: what kind of thing, and its id."""
    outcome = "ok"
    kind, ref = target
    try:
        yield
    except ApiError as error:
        outcome = "unavailable" if error.status >= 500 else "refused"
        details["code"] = error.code
        raise
    finally:
        async with held.db.begin() as session:
            await audit.record(session, actor(request, principal), action, kind, ref, outcome=outcome, **details)
