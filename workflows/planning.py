"""Planning: what a run would do and cost, asked of the same code that does it. Nothing is written or ordered."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow

from activities.records import RecordActivities
from activities.servers import ServerActivities
from domain import ids
from domain.provisioning import Plan, PlanOrder, QuoteCall, RunPolicy
from domain.steps import steps_for
from workflows._options import activity_options
from workflows._rows import execute


@workflow.defn
class Planning:
    @workflow.run
    async def run(self, order: PlanOrder) -> Plan:
        place = await execute(RecordActivities.preview, order)
        plan = Plan(
            slug=order.slug,
            fqdn=order.fqdn,
            access_url=ids.access_url(order.fqdn, order.https_port),
            vps_name=place.vps_name,
            new_server=place.new_server,
            provider=order.inputs.provider,
            steps=[step.name for step in steps_for(order.deployment_type, new_server=place.new_server)],
        )
        if place.new_server:
            options = activity_options(
                "quote_server", order.inputs.provider, RunPolicy(), account=order.inputs.provider_id)  # fmt: skip
            # Somebody waits for the answer: a cloud that is away is said so, not waited for.
            options["schedule_to_close_timeout"] = timedelta(seconds=15)
            quote = await workflow.execute_activity_method(
                ServerActivities.quote_server, QuoteCall(tier=order.tier, inputs=order.inputs), **options)  # fmt: skip
            plan.product, plan.price_cents_month = quote.product, quote.price_cents_month
            plan.currency = quote.currency
        return plan
