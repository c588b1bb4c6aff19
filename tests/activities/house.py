"""A real host of the lab that is registered with the house, and its set-up's activities as a worker would run them."""

from __future__ import annotations

import dataclasses
import subprocess
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import select
from temporalio.testing import ActivityEnvironment

from activities._context import Deps
from activities.house_servers import HouseServerActivities
from db.keyring import KeyRing
from db.models_hosting import Server
from db.models_jobs import JobEvent
from db.queries import house_servers, set_ups
from db.session import Database
from domain.config import RunConfig
from domain.house_servers import HouseCall
from providers.hosts.cloud_init import new_keypair, user_data
from sandbox.hosts.driver import HostSpec
from tests.clouds import FixedClouds
from tests.parts import require


def deps_of(db: Database, keys: KeyRing, **config: Any) -> Deps:
    return Deps(config=RunConfig(base_domain="house.test", **config), db=db, keys=keys, clouds=FixedClouds(), dns=None,
                acme=None, blueprints=None)  # type: ignore[arg-type] - hosts only  # fmt: skip


async def registered(
    deps: Deps, kind: str, address: str, private_key: str | None, host_key: str, **columns: Any
) -> HouseCall:
    """Commit a server and its set-up, as the front door does."""
    async with deps.db.begin() as session:
        values = {"hostname": f"{kind}-{uuid.uuid4().hex[:8]}.house.test", "ip_address": address, "type": kind,
                  "host_key": host_key} | columns  # fmt: skip
        server = await house_servers.register(session, deps.keys, private_key, **values)
        job = await set_ups.ask(session, server, "ada")
    return HouseCall(job_id=str(job.id), server_id=str(server.id))


async def run(activity: Any, call: HouseCall) -> None:
    """One try of an activity, as a worker would make it."""
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(environment.info, activity_id=uuid.uuid4().hex)
    await environment.run(activity, call)


async def lines(deps: Deps, call: HouseCall) -> list[str]:
    async with deps.db.begin() as session:
        query = select(JobEvent.message).where(JobEvent.job_id == uuid.UUID(call.job_id)).order_by(JobEvent.position)
        return list((await session.execute(query)).scalars())


async def server_of(deps: Deps, call: HouseCall) -> Server:
    async with deps.db.begin() as session:
        return await house_servers.get(session, call.server_id)


@dataclasses.dataclass
class RealServer:
    """One machine of the lab, with the packages of both kinds of servers in its image."""

    deps: Deps
    address: str
    private_key: str
    host_key: str

    @property
    def house(self) -> HouseServerActivities:
        return HouseServerActivities(self.deps)

    async def registered(self, kind: str) -> HouseCall:
        return await registered(self.deps, kind, self.address, self.private_key, self.host_key)


@asynccontextmanager
async def real_server(deps: Deps, folder: Path) -> AsyncIterator[RealServer]:
    require("lab")
    from sandbox.hosts.machine import MachineDriver
    from sandbox.lab import Lab, services

    lab, name = Lab(), "house1"
    driver = MachineDriver(lab, folder, image="hosting")
    await driver.open()
    spec = services.apt_repo(lab, folder, driver.gateway)
    with Path(spec.log_path).open("ab") as log:
        packages = subprocess.Popen(spec.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    (private, public), (host_private, host_public) = new_keypair(), new_keypair()
    address = await driver.reserve_address()
    document = user_data(hostname=name, authorized_key=public, host_private_key=host_private,
                         host_public_key=host_public,
                         apt_source=f"deb [trusted=yes] http://{driver.gateway}:3142/ ./")  # fmt: skip
    await driver.create(HostSpec(name=name, address=address, hostname=name, user_data=document))
    await driver.start(name)
    try:
        yield RealServer(deps, address, private, host_public)
    finally:
        await driver.destroy(name)
        await driver.close()
        packages.terminate()
        packages.wait()
