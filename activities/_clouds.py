"""From a provider's name to its client, in one place, so that a missing one is said in the same words everywhere."""

from __future__ import annotations

import uuid

from temporalio.exceptions import ApplicationError

from activities._context import Deps
from domain.errors import Trouble
from providers.cloud.base import Cloud


async def cloud_of(deps: Deps, provider: str, provider_id: str | uuid.UUID | None = None) -> Cloud:
    if provider not in deps.clouds:
        raise ApplicationError(
            f"no credentials for provider {provider!r} are configured", type=Trouble.MISSING_SETTING,
            non_retryable=True)  # fmt: skip
    return deps.clouds[provider]
