"""The renewal policy: always in time, inside the CA's window, and never at a standstill."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from domain.renewal import (
    DEFAULT_RULES,
    Action,
    Certificate,
    Rehearsals,
    RenewalRules,
    Window,
    due_at,
    emergency_at,
    next_poll,
    plan,
)
from domain.renewal_retries import DAY, HOUR, MINUTE, FailureKind, Failures

START = datetime(2026, 11, 28, tzinfo=UTC)
ALONE = replace(DEFAULT_RULES, has_staging=False, has_second_ca=False)


def certificate(days: float = 90, **changes: object) -> Certificate:
    made = Certificate("c-1", START, START + timedelta(days=days), polls=False)
    return replace(made, **changes)  # type: ignore[arg-type]


lives = st.floats(0.5, 398).map(lambda days: timedelta(days=days))
ids = st.text(max_size=12)


@st.composite
def windows(draw: st.DrawFn, life: timedelta) -> Window:
    """Anywhere, also before the certificate's life and after it."""
    start = START + life * draw(st.floats(-0.5, 1.5))
    return Window(start, start + life * draw(st.floats(0.0001, 0.8)))


@st.composite
def certificates(draw: st.DrawFn) -> Certificate:
    life = draw(lives)
    failures = st.builds(
        Failures, st.integers(0, 30), st.sampled_from(FailureKind),
        st.floats(0, 1.2).map(lambda part: START + life * part),
        st.none() | st.floats(0, 3).map(lambda part: START + life * part),
    )  # fmt: skip
    rehearsals = st.builds(
        Rehearsals, st.integers(0, 9), st.booleans(), st.floats(0, 1.2).map(lambda part: START + life * part)
    )
    return Certificate(
        draw(ids), START, START + life,
        window=draw(st.none() | windows(life)),
        polls=draw(st.booleans()),
        replace_after=draw(st.none() | st.floats(-0.1, 1.2).map(lambda part: START + life * part)),
        next_poll=draw(st.none() | st.floats(0, 1.2).map(lambda part: START + life * part)),
        failures=draw(st.none() | failures),
        rehearsals=draw(st.none() | rehearsals),
        revoked=draw(st.booleans()),
    )  # fmt: skip


class TestDue:
    @given(certificates())
    def test_it_is_always_inside_the_certificates_life(self, one: Certificate) -> None:
        due = due_at(one)
        assert one.not_before <= due <= emergency_at(one) < one.not_after
        if not one.revoked and one.window is None and one.replace_after is None:
            assert due > one.not_before

    @given(lives, ids, st.data())
    def test_it_is_inside_the_window_wherever_the_window_leaves_room(
        self, life: timedelta, id_: str, data: st.DataObject
    ) -> None:
        window = data.draw(windows(life))
        one = Certificate(id_, START, START + life, window=window)
        assume(window.end > START and window.start < emergency_at(one))
        assert window.start <= due_at(one) <= window.end or due_at(one) == START

    @given(certificates())
    def test_it_does_not_depend_on_what_was_tried(self, one: Certificate) -> None:
        assert due_at(one) == due_at(replace(one, failures=None, rehearsals=None, next_poll=None))

    @given(lives, ids, st.floats(0, 0.7), st.floats(0, 0.5))
    def test_a_window_that_moves_later_never_makes_it_earlier(
        self, life: timedelta, id_: str, where: float, later: float
    ) -> None:
        first = Window(START + life * where, START + life * (where + 0.1))
        moved = Window(first.start + life * later, first.end + life * later)
        one = Certificate(id_, START, START + life)
        assert due_at(replace(one, window=first)) <= due_at(replace(one, window=moved))

    def test_the_end_of_the_window_is_left_to_the_renewal_itself(self) -> None:
        window = Window(START + 60 * DAY, START + 62 * DAY)
        last = max(due_at(certificate(id=f"c-{n}", window=window)) for n in range(2_000))
        assert window.end - 3 * HOUR < last <= window.end - 2 * DAY * DEFAULT_RULES.room

    def test_certificates_of_one_window_are_spread_over_it(self) -> None:
        window = Window(START + 60 * DAY, START + 62 * DAY)
        days = [due_at(certificate(id=f"c-{n}", window=window)) - window.start for n in range(500)]
        assert min(days) < HOUR
        assert max(days) > 45 * HOUR

    @pytest.mark.parametrize(
        ("days", "usual", "left"),
        [
            (90, 60, 11.25),
            (64, 64 * 2 / 3, 8),
            (45, 30, 5.625),
            (160 / 24, 80 / 24, 1),  # Let's Encrypt's shortlived
            (6, 3, 1),
            (1, 0.5, 0.25),
        ],
    )
    def test_lifetimes_to_come_are_covered(self, days: float, usual: float, left: float) -> None:
        one = certificate(days)
        assert abs(due_at(one) - START - timedelta(days=usual)) <= timedelta(days=days) * 0.026
        assert one.not_after - emergency_at(one) == timedelta(days=left)

    def test_a_window_behind_the_emergency_is_not_waited_for(self) -> None:
        late = Window(START + 88 * DAY, START + 89 * DAY)
        assert due_at(certificate(window=late)) == emergency_at(certificate())


