"""What the machinery of steps takes for standing in line, and what for failing."""

from __future__ import annotations

import pytest
from temporalio.exceptions import ActivityError, ApplicationError, RetryState, TimeoutError, TimeoutType

from workflows._steps import stood_in_line


def ended(cause: BaseException, *, begun: bool) -> ActivityError:
    """As Temporal tells it: an activity that no worker took has no event of its start."""
    error = ActivityError(
        "Activity task failed", scheduled_event_id=5, started_event_id=6 if begun else 0, identity="worker",
        activity_type="create_server", activity_id="5", retry_state=RetryState.TIMEOUT,
    )  # fmt: skip
    error.__cause__ = cause
    return error


def timeout(kind: TimeoutType) -> TimeoutError:
    return TimeoutError("activity timeout", type=kind, last_heartbeat_details=[])


LIMITED = ApplicationError("the account's limit of calls is reached", type="RateLimited")


@pytest.mark.parametrize(
    ("error", "waited"),
    [
        (ended(LIMITED, begun=True), True),
        (ended(timeout(TimeoutType.SCHEDULE_TO_START), begun=False), True),
        (ended(timeout(TimeoutType.SCHEDULE_TO_CLOSE), begun=False), True),
        (ended(timeout(TimeoutType.SCHEDULE_TO_CLOSE), begun=True), False),
        (ended(timeout(TimeoutType.HEARTBEAT), begun=True), False),
        (ended(ApplicationError("away", type="Transient"), begun=True), False),
    ],
)
def test_only_waiting_for_calls_or_for_a_turn_is_standing_in_line(error: ActivityError, waited: bool) -> None:
    assert stood_in_line("create_server", error) is waited
    assert not stood_in_line("issue_certificate", error), "the limits of others are no matter of a cloud's queue"


def test_a_budget_that_ran_out_while_in_line_is_standing_in_line() -> None:
    late = timeout(TimeoutType.SCHEDULE_TO_CLOSE)
    late.__cause__ = LIMITED
    assert stood_in_line("await_server", ended(late, begun=True))
