"""What every route may answer besides what it says itself: the API's own documentation, completed in one place.

A dependency says what it refuses with (`refuses`), and every route that depends on it, however deeply, answers that
too; a path's name may name nothing; a body may be too large, no JSON, or wrong; and the database may be away. Each of
these carries the one body of all errors (X02), every success the envelope (X01). Statuses of a handler's own stand at
its route, as `responses`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any, Literal, TypeVar

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from pydantic import BaseModel, ConfigDict

from api.errors import ErrorBody

_Called = TypeVar("_Called", bound=Callable[..., Any])
_SAID = "refuses_with"

_WHY = {
    400: "The body cannot be read as JSON",
    401: "Not signed in, or the session or key has ended",
    403: "This caller may not do that",
    404: "There is no such thing, or not for this caller",
    409: "It is not in a state that allows this, or it was asked with other content before",
    410: "It was shown before, or has expired",
    413: "The body is too large",
    415: "The body is not application/json",
    422: "A field is missing or wrong",
    429: "Too many requests; Retry-After says when",
    502: "The cloud refused or did not answer as it should",
    503: "A part this needs is away; Retry-After says when to try again",
}
_RETRY_AFTER = {"description": "Seconds", "schema": {"type": "integer", "minimum": 1}, "required": True}
_REQUEST_ID = {"description": "Names this request in logs", "schema": {"type": "string"}, "required": True}


class Reply(BaseModel):
    """What every success carries beside its own keys."""

    model_config = ConfigDict(extra="allow")

    success: Literal[True]
    timestamp: str
    statusCode: int
    request_id: str


def refuses(*statuses: int) -> Callable[[_Called], _Called]:
    """Marks a dependency with the statuses it may end a request with."""

    def marked(called: _Called) -> _Called:
        setattr(called, _SAID, frozenset(statuses))
        return called

    return marked


def also(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """`responses` of a route whose handler itself refuses with these."""
    return {status: {"description": _WHY[status]} for status in statuses}


class Documented(FastAPI):
    """An application whose OpenAPI document says of every route all that it may answer."""

    _completed: dict[str, Any] | None = None

    def openapi(self) -> dict[str, Any]:
        document = super().openapi()
        if document is not self._completed:
            _complete(document, self)
            self._completed = document
        return document


def statuses(route: RouteContext) -> set[int]:
    """What a route may refuse with, by what it depends on."""
    found = {503}
    dependants = list(_tree(route.dependant))
    for dependant in dependants:
        found |= getattr(dependant.call, _SAID, frozenset())
    if any(dependant.path_params for dependant in dependants):
        found.add(404)
    if any(d.path_params or d.query_params or d.header_params or d.body_params for d in dependants):
        found.add(422)
    if set(route.methods or ()) - {"GET", "HEAD"}:
        found |= {413, 415}
    if any(dependant.body_params for dependant in dependants):
        found.add(400)
    return found


def _tree(dependant: Dependant) -> Iterator[Dependant]:
    yield dependant
    for inner in dependant.dependencies:
        yield from _tree(inner)


def _complete(document: dict[str, Any], app: FastAPI) -> None:
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for model in (ErrorBody, Reply):
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= schema.pop("$defs", {}) | {model.__name__: schema}
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    for route in iter_route_contexts(app.routes):
        if isinstance(route.original_route, APIRoute) and route.include_in_schema:
            for method in route.methods or ():
                _answers(document["paths"][route.path_format][method.lower()], statuses(route))


def _answers(operation: dict[str, Any], refusals: set[int]) -> None:
    answers = operation["responses"]
    if 422 not in refusals:
        answers.pop("422", None)
    for status in refusals:
        said = answers.get(str(status), {})
        if status == 422 or not said:
            answers[str(status)] = {"description": _WHY[status]}
    for status, answer in answers.items():
        answer.setdefault("headers", {})["X-Request-ID"] = _REQUEST_ID
        if int(status) == HTTPStatus.TOO_MANY_REQUESTS:
            answer["headers"]["Retry-After"] = _RETRY_AFTER
        if int(status) >= HTTPStatus.BAD_REQUEST:
            answer.setdefault("content", {"application/json": {"schema": {"$ref": _ref(ErrorBody)}}})
        for kind, content in answer.get("content", {}).items():
            if kind == "application/json" and not content.get("schema"):
                content["schema"] = {"$ref": _ref(Reply)}
    operation["responses"] = dict(sorted(answers.items()))


def _ref(model: type[BaseModel]) -> str:
    return f"#/components/schemas/{model.__name__}"
