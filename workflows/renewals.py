"""One try to renew one certificate: CSR on its server, order at a CA, installation, a look from outside. Read `_try`.

Where another one was uploaded to take its place nothing is asked of a CA: that one and its key are brought there.

A try that fails is written down by kind and ends; when the next one is, the policy says (domain/renewal.py). Nobody
waits in here, so one bad name delays no other, and the old certificate is served until the new one is seen.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from temporalio import workflow
from temporalio.common import Priority
from temporalio.exceptions import ActivityError, is_cancelled_exception

from activities.renewal_records import RenewalRecordActivities
from activities.renewals import RenewalActivities
from activities.shared_certificates import SharedCertificateActivities
from domain.certificates import Failed, Installation, Renewal, RenewalCall, RenewalEnd, Tried
from domain.renewal_retries import FailureKind
from workflows._options import activity_options, name_of
from workflows._rows import execute
from workflows._steps import describe

Result = TypeVar("Result")

BEHIND_CUSTOMERS = Priority(priority_key=4)  # a fleet's renewals stand behind whatever somebody waits for


@workflow.defn
class RenewCertificate:
    @workflow.init
    def __init__(self, call: RenewalCall) -> None:
        self._call = call

    @workflow.run
    async def run(self, call: RenewalCall) -> str:
        """Returns how it ended: renewed, rehearsed, not due, or the kind of failure."""
        renewal = await execute(RenewalRecordActivities.begin_renewal, call)
        if renewal is None:
            return "not due"
        tried = await self._try(renewal)
        end = RenewalEnd(
            renewal=renewal, at=workflow.now(), successor_id=tried.successor_id, failed=tried.failed
        )  # fmt: skip
        await execute(RenewalRecordActivities.end_renewal, end)
        if tried.failed is not None:
            return str(tried.failed.kind)
        return "renewed" if tried.successor_id else "rehearsed"

    async def _try(self, renewal: Renewal) -> Tried:
        try:
            if renewal.shared_id:
                tried = await self._remote(SharedCertificateActivities.bring_shared_certificate, renewal)
            else:
                csr = await self._remote(RenewalActivities.make_renewal_csr, renewal)
                tried = await self._remote(RenewalActivities.issue_renewal, csr)
            if tried.failed is None and tried.successor_id:
                await self._serve(renewal, tried.successor_id)
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            return Tried(failed=Failed(kind=FailureKind.OURS, message=describe(error)[1]))
        return tried

    async def _serve(self, renewal: Renewal, successor_id: str) -> None:
        """Install and look from outside; what is not seen there makes room for the old certificate again."""
        made = Installation(renewal=renewal, certificate_id=successor_id)
        await self._remote(RenewalActivities.install_renewal, made)
        try:
            await self._remote(RenewalActivities.verify_renewal, made)
        except ActivityError as error:
            if renewal.old_serves and not is_cancelled_exception(error):
                old = Installation(renewal=renewal, certificate_id=renewal.certificate_id)
                await self._remote(RenewalActivities.install_renewal, old)
            raise

    async def _remote(self, activity: Callable[..., Awaitable[Result]], argument: object) -> Result:
        options = activity_options(name_of(activity), "", self._call.policy) | {"priority": BEHIND_CUSTOMERS}
        result: Result = await workflow.execute_activity_method(activity, argument, **options)
        return result
