"""A real web server of the lab, one for all tests of this folder, and its visitors and customers."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncssh
import httpx
import pytest

from providers.errors import HostUnreachable
from providers.hosting import commands
from providers.hosting.account import Account
from providers.hosting.accounts import ensure_account
from providers.hosting.setup import set_up
from providers.hosting.sites import ensure_site
from providers.hosts.cloud_init import new_keypair, user_data
from providers.hosts.ssh import Host, connect
from providers.hosts.target import HostTarget
from sandbox.hosts.driver import HostSpec
from tests.parts import require
from tests.providers.hosts.conftest import Authority, Story


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("hosting-authority"))


def account_of(number: int, *, kind: str = "static", **fields: Any) -> Account:
    """A made-up account; the same number is the same account."""
    account_id = f"0197c0de-0000-7000-8000-{number:012x}"
    values = {"domains": (f"site{number}.example.test",), "quota_mb": 32, **fields}
    return Account(account_id=account_id, system_user=f"h{number:012x}", kind=kind, **values)


class WebServer:
    """A host, how it is entered as root, and what visitors and customers get from it."""

    def __init__(self, driver: Any, name: str, target: HostTarget) -> None:
        self.driver, self.name, self.target, self.story = driver, name, target, Story()

    def enter(self) -> Host:
        return connect(self.target, on_line=self.story.sink)

    async def awaited(self) -> None:
        for _ in range(120):
            try:
                async with self.enter() as host:
                    await host.run(["cloud-init", "status", "--wait"], timeout=120, check=False)
                    return
            except HostUnreachable:
                await asyncio.sleep(0.25)
        raise AssertionError("the host does not answer")

    async def place(self, host: Host, account: Account) -> None:
        await ensure_account(host, account, self.story.say)
        await ensure_site(host, account, self.story.say)

    async def get(self, domain: str, path: str = "/", *, tls: Authority | None = None) -> httpx.Response:
        """As a visitor; no redirect is followed."""
        scheme = "https" if tls else "http"
        verify = ssl.create_default_context(cafile=tls.file if tls else None)
        async with httpx.AsyncClient(verify=verify, trust_env=False, timeout=10) as client:
            request = client.build_request(
                "GET",
                f"{scheme}://{self.target.address}{path}",
                headers={"Host": domain},
                extensions={"sni_hostname": domain},
            )
            return await client.send(request)

    async def silent(self, domain: str) -> bool:
        """Whether a visitor of this name gets no answer at all."""
        try:
            await self.get(domain)
        except httpx.RemoteProtocolError:
            return True
        return False

    def customer(self, account: Account, *, key: str | None = None, password: str | None = None) -> Any:
        """A connection of the account's user, to be entered with `async with`."""
        return asyncssh.connect(
            self.target.address,
            username=account.system_user,
            client_keys=[asyncssh.import_private_key(key)] if key else None,
            password=password,
            known_hosts=([asyncssh.import_public_key(self.target.host_key)], [], []),
            config=None,
            agent_path=None,
        )


@pytest.fixture(scope="package")
async def driver(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Any]:
    require("lab")
    from sandbox.hosts.machine import MachineDriver
    from sandbox.lab import Lab, services

    state, lab = tmp_path_factory.mktemp("hosts"), Lab()
    made = MachineDriver(lab, state, image="hosting")
    await made.open()
    spec = services.apt_repo(lab, state, made.gateway)
    with Path(spec.log_path).open("ab") as log:
        server = subprocess.Popen(spec.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    yield made
    for name in await made.names():
        await made.destroy(name)
    await made.close()
    server.terminate()
    server.wait()


async def boot(driver: Any, name: str, image: str = "hosting") -> WebServer:
    private, public = new_keypair()
    host_private, host_public = new_keypair()
    address = await driver.reserve_address()
    document = user_data(hostname=name, authorized_key=public, host_private_key=host_private,
                         host_public_key=host_public,
                         apt_source=f"deb [trusted=yes] http://{driver.gateway}:3142/ ./")  # fmt: skip
    driver.image = image
    await driver.create(HostSpec(name=name, address=address, hostname=name, user_data=document))
    await driver.start(name)
    server = WebServer(driver, name, HostTarget(address=address, private_key=private, host_key=host_public))
    await server.awaited()
    return server


@pytest.fixture(scope="package")
async def server(driver: Any) -> WebServer:
    made = await boot(driver, "web-1")
    async with made.enter() as host:
        assert (await set_up(host, made.story.say)).already is False
        assert (await set_up(host, made.story.say)).already is True
    return made


async def write(host: Host, account: Account, path: str, text: str) -> None:
    """A file of the customer's, made by the customer's user."""
    await host.run(commands.as_user(account.system_user, ["tee", "--", path]), input=text)
