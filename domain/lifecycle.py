"""What a subscription's rows call for by now (R154): a pure decision, made anew at each sweep. Nothing is done here.

The order of an unpaid life, each part with a letter to the customer and with all content kept until the last one:

    ACTIVE ─ TOLERANCE behind the period ─ PAST_DUE ─ GRACE ─ SUSPENDED ─ KEPT_SUSPENDED ─ TERMINATED ─ last backup
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import BaseModel

from domain.catalogue import Interval
from domain.sales import GRACE, KEPT_SUSPENDED, NON_PAYMENT, JobType, SubscriptionStatus

TOLERANCE = timedelta(days=3)  # from the end of a paid period until a payment counts as missing
AGAIN = timedelta(days=1)  # after an operator took a change back, until the sweep asks for it again


class Verdict(StrEnum):
    NOTHING = "nothing"
    RENEW = "renew"  # free: another period begins
    PAST_DUE = "past_due"
    SUSPEND = "suspend"
    RESUME = "resume"  # paid while it was being suspended
    TERMINATE = "terminate"


JOBS: dict[Verdict, JobType] = {
    Verdict.SUSPEND: JobType.SUSPEND, Verdict.RESUME: JobType.RESUME, Verdict.TERMINATE: JobType.TERMINATE,
}  # fmt: skip


@dataclass(frozen=True)
class Standing:
    """Of one subscription, as its rows say. `taken_back` is when each kind of change was last taken back."""

    status: str
    interval: str
    amount_cents: int
    period_end: datetime | None
    cancel_at_period_end: bool = False
    past_due_since: datetime | None = None
    suspended_at: datetime | None = None
    suspended_for: str = ""
    taken_back: tuple[tuple[str, datetime], ...] = ()


class LifecycleReport(BaseModel):
    """How many of each a sweep found and wrote."""

    looked_at: int = 0
    busy: int = 0  # another change is under way: the next sweep looks again
    verdicts: dict[str, int] = {}
    backups: int = 0  # subscriptions whose backups' time is over


def decide(held: Standing, now: datetime) -> Verdict:
    """What is due. Nothing is terminated that was neither cancelled nor suspended for a month's non-payment."""
    verdict = _due(held, now)
    job = JOBS.get(verdict)
    if job is not None and any(kind == job and now - at < AGAIN for kind, at in held.taken_back):
        return Verdict.NOTHING
    return verdict


def _due(held: Standing, now: datetime) -> Verdict:
    over = held.period_end is not None and held.period_end <= now
    if held.status in (SubscriptionStatus.INACTIVE, SubscriptionStatus.TERMINATED):
        return Verdict.NOTHING
    if held.cancel_at_period_end and over:
        return Verdict.TERMINATE
    match held.status:
        case SubscriptionStatus.ACTIVE:
            return _of_active(held, now)
        case SubscriptionStatus.PAST_DUE if held.past_due_since is not None and held.past_due_since + GRACE <= now:
            return Verdict.SUSPEND
        case SubscriptionStatus.SUSPENDED if held.suspended_for == NON_PAYMENT:
            if held.past_due_since is None:
                return Verdict.RESUME
            if held.suspended_at is not None and held.suspended_at + KEPT_SUSPENDED <= now:
                return Verdict.TERMINATE
    return Verdict.NOTHING


def _of_active(held: Standing, now: datetime) -> Verdict:
    if held.interval == Interval.ONCE or held.period_end is None or held.cancel_at_period_end:
        return Verdict.NOTHING
    if held.amount_cents == 0:
        return Verdict.RENEW if held.period_end <= now else Verdict.NOTHING
    return Verdict.PAST_DUE if held.period_end + TOLERANCE <= now else Verdict.NOTHING


# ---- what people may ask for ----------------------------------------------------------------------------------------

_STANDS = (SubscriptionStatus.ACTIVE, SubscriptionStatus.PAST_DUE)
_IS_THERE = (*_STANDS, SubscriptionStatus.SUSPENDED)
ALLOWED: dict[JobType, tuple[SubscriptionStatus, ...]] = {
    JobType.SUSPEND: _STANDS,
    JobType.RESUME: (SubscriptionStatus.SUSPENDED,),
    JobType.CHANGE_LIMITS: _STANDS,
    JobType.TERMINATE: _IS_THERE,
    JobType.REFUND: (*_IS_THERE, SubscriptionStatus.TERMINATED),
    JobType.CANCEL: _IS_THERE,
    JobType.KEEP: _IS_THERE,
    JobType.MAILBOX_PASSWORD: _STANDS,
    JobType.SFTP_KEYS: _STANDS,
    JobType.SFTP_PASSWORD: _STANDS,
}


def senseless(kind: JobType, held: Standing) -> str | None:
    """Why a change cannot be asked for by now, as a sentence; None where it can."""
    if held.status not in ALLOWED[kind]:
        return f"A subscription that is {held.status} cannot be asked for {kind}."
    match kind:
        case JobType.CANCEL if held.cancel_at_period_end:
            return "It ends with its period already."
        case JobType.CANCEL if held.period_end is None:
            return "It was paid for once, for good: it has no period to end with. Terminate it instead."
        case JobType.KEEP if not held.cancel_at_period_end:
            return "It goes on already."
    return None
