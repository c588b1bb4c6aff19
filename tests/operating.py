"""Somebody of staff beside a drill: signed in at the API, and able to answer what waits on the operators' list."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass

import httpx

from db.queries import users
from db.session import Database

NAME, PASSWORD = "ada", "Drill-0123456789"
LOOK_SECONDS = 15.0


@dataclass
class Operator:
    """`retried`: how many answers of this one went out to parked steps."""

    http: httpx.AsyncClient
    retried: int = 0

    async def sign_in(self, db: Database) -> None:
        async with db.begin() as session:
            await users.ensure_user(session, NAME, f"{NAME}@example.com", PASSWORD)
        answer = await self.http.post("/api/auth/login", json={"username": NAME, "password": PASSWORD})
        answer.raise_for_status()
        body = answer.json()
        self.http.headers["Authorization"] = f"Bearer {body.get('accessToken') or body['access_token']}"

    async def retry_regularly(self) -> None:
        """Until cancelled: every parked step of a job is tried again, as an operator would once a trouble is over."""
        while True:
            with contextlib.suppress(httpx.HTTPError):
                answer = await self.http.get("/api/operator/attention")
                answer.raise_for_status()
                for job_id in {item["job_id"] for item in answer.json()["items"] if item["job_id"] and item["step"]}:
                    # 409: the run went on meanwhile.
                    self.retried += (await self.http.post(f"/api/jobs/{job_id}/retry", json={})).status_code == 202
            await asyncio.sleep(LOOK_SECONDS)
