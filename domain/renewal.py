"""When a certificate is renewed, and what is done next for it. Pure: facts and the present moment in, one `Plan` out.

    window suggested by the CA   a moment inside it, always the same one for this certificate (RFC 9773 §4.2)
    no window                    two thirds of its life, half where it lives ten days or less; spread a little
    uploaded                     four fifths of its life: until then whoever uploaded it may bring another
    revoked                      at once, and with all that an emergency allows
    asked for by a drill         from that moment on, with the usual patience where it fails (domain/drills.py)
    emergency                    an eighth of its life is left, a day at least, never more than a quarter: overrides all

Why an eighth: of 90 days that leaves eleven, of 45 five and a half: a long weekend, and the 34 hours a CA may need to
allow the next one for the same names. A six-day certificate keeps a day. Between the usual moment and the emergency a
fifth of its life is left for patient tries. In the emergency there is no rehearsal, no long pause, and the second CA
takes turns with the first. Nothing here ever forbids a renewal: every plan ends in another try at a known moment.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from domain.renewal_retries import HOUR, MINUTE, THE_CAS, FailureKind, Failures, RetryRules, fraction, retry_at


class Action(StrEnum):
    POLL = "poll"  # ask the CA for its window
    RENEW = "renew"
    REHEARSE = "rehearse"  # the same at the staging CA, which counts nothing
    SECOND_CA = "second_ca"
    EMERGENCY = "emergency"  # renew at the first CA, past all patience; an operator should look


@dataclass(frozen=True)
class Window:
    """What the CA suggested last. One that ends before it begins is no window: do not make one of it."""

    start: datetime
    end: datetime


@dataclass(frozen=True)
class Rehearsals:
    """Tries at the staging CA since the last try at a real one."""

    failed: int
    passed: bool
    at: datetime


@dataclass(frozen=True)
class Certificate:
    """What is known. `id` seeds the spread. `polls`: its CA gives windows. `next_poll` None: never asked so far.
    `replace_after`: from when on somebody wants it replaced. `uploaded`: no CA of ours issued it.
    `brought`: an uploaded one is to take its place."""

    id: str
    not_before: datetime
    not_after: datetime
    window: Window | None = None
    polls: bool = True
    next_poll: datetime | None = None
    failures: Failures | None = None
    rehearsals: Rehearsals | None = None
    revoked: bool = False
    replace_after: datetime | None = None
    uploaded: bool = False
    brought: bool = False


@dataclass(frozen=True)
class RenewalRules:
    usual: float = 2 / 3
    uploaded: float = 4 / 5
    short_life: timedelta = timedelta(days=10)
    short: float = 1 / 2
    spread: float = 0.05  # of the life, around the usual moment
    room: float = 0.05  # of the window, at its end: a sweep comes within a minute, and a renewal takes its time
    emergency: float = 1 / 8
    emergency_least: timedelta = timedelta(days=1)
    emergency_most: float = 1 / 4
    poll_every: timedelta = 12 * HOUR  # at most; a CA that asks for more visits gets them
    rehearse_after: int = 2  # failures that may be our own fault
    rehearsals: int = 3  # that may fail before the real CA is asked again all the same
    second_ca_after: int = 3  # failures that are the first CA's
    has_staging: bool = True
    has_second_ca: bool = True
    retries: RetryRules = field(default_factory=RetryRules)


DEFAULT_RULES = RenewalRules()


@dataclass(frozen=True)
class Plan:
    """Do `action` at `at`, never before the moment of asking. `renew_at` is when the renewal is, or was, due."""

    action: Action
    at: datetime
    why: str
    renew_at: datetime
    urgent: bool = False


def emergency_at(certificate: Certificate, rules: RenewalRules = DEFAULT_RULES) -> datetime:
    if certificate.revoked:
        return certificate.not_before
    life = certificate.not_after - certificate.not_before
    return certificate.not_after - min(max(life * rules.emergency, rules.emergency_least), life * rules.emergency_most)


def due_at(certificate: Certificate, rules: RenewalRules = DEFAULT_RULES) -> datetime:
    """When the renewal is due, whatever has been tried: inside the certificate's life, and inside the window if any,
    or when a drill wants it, if that is sooner."""
    usual = _usual_at(certificate, rules)
    if certificate.replace_after is None:
        return usual
    return max(certificate.not_before, min(usual, certificate.replace_after))


def _usual_at(certificate: Certificate, rules: RenewalRules) -> datetime:
    latest = emergency_at(certificate, rules)
    if certificate.revoked:
        return certificate.not_before
    window = certificate.window
    if window is not None:
        # As much of the window as leaves room before the emergency; one that lies after it is not waited for.
        end = max(window.start, min(window.end, latest))
        chosen = window.start + (end - window.start) * (1 - rules.room) * fraction(certificate.id, "window")
        return max(certificate.not_before, min(chosen, latest))
    life = certificate.not_after - certificate.not_before
    usual = rules.uploaded if certificate.uploaded else rules.short if life <= rules.short_life else rules.usual
    return certificate.not_before + life * (usual + rules.spread * (fraction(certificate.id, "usual") - 0.5))


def next_poll(now: datetime, poll_after: float, seed: str, rules: RenewalRules = DEFAULT_RULES) -> datetime:
    """After an answer or a lasting error: the pause the CA asked for, in seconds, but twice a day; spread a little."""
    pause = min(max(timedelta(seconds=poll_after), MINUTE), rules.poll_every)
    return now + pause - min(pause - MINUTE, pause * rules.spread * fraction(seed, "poll"))


def plan(certificate: Certificate, now: datetime, rules: RenewalRules = DEFAULT_RULES) -> Plan:
    due = due_at(certificate, rules)
    urgent = now >= emergency_at(certificate, rules)
    if certificate.failures is not None and certificate.failures.count > 0:
        step = _again(certificate, certificate.failures, due, now, rules, urgent=urgent)
    else:
        step = _first(certificate, due, now, urgent=urgent)
    asks = certificate.polls and not certificate.revoked and now < certificate.not_after
    poll = max(now, certificate.next_poll or now)
    # A CA that was never asked is asked once even where the renewal is due by the dates alone: it may want it later.
    known = certificate.next_poll or certificate.window or certificate.failures or certificate.replace_after
    if asks and (poll < step.at or (known is None and not urgent)):
        return Plan(Action.POLL, poll, f"the CA is asked for its window; {step.why}", due, urgent)
    return step


def _first(certificate: Certificate, due: datetime, now: datetime, *, urgent: bool) -> Plan:
    if certificate.revoked:
        return Plan(Action.RENEW, now, "it was revoked", due, urgent)
    if urgent:
        left = max(certificate.not_after - now, timedelta(0))
        return Plan(Action.EMERGENCY, now, f"{_span(left)} of its life are left", due, urgent)
    if certificate.replace_after is not None and certificate.replace_after <= due:
        why = "an uploaded one takes its place" if certificate.brought else "its key was withdrawn"
        if not certificate.brought and not certificate.uploaded:
            why = "a drill replaces it"
        return Plan(Action.RENEW, max(now, due), why, due)
    why = "a moment inside the window that the CA suggests" if certificate.window else "most of its life is over then"
    if certificate.uploaded:
        why = "it was uploaded; where nobody brings another until then, our CA issues one"
    return Plan(Action.RENEW, max(now, due), why, due)


def _again(
    certificate: Certificate, failed: Failures, due: datetime, now: datetime, rules: RenewalRules, *, urgent: bool
) -> Plan:
    at = max(now, _patient(certificate, failed, rules))
    said = f"{failed.count} failed, the last by {failed.kind.replace('_', ' ')}"
    if rules.has_second_ca and _turn_to_second(certificate, failed, rules, urgent=urgent):
        # The second CA has counted nothing of the first one's limits, so only our own pause is kept.
        own = Failures(failed.count, failed.kind, failed.at)
        at = min(at, max(now, _patient(certificate, own, rules)))
        return Plan(Action.SECOND_CA, at, f"{said}: another CA may do it", due, urgent)
    if urgent:
        return Plan(Action.EMERGENCY, at, f"{said}, and its life is nearly over", due, urgent)
    if rules.has_staging and not certificate.brought and failed.kind in (FailureKind.VALIDATION, FailureKind.OURS):
        rehearsal = _rehearsal(certificate, failed, due, now, rules, said)
        if rehearsal is not None:
            return rehearsal
    return Plan(Action.RENEW, at, f"{said}: again after its pause", due)


def _patient(certificate: Certificate, failed: Failures, rules: RenewalRules) -> datetime:
    """The end of the pause; a long one that reaches into the emergency is cut short where that begins."""
    hurried = retry_at(failed, rules.retries, certificate.id, urgent=True)
    return min(retry_at(failed, rules.retries, certificate.id), max(hurried, emergency_at(certificate, rules)))


def _turn_to_second(certificate: Certificate, failed: Failures, rules: RenewalRules, *, urgent: bool) -> bool:
    """Both CAs take turns, so that neither is forgotten while the other one fails."""
    if urgent:
        return failed.count % 2 == 1
    if failed.kind not in THE_CAS:
        return False
    if failed.until is not None and failed.until >= emergency_at(certificate, rules):
        return failed.count % 2 == 1
    return failed.count >= rules.second_ca_after and (failed.count - rules.second_ca_after) % 2 == 0


def _rehearsal(
    certificate: Certificate, failed: Failures, due: datetime, now: datetime, rules: RenewalRules, said: str
) -> Plan | None:
    """A rehearsal first, where the fault may be ours. None: enough of that."""
    if failed.count < rules.rehearse_after:
        return None
    done = certificate.rehearsals
    if done is None or done.at < failed.at:
        # It costs nothing at the real CA, so it need not wait out the real pause.
        first = Failures(1, failed.kind, failed.at)
        at = max(now, _patient(certificate, first, rules))
        return Plan(Action.REHEARSE, at, f"{said}: tried at the staging CA first", due)
    if done.passed or done.failed >= rules.rehearsals:
        return None
    at = max(now, _patient(certificate, Failures(done.failed, failed.kind, done.at), rules))
    return Plan(Action.REHEARSE, at, f"{said}, and {done.failed} at the staging CA", due)


def _span(left: timedelta) -> str:
    return f"{left.days} days" if left.days > 1 else f"{left // HOUR} hours"
