"""Steps 1 to 7 on a real Debian host, systemd and Docker and all: what the emulated one is measured by."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from providers.errors import DiskFull, HostKeyMismatch, HostUnreachable, MigrationFailed, Unauthorized
from providers.hosts import probe
from providers.hosts.application import Application, remove, transfer, write_env
from providers.hosts.blueprints import AdminAccount, DeployContext
from providers.hosts.cloud_init import new_keypair, user_data
from providers.hosts.inspection import inspect_health
from providers.hosts.migrations import run_migrations
from providers.hosts.services import start_services
from providers.hosts.setup import SetUp, SetUpPlan, deploy_target, set_up
from providers.hosts.ssh import Host, connect
from providers.hosts.target import HostTarget
from providers.hosts.tls import install_certificate, key_on_host, make_csr
from sandbox.hosts.driver import HostSpec
from tests.parts import require
from tests.providers.hosts.conftest import BLUEPRINTS, Authority, Story

pytestmark = [pytest.mark.lab, pytest.mark.slow]

ADMIN = AdminAccount(email="ada@acme.test", name="Ada O'Neil", password='P4ss\'w$rd\\ #"x" ${HOME} `id` end\\')
FQDN = "acme.recruitiq.nl"


class RealSubject:
    """A real host with what is needed to work on it."""

    def __init__(self, root: HostTarget, plan: SetUpPlan, app: Application) -> None:
        self.root, self.plan, self.app, self.story = root, plan, app, Story()
        self.deploy = deploy_target(root)
        self.values = {s.name: s.generate() for s in app.blueprint.secrets}

    def enter(self) -> Host:
        return connect(self.deploy, on_line=self.story.sink, redact=[*self.values.values(), ADMIN.password])

    async def awaited(self) -> None:
        for _ in range(120):
            try:
                async with connect(self.root) as host:
                    # sshd may be started once more before the first boot is over.
                    await host.run(["cloud-init", "status", "--wait"], timeout=120, check=False)
                    return
            except Unauthorized:
                return
            except HostUnreachable:
                await asyncio.sleep(0.25)
        raise AssertionError("the host does not answer")

    async def set_up(self, *, deploy_first: bool = False) -> SetUp:
        """As the step's retries would: sshd that is read anew refuses connections for a moment."""
        for _ in range(5):
            try:
                return await set_up(self.root, self.plan, self.story.say, deploy_first=deploy_first)
            except HostUnreachable:
                await asyncio.sleep(0.5)
        return await set_up(self.root, self.plan, self.story.say, deploy_first=deploy_first)

    async def env(self, host: Host, **extra: str) -> bool:
        return await write_env(host, self.app, self.story.say, values=self.values, admin=ADMIN, extra=extra)


