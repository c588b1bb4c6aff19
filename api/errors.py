"""What goes wrong, as a client sees it (X02): one body for every error, whatever found it.

`{success:false, error, message (the same), code, field?, provider?, details?, timestamp, statusCode, request_id}`.
Texts never repeat what was sent: it may have been a password.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, cast

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from psycopg import InterfaceError, OperationalError
from pydantic import BaseModel, ConfigDict
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from api.envelope import sealed, written
from api.examples import ERROR
from domain.errors import ErrorCode

log = logging.getLogger("slipway.api")

STATUS: dict[ErrorCode, int] = {
    ErrorCode.VALIDATION_ERROR: 422,
    ErrorCode.UNAUTHENTICATED: 401,
    ErrorCode.INVALID_CREDENTIALS: 401,
    ErrorCode.FORBIDDEN: 403,
    ErrorCode.NOT_FOUND: 404,
    ErrorCode.PROVIDER_NOT_FOUND: 404,
    ErrorCode.CONFLICT: 409,
    ErrorCode.PROVIDER_INACTIVE: 409,
    ErrorCode.MISSING_CREDENTIALS: 409,
    ErrorCode.IDEMPOTENCY_MISMATCH: 409,
    ErrorCode.INSUFFICIENT_RESOURCES: 409,
    ErrorCode.RATE_LIMIT_EXCEEDED: 429,
    ErrorCode.UNKNOWN_ERROR: 500,
    ErrorCode.API_ERROR: 502,
}

# What Starlette and FastAPI raise by themselves.
_PLAIN: dict[int, tuple[ErrorCode, str]] = {
    400: (ErrorCode.VALIDATION_ERROR, "The body cannot be read as JSON."),
    404: (ErrorCode.NOT_FOUND, "There is nothing at this address."),
    405: (ErrorCode.INVALID_ACTION, "This method is not offered at this address; see the Allow header."),
    413: (ErrorCode.VALIDATION_ERROR, "The body is too large."),
}


class ErrorBody(BaseModel):
    """Every error, from whichever route."""

    model_config = ConfigDict(json_schema_extra={"example": ERROR})

    success: Literal[False]
    error: str
    message: str  # the same text
    code: ErrorCode
    field: str | None = None
    provider: str | None = None
    details: list[dict[str, str]] | None = None  # where several fields are wrong: field and message of each
    timestamp: datetime
    statusCode: int
    request_id: str


class ApiError(Exception):
    """Raised anywhere in a request; the status follows from the code unless given."""

    def __init__(
        self,
        code: ErrorCode,
        message: str,
        *,
        status: int | None = None,
        field: str | None = None,
        provider: str | None = None,
        details: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status or STATUS.get(code, 400)
        self.field = field
        self.provider = provider
        self.details = details
        self.headers = headers


def error_response(connection: HTTPConnection, error: ApiError) -> Response:
    body: dict[str, object] = {"error": error.message, "message": error.message, "code": error.code}
    optional = {"field": error.field, "provider": error.provider, "details": error.details}
    body |= {name: value for name, value in optional.items() if value is not None}
    text = sealed(connection, written(body), error.status, success=False)
    return Response(text, error.status, error.headers, media_type="application/json")


def not_found(what: str, ref: object) -> ApiError:
    return ApiError(ErrorCode.NOT_FOUND, f"There is no {what} {str(ref)[:64]!r}.")


def unavailable(message: str) -> ApiError:
    return ApiError(ErrorCode.API_ERROR, message, status=503, headers={"Retry-After": "5"})


def _sentence(problem: Mapping[str, Any], field: str) -> str:
    match problem["type"]:
        case "json_invalid":
            return "The body is not valid JSON."
        case "missing":
            return f"{field} is required." if field else "A JSON object is required as the body."
        case "extra_forbidden":
            return f"{field} is not a known field."
        case "model_attributes_type":
            return "A JSON object is required as the body."
    text = str(problem["msg"]).removeprefix("Value error, ")
    if not field:
        return text.rstrip(".") + "."
    if text.startswith(field):
        return text
    return f"{field}: {text[0].lower()}{text[1:]}".rstrip(".") + "."


def from_validation(error: RequestValidationError) -> ApiError:
    problems = []
    for problem in error.errors():
        malformed = problem["type"] == "json_invalid"
        # loc is ("body"|"query"|"path"|"header", name, …); positions in a broken text name no field.
        field = "" if malformed else ".".join(str(part) for part in problem["loc"][1:])
        problems.append({"field": field, "message": _sentence(problem, field), "malformed": malformed})
    first = problems[0]
    return ApiError(
        ErrorCode.VALIDATION_ERROR,
        str(first["message"]),
        status=400 if first["malformed"] else 422,
        field=str(first["field"]) or None,
        details=[{"field": p["field"], "message": p["message"]} for p in problems] if len(problems) > 1 else None,
    )


def from_http(error: HTTPException) -> ApiError:
    code, message = _PLAIN.get(error.status_code, (ErrorCode.UNKNOWN_ERROR, str(error.detail)))
    return ApiError(code, message, status=error.status_code, headers=error.headers)


def install(app: FastAPI) -> None:
    async def api_error(request: Request, error: Exception) -> Response:
        return error_response(request, cast(ApiError, error))

    async def validation_error(request: Request, error: Exception) -> Response:
        return error_response(request, from_validation(cast(RequestValidationError, error)))

    async def http_error(request: Request, error: Exception) -> Response:
        return error_response(request, from_http(cast(HTTPException, error)))

    async def database_error(request: Request, error: Exception) -> Response:
        if isinstance(error, DBAPIError) and not isinstance(error.orig, OperationalError | InterfaceError):
            raise error
        log.error("database unreachable", extra={"error_type": type(error).__name__})
        return error_response(request, unavailable("The database cannot be reached at the moment; try again shortly."))

    app.add_exception_handler(ApiError, api_error)
    app.add_exception_handler(RequestValidationError, validation_error)
    app.add_exception_handler(HTTPException, http_error)
    for outage in (DBAPIError, PoolExhausted, OperationalError):
        app.add_exception_handler(outage, database_error)


def unknown() -> ApiError:
    return ApiError(ErrorCode.UNKNOWN_ERROR, "Something unexpected happened; the request id finds it in the log.")
