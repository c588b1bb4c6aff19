"""One mail that goes out: tried until it is taken, and where it is given up its row says why."""

from __future__ import annotations

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.mails import MailActivities
from activities.records import RecordActivities
from domain.mails import MailCall, MailEnd
from domain.provisioning import RunPolicy
from workflows._options import activity_options
from workflows._rows import execute
from workflows._steps import describe

# With the patience of the table an hour: a link in a mail is good for no longer.
POLICY = RunPolicy(automatic_minutes=10)


@workflow.defn
class SendMail:
    @workflow.run
    async def run(self, call: MailCall) -> str:
        """Returns how it ended: sent or failed."""
        options = activity_options("send_mail", "", POLICY)
        try:
            await workflow.execute_activity_method(MailActivities.send_mail, call, **options)
        except ActivityError as error:
            message = describe(error)[1]
            await execute(RecordActivities.end_mail, MailEnd(mail_id=call.mail_id, message=message))
            return "failed"
        return "sent"
