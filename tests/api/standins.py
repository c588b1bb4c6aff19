"""Small workflows under the names that the API uses, for what only a real engine can say: yes, no, and silence."""

from __future__ import annotations

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from domain.provisioning import Plan, PlanOrder, ProvisionOrder, RetryRequest, RollbackRequest, TerminationOrder


@workflow.defn(name="Provisioning")
class ParkedRun:
    """Waits parked until an operator decides; remembers how often."""

    def __init__(self) -> None:
        self.retries = 0
        self.over = False

    @workflow.run
    async def run(self, order: ProvisionOrder) -> int:
        await workflow.wait_condition(lambda: self.over)
        return self.retries

    @workflow.update
    def retry_step(self, request: RetryRequest) -> str:
        self.retries += 1
        return request.step or "create_server"

    @retry_step.validator
    def _may_retry(self, request: RetryRequest) -> None:
        if request.step == "activate":
            raise ApplicationError("step 'activate' does not wait for an operator", type="InvalidState")
        if "registry" in request.changes:
            raise ApplicationError("'registry' cannot be corrected here", {"field": "registry"}, type="InvalidChange")

    @workflow.update(name="roll_back")
    def roll_back_run(self, request: RollbackRequest) -> str:
        self.over = True
        return "rolling back"

    @workflow.query
    def count(self) -> int:
        return self.retries


@workflow.defn(name="Termination")
class Ending:
    @workflow.run
    async def run(self, order: TerminationOrder) -> str:
        await workflow.wait_condition(lambda: False)
        return ""


@workflow.defn(name="Planning")
class Quoting:
    @workflow.run
    async def run(self, order: PlanOrder) -> Plan:
        if order.inputs.availability_zone == "mars1":
            raise ApplicationError("availability zone 'mars1' does not exist", type="InvalidInput")
        return Plan(
            slug=order.slug,
            fqdn=order.fqdn,
            access_url=f"https://{order.fqdn}",
            vps_name=f"{order.slug}-vps-1",
            new_server=True,
            provider="transip",
            product="bladevps-x4",
            price_cents_month=2000,
            steps=["reserve", "activate"],
        )
