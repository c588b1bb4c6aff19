"""The ledger's rules: never more than the CA allows, never less than it gives, and exemptions as documented."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.ca_limits import (
    LETS_ENCRYPT,
    Bucket,
    CaLimit,
    Charge,
    Renewal,
    Spent,
    Wanted,
    charges_of,
    free_at,
    given_back,
    left_at,
    name_key,
    possible_at,
    set_key,
    spent_by_issue,
    spent_by_order,
    taken,
)

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
NAMES = ("slipway.test", "*.slipway.test")
NEW = Wanted("a-1", NAMES, ["slipway.test"])
DOMAIN = Charge(CaLimit.REGISTERED_DOMAIN, "slipway.test")


def at_once(count: int, when: datetime = NOW) -> Spent:
    return Spent([when] * count)


class TestLetsEncryptsNumbers:
    @pytest.mark.parametrize(
        ("limit", "count", "refill"),
        [
            (CaLimit.REGISTERED_DOMAIN, 50, 202 * MINUTE),
            (CaLimit.EXACT_SET, 5, 34 * HOUR),
            (CaLimit.NEW_ORDERS, 300, timedelta(seconds=36)),
            (CaLimit.FAILED_VALIDATIONS, 5, 12 * MINUTE),
        ],
    )
    def test_a_spent_bucket_gives_the_next_one_after_its_refill(
        self, limit: CaLimit, count: int, refill: timedelta
    ) -> None:
        bucket = LETS_ENCRYPT[limit]
        assert free_at(bucket, at_once(count - 1), NOW) == NOW
        wait = free_at(bucket, at_once(count), NOW) - NOW
        assert abs(wait - refill) < max(refill / 50, MINUTE / 60)


def allowed(bucket: Bucket, moments: list[datetime], now: datetime) -> bool:
    """The CA's side, counted the other way round: tokens that refill up to the bucket's size."""
    tokens, last = float(bucket.count), None
    for moment in [*moments, now]:
        if last is not None:
            tokens = min(bucket.count, tokens + (moment - last) / bucket.spacing)
        last = moment
        if moment is not now:
            tokens -= 1
    return tokens >= 1 - 1e-6


class TestBuckets:
    @given(st.integers(1, 20), st.lists(st.floats(0, 30), max_size=60))
    def test_the_moment_given_is_the_first_at_which_the_ca_agrees(self, count: int, gaps: list[float]) -> None:
        bucket = Bucket(count, 5 * HOUR)
        moments: list[datetime] = []
        now = NOW
        for gap in gaps:
            now += timedelta(minutes=gap * 10)
            at = free_at(bucket, Spent(moments), now)
            assert allowed(bucket, moments, at)
            if at > now:
                assert not allowed(bucket, moments, at - timedelta(seconds=1))
            moments.append(at)
            now = at

    @pytest.mark.parametrize("seed", range(3))
    def test_no_week_sees_more_than_bucket_and_refill(self, seed: int) -> None:
        dice, bucket = random.Random(seed), LETS_ENCRYPT[CaLimit.REGISTERED_DOMAIN]
        moments: list[datetime] = []
        now = NOW
        for _ in range(300):
            now = free_at(bucket, Spent(moments), now + dice.random() * dice.choice((0, 1, 10)) * HOUR)
            moments.append(now)
        for first in moments:
            assert sum(first <= moment < first + bucket.window for moment in moments) <= 2 * bucket.count

    @given(st.lists(st.integers(0, 600), max_size=30), st.integers(0, 600))
    def test_one_event_more_never_makes_it_earlier(self, minutes: list[int], more: int) -> None:
        bucket, events = Bucket(5, 5 * HOUR), [NOW + minute * MINUTE for minute in minutes]
        assert free_at(bucket, Spent([*events, NOW + more * MINUTE]), NOW) >= free_at(bucket, Spent(events), NOW)

    @given(st.lists(st.integers(0, 600), max_size=30))
    def test_the_short_form_is_as_careful_as_all_events_and_exact_in_their_order(self, minutes: list[int]) -> None:
        bucket, short, ordered = Bucket(5, 5 * HOUR), Spent(), Spent()
        events = [NOW + minute * MINUTE for minute in minutes]
        for event in events:
            short = taken(bucket, short, event)
        for event in sorted(events):
            ordered = taken(bucket, ordered, event)
        assert free_at(bucket, ordered, NOW) == free_at(bucket, Spent(events), NOW) <= free_at(bucket, short, NOW)
        assert left_at(bucket, ordered, NOW) == left_at(bucket, Spent(events), NOW)

    def test_a_reservation_given_back_is_free_again(self) -> None:
        bucket = LETS_ENCRYPT[CaLimit.EXACT_SET]
        full = Spent()
        for _ in range(5):
            full = taken(bucket, full, NOW)
        assert free_at(bucket, full, NOW) > NOW
        assert free_at(bucket, given_back(bucket, full), NOW) == NOW
        assert given_back(bucket, Spent()) == Spent()

    def test_what_is_older_than_two_windows_changes_nothing(self) -> None:
        bucket = LETS_ENCRYPT[CaLimit.EXACT_SET]
        assert left_at(bucket, at_once(5, NOW - 2 * bucket.window), NOW) == 5

    def test_a_reservation_ahead_counts_now(self) -> None:
        assert left_at(LETS_ENCRYPT[CaLimit.EXACT_SET], Spent([NOW + HOUR]), NOW) < 5

    def test_the_cas_own_refusal_holds_even_where_our_rows_know_nothing(self) -> None:
        refused = Spent((), refused_until=NOW + 3 * HOUR)
        bucket = LETS_ENCRYPT[CaLimit.REGISTERED_DOMAIN]
        assert free_at(bucket, refused, NOW) == NOW + 3 * HOUR
        assert left_at(bucket, refused, NOW) == 0

    def test_what_is_kept_back_is_left_for_others(self) -> None:
        bucket = LETS_ENCRYPT[CaLimit.REGISTERED_DOMAIN]
        assert free_at(bucket, at_once(40), NOW, keep=10) > NOW
        assert free_at(bucket, at_once(39), NOW, keep=10) == NOW
        with pytest.raises(ValueError, match="one cannot keep"):
            free_at(bucket, Spent(), NOW, keep=50)


class TestOrders:
    def test_a_new_order_draws_on_everything(self) -> None:
        assert set(charges_of(NEW)) == {
            DOMAIN,
            Charge(CaLimit.EXACT_SET, set_key(NAMES)),
            Charge(CaLimit.NEW_ORDERS, "a-1"),
            Charge(CaLimit.FAILED_VALIDATIONS, name_key("a-1", "slipway.test")),
        }

    def test_base_and_wildcard_fail_under_one_name(self) -> None:
        assert name_key("a", "*.Slipway.test") == name_key("a", "slipway.test")

    def test_the_same_names_in_another_order_are_the_same_set(self) -> None:
        assert set_key(["B.test", "a.test"]) == set_key(["a.test", "b.test", "a.test"])
        assert set_key(["a.test"]) != set_key(["a.test", "b.test"])

    def test_a_renewal_by_ari_is_possible_whatever_was_spent(self) -> None:
        ari = Wanted("a-1", NAMES, ["slipway.test"], Renewal.ARI)
        ledger = {charge: Spent([NOW] * 500, refused_until=NOW + HOUR) for charge in charges_of(NEW)}
        assert possible_at(ari, ledger, NOW).at == NOW
        assert spent_by_order(ari) == []
        assert spent_by_issue(ari) == [Charge(CaLimit.EXACT_SET, set_key(NAMES))]

    def test_the_same_set_passes_a_spent_domain_and_not_its_own_limit(self) -> None:
        again = Wanted("a-1", NAMES, ["slipway.test"], Renewal.SAME_SET)
        assert possible_at(again, {DOMAIN: at_once(50)}, NOW).by is None
        blocked = possible_at(again, {Charge(CaLimit.EXACT_SET, set_key(NAMES)): at_once(5)}, NOW)
        assert blocked.by == Charge(CaLimit.EXACT_SET, set_key(NAMES))
        assert spent_by_order(again) == []

    def test_the_fifty_first_new_subdomain_waits_and_says_why(self) -> None:
        verdict = possible_at(NEW, {DOMAIN: at_once(50)}, NOW)
        assert (verdict.by, verdict.left) == (DOMAIN, 0)
        assert verdict.why == (
            "the CA allows 50 certificates for slipway.test in 7 days; the next is possible at 2026-11-28 15:21 UTC"
        )

    def test_an_empty_ledger_lets_through_and_says_how_many_fit(self) -> None:
        verdict = possible_at(NEW, {}, NOW)
        assert (verdict.at, verdict.by, verdict.left) == (NOW, None, 5)

    def test_failed_validations_of_one_name_block_it_and_not_its_neighbour(self) -> None:
        ledger = {Charge(CaLimit.FAILED_VALIDATIONS, name_key("a-1", "slipway.test")): at_once(5)}
        assert possible_at(NEW, ledger, NOW).at == NOW + 12 * MINUTE
        assert possible_at(Wanted("a-1", ["b.slipway.test"], ["slipway.test"]), ledger, NOW).at == NOW

    def test_the_latest_of_all_limits_decides(self) -> None:
        ledger = {DOMAIN: at_once(50), Charge(CaLimit.EXACT_SET, set_key(NAMES)): at_once(5)}
        assert possible_at(NEW, ledger, NOW).by == Charge(CaLimit.EXACT_SET, set_key(NAMES))
