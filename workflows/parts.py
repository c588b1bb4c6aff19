"""The three parts of an order, side by side: DNS, hosting, mail (R240–R242). Each takes back what it has done."""

from __future__ import annotations

from temporalio import workflow

from activities.hosting import HostingActivities
from activities.mailboxes import MailboxActivities
from activities.zones import ZoneActivities
from domain.fulfilment import PartOrder
from domain.fulfilment_steps import DNS_PART, HOSTING_PART, MAIL_PART
from workflows._job_run import JobRun


@workflow.defn
class ProvisionDns(JobRun):
    @workflow.init
    def __init__(self, order: PartOrder) -> None:
        super().__init__()
        self._begin(order, "dns", DNS_PART)

    @workflow.run
    async def run(self, order: PartOrder) -> str:
        return await self._deliver(self._tell)

    async def _tell(self) -> str:
        await self.step("publish_zone", lambda: self.effect(ZoneActivities.publish_zone, self._call()),
                        undo=lambda: self.effect(ZoneActivities.withdraw_zone, self._call()))  # fmt: skip
        await self.step("publish_records", lambda: self.effect(ZoneActivities.publish_records, self._call()))
        return "Every name server answers"


@workflow.defn
class ProvisionHosting(JobRun):
    @workflow.init
    def __init__(self, order: PartOrder) -> None:
        super().__init__()
        self._begin(order, "hosting", HOSTING_PART)

    @workflow.run
    async def run(self, order: PartOrder) -> str:
        return await self._deliver(self._tell)

    async def _tell(self) -> str:
        await self.step("create_account", lambda: self.effect(HostingActivities.create_account, self._call()),
                        undo=lambda: self.effect(HostingActivities.remove_account, self._call()))  # fmt: skip
        await self.step("create_site", lambda: self.effect(HostingActivities.create_site, self._call()))
        return "The site is there"


@workflow.defn
class ProvisionMail(JobRun):
    @workflow.init
    def __init__(self, order: PartOrder) -> None:
        super().__init__()
        self._begin(order, "mail", MAIL_PART)

    @workflow.run
    async def run(self, order: PartOrder) -> str:
        return await self._deliver(self._tell)

    async def _tell(self) -> str:
        await self.step("create_mailbox", lambda: self.effect(MailboxActivities.create_mailbox, self._call()),
                        undo=lambda: self.effect(MailboxActivities.remove_mailbox, self._call()))  # fmt: skip
        return "The mailbox is there"
