"""The way from a request to Temporal: connected on first use, every call bounded, every refusal an ApiError.

The API starts and serves reads while Temporal is away. Knows no workflow by type.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta

from temporalio.client import (
    Client,
    RPCTimeoutOrCancelledError,
    WorkflowFailureError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.exceptions import ApplicationError
from temporalio.exceptions import TimeoutError as ActivityTimeout
from temporalio.service import RPCError, RPCStatusCode

from api.errors import ApiError, unavailable
from domain.errors import ErrorCode, Trouble

CALL_SECONDS = 5

_CODES: Mapping[str, ErrorCode] = {
    "InvalidState": ErrorCode.CONFLICT,
    "InvalidChange": ErrorCode.VALIDATION_ERROR,
    Trouble.INVALID_INPUT: ErrorCode.VALIDATION_ERROR,
    Trouble.NO_CAPACITY: ErrorCode.INSUFFICIENT_RESOURCES,
    Trouble.QUOTA_EXCEEDED: ErrorCode.INSUFFICIENT_RESOURCES,
    Trouble.CONFLICT: ErrorCode.CONFLICT,
    Trouble.PROVIDER_INACTIVE: ErrorCode.PROVIDER_INACTIVE,
    Trouble.UNAUTHORIZED: ErrorCode.API_ERROR,
    Trouble.RATE_LIMITED: ErrorCode.API_ERROR,
    Trouble.TRANSIENT: ErrorCode.API_ERROR,
}
# Of accounts that cannot be used; what else may be missing is nobody's business but an operator's.
_ACCOUNT_CODES = (ErrorCode.PROVIDER_NOT_FOUND, ErrorCode.MISSING_CREDENTIALS)


class TemporalLink:
    """`connect` makes a client; a given client is used as it is."""

    def __init__(self, connect: Callable[[], Awaitable[Client]], client: Client | None = None) -> None:
        self._connect = connect
        self._client = client
        self._lock = asyncio.Lock()

    async def client(self) -> Client:
        if self._client is None:
            async with self._lock:
                if self._client is None:
                    try:
                        self._client = await asyncio.wait_for(self._connect(), CALL_SECONDS)
                    except (RuntimeError, OSError, TimeoutError, RPCError):
                        raise unavailable("Temporal cannot be reached at the moment; try again shortly.") from None
        return self._client

    async def healthy(self) -> bool:
        try:
            client = await self.client()
            return await client.service_client.check_health(timeout=timedelta(seconds=2))
        except (ApiError, RPCError, RuntimeError, OSError):
            return False


@asynccontextmanager
async def answered(*, seconds: float = CALL_SECONDS, provider: str | None = None) -> AsyncIterator[None]:
    """Around one call to Temporal: what the server, a workflow or silence say becomes an answer for the client."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except (WorkflowUpdateFailedError, WorkflowFailureError) as error:
        raise _from_failure(error.cause, provider) from None
    except (WorkflowUpdateRPCTimeoutOrCancelledError, RPCTimeoutOrCancelledError, TimeoutError):
        raise _nobody_answers() from None
    except RPCError as error:
        match error.status:
            case RPCStatusCode.NOT_FOUND:
                raise ApiError(
                    ErrorCode.CONFLICT, "No run of this deployment is under way; it has ended or has not started yet."
                ) from None
            case RPCStatusCode.DEADLINE_EXCEEDED | RPCStatusCode.CANCELLED:
                raise _nobody_answers() from None
        raise unavailable("Temporal cannot be reached at the moment; try again shortly.") from None
    except (RuntimeError, OSError):
        raise unavailable("Temporal cannot be reached at the moment; try again shortly.") from None


def _nobody_answers() -> ApiError:
    return unavailable(
        "No worker answered in time. The request may still be carried out; repeat it with the same Idempotency-Key."
    )


def _from_failure(error: BaseException | None, provider: str | None) -> ApiError:
    """The innermost ApplicationError's type decides; its text was written for operators and holds no secret."""
    found: ApplicationError | None = None
    late = False
    while error is not None:
        late = late or isinstance(error, ActivityTimeout)
        if isinstance(error, ApplicationError):
            found = error
        error = error.__cause__
    if found is None:
        message = "The cloud did not answer in time." if late else "The run could not carry this out."
        return ApiError(ErrorCode.API_ERROR, message, provider=provider)
    details = found.details[0] if found.details and isinstance(found.details[0], dict) else {}
    code, field = _CODES.get(found.type or "", ErrorCode.STEP_FAILED), details.get("field")
    if found.type == Trouble.MISSING_SETTING and details.get("code") in _ACCOUNT_CODES:
        code = ErrorCode(details["code"])
    message = found.message[:1].upper() + found.message[1:]
    status = 502 if code in (ErrorCode.API_ERROR, ErrorCode.STEP_FAILED) else None
    return ApiError(code, message, field=field, status=status, provider=provider)
