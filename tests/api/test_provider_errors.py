"""What a run says of a cloud, told to clients: the right code, a status that fits, and nobody's inner words."""

from __future__ import annotations

from datetime import timedelta

import pytest
from temporalio.exceptions import ActivityError, ApplicationError, RetryState, TimeoutType
from temporalio.exceptions import TimeoutError as ActivityTimeout

from api.provider_errors import from_failure
from domain.errors import FINAL_TROUBLES, ErrorCode, Trouble


def failed(cause: BaseException) -> ActivityError:
    """As Temporal hands it over: the activity's failure around its cause."""
    outer = ActivityError(
        "Activity task failed", scheduled_event_id=1, started_event_id=2, identity="", activity_type="read_offers",
        activity_id="1", retry_state=RetryState.NON_RETRYABLE_FAILURE)  # fmt: skip
    outer.__cause__ = cause
    return outer


@pytest.mark.parametrize(
    ("trouble", "code", "status"),
    [
        (Trouble.UNAUTHORIZED, "INVALID_CREDENTIALS", 502),
        (Trouble.MISSING_SETTING, "MISSING_CREDENTIALS", 409),
        (Trouble.PROVIDER_INACTIVE, "PROVIDER_INACTIVE", 409),
        (Trouble.RATE_LIMITED, "RATE_LIMIT_EXCEEDED", 429),
        (Trouble.INVALID_INPUT, "VALIDATION_ERROR", 422),
        (Trouble.QUOTA_EXCEEDED, "INSUFFICIENT_RESOURCES", 409),
        (Trouble.NO_CAPACITY, "INSUFFICIENT_RESOURCES", 409),
        (Trouble.CONFLICT, "CONFLICT", 409),
        (Trouble.NOT_FOUND, "NOT_FOUND", 404),
        (Trouble.TRANSIENT, "API_ERROR", 502),
        (Trouble.UNCONFIRMED, "API_ERROR", 502),
        (Trouble.COMMAND_FAILED, "STEP_FAILED", 502),
    ],
)
def test_each_trouble_has_its_code_and_status(trouble: Trouble, code: str, status: int) -> None:
    details = {"provider": "linode", "field": "region", "code": "whatever"}
    told = from_failure(failed(ApplicationError("region is full", details, type=trouble)), "linode")
    assert (told.code, told.status, told.provider, told.field) == (code, status, "linode", "region")
    assert told.message == "Region is full"


def test_no_trouble_signs_a_user_out() -> None:
    for trouble in Trouble:
        told = from_failure(failed(ApplicationError("no", type=trouble)), "linode")
        assert told.status != 401
        assert told.status < 500 or trouble not in FINAL_TROUBLES or told.code in (
            ErrorCode.INVALID_CREDENTIALS, ErrorCode.STEP_FAILED) or trouble is Trouble.REFUSED  # fmt: skip


@pytest.mark.parametrize(("delay", "seconds"), [(timedelta(seconds=7.2), "8"), (None, "60")])
def test_a_rate_limit_says_when_to_come_back(delay: timedelta | None, seconds: str) -> None:
    told = from_failure(failed(ApplicationError("slow down", type="RateLimited", next_retry_delay=delay)), "linode")
    assert told.headers == {"Retry-After": seconds}


def test_words_of_a_bug_are_not_passed_on() -> None:
    told = from_failure(failed(ApplicationError("KeyError: 'token=hunter2'", type="KeyError")), "linode")
    assert (told.code, told.status) == ("UNKNOWN_ERROR", 500)
    assert "hunter2" not in told.message


def test_a_deadline_is_told_with_the_last_reason_there_was() -> None:
    late = ActivityTimeout("activity timed out", type=TimeoutType.SCHEDULE_TO_CLOSE, last_heartbeat_details=[])
    told = from_failure(failed(late), "linode")
    assert (told.code, told.status, told.provider) == ("API_ERROR", 502, "linode")
    assert "in time" in told.message
    late.__cause__ = ApplicationError("busy", type="Transient")
    assert from_failure(failed(late), "linode").message == "Busy"
