"""Holds every answer that any API test gets to the API's own documentation: its status must stand there."""

from __future__ import annotations

from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.answers import Documented
from api.frame import route_of

_paths: dict[str, Any] = {}  # every application of a process has the same, and making them takes long


class HeldToItsWord:
    """The application, noting each answer whose status its OpenAPI document does not know."""

    def __init__(self, app: Documented) -> None:
        self._app: ASGIApp = app
        if not _paths:
            _paths.update(app.openapi()["paths"])
        self.undocumented: set[tuple[str, str, int]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._look(scope, message["status"])
            await send(message)

        await self._app(scope, receive, watched)

    def _look(self, scope: Scope, status: int) -> None:
        """A 500 is left to the test that provokes it; addresses outside the document have none."""
        method, path = scope["method"], route_of(scope)
        operation = _paths.get(path, {}).get(method.lower())
        if operation is not None and status != 500 and str(status) not in operation["responses"]:
            self.undocumented.add((method, path, status))