class TestPlan:
    @given(certificates(), st.floats(0, 1.5))
    def test_every_plan_leads_on_within_known_time(self, one: Certificate, part: float) -> None:
        now = START + (one.not_after - START) * part
        step = plan(one, now)
        assert step.at >= now
        assert step.why
        failed = one.failures.at if one.failures else now
        said = (one.failures.until if one.failures and one.failures.until else now) + HOUR
        rehearsed = one.rehearsals.at if one.rehearsals else now
        assert step.at <= max(now, due_at(one), failed + DAY * 1.1, rehearsed + DAY * 1.1, said)

    @given(certificates(), st.floats(0, 1), st.floats(0, 0.5))
    def test_later_never_plans_for_earlier(self, one: Certificate, part: float, more: float) -> None:
        now = START + (one.not_after - START) * part
        one = replace(one, polls=False)
        first, second = plan(one, now), plan(one, now + (one.not_after - START) * more)
        assert second.at >= first.at

    @given(certificates(), st.floats(0, 0.99))
    def test_a_certificate_that_never_failed_is_renewed_before_its_end(self, one: Certificate, part: float) -> None:
        now = START + (one.not_after - START) * part
        step = plan(replace(one, failures=None, polls=False), now)
        assert step.action in (Action.RENEW, Action.EMERGENCY)
        assert now <= step.at < one.not_after

    @given(certificates())
    def test_following_the_plan_always_comes_to_a_try_at_a_real_ca(self, one: Certificate) -> None:
        """Every poll and every rehearsal fails; none of them may put a renewal off for good."""
        now = START
        for _ in range(3000):
            step = plan(one, now)
            now = step.at
            if step.action is Action.POLL:
                one = replace(one, next_poll=next_poll(now, 21600, one.id))
            elif step.action is Action.REHEARSE:
                done = one.rehearsals
                since = done is not None and one.failures is not None and done.at >= one.failures.at
                one = replace(one, rehearsals=Rehearsals((done.failed if done and since else 0) + 1, False, now))
            else:
                return
        pytest.fail("3,000 steps without one try")

    @given(lives, ids, st.sampled_from(FailureKind))
    def test_an_outage_of_a_tenth_of_its_life_darkens_nothing(
        self, life: timedelta, id_: str, kind: FailureKind
    ) -> None:
        """The first CA fails from the renewal on; there is neither staging nor a second one."""
        one = Certificate(id_, START, START + life, polls=False)
        broken_until = due_at(one) + life / 10
        now = START
        for _ in range(500):
            step = plan(one, now, ALONE)
            now = step.at
            if now >= broken_until:
                break
            count = one.failures.count + 1 if one.failures else 1
            one = replace(one, failures=Failures(count, kind, now))
        assert now < one.not_after

    def test_while_all_is_well_the_ca_is_asked_for_its_window(self) -> None:
        new = certificate(polls=True)
        assert plan(new, START).action is Action.POLL
        polled = replace(new, next_poll=START + 6 * HOUR)
        assert (plan(polled, START).action, plan(polled, START).at) == (Action.POLL, START + 6 * HOUR)

    def test_a_renewal_that_is_due_comes_before_a_poll(self) -> None:
        now = START + 70 * DAY
        assert plan(certificate(polls=True, next_poll=now), now).action is Action.RENEW

    def test_a_ca_that_was_never_asked_is_asked_once_before_that(self) -> None:
        now = START + 70 * DAY
        assert plan(certificate(polls=True), now).action is Action.POLL
        assert plan(certificate(polls=True), START + 85 * DAY).action is Action.EMERGENCY

    def test_an_expired_certificate_is_not_polled_and_renewed_at_once(self) -> None:
        step = plan(certificate(polls=True), START + 91 * DAY)
        assert (step.action, step.at, step.urgent) == (Action.EMERGENCY, START + 91 * DAY, True)

    def test_a_revoked_one_is_renewed_at_once(self) -> None:
        step = plan(certificate(polls=True, revoked=True), START + DAY)
        assert (step.action, step.at, step.why) == (Action.RENEW, START + DAY, "it was revoked")
        assert step.urgent

    def test_a_revoked_one_that_fails_waits_no_longer_than_in_an_emergency(self) -> None:
        now = START + DAY
        one = certificate(revoked=True, failures=Failures(4, FailureKind.CA_DOWN, now))
        assert plan(one, now).at < now + 12 * MINUTE
        odd = replace(one, failures=Failures(5, FailureKind.CA_DOWN, now))
        assert plan(odd, now).action is Action.SECOND_CA

    def test_what_a_drill_wants_is_due_from_then_on_and_is_not_asked_about_first(self) -> None:
        wanted = certificate(polls=True, replace_after=START + DAY)
        assert due_at(wanted) == START + DAY
        step = plan(wanted, START + 2 * DAY)
        assert (step.action, step.at, step.why) == (Action.RENEW, START + 2 * DAY, "a drill replaces it")
        assert plan(replace(wanted, next_poll=START + 2 * DAY), START).at == START + DAY

    def test_a_drill_delays_nothing_and_keeps_the_pauses_after_failures(self) -> None:
        window = Window(START + 60 * DAY, START + 62 * DAY)
        late = certificate(window=window, replace_after=START + 80 * DAY)
        assert due_at(late) == due_at(replace(late, replace_after=None))
        failed = Failures(1, FailureKind.VALIDATION, START + DAY)
        step = plan(certificate(replace_after=START, failures=failed), START + DAY)
        assert START + DAY + 15 * MINUTE <= step.at < START + DAY + HOUR

    def test_a_window_in_the_past_means_now(self) -> None:
        past = Window(START - 2 * DAY, START - DAY)
        step = plan(certificate(window=past, polls=True, next_poll=START + HOUR), START + MINUTE)
        assert (step.action, step.at) == (Action.RENEW, START + MINUTE)


