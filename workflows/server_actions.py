"""What is asked of one server: done once, followed to its end, and how it ended is written down."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.records import RecordActivities
from activities.server_actions import ServerActionActivities
from domain.errors import PUBLIC_CODES, ErrorCode
from domain.provisioning import RunPolicy
from domain.servers import ActionCall, ActionEnd, LookCall, Seen
from workflows._options import activity_options
from workflows._rows import execute
from workflows._steps import describe

# An action is short work: who asked looks again soon, and asks anew where it failed.
POLICY = RunPolicy(automatic_minutes=5)
# Somebody waits for the answer of a look.
LOOK = timedelta(seconds=8)


@workflow.defn
class ServerActions:
    @workflow.run
    async def run(self, call: ActionCall) -> str:
        """Returns how it ended: done or failed."""
        try:
            for activity in (ServerActionActivities.send_action, ServerActionActivities.await_action):
                options = activity_options(activity.__name__, call.provider, POLICY, account=call.provider_id)
                await workflow.execute_activity_method(activity, call, summary=f"{call.action}", **options)
        except ActivityError as error:
            trouble, message = describe(error)
            code = PUBLIC_CODES.get(trouble, ErrorCode.API_ERROR)
            end = ActionEnd(action_id=call.action_id, code=code, message=message)
            await execute(RecordActivities.end_action, end)
            return "failed"
        return "done"


@workflow.defn
class LookAtServer:
    @workflow.run
    async def run(self, call: LookCall) -> Seen:
        options = activity_options("look_at_server", call.provider, POLICY, account=call.provider_id)
        options["schedule_to_close_timeout"] = LOOK
        return await workflow.execute_activity_method(ServerActionActivities.look_at_server, call, **options)