@pytest.fixture(scope="module")
async def lab_driver(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[object]:
    require("lab")
    from sandbox.hosts.machine import MachineDriver
    from sandbox.lab import Lab, services

    state, lab = tmp_path_factory.mktemp("hosts"), Lab()
    driver = MachineDriver(lab, state)
    await driver.open()
    servers = []
    for spec in (services.apt_repo(lab, state, driver.gateway), services.registry(lab, state, driver.gateway)):
        with Path(spec.log_path).open("ab") as log:
            servers.append(subprocess.Popen(spec.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log))
    yield driver
    for name in await driver.names():
        await driver.destroy(name)
    await driver.close()
    for server in servers:
        server.terminate()
        server.wait()


async def real(driver, name: str, image: str = "bare") -> RealSubject:
    private, public = new_keypair()
    host_private, host_public = new_keypair()
    address = await driver.reserve_address()
    document = user_data(hostname=name, authorized_key=public, host_private_key=host_private,
                         host_public_key=host_public,
                         apt_source=f"deb [trusted=yes] http://{driver.gateway}:3142/ ./")  # fmt: skip
    driver.image = image
    await driver.create(HostSpec(name=name, address=address, hostname=name, user_data=document))
    await driver.start(name)
    blueprint = BLUEPRINTS.get("recruitiq")
    context = DeployContext(slug="acme", fqdn=FQDN, organization_name="Acme & Söhne \"$x\"", tier="starter",
                            registry=f"{driver.gateway}:5000")  # fmt: skip
    subject = RealSubject(
        HostTarget(address=address, private_key=private, host_key=host_public),
        SetUpPlan(authorized_key=public, minimum_memory_mb=blueprint.minimum_memory_mb),
        Application(blueprint, context),
    )
    await subject.awaited()
    return subject


@pytest.fixture(scope="module")
async def subject(lab_driver) -> RealSubject:
    """A bare host, set up for real: every package is installed by step 1."""
    made = await real(lab_driver, "bare-1")
    assert (await set_up(made.root, made.plan, made.story.say, on_line=made.story.sink)).already is False
    return made


class TestOnARealHost:
    async def test_set_up_is_done_once_and_root_is_shut_out(self, subject: RealSubject) -> None:
        assert (await subject.set_up(deploy_first=True)).already is True
        with pytest.raises(Unauthorized):
            async with connect(subject.root):
                pass

    async def test_another_host_key_is_refused(self, subject: RealSubject) -> None:
        with pytest.raises(HostKeyMismatch):
            async with connect(subject.deploy.model_copy(update={"host_key": new_keypair()[1]})):
                pass

    async def test_the_deploy_user_is_root_for_the_listed_commands_only(self, subject: RealSubject) -> None:
        async with subject.enter() as host:
            assert (await host.run(["sudo", "-n", "nginx", "-t"], check=False)).ok
            status = await host.run(["sudo", "-n", "ufw", "status", "verbose"])
            assert "deny (incoming)" in status.stdout
            assert not (await host.run(["sudo", "-n", "nginx", "-t", "-q"], check=False)).ok
            assert not (await host.run(["sudo", "-n", "id"], check=False)).ok

    async def test_all_steps_bring_the_application_up_each_twice(
        self, subject: RealSubject, authority: Authority
    ) -> None:
        app, story = subject.app, subject.story
        async with subject.enter() as host:
            for first in (True, False):
                assert await transfer(host, app, story.say) is first
                assert await subject.env(host) is first
                assert await start_services(host, app, story.say) is first
                assert await run_migrations(host, app, story.say) is first
                csr = await make_csr(host, app, story.say)
                if first:
                    chain = authority.sign(csr)
                assert await install_certificate(host, app, chain, story.say) is first
                await inspect_health(host, app, story.say)
            key = await key_on_host(host, app)
            password = await host.run(app.in_service("backend", "printenv", "ADMIN_PASSWORD"), show="nothing")
            assert password.stdout in ("[REDACTED]\n", f"{ADMIN.password}\n")
            shown = await probe.check_https(
                subject.root.address, FQDN, trust_file=str(authority.file), host_key_spki=key
            )
            assert len(shown) == 3
        told = "\n".join([*story.said, *(text for _, text in story.lines)])
        assert [v for v in (*subject.values.values(), ADMIN.password) if v in told] == []

    async def test_the_environment_arrives_letter_by_letter(self, subject: RealSubject) -> None:
        async with connect(subject.deploy) as host:
            for name, wanted in (("ADMIN_PASSWORD", ADMIN.password), ("ADMIN_NAME", ADMIN.name),
                                 ("ORGANIZATION_NAME", subject.app.context.organization_name)):  # fmt: skip
                found = await host.run(subject.app.in_service("backend", "printenv", name), show="nothing")
                assert found.stdout.removesuffix("\n") == wanted, name
            odd = {"ODD_1": "line one\nline two # not a comment", "ODD_2": "\\'", "ODD_3": "$$ ${NOPE} \\$x \\n",
                   "ODD_4": " padded ", "ODD_5": "=", "ODD_6": "'\"\\"}  # fmt: skip
            await subject.env(host, **odd)
            await start_services(host, subject.app, subject.story.say)
            for name, wanted in odd.items():
                found = await host.run(subject.app.in_service("backend", "printenv", name), show="nothing")
                assert found.stdout.removesuffix("\n") == wanted, name
            front = await host.run(subject.app.in_service("portal", "printenv", "ORGANIZATION_NAME"), show="nothing")
            assert front.stdout.removesuffix("\n") == subject.app.context.organization_name

    async def test_from_outside_only_three_ports_answer_even_where_docker_publishes_more(
        self, subject: RealSubject
    ) -> None:
        ports = subject.app.blueprint.ports(0).values()
        await probe.check_ports(subject.root.address, wanted=(22, 80, 443), application_ports=ports)
        async with connect(subject.deploy) as host:
            image = subject.app.blueprint.images(subject.app.context)[3]
            await host.run(["docker", "run", "--detach", "--name", "leak", "--publish", "0.0.0.0:9000:3002", image])
            try:
                await host.run(["curl", "-fsS", "--retry", "10", "--retry-all-errors", "--retry-delay", "1",
                                "-o", "/dev/null", "http://127.0.0.1:9000/healthz"])  # fmt: skip
                assert await probe.open_ports(subject.root.address, [9000]) == []
            finally:
                await host.run(["docker", "rm", "--force", "leak"])

    async def test_a_failing_migration_says_why(self, subject: RealSubject) -> None:
        async with subject.enter() as host:
            await subject.env(host, MIGRATION_TARGET="0099_never")
            await start_services(host, subject.app, subject.story.say)
            with pytest.raises(MigrationFailed, match="0099_never"):
                await run_migrations(host, subject.app, subject.story.say, command=["sh", "-c", "npm run migrate"])
            await subject.env(host)
            await start_services(host, subject.app, subject.story.say)
            assert await run_migrations(host, subject.app, subject.story.say) is False

    async def test_after_a_reboot_everything_is_back_and_still_closed(self, subject: RealSubject, lab_driver) -> None:
        await lab_driver.stop("bare-1")
        await lab_driver.start("bare-1")
        await subject.awaited()
        async with subject.enter() as host:
            await start_services(host, subject.app, subject.story.say)
            await inspect_health(host, subject.app, subject.story.say)
        await probe.check_ports(subject.root.address, wanted=(22, 80, 443), application_ports=())
        async with connect(subject.deploy) as host:
            active = await host.run(["systemctl", "is-active", "slipway-docker-firewall.service"], check=False)
            assert active.stdout.strip() == "active"

    async def test_removal_leaves_nothing_and_may_be_repeated(self, subject: RealSubject) -> None:
        async with subject.enter() as host:
            assert await remove(host, subject.app, subject.story.say) is True
            left = await host.run(["docker", "ps", "--all", "--quiet"])
            volumes = await host.run(["docker", "volume", "ls", "--quiet"])
            assert (left.stdout, volumes.stdout) == ("", "")
            assert await remove(host, subject.app, subject.story.say) is False


async def test_a_connection_lost_in_apt_is_taken_up_again(lab_driver) -> None:
    subject = await real(lab_driver, "cut-1")

    async def cut_in_the_middle(stream: str, text: str) -> None:
        if text.startswith("Setting up"):
            await lab_driver.unplug("cut-1")

    with pytest.raises(HostUnreachable):
        await set_up(subject.root, subject.plan, subject.story.say, on_line=cut_in_the_middle)
    await lab_driver.kill("cut-1")
    await lab_driver.start("cut-1")
    await lab_driver.plug("cut-1")
    await subject.awaited()
    assert (await subject.set_up()).already is False
    assert (await subject.set_up()).already is True


async def test_a_full_disk_is_named_by_files_and_by_programs(lab_driver) -> None:
    lab_driver.disk_limit_mb = 200
    try:
        subject = await real(lab_driver, "full-1")
    finally:
        lab_driver.disk_limit_mb = None
    async with connect(subject.root) as host:
        await host.run(["dd", "if=/dev/zero", "of=/root/filler", "bs=1M"], check=False, timeout=120)
        with pytest.raises(DiskFull):
            await host.put("/root/more", "x" * 3_000_000, mode=0o600)
        assert not await host.exists("/root/more")
    with pytest.raises(DiskFull):
        await set_up(subject.root, subject.plan, subject.story.say)