class TestFailures:
    NOW = START + 62 * DAY

    def failed(self, count: int, kind: FailureKind, **changes: object) -> Certificate:
        return certificate(failures=Failures(count, kind, self.NOW), **changes)

    def test_the_first_failure_is_tried_again_at_the_same_ca(self) -> None:
        for kind in FailureKind:
            step = plan(self.failed(1, kind), self.NOW)
            assert step.action is Action.RENEW
            assert step.at > self.NOW

    def test_repeated_failures_of_our_own_are_rehearsed_at_the_staging_ca(self) -> None:
        assert plan(self.failed(2, FailureKind.VALIDATION), self.NOW).action is Action.REHEARSE

    def test_a_passed_rehearsal_leads_to_the_real_ca(self) -> None:
        done = Rehearsals(0, True, self.NOW + HOUR)
        assert plan(self.failed(2, FailureKind.VALIDATION, rehearsals=done), self.NOW + HOUR).action is Action.RENEW

    def test_a_staging_ca_that_keeps_failing_does_not_stand_in_the_way(self) -> None:
        done = Rehearsals(3, False, self.NOW + HOUR)
        assert plan(self.failed(2, FailureKind.VALIDATION, rehearsals=done), self.NOW + HOUR).action is Action.RENEW

    def test_a_first_ca_that_keeps_failing_takes_turns_with_the_second(self) -> None:
        actions = [plan(self.failed(count, FailureKind.CA_DOWN), self.NOW).action for count in range(1, 7)]
        assert actions == [Action.RENEW, Action.RENEW, Action.SECOND_CA, Action.RENEW, Action.SECOND_CA, Action.RENEW]

    def test_a_limit_that_lasts_too_long_sends_it_to_the_second_ca_at_once(self) -> None:
        until = START + 85 * DAY
        one = certificate(failures=Failures(1, FailureKind.RATE_LIMITED, self.NOW, until))
        step = plan(one, self.NOW)
        assert step.action is Action.SECOND_CA
        assert step.at < self.NOW + 2 * HOUR
        assert plan(one, self.NOW, ALONE).at >= until

    def test_in_the_emergency_nothing_is_rehearsed_and_both_cas_are_tried(self) -> None:
        now = START + 85 * DAY
        steps = [plan(certificate(failures=Failures(count, FailureKind.VALIDATION, now)), now) for count in range(1, 5)]
        assert [step.action for step in steps] == [Action.SECOND_CA, Action.EMERGENCY] * 2
        assert all(step.urgent and step.at < now + 23 * MINUTE for step in steps)

    def test_without_staging_and_second_ca_the_first_is_tried_for_ever(self) -> None:
        for count in range(1, 40):
            for kind in FailureKind:
                assert plan(self.failed(count, kind), self.NOW, ALONE).action is Action.RENEW


