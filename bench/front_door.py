"""Status reads a second of our API over a bare FastAPI application with one SELECT by key.

Ours is `python -m api` as it is deployed, answering GET /api/portal/instances/{id}/status in full (200, no
If-None-Match) for a signed-in operator: token, session, rate bucket, trace, metrics, security headers, the joined row
read from PostgreSQL for every single answer. What the row shows beside it (steps and log) is rendered once per version
of the row and kept, as for any poller: here the row does not change, as between two polls of a page it mostly does not.
The session's row is kept for 5 seconds, as always. The rate limit is on, set so high that it never refuses.

Beside it, bench/bare_app.py: no sign-in, no limits, twelve columns of the same row in one SELECT through SQLAlchemy
Core. Both are one process each with the same server settings on the same PostgreSQL; a third process asks over 32
keep-alive connections, each again as soon as it was answered, in turns.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import statistics
import sys
import tempfile
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from db.base import new_id
from db.keyring import KeyRing
from db.models import Deployment, Organization, VpsInstance
from db.queries.journal import LogLine, record, write_lines
from db.queries.users import ensure_user
from db.session import Database
from domain.journal import JournalBatch, Projection, StepEvent
from domain.steps import PROVISIONING
from tests.postgres import free_port

ROOT = Path(__file__).parent.parent
CONNECTIONS, ROUNDS, SECONDS = 32, 5, 4.0
NAME, PASSWORD = "bench", secrets.token_urlsafe(16)
# Step 1 of a real run says about so much (apt, Docker, firewall), and the other steps a few lines each.
LINES_OF_A_STEP = 8


async def seed(url: str) -> uuid.UUID:
    """A deployment in the middle of its run: its server, the events of the steps so far, what they said; and a user."""
    db, now = Database(url), datetime.now(UTC)
    organization, server, deployment = new_id(), new_id(), new_id()
    done = [step.name for step in PROVISIONING[:10]]
    async with db.begin() as session:
        session.add(Organization(id=organization, name="Front Door", slug="front-door"))
        session.add(VpsInstance(id=server, vps_name="front-door-vps-1", vps_ip="192.0.2.10", provider_type="transip",
                                lifecycle="provisioning", product_name="vps-bladevps-x4"))  # fmt: skip
        await session.flush()
        session.add(Deployment(
            id=deployment, organization_id=organization, deployment_type="dedicated", tier="professional",
            slug="front-door", assigned_subdomain="front-door.slipway.test", vps_id=server, started_at=now,
            admin_email="a@example.com", admin_name="A"))  # fmt: skip
        await ensure_user(session, NAME, "bench@example.com", PASSWORD, rounds=4)
    for number, name in enumerate(done):
        at = now + timedelta(seconds=number)
        events = [StepEvent(seq=2 * number + 1, step=name, state="started", message=f"{name} begins", at=at),
                  StepEvent(seq=2 * number + 2, step=name, state="done", message="", at=at)]  # fmt: skip
        shown = Projection(status="deploying", phase="running", attention="none", status_message=f"{name} runs")
        said = [LogLine(line, "out", f"Setting up something ({line}.0-1) for {name} ...", at)
                for line in range(1, LINES_OF_A_STEP + 1)]  # fmt: skip
        async with db.begin() as session:
            await record(session, JournalBatch(deployment_id=str(deployment), run_id="run", family="provisioning",
                                               events=events, projection=shown))  # fmt: skip
            await write_lines(session, str(deployment), run_id="run", family="provisioning", activity_id=str(number),
                              attempt=1, step=name, lines=said)  # fmt: skip
    await db.close()
    return deployment


@contextlib.asynccontextmanager
async def serving(port: int, alive: str, *arguments: str, **environment: str) -> AsyncIterator[None]:
    """A server process, from its first answer at `alive` until the end of the block."""
    with tempfile.TemporaryDirectory(prefix="slipway-bench-") as folder:  # no .env of the repository's is read
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", *arguments, cwd=folder,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment})  # fmt: skip
        try:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
                for _ in range(300):
                    with contextlib.suppress(httpx.TransportError):
                        if (await client.get(alive)).status_code == 200:
                            break
                    await asyncio.sleep(0.1)
                else:
                    raise RuntimeError(f"{arguments[0]} did not answer {alive}")
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await process.wait()


async def sign_in(port: int) -> str:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        answer = await client.post("/api/auth/login", json={"username": NAME, "password": PASSWORD})
    return str(answer.raise_for_status().json()["access_token"])


async def load(port: int, path: str, token: str, seconds: float = SECONDS) -> float:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.load", str(port), path, str(CONNECTIONS), str(seconds), cwd=ROOT,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)  # fmt: skip
    printed, _ = await process.communicate(token.encode())
    rate = float(printed or 0)
    if process.returncode or not rate:
        raise RuntimeError(f"no answers from {path}")
    return rate


async def measure(url: str) -> dict[str, float]:
    deployment = await seed(url)
    ours_port, bare_port = free_port(), free_port()
    settings = {
        "ENVIRONMENT": "test", "HOST": "127.0.0.1", "PORT": str(ours_port), "DATABASE_URL": url,
        "SECRET_KEYS": KeyRing.generate(), "JWT_SECRET": secrets.token_urlsafe(48), "JWT_ACCESS_EXPIRY": "30m",
        "RATE_LIMIT_MAX_READS": "1000000000", "LOG_LEVEL": "WARNING", "TEMPORAL_ADDRESS": f"127.0.0.1:{free_port()}",
    }  # fmt: skip
    status, row = f"/api/portal/instances/{deployment}/status", f"/deployments/{deployment}"
    ours: list[float] = []
    bare: list[float] = []
    async with (
        serving(ours_port, "/api/live", "api", **settings),
        serving(bare_port, row, "bench.bare_app", str(bare_port), url),
    ):
        token = await sign_in(ours_port)
        for port, path, signed in ((ours_port, status, token), (bare_port, row, "")):
            await load(port, path, signed, 1.0)  # connections, prepared statements and caches warm
        for _ in range(ROUNDS):
            ours.append(await load(ours_port, status, token))
            bare.append(await load(bare_port, row, ""))
    return {"ours": statistics.median(ours), "bare": statistics.median(bare)}
