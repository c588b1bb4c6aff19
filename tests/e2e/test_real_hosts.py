"""The main job on real parts: a Debian host is born, set up over SSH, serves HTTPS, survives what kills processes."""

from __future__ import annotations

import json
import random
import socket
import time

import pytest

from tests.e2e.stack import Running

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(900)]


def reachable(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), timeout=2):
            return True
    except OSError:
        return False


@pytest.fixture(scope="module")
def born(machines: Running) -> tuple[str, str]:
    """(deployment, address) of an instance that became active while its worker was killed in the middle."""
    chance = random.Random("machine")
    deployment = machines.order("testco", organizationName="Test Company")
    for _ in range(3):
        time.sleep(chance.uniform(4, 12))
        machines.kill("worker")
    status = machines.until(deployment, lambda s: s["phase"] == "active" or s["parked"], patience=600)
    assert not status["parked"], status["parked"]
    return deployment, status["vps"]["ip"]


def test_the_order_arrives_although_its_worker_was_killed(machines: Running, born: tuple[str, str]) -> None:
    _, address = born
    name = f"testco.{machines.details['base_domain']}"
    code, body = machines.get_site(address, name, "/api/health")
    health = json.loads(body)
    assert code == 200
    assert (health["status"], health["database"], health["redis"]) == ("healthy", "connected", "connected")
    code, page = machines.get_site(address, name)
    assert code == 200
    assert "Test Company" in page
    assert len([vps for vps in machines.living() if vps["description"] == "testco-vps-1"]) == 1


@pytest.mark.parametrize("provider", ["digitalocean", "linode"])
def test_the_main_job_ends_on_a_real_host_through_every_clouds_protocol(machines: Running, provider: str) -> None:
    """TransIP's is what `born` went through."""
    slug = f"by-{provider}"
    deployment = machines.order(slug, provider=provider)
    status = machines.until_active(deployment)
    address, name = status["vps"]["ip"], f"{slug}.{machines.details['base_domain']}"
    code, body = machines.get_site(address, name, "/api/health")
    assert (code, json.loads(body)["status"]) == (200, "healthy")
    (server,) = machines.http.get("/api/vps", params={"provider_type": provider}).json()["instances"]
    assert (server["ip_address"], server["status"]) == (address, "running")
    assert server["monthly_rate"] > 0
    machines.http.delete(f"/api/portal/instances/{deployment}").raise_for_status()
    ended = machines.until_ended(deployment)
    assert ended["phase"] == "terminated"
    assert not reachable(address, 443)


def test_only_three_ports_answer_from_outside(born: tuple[str, str]) -> None:
    _, address = born
    open_ports = [port for port in (22, 80, 443, 2375, 3001, 3002, 3005, 5432, 6379) if reachable(address, port)]
    assert open_ports == [22, 80, 443]


def test_the_handed_over_credentials_open_the_application(machines: Running, born: tuple[str, str]) -> None:
    deployment, address = born
    shown = machines.http.get(f"/api/portal/instances/{deployment}/credentials").json()["credentials"]
    body = json.dumps({"email": shown["email"], "password": shown["password"]})
    name = f"testco.{machines.details['base_domain']}"
    assert machines.post_site(address, name, "/api/login", body) == 200


def test_a_neighbour_on_a_shared_server_and_its_removal(machines: Running) -> None:
    first = machines.order("berth-one", deploymentModel="shared", tier="enterprise")
    machines.until_active(first)
    second = machines.order("berth-two", deploymentModel="shared")
    status = machines.until_active(second)
    assert status["vps"]["id"] == machines.status(first)["vps"]["id"]
    address = status["vps"]["ip"]
    machines.http.delete(f"/api/portal/instances/{second}").raise_for_status()
    machines.until_ended(second)
    code, _ = machines.get_site(address, f"berth-one.{machines.details['base_domain']}", "/api/health")
    assert code == 200


def test_a_failing_migration_is_corrected_and_a_rollback_is_proven(machines: Running) -> None:
    deployment = machines.order("undone", environment={"MIGRATION_TARGET": "no-such-version"})
    parked = machines.until_parked(deployment, "run_migrations")
    assert "no-such-version" in parked["error_message"]
    machines.http.post(f"/api/portal/instances/{deployment}/rollback", json={"reason": "test"}).raise_for_status()
    ended = machines.until_ended(deployment)
    assert ended["phase"] == "rolled_back"
    assert not reachable(parked["vps"]["ip"], 443)
    assert "undone-vps-1" not in [vps["description"] for vps in machines.living()]
