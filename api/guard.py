"""What is refused before any route sees it: bodies that are too large or not JSON. Plain ASGI; knows no route."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import ApiError, error_response
from domain.errors import ErrorCode

MAX_BODY_BYTES = 64 * 1024
# A payment service's message holds whole objects of theirs, with every line of an invoice.
LARGER = {"/api/webhooks/stripe": 1024 * 1024}


class _TooLarge(Exception):
    pass


class BodyGuard:
    def __init__(self, app: ASGIApp, *, limit: int = MAX_BODY_BYTES) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        limit = max(self._limit, LARGER.get(scope["path"], 0))
        refusal = self._refusal(headers, limit)
        if refusal is not None:
            await error_response(HTTPConnection(scope), refusal)(scope, receive, send)
            return
        seen = 0
        begun = False

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit:
                raise _TooLarge
            return message

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            # FastAPI answers 400 to whatever stops it from reading a body; the true reason is ours.
            if seen <= limit:
                await send(message)

        try:
            await self._app(scope, counted, watched)
        except _TooLarge:
            begun = True
        if begun and seen > limit:
            await error_response(HTTPConnection(scope), self._too_large(limit))(scope, receive, send)

    def _refusal(self, headers: Headers, limit: int) -> ApiError | None:
        length = headers.get("content-length", "")
        if length.isdigit() and int(length) > limit:
            return self._too_large(limit)
        if length in ("", "0") and "transfer-encoding" not in headers:
            return None
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
            return ApiError(
                ErrorCode.VALIDATION_ERROR, "The body must be sent as application/json.", status=415,
                field="Content-Type")  # fmt: skip
        return None

    def _too_large(self, limit: int) -> ApiError:
        return ApiError(ErrorCode.VALIDATION_ERROR, f"The body is larger than {limit // 1024} KiB.", status=413)
