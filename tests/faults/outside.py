"""Hosts, names and certificates that cost nothing: they answer at once, late, wrongly, or not for now, as drawn.

The cloud is the real client against the sandbox; what is in here stands for everything behind the SSH port and the name
server, so that thousands of runs fit into an hour. Whether those parts are right is their own tests' matter.
"""

from __future__ import annotations

import asyncio
import secrets as tokens
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import update
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities._context import Deps
from activities._errors import mapped
from activities._heartbeat import beating
from activities._log import Lines
from db import secrets
from db.models import VpsInstance
from db.queries.runs import load
from domain.errors import FINAL_TROUBLES, Trouble
from domain.provisioning import Absence, CertificateIssued, CertificateRequest, RunInputs, StepCall
from domain.statuses import Lifecycle
from sandbox.faults.dice import dice
from sandbox.faults.machine import weather

SEED = "SLIPWAY_SEED"  # travels in the inputs of a run's activities
STORMY_TRIES = 6
_FINAL = (Trouble.DISK_FULL, Trouble.MIGRATION_FAILED, Trouble.CONFLICT, Trouble.MISSING_SETTING)
_PASSING = (Trouble.COMMAND_FAILED, Trouble.HOST_UNREACHABLE, Trouble.UNHEALTHY, Trouble.TRANSIENT)
HOSTS = ("await_ssh", "transfer_files", "start_services", "configure_tls", "run_migrations", "remove_application")
EDGE = ("publish_dns", "withdraw_dns", "health_check")


async def meet(name: str, inputs: RunInputs) -> None:
    """What this try meets; a pure function of the seed, the activity's place in its run, and the try."""
    info, seed = activity.info(), int(inputs.environment[SEED])
    thrown = dice(seed, name, info.activity_id, info.attempt)
    rate = weather(seed) / 2
    if thrown.random() < rate:
        async with beating():
            await asyncio.sleep(thrown.uniform(0.1, 0.8))
    if info.attempt <= STORMY_TRIES and thrown.random() < rate:
        trouble = thrown.choice(_FINAL if thrown.random() < 0.3 else _PASSING)
        raise ApplicationError(f"{name} met {trouble}", type=trouble, non_retryable=trouble in FINAL_TROUBLES)


def plain(name: str) -> Callable[..., Any]:
    @activity.defn(name=name)
    async def act(call: StepCall) -> None:
        await meet(name, call.inputs)

    return act


class Outside:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    @activity.defn
    @mapped
    async def set_up_server(self, call: StepCall) -> None:
        """Marks the row as the real one does."""
        async with Lines(self._deps, call.deployment_id, "set_up_server") as log:
            await log.say("Setting up")
            await meet("set_up_server", call.inputs)
        async with self._deps.db.begin() as session:
            vps = (await load(session, call.deployment_id)).server
            await session.execute(
                update(VpsInstance)
                .where(VpsInstance.id == vps.id, VpsInstance.lifecycle == Lifecycle.PROVISIONING)
                .values(lifecycle=Lifecycle.ACTIVE)
            )

    @activity.defn
    @mapped
    async def write_env(self, call: StepCall) -> None:
        """Makes the application's secrets as the real one does, on every try, before and after what goes wrong."""
        for _ in range(2):
            async with self._deps.db.begin() as session:
                deployment = (await load(session, call.deployment_id)).deployment
                for purpose in ("env:JWT_SECRET", "env:DB_PASSWORD"):
                    await secrets.ensure(session, self._deps.keys, purpose, tokens.token_urlsafe,
                                         deployment_id=deployment.id)  # fmt: skip
            await meet("write_env", call.inputs)

    @activity.defn
    async def make_csr(self, call: StepCall) -> CertificateRequest:
        await meet("make_csr", call.inputs)
        return CertificateRequest(deployment_id=call.deployment_id, csr_pem="CSR")

    @activity.defn
    async def issue_certificate(self, call: CertificateRequest) -> CertificateIssued:
        await meet("issue_certificate", call.inputs)
        return CertificateIssued(certificate_id="c", serial="1", not_after=datetime.now(UTC) + timedelta(days=90))

    @activity.defn
    async def prove_name_absent(self, call: StepCall) -> Absence:
        await meet("prove_name_absent", call.inputs)
        return Absence(what="name", evidence="NXDOMAIN", at=datetime.now(UTC))

    @activity.defn
    async def prove_host_silent(self, call: StepCall) -> Absence:
        await meet("prove_host_silent", call.inputs)
        return Absence(what="ports", evidence="closed", at=datetime.now(UTC))

    def hosts(self) -> list[Callable[..., Any]]:
        return [self.set_up_server, self.write_env, self.make_csr, *(plain(name) for name in HOSTS)]

    def edge(self) -> list[Callable[..., Any]]:
        return [self.issue_certificate, self.prove_name_absent, self.prove_host_silent,
                *(plain(name) for name in EDGE)]  # fmt: skip
