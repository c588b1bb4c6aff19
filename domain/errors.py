"""Stable names of what can go wrong. They are public: operators, alerts and retry policies match on them.

Two lists. `ErrorCode` is what an HTTP client sees (requirement X02). `Trouble` is the `type` of an activity's failure,
as it stands in Temporal's history and on a parked step.
"""

from __future__ import annotations

from enum import StrEnum


class ErrorCode(StrEnum):
    MISSING_CREDENTIALS = "MISSING_CREDENTIALS"
    INVALID_CREDENTIALS = "INVALID_CREDENTIALS"
    PROVIDER_NOT_FOUND = "PROVIDER_NOT_FOUND"
    PROVIDER_INACTIVE = "PROVIDER_INACTIVE"
    INVALID_ACTION = "INVALID_ACTION"
    RATE_LIMIT_EXCEEDED = "RATE_LIMIT_EXCEEDED"
    INSUFFICIENT_RESOURCES = "INSUFFICIENT_RESOURCES"
    VALIDATION_ERROR = "VALIDATION_ERROR"
    API_ERROR = "API_ERROR"
    UNKNOWN_ERROR = "UNKNOWN_ERROR"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    NOT_FOUND = "NOT_FOUND"
    CONFLICT = "CONFLICT"
    IDEMPOTENCY_MISMATCH = "IDEMPOTENCY_MISMATCH"
    STEP_FAILED = "STEP_FAILED"
    QUOTA_EXCEEDED = "QUOTA_EXCEEDED"


class Trouble(StrEnum):
    # outside systems
    NOT_READY = "NotReady"  # nothing is wrong yet: keep waiting
    TRANSIENT = "Transient"  # a repeat may help
    RATE_LIMITED = "RateLimited"
    UNCONFIRMED = "Unconfirmed"  # an effect may or may not have happened: settle before repeating
    UNAUTHORIZED = "Unauthorized"
    QUOTA_EXCEEDED = "QuotaExceeded"
    INVALID_INPUT = "InvalidInput"
    NOT_FOUND = "NotFound"
    CONFLICT = "Conflict"
    REFUSED = "Refused"  # accepted first, and then not carried out
    # hosts
    HOST_UNREACHABLE = "HostUnreachable"
    HOST_KEY_MISMATCH = "HostKeyMismatch"  # refused before anything was sent
    COMMAND_FAILED = "CommandFailed"
    DISK_FULL = "DiskFull"
    MIGRATION_FAILED = "MigrationFailed"
    # proofs
    UNHEALTHY = "Unhealthy"
    EXPOSED_PORT = "ExposedPort"
    STILL_PRESENT = "StillPresent"
    # ours
    NO_CAPACITY = "NoCapacity"
    MISSING_SETTING = "MissingSetting"
    PROVIDER_INACTIVE = "ProviderInactive"  # the account is disabled, or its kind of cloud has no client
    UNEXPECTED = "Unexpected"


# A repeat of the same call with the same inputs cannot help: park at once.
FINAL_TROUBLES = frozenset(
    {
        Trouble.UNAUTHORIZED, Trouble.QUOTA_EXCEEDED, Trouble.INVALID_INPUT, Trouble.NOT_FOUND, Trouble.CONFLICT,
        Trouble.HOST_KEY_MISMATCH, Trouble.MIGRATION_FAILED, Trouble.EXPOSED_PORT, Trouble.NO_CAPACITY,
        Trouble.MISSING_SETTING, Trouble.PROVIDER_INACTIVE, Trouble.REFUSED,
        Trouble.DISK_FULL,
    }
)  # fmt: skip

# What a client is told of a trouble (R284–R293). Not listed: STEP_FAILED of a run, API_ERROR of anything else.
PUBLIC_CODES: dict[str, ErrorCode] = {
    Trouble.INVALID_INPUT: ErrorCode.VALIDATION_ERROR,
    Trouble.NO_CAPACITY: ErrorCode.INSUFFICIENT_RESOURCES,
    Trouble.QUOTA_EXCEEDED: ErrorCode.INSUFFICIENT_RESOURCES,
    Trouble.CONFLICT: ErrorCode.CONFLICT,
    Trouble.NOT_FOUND: ErrorCode.NOT_FOUND,
    Trouble.UNAUTHORIZED: ErrorCode.INVALID_CREDENTIALS,
    Trouble.RATE_LIMITED: ErrorCode.RATE_LIMIT_EXCEEDED,
    Trouble.MISSING_SETTING: ErrorCode.MISSING_CREDENTIALS,
    Trouble.PROVIDER_INACTIVE: ErrorCode.PROVIDER_INACTIVE,
    Trouble.TRANSIENT: ErrorCode.API_ERROR,
    Trouble.NOT_READY: ErrorCode.API_ERROR,
    Trouble.UNCONFIRMED: ErrorCode.API_ERROR,
    Trouble.REFUSED: ErrorCode.API_ERROR,
}

MAX_MESSAGE = 2000


def clip(text: str, limit: int = MAX_MESSAGE) -> str:
    """Bounded text for failures and rows: the first and last part, because the cause often stands at the end."""
    if len(text) <= limit:
        return text
    half = (limit - 20) // 2
    return f"{text[:half]}\n… shortened …\n{text[-half:]}"
