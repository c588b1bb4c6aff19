"""Reading what a cloud offers: one flight per account and resource, whoever waits for it."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

from activities.offers import OfferActivities
from domain.offers import OffersCall
from domain.provisioning import RunPolicy
from workflows._options import activity_options


@workflow.defn
class ReadOffers:
    @workflow.run
    async def run(self, call: OffersCall) -> None:
        options = activity_options("read_offers", call.provider, RunPolicy(), account=call.provider_id)
        # Long enough for a list of many pages; whoever waits leaves sooner, and the next one finds the row.
        options["schedule_to_close_timeout"] = timedelta(seconds=60)
        # Somebody waits for the answer, or for the reason why there is none. Nothing is lost with a counted attempt:
        # the next request asks again.
        options["retry_policy"] = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_attempts=3)
        await workflow.execute_activity_method(
            OfferActivities.read_offers, call, summary=f"{call.resource} of {call.provider}", **options)  # fmt: skip
