"""The main job over HTTP: an order goes in, a server that serves HTTPS under its name comes out."""

from __future__ import annotations

import json
import uuid

import httpx
import pytest

from tests.e2e.stack import Running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def acme(emulated: Running) -> str:
    """A dedicated instance that has become active."""
    deployment = emulated.order("acme")
    emulated.until_active(deployment)
    return deployment


class TestDedicated:
    def test_the_site_answers_over_https_with_the_cas_chain(self, emulated: Running, acme: str) -> None:
        status = emulated.status(acme)
        assert status["done"] is True
        assert status["access_url"].startswith(f"https://acme.{emulated.details['base_domain']}")
        name = f"acme.{emulated.details['base_domain']}"
        code, body = emulated.get_site(status["vps"]["ip"], name, "/api/health")
        assert code == 200
        health = json.loads(body)
        assert (health["status"], health["database"], health["redis"]) == ("healthy", "connected", "connected")
        assert emulated.get_site(status["vps"]["ip"], name)[0] == 200

    def test_every_step_ended_and_shows_its_time(self, emulated: Running, acme: str) -> None:
        steps = emulated.status(acme)["steps"]
        assert {step["state"] for step in steps} == {"done"}
        assert all(step["seconds"] >= 0 for step in steps)
        messages = emulated.messages(acme)
        assert "Step 4/7: Starting Docker services" in messages
        assert any(message.startswith("VPS created: acme-vps-1") for message in messages)

    def test_exactly_one_server_was_paid(self, emulated: Running, acme: str) -> None:
        label = emulated.status(acme)["vps"]["name"]
        assert [vps["description"] for vps in emulated.living()].count(label) == 1

    def test_credentials_are_shown_once(self, emulated: Running, acme: str) -> None:
        first = emulated.http.get(f"/api/portal/instances/{acme}/credentials")
        assert first.json()["credentials"]["password"] == "SecurePassword123!"
        assert emulated.http.get(f"/api/portal/instances/{acme}/credentials").status_code == 410

    def test_the_event_stream_resumes_where_it_was_left(self, emulated: Running, acme: str) -> None:
        def positions(after: int) -> list[int]:
            seen = []
            headers = {"Last-Event-ID": str(after)} if after else {}
            with emulated.http.stream("GET", f"/api/portal/instances/{acme}/events", headers=headers) as stream:
                for line in stream.iter_lines():
                    if line.startswith("id:"):
                        seen.append(int(line[3:]))
            return seen

        everything = positions(0)
        middle = everything[len(everything) // 2]
        rest = positions(middle)
        assert [position for position in everything if position > middle] == [p for p in rest if p > middle]

    def test_a_terminated_instance_is_gone_with_proof(self, emulated: Running) -> None:
        deployment = emulated.order("leaving")
        emulated.until_active(deployment)
        label = emulated.status(deployment)["vps"]["name"]
        assert emulated.http.delete(f"/api/portal/instances/{deployment}").status_code == 202
        ended = emulated.until_ended(deployment)
        assert ended["phase"] == "terminated"
        assert len(ended["absence"]["proofs"]) == 3
        assert label not in [vps["description"] for vps in emulated.living()]


class TestShared:
    def test_two_organizations_live_side_by_side_on_one_server(self, emulated: Running) -> None:
        first = emulated.order("tenant-one", deploymentModel="shared")
        emulated.until_active(first)
        vps = emulated.status(first)["vps"]["id"]
        second = emulated.order("tenant-two", deploymentModel="shared", vpsId=vps)
        done = emulated.until_active(second)
        assert done["vps"]["id"] == vps
        for slug in ("tenant-one", "tenant-two"):
            name = f"{slug}.{emulated.details['base_domain']}"
            code, body = emulated.get_site(done["vps"]["ip"], name, "/api/health")
            assert code == 200, body
        listed = emulated.http.get(f"/api/portal/vps/{vps}/organizations").json()["organizations"]
        assert {organization["slug"] for organization in listed} >= {"tenant-one", "tenant-two"}
        assert emulated.http.delete(f"/api/portal/instances/{second}").status_code == 202
        emulated.until_ended(second)
        code, _ = emulated.get_site(done["vps"]["ip"], f"tenant-one.{emulated.details['base_domain']}", "/api/health")
        assert code == 200, "the neighbour is untouched"


class TestFrontDoor:
    def test_a_dry_run_changes_nothing(self, emulated: Running) -> None:
        before = emulated.http.get("/api/portal/instances").json()["pagination"]["total"]
        body = {"organizationName": "Plan", "slug": "planned", "tier": "starter", "deploymentModel": "dedicated",
                "adminEmail": "a@plan.com", "adminName": "A"}  # fmt: skip
        plan = emulated.http.post("/api/portal/instances", params={"dry_run": "true"}, json=body).json()["plan"]
        assert plan["product"] == "bladevps-x2"
        assert plan["price_cents_month"] > 0
        assert len(plan["steps"]) == 15
        assert emulated.http.get("/api/portal/instances").json()["pagination"]["total"] == before

    def test_a_replayed_key_is_one_order(self, emulated: Running) -> None:
        key = {"Idempotency-Key": str(uuid.uuid4())}
        body = {"organizationName": "Once", "slug": "once", "tier": "starter", "deploymentModel": "dedicated",
                "adminEmail": "a@once.com", "adminName": "A"}  # fmt: skip
        answers = [emulated.http.post("/api/portal/instances", json=body, headers=key) for _ in range(3)]
        assert {answer.status_code for answer in answers} == {202}
        assert len({answer.json()["deploymentId"] for answer in answers}) == 1
        other = emulated.http.post("/api/portal/instances", json=body | {"tier": "enterprise"}, headers=key)
        assert (other.status_code, other.json()["code"]) == (409, "IDEMPOTENCY_MISMATCH")
        emulated.until_active(answers[0].json()["deploymentId"])

    def test_nobody_gets_in_without_signing_in(self, emulated: Running) -> None:
        anonymous = httpx.get(f"{emulated.details['api']}/api/portal/instances", trust_env=False)
        assert (anonymous.status_code, anonymous.json()["code"]) == (401, "UNAUTHENTICATED")
