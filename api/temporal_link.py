"""The way from a request to Temporal: connected on first use, every call bounded, every refusal an ApiError.

The API starts and serves reads while Temporal is away. Knows no workflow by type.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

from temporalio.client import (
    Client,
    RPCTimeoutOrCancelledError,
    WorkflowFailureError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.service import RPCError, RPCStatusCode

from api.errors import ApiError, unavailable
from api.provider_errors import from_failure
from domain.errors import ErrorCode

CALL_SECONDS = 5


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
        raise from_failure(error.cause, provider) from None
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
