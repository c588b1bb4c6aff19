"""A fleet under the policy, hour by hour of virtual time: its CA is away for a day, later it withdraws certificates."""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from domain.renewal import Action, Certificate, Window, due_at, emergency_at, next_poll, plan
from domain.renewal_retries import DAY, HOUR, FailureKind, Failures, fraction

START = datetime(2027, 1, 1, tzinfo=UTC)
END = START + 60 * DAY
OUTAGE = (START + 20 * DAY, START + 21 * DAY)
INCIDENT = START + 40 * DAY
SIZE = 200
LIVES = {"classic": 90 * DAY, "64 days": 64 * DAY, "45 days": 45 * DAY, "shortlived": 160 * HOUR}


class Fleet:
    """Each certificate's next step in a heap. The CA suggests windows, and moves them into the past at the incident."""

    def __init__(self, size: int) -> None:
        self.steps: list[tuple[datetime, int]] = []
        self.held: dict[int, Certificate] = {}
        self.counts: Counter[str] = Counter()
        self.renewals: list[tuple[datetime, Certificate]] = []
        kinds = list(LIVES.values())
        for number in range(size):
            life = kinds[number % len(kinds)]
            born = START - life * 0.45 * fraction(str(number), "birth")
            self.hold(number, Certificate(f"c-{number}-0", born, born + life), START)

    def hold(self, number: int, certificate: Certificate, now: datetime) -> None:
        self.held[number] = certificate
        heapq.heappush(self.steps, (plan(certificate, now).at, number))

    def suggested(self, certificate: Certificate, now: datetime) -> Window:
        if now >= INCIDENT > certificate.not_before:
            return Window(INCIDENT - 2 * DAY, INCIDENT - DAY)
        life = certificate.not_after - certificate.not_before
        middle = certificate.not_before + life * (1 / 2 if life <= 10 * DAY else 2 / 3)
        return Window(middle - life / 90, middle + life / 90)

    def run(self) -> None:
        while self.steps[0][0] < END:
            now, number = heapq.heappop(self.steps)
            known = self.held[number]
            step = plan(known, now)
            self.counts[step.action] += 1
            down = OUTAGE[0] <= now < OUTAGE[1]
            if step.at > now:
                self.hold(number, known, now)
            elif step.action is Action.POLL:
                window = known.window if down else self.suggested(known, now)
                asked = next_poll(now, 21600, known.id)
                self.hold(number, replace(known, window=window, next_poll=asked), now)
            elif down and step.action is not Action.SECOND_CA:
                count = known.failures.count + 1 if known.failures else 1
                self.hold(number, replace(known, failures=Failures(count, FailureKind.CA_DOWN, now)), now)
            else:
                self.renewals.append((now, known))
                life = known.not_after - known.not_before
                head, _, generation = known.id.rpartition("-")
                self.hold(number, Certificate(f"{head}-{int(generation) + 1}", now, now + life), now)


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    made = Fleet(SIZE)
    made.run()
    return made


def test_nothing_is_ever_dark(fleet: Fleet) -> None:
    assert len(fleet.renewals) > SIZE
    for at, replaced in fleet.renewals:
        assert at < replaced.not_after
    assert all(held.not_after > END for held in fleet.held.values())


def test_every_renewal_is_inside_its_window_but_for_the_outage_and_the_incident(fleet: Fleet) -> None:
    for at, replaced in fleet.renewals:
        assert replaced.window is not None
        if replaced.window.end < INCIDENT - HOUR * 23 and at >= INCIDENT:
            continue
        latest = replaced.window.end
        if OUTAGE[0] <= due_at(replaced) < OUTAGE[1]:
            latest = max(latest, OUTAGE[1] + 7 * HOUR)
        assert replaced.window.start <= at <= latest


def test_nobody_is_in_an_emergency_because_of_one_day(fleet: Fleet) -> None:
    shortlived = LIVES["shortlived"]
    for at, replaced in fleet.renewals:
        if replaced.not_after - replaced.not_before > shortlived:
            assert at < emergency_at(replaced)


def test_a_mass_withdrawal_is_noticed_and_done_within_half_a_day(fleet: Fleet) -> None:
    concerned = [at for at, replaced in fleet.renewals if replaced.not_before < INCIDENT <= at]
    assert len(concerned) == SIZE
    assert max(concerned) < INCIDENT + 12 * HOUR
    # Not all at once: as they ask, over the six hours.
    assert max(Counter((at - INCIDENT) // HOUR for at in concerned).values()) < SIZE / 2


def test_the_ca_is_asked_at_least_twice_a_day_and_not_much_more_than_it_wants(fleet: Fleet) -> None:
    per_day = fleet.counts[Action.POLL] / SIZE / 60
    assert 2 <= per_day < timedelta(days=1) / (5.6 * HOUR)
