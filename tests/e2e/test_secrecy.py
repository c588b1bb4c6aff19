"""Secrets planted in inputs are found nowhere: not in Temporal, rows, logs, arguments, environments or replies.

Exported traces have the same test beside the tests of tracing (test_trace.py). Slipway sends no mail yet.
"""

from __future__ import annotations

import asyncio
import json

import psycopg
import pytest

from tests.e2e import canaries
from tests.e2e.canaries import absent
from tests.e2e.stack import Running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

CANARY = "Canary-7f3a!Q9zK"
REFUSED = "Canary-0b9d!T2vM"  # of requests that are refused
PARTS = {"api", "worker", "temporal", "cloud"}  # whose logs must be there


def order_with_secrets(stack: Running, slug: str) -> str:
    """An instance with a planted password that parks, is retried and arrives, so that errors were told as well."""
    wrong = {"MIGRATION_TARGET": "no-such-version"}
    deployment = stack.order(slug, adminPassword=CANARY, environment=wrong)
    stack.until_parked(deployment, "run_migrations")
    stack.http.post(f"/api/portal/instances/{deployment}/retry", json={"changes": {"environment": {}}})
    stack.until_active(deployment)
    return deployment


def traces_of(stack: Running, deployment: str) -> dict[str, str]:
    """Everything an outsider could read of a run, by place."""
    runs, histories = asyncio.run(canaries.histories(stack.details["temporal_address"]))
    assert runs > 0
    logs = canaries.logs(stack)
    assert set(logs) >= PARTS
    replies = [
        stack.http.get(path).text
        for path in (f"/api/portal/instances/{deployment}/status", f"/api/portal/instances/{deployment}/logs",
                     "/api/portal/instances", "/api/portal/vps", "/api/operator/attention", "/metrics",
                     "/openapi.json")
    ]  # fmt: skip
    return {
        "Temporal's histories": histories,
        "Temporal's database": canaries.temporal_files(stack),
        "our database": canaries.database(stack),
        "log files": "\n".join(logs.values()),
        "API replies": "\n".join(replies),
    }


def test_planted_secrets_are_found_nowhere(emulated: Running) -> None:
    with canaries.Processes() as seen:
        deployment = order_with_secrets(emulated, "canary")
    secrets = {CANARY, *generated(emulated, deployment)}
    assert len(secrets) >= 4, "the password and the blueprint's own secrets"
    absent(secrets, {
        **traces_of(emulated, deployment),
        "process arguments": "\n".join(seen.arguments),
        "process environments": "\n".join(seen.environments),
    })  # fmt: skip


def test_refused_requests_are_not_repeated(emulated: Running) -> None:
    deployment = emulated.order("refusing-canaries")
    answers = canaries.refusals(emulated, deployment, REFUSED)
    emulated.until_active(deployment)
    assert all(400 <= answer.status_code < 500 for answer in answers), [answer.status_code for answer in answers]
    texts = [f"{answer.text} {answer.headers}" for answer in answers]
    absent({REFUSED}, {
        **{f"the answer to {answer.request.method} {answer.request.url.path}": text
           for answer, text in zip(answers, texts, strict=True)},
        "our database": canaries.database(emulated),
        "log files": "\n".join(canaries.logs(emulated).values()),
    })  # fmt: skip


@pytest.mark.lab
def test_on_a_real_host_only_the_application_itself_holds_its_secrets(machines: Running) -> None:
    with canaries.Processes() as seen:
        deployment = order_with_secrets(machines, "canary")
    secrets = {CANARY, *generated(machines, deployment)}
    assert any(secret in around for secret in secrets for around in seen.containers), "the application was seen"
    absent(secrets, {
        **traces_of(machines, deployment),
        "process arguments": "\n".join(seen.arguments),
        "process environments": "\n".join(seen.environments),
    })  # fmt: skip


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
