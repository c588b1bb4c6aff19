"""What API tests stand on: an application over a real database, a client that speaks to it, and a stand-in Temporal.

The stand-in keeps what it was asked and answers as told; what the real engine does is tested in test_engine.py.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from fastapi import FastAPI
from sqlalchemy import insert, select, update
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from api.examples import CREATE_REQUEST
from db.base import new_id
from db.keyring import KeyRing
from db.models import AuditEntry, Deployment, DeploymentEvent, VpsInstance
from db.queries.users import ensure_user
from db.session import Database
from domain.statuses import Role
from settings import Settings

SECRET_KEYS = KeyRing.generate("test")
PASSWORD = "a long enough password"
INTERNAL_KEY = "the key of the marketing site"
WEBHOOK_SECRET = "whsec_of_the_tests"


def make_settings(url: str, **changes: Any) -> Settings:
    values: dict[str, Any] = {
        "environment": "test",
        "database_url": url,
        "secret_keys": SECRET_KEYS,
        "jwt_secret": "x" * 40,
        "bcrypt_rounds": 4,
        "rate_limit_max_requests": 10_000,
        "rate_limit_max_reads": 10_000,
        "marketing_webhook_secret": INTERNAL_KEY,
        "stripe_webhook_secret": WEBHOOK_SECRET,
    }
    return Settings(_env_file=None, **(values | changes))


@dataclass
class StandInHandle:
    engine: StandInTemporal
    id: str

    async def execute_update(self, update: str, arg: Any, **options: Any) -> Any:
        self.engine.updates.append((self.id, update, arg, options))
        return self.engine.answer_update()

    async def cancel(self, **options: Any) -> None:
        if self.engine.trouble is not None:
            raise self.engine.trouble
        self.engine.cancelled.append(self.id)


class _Service:
    async def check_health(self, **options: Any) -> bool:
        return True


@dataclass
class StandInTemporal:
    started: dict[str, tuple[str, Any, dict[str, Any]]] = field(default_factory=dict)
    executed: list[tuple[str, Any, dict[str, Any]]] = field(default_factory=list)
    updates: list[tuple[str, str, Any, dict[str, Any]]] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    trouble: Exception | None = None
    answer_update: Callable[[], Any] = lambda: "set_up_server"
    answer_plan: Callable[[], Any] = lambda: None
    service_client: Any = field(default_factory=_Service)

    async def start_workflow(self, workflow: str, arg: Any, *, id: str, **options: Any) -> None:
        if self.trouble is not None:
            raise self.trouble
        if id in self.started:
            raise WorkflowAlreadyStartedError(id, workflow)
        self.started[id] = (workflow, arg, options)

    async def execute_workflow(self, workflow: str, arg: Any, **options: Any) -> Any:
        self.executed.append((workflow, arg, options))
        return self.answer_plan()

    async def list_workflows(self, query: str, **options: Any) -> AsyncIterator[Any]:
        """No run of a stand-in has code that could fail."""
        if self.trouble is not None:
            raise self.trouble
        for run in ():
            yield run

    def get_workflow_handle(self, id: str) -> StandInHandle:
        return StandInHandle(self, id)


def temporal_is_away() -> RPCError:
    return RPCError("connection refused", RPCStatusCode.UNAVAILABLE, b"")


def order(**changes: Any) -> dict[str, Any]:
    slug = f"s{uuid.uuid4().hex[:10]}"
    return CREATE_REQUEST | {"slug": slug, "organizationName": f"Org {slug}"} | changes


@dataclass
class World:
    app: FastAPI
    client: httpx.AsyncClient
    db: Database
    temporal: StandInTemporal
    settings: Settings
    token: str = ""

    async def sign_in(self, role: Role = Role.ADMINISTRATOR, *, must_change: bool = False, **columns: Any) -> str:
        """A new user of that role; returns (and uses from now on) the access token."""
        name = f"u{uuid.uuid4().hex[:10]}"
        async with self.db.begin() as session:
            made = await ensure_user(session, name, f"{name}@example.com", PASSWORD, role, must_change, rounds=4)
            if columns:
                from db.models import User

                await session.execute(update(User).where(User.id == made.id).values(**columns))
        answer = await self.client.post("/api/auth/login", json={"username": name, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        self.token = answer.json()["access_token"]
        self.client.headers["Authorization"] = f"Bearer {self.token}"
        self.username = name
        self.session = answer.json()
        return self.token

    async def create(self, **changes: Any) -> dict[str, Any]:
        answer = await self.client.post("/api/portal/instances", json=order(**changes))
        assert answer.status_code == 202, answer.text
        return answer.json()

    async def deployment(self, ref: str) -> Deployment:
        async with self.db.begin() as session:
            return await session.get_one(Deployment, uuid.UUID(ref))

    async def set_row(self, ref: str, **columns: Any) -> None:
        async with self.db.begin() as session:
            await session.execute(update(Deployment).where(Deployment.id == uuid.UUID(ref)).values(**columns))

    async def audit(self, action: str) -> list[AuditEntry]:
        async with self.db.begin() as session:
            query = select(AuditEntry).where(AuditEntry.action == action).order_by(AuditEntry.at)
            return list((await session.execute(query)).scalars())

    async def server(self, **columns: Any) -> str:
        ref = new_id()
        values = {
            "id": ref, "vps_name": f"shared-{ref.hex[-8:]}", "lifecycle": "active", "power_state": "running",
            "is_shared": True, "max_organizations": 4, "current_organizations": 0, "provider_type": "transip",
            "specs": {"cpu": 2, "ram_mb": 4096, "disk_gb": 150}, "currency": "EUR",
        }  # fmt: skip
        async with self.db.begin() as session:
            await session.execute(insert(VpsInstance).values(values | columns))
        return str(ref)

    async def write_events(self, ref: str, *rows: tuple[str, str, str, str], at: datetime | None = None) -> None:
        """Rows as (kind, step, state, message), one second apart, positions following on."""
        moment = at or datetime(2025, 1, 19, 10, 30, tzinfo=UTC)
        owner = uuid.UUID(ref)
        async with self.db.begin() as session:
            row = await session.get_one(Deployment, owner, with_for_update=True)
            for number, (kind, step, state, message) in enumerate(rows):
                row.position += 1
                await session.execute(
                    insert(DeploymentEvent).values(
                        deployment_id=owner, position=row.position, kind=kind, run_id=f"run-{ref}", step=step,
                        seq=row.position if kind == "step" else None, state=state, message=message, data={},
                        activity_id="a" if kind == "log" else None, attempt=1 if kind == "log" else None,
                        line_no=row.position if kind == "log" else None, at=moment + timedelta(seconds=number))
                )  # fmt: skip
            row.seq = row.position
