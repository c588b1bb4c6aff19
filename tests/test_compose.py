"""docker-compose.yml is valid, names every setting, runs our processes without rights, and pins what it pulls."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.parts import require
from tests.test_env_example import EXAMPLE, SETTINGS, variables

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docker-compose.yml").read_text()
PROCESSES = {"api", "migrate", "bootstrap", "worker-runs", "worker-hosts", "worker-edge",
             "worker-cloud-transip", "worker-cloud-digitalocean", "worker-cloud-linode"}  # fmt: skip
# Given by the compose network itself, or meaningless inside it.
NOT_FOR_COMPOSE = {"DATABASE_URL", "BLUEPRINTS_DIR", "TEMPORAL_API_KEY"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(TEXT)
    return loaded


def used() -> dict[str, str]:
    """Variables of the file with what follows their name: `:-default`, `:?message` or nothing."""
    return dict(re.findall(r"\$\{([A-Z0-9_]+)([^}]*)\}", TEXT))


def test_every_variable_is_in_the_example() -> None:
    assert set(used()) - set(variables(EXAMPLE.read_text())) == set()


def test_defaults_are_those_of_the_example() -> None:
    written = variables(EXAMPLE.read_text())
    defaults = {name: rest[2:] for name, rest in used().items() if rest.startswith(":-") and rest != ":-"}
    assert {name: value for name, value in defaults.items() if written[name] not in (value, "")} == {}


def test_passwords_have_no_default() -> None:
    for name, rest in used().items():
        if re.search(r"PASSWORD|SECRET|API_KEY", name):
            assert rest.startswith(":?") or rest == ":-", f"{name} has a default"


def test_processes_are_given_every_setting(compose: dict[str, Any]) -> None:
    assert set(compose["x-settings"]) == set(SETTINGS) - NOT_FOR_COMPOSE
    for name in PROCESSES:
        assert compose["services"][name]["environment"] == compose["x-settings"]


def test_processes_run_without_rights(compose: dict[str, Any]) -> None:
    for name in PROCESSES:
        service = compose["services"][name]
        assert service["user"] == "10001:10001"
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in service["security_opt"]


def test_images_are_pinned(compose: dict[str, Any]) -> None:
    written = variables(EXAMPLE.read_text())
    for name, service in compose["services"].items():
        _, _, tag = service["image"].partition(":")
        version = written[re.findall(r"\$\{([A-Z_]+)", tag)[0]]
        assert version, f"{name} has no version"
        assert version != "latest"


def test_worker_pools_exist_and_may_end_their_work(compose: dict[str, Any]) -> None:
    pools = pytest.importorskip("workers.pools").POOLS
    commands = {name: service["command"] for name, service in compose["services"].items() if name.startswith("worker-")}
    assert {command[-1] for command in commands.values()} == set(pools)
    longest = max(pool.grace.total_seconds() for pool in pools.values())
    for name in commands:
        assert float(compose["services"][name]["stop_grace_period"].removesuffix("s")) > longest


def test_mounted_files_exist(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert not source.startswith(".") or (ROOT / source).is_file()


def test_only_the_name_server_is_public(compose: dict[str, Any]) -> None:
    published = {name: service["ports"] for name, service in compose["services"].items() if "ports" in service}
    assert set(published) == {"api", "temporal-ui", "powerdns"}
    for name in ("api", "temporal-ui"):
        assert all(port.startswith("${PUBLISH_ADDRESS:-127.0.0.1}") for port in published[name])


def test_compose_itself_accepts_it(tmp_path: Path) -> None:
    require("docker_compose")
    filled = re.sub(
        r"^((?:SECRET_KEYS|JWT_SECRET|DATABASE_PASSWORD|POWERDNS_API_KEY|POSTGRES_PASSWORD"
        r"|TEMPORAL_DATABASE_PASSWORD))=$", r"\1=filled-in-by-the-operator", EXAMPLE.read_text(), flags=re.MULTILINE,
    )  # fmt: skip
    (tmp_path / ".env").write_text(filled)
    command = ["docker", "compose", "-f", str(ROOT / "docker-compose.yml"), "--env-file", str(tmp_path / ".env")]
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "DOCKER_CONFIG")}
    done = subprocess.run([*command, "config", "--quiet"], env=kept, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    refused = subprocess.run([*command[:4], "--env-file", str(EXAMPLE), "config", "--quiet"], env=kept,
                             capture_output=True, text=True, check=False)  # fmt: skip
    assert refused.returncode != 0
    assert "in .env" in refused.stderr


class TestImage:
    text = (ROOT / "deploy" / "Dockerfile").read_text()

    def test_runs_as_a_numbered_user(self) -> None:
        assert re.findall(r"^USER (.+)$", self.text, flags=re.MULTILINE) == ["10001:10001"]

    def test_installs_only_what_the_lock_file_names(self) -> None:
        installs = re.findall(r"pip [^&]*install[^&]*", self.text.replace("\\\n", " "))
        assert installs
        assert all("--require-hashes" in install for install in installs)

    def test_has_a_health_check(self) -> None:
        assert "/api/live" in self.text

    def test_leaves_out_what_must_not_get_in(self) -> None:
        ignored = set((ROOT / ".dockerignore").read_text().split())
        assert {".env", ".git", ".slipway", ".venv", "tests"} <= ignored
