"""From what a run says of a cloud to what a client is told: one table, for every route that asks a cloud through a run.

Knows no route. The texts of failures with a type of ours were written for people and hold no secret; the text of any
other failure is not passed on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import timedelta

from temporalio.exceptions import ApplicationError
from temporalio.exceptions import TimeoutError as ActivityTimeout

from api.errors import ApiError, unknown
from domain.errors import PUBLIC_CODES, ErrorCode, Trouble

RETRY_SECONDS = 60  # where a cloud that refuses for now does not say for how long

_CODES: Mapping[str, ErrorCode] = {
    "InvalidState": ErrorCode.CONFLICT,
    "InvalidChange": ErrorCode.VALIDATION_ERROR,
    **PUBLIC_CODES,
}
# What is missing of an account, as the book of accounts says it.
_ACCOUNT_CODES = (ErrorCode.PROVIDER_NOT_FOUND, ErrorCode.MISSING_CREDENTIALS, ErrorCode.INVALID_CREDENTIALS)
# 502 and not 401 for INVALID_CREDENTIALS: it is our account that the cloud refuses, and a 401 would sign the user of
# the portal out.
_BAD_GATEWAY = frozenset({ErrorCode.API_ERROR, ErrorCode.STEP_FAILED, ErrorCode.INVALID_CREDENTIALS})


def from_failure(error: BaseException | None, provider: str | None) -> ApiError:
    """The cause of a WorkflowFailureError or of a failed update; the innermost ApplicationError's type decides."""
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
    kind = found.type or ""
    if kind not in _CODES and kind not in set(Trouble):
        return unknown()
    code = _CODES.get(kind, ErrorCode.STEP_FAILED)
    details = found.details[0] if found.details and isinstance(found.details[0], dict) else {}
    if kind == Trouble.MISSING_SETTING and details.get("code") in _ACCOUNT_CODES:
        code = ErrorCode(details["code"])
    return ApiError(
        code,
        found.message[:1].upper() + found.message[1:],
        field=details.get("field"),
        status=502 if code in _BAD_GATEWAY else None,
        provider=details.get("provider") or provider,
        headers=_retry_after(found.next_retry_delay) if code is ErrorCode.RATE_LIMIT_EXCEEDED else None,
    )


def _retry_after(delay: timedelta | None) -> dict[str, str]:
    return {"Retry-After": str(math.ceil(delay.total_seconds()) if delay else RETRY_SECONDS)}
