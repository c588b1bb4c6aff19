"""A cloud's official specification as a judge, in front of its emulator: it sees every call, whoever makes it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from openapi_core import OpenAPI
from openapi_core.datatypes import RequestParameters
from openapi_core.templating.paths.exceptions import PathError
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from werkzeug.datastructures import Headers, ImmutableMultiDict

SPECS = Path(__file__).parents[2] / "specs"


@cache
def specification(name: str) -> OpenAPI:
    text = (SPECS / f"{name}.yaml").read_text()
    found: dict[str, Any] = yaml.load(text, Loader=yaml.CSafeLoader)
    for operations in found["paths"].values():
        for operation in operations.values():
            if isinstance(operation, dict) and "requestBody" in operation and "content" in operation["requestBody"]:
                kind = operation["requestBody"]["content"]["application/json"]
                kind["schema"] = one_of_many(kind["schema"])
    return OpenAPI.from_dict(found)


def one_of_many(schema: dict[str, Any]) -> dict[str, Any]:
    """An `allOf` of objects as one. Where one of them is closed, as Linode's are, nothing could fit all of them."""
    parts = schema.get("allOf", [])
    if not any(part.get("additionalProperties") is False for part in parts):
        return schema
    members = {name: member for part in parts for name, member in part["properties"].items()}
    required = [name for part in (schema, *parts) for name in part.get("required", [])]
    return {"type": "object", "properties": members, "required": required, "additionalProperties": False}


class Asked:
    """A request in openapi-core's terms, as if it had gone to the real cloud."""

    def __init__(self, host: str, scope: Scope, body: bytes) -> None:
        # Linode's X-Filter is JSON in a header, which the specification calls an object and openapi-core does not read.
        headers = [(name.decode(), value.decode()) for name, value in scope["headers"] if name.lower() != b"x-filter"]
        query = [part.partition("=") for part in scope["query_string"].decode().split("&") if part]
        self.host_url = host
        self.path = scope["raw_path"].decode()
        self.method = scope["method"].lower()
        self.body = body or None
        self.content_type = dict(headers).get("content-type", "application/json")
        self.parameters = RequestParameters(
            query=ImmutableMultiDict([(name, value) for name, _, value in query]), header=Headers(headers)
        )


class Answered:
    def __init__(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        self.status_code = status
        self.data = body
        self.headers = Headers([(name.decode(), value.decode()) for name, value in headers])
        self.content_type = self.headers.get("content-type", "application/json").partition(";")[0]


class Judged:
    """An emulator whose calls are judged. `requests` holds what violated the specification on the way in."""

    def __init__(self, app: ASGIApp, host: str, *, requests: str, answers: str) -> None:
        self._app = app
        self._host = host
        self._specs = requests, answers
        self.calls: set[tuple[str, str, int]] = set()
        self.requests: list[str] = []
        self.answers: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/_sandbox/"):
            await self._app(scope, receive, send)
            return
        asked: list[bytes] = []
        told: list[Message] = []

        async def hearing() -> Message:
            message = await receive()
            asked.append(message.get("body", b""))
            return message

        async def telling(message: Message) -> None:
            told.append(message)
            await send(message)

        # A connection is cut by way of who receives from it.
        hearing.__self__ = receive.__self__  # type: ignore[attr-defined]
        await self._app(scope, hearing, telling)
        if not told:
            return
        status, headers = told[0]["status"], told[0]["headers"]
        self.calls.add((scope["method"], scope["path"], status))
        answered = Answered(status, headers, b"".join(part.get("body", b"") for part in told[1:]))
        request = Asked(self._host, scope, b"".join(asked))
        what = f"{request.method} {request.path} {status}"
        if status < 400:
            self.requests += self._violations(what, lambda: specification(self._specs[0]).validate_request(request))
        self.answers += self._violations(
            what, lambda: specification(self._specs[1]).validate_response(request, answered)
        )

    def _violations(self, what: str, judge: Callable[[], None]) -> list[str]:
        try:
            judge()
        except PathError as error:
            # Of a call that no specification knows, a refusal is the right answer.
            return [] if what.endswith((" 404", " 405")) else [f"{what}: {error}"]
        except Exception as error:
            cause = error.__cause__ or error
            details = getattr(cause, "schema_errors", None) or [cause]
            return [f"{what}: {type(error).__name__}: {str(detail)[:600]}" for detail in details]
        return []
