"""Bad days on the whole stack: processes die, clouds lose answers, steps fail; every order still ends well, by name."""

from __future__ import annotations

import random
import signal
import time

import pytest

from tests.e2e.stack import Running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def one_server(stack: Running, deployment: str) -> None:
    label = stack.status(deployment)["vps"]["name"]
    assert [vps["description"] for vps in stack.living()].count(label) == 1


@pytest.mark.parametrize("part", ["worker", "temporal", "api", "cloud", "dns"])
def test_a_part_killed_at_random_moments_delays_and_loses_nothing(emulated: Running, part: str) -> None:
    chance = random.Random(part)
    deployment = emulated.order(f"killed-{part}")
    for _ in range(3):
        time.sleep(chance.uniform(0.3, 2.5))
        emulated.kill(part)
    emulated.until_active(deployment)
    one_server(emulated, deployment)


class TestTheCloud:
    @pytest.mark.parametrize(
        ("slug", "do", "more"),
        [
            ("lost-answer", "lose_answer", {}),
            ("lost-request", "lose_request", {}),
            ("broken", "status", {"status": 502}),
            ("garbled", "garbage", {}),
        ],
    )
    def test_an_order_whose_answer_is_lost_buys_one_server(
        self, emulated: Running, slug: str, do: str, more: dict[str, object]
    ) -> None:
        emulated.fault(do, "POST", "/vps$", times=1, **more)
        deployment = emulated.order(slug)
        emulated.until_active(deployment)
        one_server(emulated, deployment)

    def test_reads_that_fail_for_a_while_only_delay(self, emulated: Running) -> None:
        emulated.fault("status", "GET", "/vps", times=4, status=503)
        emulated.fault("garbage", "GET", "/vps", times=2)
        deployment = emulated.order("flaky")
        emulated.until_active(deployment)
        one_server(emulated, deployment)


class TestOperators:
    def test_a_failing_migration_waits_is_corrected_and_goes_on(self, emulated: Running) -> None:
        deployment = emulated.order("migrating", environment={"MIGRATION_TARGET": "no-such-version"})
        parked = emulated.until_parked(deployment, "run_migrations")
        assert parked["attention"] == "awaiting_operator"
        listed = emulated.http.get("/api/operator/attention").json()["items"]
        assert "migrating" in [item["slug"] for item in listed]
        wrong = emulated.http.post(f"/api/portal/instances/{deployment}/retry", json={"changes": {"product": "x"}})
        assert (wrong.status_code, wrong.json()["field"]) == (422, "product")
        answer = emulated.http.post(
            f"/api/portal/instances/{deployment}/retry", json={"step": "run_migrations", "changes": {"environment": {}}}
        )
        assert answer.status_code < 300, answer.text
        emulated.until_active(deployment)

    def test_a_rollback_leaves_nothing_and_proves_it(self, emulated: Running) -> None:
        deployment = emulated.order("regretted", environment={"MIGRATION_TARGET": "no-such-version"})
        parked = emulated.until_parked(deployment, "run_migrations")
        answer = emulated.http.post(f"/api/portal/instances/{deployment}/rollback", json={"reason": "wrong tier"})
        assert answer.status_code < 300, answer.text
        ended = emulated.until_ended(deployment)
        assert ended["phase"] == "rolled_back"
        assert ended["status"] == "failed"
        assert len(ended["absence"]["proofs"]) == 3
        assert parked["vps"]["name"] not in [vps["description"] for vps in emulated.living()]
        again = emulated.order("regretted")
        emulated.until_active(again)

    def test_a_cancel_in_the_middle_leaves_nothing(self, emulated: Running) -> None:
        deployment = emulated.order("cancelled")
        emulated.until(deployment, lambda s: s["vps"] is not None and s["vps"]["ip"] is not None)
        assert emulated.http.post(f"/api/portal/instances/{deployment}/cancel").status_code < 300
        ended = emulated.until_ended(deployment)
        assert ended["phase"] == "cancelled"
        assert ended["vps"]["name"] not in [vps["description"] for vps in emulated.living()]

    def test_a_running_run_can_be_neither_retried_nor_rolled_back(self, emulated: Running) -> None:
        deployment = emulated.order("busy")
        for verb in ("retry", "rollback"):
            answer = emulated.http.post(f"/api/portal/instances/{deployment}/{verb}", json={})
            assert (answer.status_code, answer.json()["code"]) == (409, "CONFLICT"), verb
        emulated.until_active(deployment)


def test_a_name_server_that_hangs_delays_and_loses_nothing(emulated: Running) -> None:
    deployment = emulated.order("nameless")
    emulated.send("dns", signal.SIGSTOP)
    try:
        time.sleep(6)
        assert emulated.status(deployment)["phase"] == "running"
    finally:
        emulated.send("dns", signal.SIGCONT)
    emulated.until_active(deployment)