class TestNextPoll:
    @given(st.floats(0, 10**9), ids)
    def test_it_is_within_a_minute_and_twelve_hours(self, seconds: float, id_: str) -> None:
        at = next_poll(START, seconds, id_)
        assert START + MINUTE <= at <= START + 12 * HOUR

    def test_lets_encrypts_six_hours_are_kept_but_for_the_spread(self) -> None:
        assert START + 5.6 * HOUR < next_poll(START, 21600, "c-1") <= START + 6 * HOUR

    def test_rules_are_numbers_that_can_be_set(self) -> None:
        rules = RenewalRules(poll_every=HOUR)
        assert next_poll(START, 21600, "c-1", rules) <= START + HOUR


class TestUploaded:
    def test_it_is_followed_by_one_of_our_ca_after_four_fifths_of_its_life(self) -> None:
        bought = certificate(200, uploaded=True)
        made = plan(bought, START)
        assert made.action is Action.RENEW
        assert "uploaded" in made.why
        assert START + timedelta(days=150) < made.at < START + timedelta(days=170) < emergency_at(bought)

    def test_one_that_takes_a_place_is_due_at_once_and_its_failures_are_not_rehearsed(self) -> None:
        now = START + DAY
        waits = certificate(brought=True, replace_after=now)
        assert (plan(waits, now).action, plan(waits, now).at) == (Action.RENEW, now)
        assert plan(waits, now).why == "an uploaded one takes its place"
        failed = replace(waits, failures=Failures(4, FailureKind.OURS, now))
        assert plan(failed, now + DAY).action is Action.RENEW
        assert plan(replace(failed, brought=False), now + DAY).action is Action.REHEARSE

    def test_a_withdrawn_one_is_replaced_at_once(self) -> None:
        now = START + DAY
        made = plan(certificate(uploaded=True, replace_after=now), now)
        assert (made.action, made.at, made.why) == (Action.RENEW, now, "its key was withdrawn")
