"""A zone's changes, one after the other in the order they were asked for; and a look at what its name servers hold."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.zone_changes import ZoneChangeActivities
from activities.zone_records import ZoneRecordActivities
from domain.provisioning import RunPolicy
from domain.zones import ChangeCall, ChangeEnd, ZoneCall, ZoneSeen
from workflows._options import activity_options
from workflows._rows import execute
from workflows._steps import describe

# Whoever asked sees the failure and asks again; what waits behind it must not wait for long.
POLICY = RunPolicy(automatic_minutes=5)
# Somebody waits for the answer of a look.
LOOK = timedelta(seconds=8)


@workflow.defn
class ChangeZone:
    """Whoever writes a change starts this run or, where it is there, tells it: `asked` is sent with the start."""

    def __init__(self) -> None:
        self._asked = False

    @workflow.run
    async def run(self, call: ZoneCall) -> int:
        """Returns how many changes ended."""
        ended = 0
        while True:
            self._asked = False
            change = await execute(ZoneRecordActivities.next_change, call)
            if change is not None:
                await self._carry_out(change)
                ended += 1
            elif not self._asked:
                return ended
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(call)

    @workflow.signal
    def asked(self) -> None:
        self._asked = True

    async def _carry_out(self, change: ChangeCall) -> None:
        options = activity_options("change_zone", "", POLICY)
        try:
            await workflow.execute_activity_method(
                ZoneChangeActivities.change_zone, change, summary=change.summary, **options)  # fmt: skip
        except ActivityError as error:
            trouble, message = describe(error)
            end = ChangeEnd(change_id=change.change_id, trouble=trouble, message=message)
            await execute(ZoneRecordActivities.fail_change, end)


@workflow.defn
class LookAtZone:
    @workflow.run
    async def run(self, call: ZoneCall) -> ZoneSeen:
        options = activity_options("look_at_zone", "", POLICY)
        options["schedule_to_close_timeout"] = LOOK
        return await workflow.execute_activity_method(ZoneChangeActivities.look_at_zone, call, **options)
