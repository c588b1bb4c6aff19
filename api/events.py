"""GET …/events: a deployment's story as server-sent events, resumed by position: nothing skipped, nothing repeated.

Events: `step` and `log` (with id: position), `status` (the status without its log, when the row changed), `end`.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from api.answers import also
from api.deps import Held, charge_principal, people_only, principal_of, settled, unauthenticated
from api.envelope import written
from api.errors import ApiError
from api.instances import visible_row
from api.services import Principal, Services
from api.statusview import Row, view_of
from api.story import is_done, line, step_event
from db.queries.status import events_after, row_of
from db.queries.users import principal_row
from domain.errors import ErrorCode

router = APIRouter(prefix="/api/portal/instances", tags=["instances"])

MAX_STREAMS = 20  # open at once, per principal and process
HEARTBEAT_SECONDS = 15.0
SESSION_CHECK_SECONDS = 30.0
BATCH = 500

_HEADERS = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}
# Every line of a log moves these; a status event is for what else changed.
_RESTLESS = ("position", "updated_at")


@router.get(
    "/{deployment_id}/events",
    response_class=Response,
    responses={200: {"content": {"text/event-stream": {}}}, **also(401, 403, 429)},
)
async def events(
    request: Request,
    deployment_id: str,
    held: Held,
    after: Annotated[int, Query(ge=0, description="Only events behind this position")] = 0,
    access_token: Annotated[str | None, Query(description="For EventSource, which can send no header")] = None,
) -> Response:
    """Goes on until the run is over (event `end`), the session ends, or the client leaves."""
    await people_only(request)
    header = request.headers.get("authorization", "").partition(" ")
    token = header[2].strip() if header[0].lower() == "bearer" else access_token
    if not token:
        raise unauthenticated(request, "Sign in first: send the access token as Authorization: Bearer …")
    principal = settled(await principal_of(request, token))
    charge_principal(request, principal)
    ref, _ = await visible_row(held, principal, deployment_id)
    if held.streams.get(principal.key, 0) >= MAX_STREAMS:
        raise ApiError(
            ErrorCode.RATE_LIMIT_EXCEEDED,
            f"{MAX_STREAMS} event streams are open already; close one first.",
            headers={"Retry-After": "5"},
        )
    resumed = request.headers.get("last-event-id", "")
    position = int(resumed) if resumed.isdecimal() and len(resumed) < 19 else after
    return StreamingResponse(
        _counted(held, principal, _stream(held, principal, ref, position)),
        media_type="text/event-stream",
        headers=_HEADERS,
    )


async def _counted(held: Services, principal: Principal, stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    held.streams[principal.key] = held.streams.get(principal.key, 0) + 1
    held.metrics.streams.inc()
    try:
        async for chunk in stream:
            yield chunk
    finally:
        held.metrics.streams.dec()
        held.streams[principal.key] -= 1
        if not held.streams[principal.key]:
            del held.streams[principal.key]


async def _stream(held: Services, principal: Principal, ref: uuid.UUID, position: int) -> AsyncIterator[bytes]:
    yield b"retry: 2000\n\n"
    shown: Row | None = None
    checked = time.monotonic()
    with held.feed.subscribed(ref) as news:
        while not held.feed.closing.is_set():
            news.clear()
            # The row first: whatever its position covers is then surely among the events read behind it.
            row = await row_of(held.reader, ref)
            if row is None:
                return
            while batch := await events_after(held.reader, ref, position, limit=BATCH):
                position = batch[-1]["position"]
                yield b"".join(_event(event) for event in batch)
            calm = {name: value for name, value in row.items() if name not in _RESTLESS}
            if calm != shown:
                shown = calm
                view = await view_of(held.reader, held.statuses, held.settings, row)
                yield _framed("status", view.head)
            if is_done(row):
                yield _framed("end", written({"status": row["status"], "phase": row["phase"], "position": position}))
                return
            while not (woken := await _woken(news)) or time.monotonic() - checked > SESSION_CHECK_SECONDS:
                checked = time.monotonic()
                living = await principal_row(held.reader, principal.id, principal.family_id)
                if living is None or not living["alive"]:
                    return
                if woken:
                    break
                yield b": \n\n"


async def _woken(news: asyncio.Event) -> bool:
    try:
        await asyncio.wait_for(news.wait(), HEARTBEAT_SECONDS)
    except TimeoutError:
        return False
    return True


def _event(event: Row) -> bytes:
    kind = event["kind"]
    data = written(step_event(event) if kind == "step" else line(event))
    return b"id: %d\n%s" % (event["position"], _framed(kind, data))


def _framed(kind: str, data: bytes) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (kind.encode(), data)
