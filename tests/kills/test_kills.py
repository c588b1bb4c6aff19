"""What `make kills` rests on: a plan that can be repeated, and a judge that is not kind."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.kills.orders import Lost, Order
from tests.kills.plan import HOST_EXISTS, PARTS, STEPS, plan

ROW: dict[str, Any] = {"phase": "rolled_back", "ended_at": "now", "absence": {"proofs": [1, 2, 3]}}


class Judged(Order):
    """An order about which the cloud says what the test says."""

    def __init__(self, *phases: str) -> None:
        super().__init__(stack=None, kill=plan(1, seed=1)[0])  # type: ignore[arg-type]
        self.made = [{"name": f"vps{number}", "phase": phase} for number, phase in enumerate(phases)]

    def servers(self) -> list[dict[str, Any]]:
        return self.made


class TestThePlan:
    def test_a_seed_gives_the_same_kills_again(self) -> None:
        assert plan(20, seed=7) == plan(20, seed=7)
        assert plan(20, seed=7) != plan(20, seed=8)

    def test_every_part_comes_as_often_as_the_others(self) -> None:
        assert set(Counter(kill.part for kill in plan(60, seed=3)).values()) == {60 // len(PARTS)}

    def test_moments_lie_within_the_run(self) -> None:
        for kill in plan(300, seed=5):
            assert (HOST_EXISTS if kill.part == "host" else 0) <= kill.after_steps < STEPS


class TestTheJudge:
    def test_a_rollback_with_proof_and_nothing_left_is_accepted(self) -> None:
        Judged("gone").judge_gone(ROW, proofs=3)
        Judged().judge_gone(ROW, proofs=3)

    @pytest.mark.parametrize(
        ("phases", "change", "said"),
        [
            (("running",), {}, "still live"),
            (("gone", "gone"), {}, "more than one server"),
            (("gone",), {"absence": None}, "0 proofs"),
            (("gone",), {"absence": {"proofs": [1, 2]}}, "2 proofs"),
            (("gone",), {"ended_at": None}, "is called"),
        ],
    )
    def test_anything_less_is_lost(self, phases: tuple[str, ...], change: dict[str, Any], said: str) -> None:
        with pytest.raises(Lost, match=said):
            Judged(*phases).judge_gone(ROW | change, proofs=3)

    @pytest.mark.parametrize("phases", [(), ("running", "running"), ("running", "gone"), ("gone",)])
    def test_an_active_order_has_exactly_one_server_ever(self, phases: tuple[str, ...]) -> None:
        with pytest.raises(Lost, match="servers were made"):
            Judged(*phases).judge_active({"phase": "active"})
