"""Secrets planted in inputs are found nowhere: not in Temporal, not in rows, logs, arguments or replies."""

from __future__ import annotations

import asyncio
import json
import subprocess
import threading
from pathlib import Path

import psycopg
import pytest
from temporalio.client import Client

from tests.e2e.stack import Running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

CANARY = "Canary-7f3a!Q9zK"


async def raw_histories(address: str) -> tuple[int, str]:
    """Every event of every workflow as the server stores it, with memo and search attributes."""
    client = await Client.connect(address)
    texts, count = [], 0
    async for run in client.list_workflows():
        texts.append(str(run.raw_info))
        history = await client.get_workflow_handle(run.id, run_id=run.run_id).fetch_history()
        texts.append(history.to_json())
        texts += [str(event) for event in history.events]
        count += 1
    return count, "\n".join(texts)


class Arguments(threading.Thread):
    """Looks at the arguments of every process of this machine while the run goes on."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.done = threading.Event()
        self.seen: set[str] = set()

    def run(self) -> None:
        while not self.done.wait(0.02):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    text = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
                except OSError:
                    continue
                self.seen.add(text)


def test_planted_secrets_are_found_nowhere(emulated: Running) -> None:
    watch = Arguments()
    watch.start()
    deployment = emulated.order("canary", adminPassword=CANARY, environment={"MIGRATION_TARGET": "no-such-version"})
    emulated.until_parked(deployment, "run_migrations")
    emulated.http.post(f"/api/portal/instances/{deployment}/retry", json={"changes": {"environment": {}}})
    emulated.until_active(deployment)
    watch.done.set()
    secrets = {CANARY, *generated(emulated, deployment)}
    assert len(secrets) >= 4, "the password and the blueprint's own secrets"

    runs, histories = asyncio.run(raw_histories(emulated.details["temporal_address"]))
    assert runs > 0
    replies = [
        emulated.http.get(path).text
        for path in (f"/api/portal/instances/{deployment}/status", f"/api/portal/instances/{deployment}/logs",
                     "/api/portal/instances", "/api/portal/vps", "/metrics", "/openapi.json")
    ]  # fmt: skip
    logs = "".join(path.read_text(errors="replace") for path in (emulated.state / "logs").glob("*.log"))
    rows = database_text(emulated)
    places = {
        "Temporal's histories": histories, "API replies": "\n".join(replies), "log files": logs,
        "the database": rows, "process arguments": "\n".join(watch.seen),
    }  # fmt: skip
    for place, text in places.items():
        assert text, f"{place} must not be empty for this test to mean anything"
        for secret in secrets:
            assert secret not in text, f"a secret stands in {place}"


def generated(stack: Running, deployment: str) -> set[str]:
    """The secrets made for the application, as its own host knows them."""
    from db.keyring import KeyRing

    secrets = json.loads((stack.state / "secrets.json").read_text())
    ring = KeyRing.parse(next(value for name, value in secrets.items() if "secret_keys" in name.lower()))
    with psycopg.connect(stack.details["database_url"].replace("+psycopg", "")) as connection:
        rows = connection.execute(
            "select id, key_id, ciphertext from secrets where deployment_id = %s and ciphertext is not null",
            (deployment,),
        ).fetchall()
    return {ring.decrypt(key, bytes(blob), context=f"secrets/{id_}").decode() for id_, key, blob in rows}


def database_text(stack: Running) -> str:
    """Everything PostgreSQL holds, as a dump shows it."""
    from tests.postgres import find_bin

    binaries = find_bin()
    assert binaries is not None
    url = stack.details["database_url"].replace("+psycopg", "")
    dump = subprocess.run([str(binaries / "pg_dump"), "--data-only", url], capture_output=True, text=True, check=True)
    return dump.stdout
