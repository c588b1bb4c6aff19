"""One place that turns a provider's error into a failure Temporal understands.

    NotReady, RateLimited, Unconfirmed   retried after the delay the provider named; NotReady counts as no failure
    Transient, CommandFailed, Unhealthy  retried by the step's own policy
    the rest (domain.errors.FINAL)       not retried: the step parks at once

`type` is the stable name of domain.errors.Trouble. Messages are clipped and carry no cause: a chained httpx or asyncssh
exception may hold headers or commands.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, ParamSpec, TypeVar

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from db.keyring import KeyRingError
from db.queries.certificates import CertificateMissing
from db.queries.delivery import SubscriptionMissing
from db.queries.house_servers import ServerMissing
from db.queries.runs import DeploymentMissing
from db.secrets import SecretMissing
from domain.dns_names import InvalidDns
from domain.errors import FINAL_TROUBLES, Trouble, clip
from providers.errors import NotReady, ProviderError, Transient

P = ParamSpec("P")
R = TypeVar("R")


def to_failure(error: ProviderError) -> ApplicationError:
    waiting = isinstance(error, NotReady)
    return ApplicationError(
        error.message,
        {"provider": error.provider, "field": error.field, "code": str(error.code)},
        type=str(error.trouble),
        non_retryable=error.trouble in FINAL_TROUBLES,
        next_retry_delay=timedelta(seconds=error.retry_after) if error.retry_after is not None else None,
        category=ApplicationErrorCategory.BENIGN if waiting else ApplicationErrorCategory.UNSPECIFIED,
    )


def mapped(call: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
    """Decorator for activity methods, below `@activity.defn`."""

    @functools.wraps(call)
    async def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return await call(*args, **kwargs)
        except ProviderError as error:
            if isinstance(error, Transient):
                activity.logger.info("%s: %s", error.trouble, error.message)
            raise to_failure(error) from None
        except InvalidDns as error:
            raise ApplicationError(clip(str(error)), {"field": error.field}, type=Trouble.INVALID_INPUT,
                                   non_retryable=True) from None  # fmt: skip
        except (
            CertificateMissing, DeploymentMissing, KeyRingError, SecretMissing, ServerMissing, SubscriptionMissing
        ) as error:  # fmt: skip
            raise ApplicationError(clip(str(error)), type=Trouble.MISSING_SETTING, non_retryable=True) from None

    return wrapper


def details_of(error: ApplicationError) -> dict[str, Any]:
    """The detail mapping written by `to_failure`, or an empty one."""
    first = error.details[0] if error.details else None
    return first if isinstance(first, dict) else {}
