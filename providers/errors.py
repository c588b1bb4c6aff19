"""What an outside system's answer means for us.

    ProviderError                    code for the public, a sentence without secrets
    ├── NotReady(retry_after)        nothing is wrong; look again later
    ├── Transient                    a repeat may help, and the call had no effect or is safe to repeat
    ├── RateLimited(retry_after)     refused for now; certainly no effect
    │   └── IssuanceLimited          a CA's limit, by name where its words tell
    ├── Unconfirmed                  the effect may or may not have happened: settle before repeating
    └── Rejected                     a repeat of the same call cannot help
        ├── Unauthorized
        ├── QuotaExceeded            also: no capacity, payment or account limits
        ├── InvalidInput(field)
        ├── NotFound
        └── Conflict                 exists already, locked for good, somebody else's

`trouble` is the stable type shown to operators, `code` the public code of requirement X02.
"""

from __future__ import annotations

from typing import ClassVar

from domain.ca_limits import CaLimit
from domain.errors import ErrorCode, Trouble, clip


class ProviderError(Exception):
    trouble: ClassVar[Trouble] = Trouble.UNEXPECTED
    code: ClassVar[ErrorCode] = ErrorCode.API_ERROR

    def __init__(
        self, message: str, *, provider: str = "", field: str | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(clip(message))
        self.message = clip(message)
        self.provider = provider
        self.field = field
        self.retry_after = retry_after  # seconds


class NotReady(ProviderError):
    trouble = Trouble.NOT_READY


class Transient(ProviderError):
    trouble = Trouble.TRANSIENT


class RateLimited(ProviderError):
    trouble = Trouble.RATE_LIMITED
    code = ErrorCode.RATE_LIMIT_EXCEEDED


class IssuanceLimited(RateLimited):
    """A CA's limit is spent. `limit`: None where its words do not tell which. `subject`: the domain it counts for."""

    def __init__(
        self, message: str, *, provider: str = "", retry_after: float | None = None, limit: CaLimit | None = None,
        subject: str = "",
    ) -> None:  # fmt: skip
        super().__init__(message, provider=provider, retry_after=retry_after)
        self.limit = limit
        self.subject = subject


class Unconfirmed(ProviderError):
    trouble = Trouble.UNCONFIRMED


class Rejected(ProviderError):
    trouble = Trouble.INVALID_INPUT


class Unauthorized(Rejected):
    trouble = Trouble.UNAUTHORIZED
    code = ErrorCode.INVALID_CREDENTIALS


class QuotaExceeded(Rejected):
    trouble = Trouble.QUOTA_EXCEEDED
    code = ErrorCode.INSUFFICIENT_RESOURCES


class InvalidInput(Rejected):
    trouble = Trouble.INVALID_INPUT
    code = ErrorCode.VALIDATION_ERROR


class NotFound(Rejected):
    trouble = Trouble.NOT_FOUND
    code = ErrorCode.NOT_FOUND


class Conflict(Rejected):
    trouble = Trouble.CONFLICT
    code = ErrorCode.CONFLICT


class NotValidated(Rejected):
    """A CA looked for the proof of a name and found another one, or none. Counts against its limit of failures."""


class ProofUnseen(Transient):
    """A CA could not look: a name server or a host did not answer it. Counts against its limit of failures."""


class HostUnreachable(Transient):
    """No SSH connection: refused, timed out, or dropped in the middle."""

    trouble = Trouble.HOST_UNREACHABLE


class HostKeyMismatch(Rejected):
    """The host shows another key than the one given at birth. Nothing was sent."""

    trouble = Trouble.HOST_KEY_MISMATCH


class CommandFailed(ProviderError):
    """A command on a host ended with another exit status than 0. `stderr` is clipped and redacted."""

    trouble = Trouble.COMMAND_FAILED

    def __init__(self, message: str, *, exit_status: int | None = None, output: str = "") -> None:
        super().__init__(message)
        self.exit_status = exit_status
        self.output = clip(output)


class DiskFull(CommandFailed):
    trouble = Trouble.DISK_FULL


class MigrationFailed(CommandFailed):
    trouble = Trouble.MIGRATION_FAILED


class Unhealthy(ProviderError):
    """A check did not pass (yet)."""

    trouble = Trouble.UNHEALTHY


class ExposedPort(Rejected):
    """A port answers from outside that must not."""

    trouble = Trouble.EXPOSED_PORT


class StillPresent(ProviderError):
    """Something that was deleted is still seen."""

    trouble = Trouble.STILL_PRESENT
