"""Clients that a test has at hand, in the place of accounts' rows."""

from __future__ import annotations

import uuid

from temporalio.exceptions import ApplicationError

from domain.errors import Trouble
from providers.cloud.base import Cloud


class FixedClouds(dict[str, Cloud]):
    """One client for each kind of cloud, whichever account is asked for."""

    async def of_order(self, provider: str, provider_id: uuid.UUID | None) -> Cloud:
        if provider not in self:
            raise ApplicationError(f"no account at {provider} is set up", type=Trouble.MISSING_SETTING,
                                   non_retryable=True)  # fmt: skip
        return self[provider]

    async def of_server(self, provider: str, provider_id: uuid.UUID | None) -> Cloud:
        return await self.of_order(provider, provider_id)

    async def of_kind(self, provider: str) -> dict[uuid.UUID | None, Cloud]:
        return {None: self[provider]} if provider in self else {}
