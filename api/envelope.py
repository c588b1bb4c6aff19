"""How replies look (X01): the documented keys at the top level, and four more that every reply carries.

Also how values are written: RFC 3339 UTC with Z (X32), ids as strings. Knows nothing of routes.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from pydantic_core import to_json
from starlette.background import BackgroundTask
from starlette.requests import HTTPConnection
from starlette.responses import Response

Headers = Mapping[str, str]


def stamp(moment: datetime | None) -> str | None:
    """RFC 3339 in UTC; milliseconds only where there are any."""
    if moment is None:
        return None
    utc = moment.astimezone(UTC)
    precision = "milliseconds" if utc.microsecond >= 1000 else "seconds"
    return utc.isoformat(timespec=precision).removesuffix("+00:00") + "Z"


def written(body: object) -> bytes:
    """JSON text of plain values."""
    return to_json(body)


def request_id(connection: HTTPConnection) -> str:
    return str(connection.scope.get("request_id", ""))


def sealed(connection: HTTPConnection, fragment: bytes, status: int, *, success: bool = True) -> bytes:
    """A JSON object's text with the envelope's keys added; the object may come from a cache."""
    envelope = {
        "success": success,
        "timestamp": stamp(datetime.now(UTC)),
        "statusCode": status,
        "request_id": request_id(connection),
    }
    head = fragment[:-1] + b"," if len(fragment) > 2 else b"{"
    return head + to_json(envelope)[1:]


def reply(
    connection: HTTPConnection,
    body: dict[str, object],
    status: int = 200,
    *,
    headers: Headers | None = None,
    background: BackgroundTask | None = None,
) -> Response:
    return rendered(connection, written(body), status, headers=headers, background=background)


def rendered(
    connection: HTTPConnection,
    fragment: bytes,
    status: int = 200,
    *,
    headers: Headers | None = None,
    background: BackgroundTask | None = None,
) -> Response:
    return Response(
        sealed(connection, fragment, status), status, headers, media_type="application/json", background=background
    )
