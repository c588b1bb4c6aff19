"""What an account's cloud offers, asked once for everybody and kept as a row."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

from pydantic import BaseModel
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities._clouds import cloud_of
from activities._context import Deps
from activities._errors import mapped
from activities._heartbeat import beating
from db.queries import offers
from domain.offers import Offer, OffersCall
from providers.cloud.base import Cloud
from providers.errors import NotFound, ProviderError, Transient

ASK: dict[Offer, Callable[[Cloud], Awaitable[Sequence[BaseModel]]]] = {
    Offer.PLANS: lambda cloud: cloud.sizes(),
    Offer.IMAGES: lambda cloud: cloud.images(),
    Offer.REGIONS: lambda cloud: cloud.regions(),
    Offer.MARKETPLACE: lambda cloud: cloud.apps(),
    Offer.STACKSCRIPTS: lambda cloud: cloud.stackscripts(),
}


class OfferActivities:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    @activity.defn
    @mapped
    async def read_offers(self, call: OffersCall) -> None:
        """Ask a cloud for one resource and keep the answer.

        Effect: the row of the cache; where the cloud fails, a note on it beside the older answer.
        Idempotency: an answer that is fresh is not asked for again.
        Undo: none.
        Heartbeat: while the cloud is asked.
        """
        provider_id, asked_at = uuid.UUID(call.provider_id), datetime.now(UTC)
        async with self._deps.db.begin() as session:
            row = await offers.read(session, provider_id, call.resource)
            before = await offers.standing(session, provider_id)
        if before is None:
            raise NotFound("the account is gone", provider=call.provider)
        if row is not None and row.fresh_until > asked_at:
            return
        try:
            async with beating():
                cloud = await cloud_of(self._deps, call.provider, provider_id)
                answer = await ASK[call.resource](cloud)
        except (ProviderError, ApplicationError) as error:
            async with self._deps.db.begin() as session:
                await offers.note_failure(session, provider_id, call.resource, error.message, datetime.now(UTC))
            raise
        value = [item.model_dump(mode="json") for item in answer]
        async with self._deps.db.begin() as session:
            if await offers.standing(session, provider_id, hold=True) != before:
                # What was read belongs to the account as it was.
                raise Transient("the account was changed while its cloud was asked", provider=call.provider)
            await offers.write(session, provider_id, call.resource, value, asked_at=asked_at)
