"""Where a secret could turn up, read as an outsider would: processes, histories, the database, what the API refuses."""

from __future__ import annotations

import contextlib
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import httpx
from temporalio.client import Client

from tests.e2e.stack import Running
from tests.postgres import find_bin

PROC = Path("/proc")
LOOK = 0.03  # seconds between two looks; a command over SSH lives longer


class Processes(threading.Thread):
    """Looks at the arguments and the environment of every process of this machine while a run goes on.

    Machine hosts share its kernel, so what runs on them is seen too. An application's own containers have its secrets
    in their environment, by design: what a container's runtime starts is kept apart.
    """

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._done = threading.Event()
        self._known: set[tuple[str, str]] = set()
        self.arguments: set[str] = set()
        self.environments: set[str] = set()
        self.containers: set[str] = set()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self.join(10)

    def run(self) -> None:
        while not self._done.wait(LOOK):
            for path in PROC.glob("[0-9]*"):
                with contextlib.suppress(OSError):
                    self._look(path)

    def _look(self, path: Path) -> None:
        words = _text(path / "cmdline")
        self.arguments.add(words)
        around = _text(path / "environ")
        if around and (words, around) not in self._known:
            self._known.add((words, around))
            (self.containers if _in_container(path) else self.environments).add(around)


def _text(path: Path) -> str:
    return path.read_bytes().replace(b"\0", b" ").decode(errors="replace")


def _in_container(path: Path) -> bool:
    """Whether a container runtime is among its ancestors."""
    for _ in range(20):
        status = dict(line.split(":", 1) for line in (path / "status").read_text().splitlines() if ":" in line)
        if status["Name"].strip().startswith(("containerd-shim", "runc")):
            return True
        parent = status["PPid"].strip()
        if parent in ("0", "1"):
            return False
        path = PROC / parent
    return False


async def histories(address: str) -> tuple[int, str]:
    """(number of runs, every event of every run as the server stores it, with memo and search attributes)."""
    client = await Client.connect(address)
    texts, count = [], 0
    async for run in client.list_workflows():
        texts.append(str(run.raw_info))
        history = await client.get_workflow_handle(run.id, run_id=run.run_id).fetch_history()
        texts.append(history.to_json())
        texts += [str(event) for event in history.events]
        count += 1
    return count, "\n".join(texts)


def database(stack: Running) -> str:
    """Every table, as a dump shows it."""
    binaries = find_bin()
    assert binaries is not None
    url = stack.details["database_url"].replace("+psycopg", "")
    dump = subprocess.run([str(binaries / "pg_dump"), "--data-only", url], capture_output=True, text=True, check=True)
    return dump.stdout


def temporal_files(stack: Running) -> str:
    """Temporal's own database, byte by byte, with its write-ahead log."""
    return "".join(path.read_bytes().decode("latin-1") for path in sorted(stack.state.glob("temporal.db*")))


def logs(stack: Running) -> dict[str, str]:
    """What each process of the stack wrote."""
    return {path.stem: path.read_text(errors="replace") for path in (stack.state / "logs").glob("*.log")}


def refusals(stack: Running, deployment: str, canary: str) -> list[httpx.Response]:
    """Errors of every kind to requests that hold the canary where a careless answer would repeat it."""
    where = "/api/portal/instances"
    order = {"organizationName": "X", "slug": "x-y-z", "tier": "professional", "deploymentModel": "dedicated",
             "adminEmail": "a@example.com", "adminName": "A", "adminPassword": canary}  # fmt: skip
    post = stack.http.post
    return [
        post(where, json=order | {"tier": canary}),
        post(where, json=order | {"adminPassword": [canary]}),
        post(where, json=order | {"adminPassword": f"{canary}\0"}),
        post(where, json=order | {"adminPassword": canary * 40}),
        post(where, json=order | {"slug": f"{canary}"}),
        post(where, json=order | {"password": canary}),
        post(where, json=order | {"adminEmail": None}),
        post(where, json=[order]),
        post(where, content=f'{{"adminPassword": "{canary}",', headers={"Content-Type": "application/json"}),
        post(where, content=f"adminPassword={canary}", headers={"Content-Type": "application/x-www-form-urlencoded"}),
        post("/api/auth/login", json={"username": "admin", "password": canary}),
        post("/api/auth/refresh", json={"refresh_token": canary}),
        post("/api/auth/password", json={"current_password": canary, "new_password": canary}),
        post(f"{where}/{deployment}/retry", json={"changes": {"environment": {"PASSWORD": [canary]}}}),
        post(f"{where}/{deployment}/rollback", json={"reason": {"why": canary}}),
        stack.http.get(f"{where}/{deployment}/status", headers={"Authorization": f"Bearer {canary}"}),
        stack.http.get("/metrics", headers={"Authorization": f"Bearer {canary}", "X-Forwarded-For": "192.0.2.1"}),
    ]


def absent(secrets: set[str], places: Mapping[str, str]) -> None:
    for place, text in places.items():
        assert text, f"{place} must not be empty for this test to mean anything"
        for secret in secrets:
            assert secret not in text, f"a secret stands in {place}"
