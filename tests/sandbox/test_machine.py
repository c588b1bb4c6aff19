"""Real hosts: born, set up, cut off, found again and taken away. Skipped with its reasons where the lab cannot run."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import asyncssh
import pytest
import yaml

from sandbox.hosts import network as networks
from sandbox.hosts.driver import HostDriver, HostSpec
from sandbox.hosts.machine import MachineDriver
from sandbox.hosts.machine_cgroups import processes
from sandbox.hosts.machine_tools import mounts_below
from sandbox.lab import Lab, missing, services

LACKS = missing()
REQUIRED = os.environ.get("SLIPWAY_REQUIRE_PARTS") == "1"
pytestmark = [
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.skipif(bool(LACKS) and not REQUIRED, reason=" ".join(LACKS)),
]

PROJECT_ROOT = Path(__file__).parents[2]
SETUP = "docker.io docker-cli docker-compose iptables ufw nginx openssl"
SECRET = "a-secret-of-more-than-thirty-two-characters"


@dataclass
class Host:
    """A host of a test: how to get in, and what it should answer with."""

    driver: MachineDriver
    name: str
    address: str
    client_key: asyncssh.SSHKey
    host_key: asyncssh.SSHKey

    async def connect(self, host_key: asyncssh.SSHKey | None = None) -> asyncssh.SSHClientConnection:
        known = asyncssh.import_known_hosts(
            f"{self.address} {(host_key or self.host_key).export_public_key().decode()}"
        )
        end = asyncio.get_running_loop().time() + 30
        while True:
            try:
                return await asyncssh.connect(
                    self.address,
                    username="root",
                    client_keys=[self.client_key],
                    known_hosts=known,
                    config=None,
                    agent_path=None,
                    connect_timeout=3,
                )
            except asyncssh.HostKeyNotVerifiable:
                raise
            except (OSError, asyncssh.Error):
                if asyncio.get_running_loop().time() > end:
                    raise
                await asyncio.sleep(0.1)

    async def run(self, command: str, check: bool = True) -> str:
        async with await self.connect() as connection:
            done = await connection.run(command, check=False)
            said = f"{done.stdout}{done.stderr}"
            assert not check or done.exit_status == 0, f"{command}: exit {done.exit_status}: {said[-1500:]}"
            return said

    async def reaches(self, port: int) -> bool:
        with contextlib.suppress(OSError, TimeoutError):
            _, writer = await asyncio.wait_for(asyncio.open_connection(self.address, port), 1.5)
            writer.close()
            return True
        return False


async def born(driver: MachineDriver, name: str, image: str = "baked") -> Host:
    client, host = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    address = await driver.reserve_address()
    config = {
        "ssh_keys": {
            "ed25519_private": host.export_private_key().decode(),
            "ed25519_public": host.export_public_key().decode(),
        },
        "write_files": [{"path": "/etc/slipway-test", "content": "written by cloud-init\n"}],
        "runcmd": [["touch", "/root/runcmd-ran"]],
    }
    spec = HostSpec(
        name=name,
        address=address,
        hostname=f"{name}.lab.test",
        user_data="#cloud-config\n" + yaml.safe_dump(config),
        authorized_keys=[client.export_public_key().decode().strip()],
    )
    driver.image = image  # type: ignore[assignment]
    await driver.create(spec)
    await driver.start(name)
    return Host(driver, name, address, client, host)


@pytest.fixture(scope="module")
async def driver(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[MachineDriver]:
    """A network with its apt repository and its registry; whatever a test leaves in it is destroyed."""
    assert not LACKS, f"SLIPWAY_REQUIRE_PARTS=1, but: {' '.join(LACKS)}"
    state = tmp_path_factory.mktemp("hosts")
    lab = Lab()
    driver = MachineDriver(lab, state)
    await driver.open()
    specs = [services.apt_repo(lab, state, driver.gateway), services.registry(lab, state, driver.gateway)]
    servers = []
    for spec in specs:
        with spec.log_path.open("ab") as log:
            servers.append(subprocess.Popen(spec.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log))
    yield driver
    for name in await driver.names():
        await driver.destroy(name)
    await driver.close()
    for server in servers:
        server.terminate()
        server.wait()


@pytest.fixture(scope="module")
async def bare(driver: MachineDriver) -> Host:
    return await born(driver, "bare", "bare")


@pytest.fixture(scope="module")
async def app(driver: MachineDriver) -> Host:
    """A host that is set up: firewall on, and the blueprint's services started."""
    host = await born(driver, "app")
    await host.run("ufw default deny incoming; for p in 22 80 443; do ufw allow $p/tcp; done; ufw --force enable")
    await host.run(f"mkdir -p /srv/app && printf %s {shlex.quote(compose(driver.gateway))} > /srv/app/compose.yaml")
    await host.run("cd /srv/app && docker compose pull -q && docker compose up -d --wait --wait-timeout 120")
    return host


def compose(gateway: str) -> str:
    """All seven services, as a blueprint writes them; only loopback ports are published."""
    image = f"{gateway}:5000/recruitiq/{{}}:1.0.0"
    front = {"portal": 3002, "nexus": 3003, "paylinq": 3004, "recruitiq": 3005}
    backend = {
        "DATABASE_URL": "postgresql://app:db-secret@postgres:5432/app",
        "REDIS_URL": "redis://:cache-secret@redis:6379/0",
        "JWT_SECRET": SECRET,
        "ADMIN_EMAIL": "ada@example.com",
        "ADMIN_NAME": "Ada",
        "ADMIN_PASSWORD": "first-password",
        "ORGANIZATION_NAME": "Example Works",
    }
    healthy = {name: {"condition": "service_healthy"} for name in ("postgres", "redis")}
    stack = {
        "postgres": {"environment": {"POSTGRES_USER": "app", "POSTGRES_PASSWORD": "db-secret", "POSTGRES_DB": "app"}},
        "redis": {"environment": {"REDIS_PASSWORD": "cache-secret"}},
        "backend": {"environment": backend, "ports": ["127.0.0.1:3001:3001"], "depends_on": healthy},
    } | {
        name: {"environment": {"ORGANIZATION_NAME": "Example Works"}, "ports": [f"127.0.0.1:{port}:{port}"]}
        for name, port in front.items()
    }
    volumes = {"postgres": ["db:/var/lib/postgresql/data"], "redis": ["cache:/data"]}
    for name, service in stack.items():
        service |= {"image": image.format(name), "restart": "unless-stopped", "volumes": volumes.get(name, [])}
    return yaml.safe_dump({"name": "app", "services": stack, "volumes": {"db": {}, "cache": {}}})


class TestBirth:
    async def test_is_a_host_driver(self, driver: MachineDriver) -> None:
        protocol: HostDriver = driver
        assert protocol.kind == "machine"

    async def test_answers_with_the_pinned_key_and_is_what_its_user_data_says(self, bare: Host) -> None:
        said = await bare.run(
            "cloud-init status --wait >/dev/null; cat /etc/slipway-test; ls /root/runcmd-ran; hostname -f;"
            " systemctl is-system-running --wait; ls /etc/ssh/*.pub; sshd -T | grep -x 'passwordauthentication no'"
        )
        assert said.splitlines() == [
            "written by cloud-init",
            "/root/runcmd-ran",
            "bare.lab.test",
            "running",
            "/etc/ssh/ssh_host_ed25519_key.pub",
            "passwordauthentication no",
        ]

    async def test_another_key_is_refused_before_anything_is_sent(self, bare: Host) -> None:
        with pytest.raises(asyncssh.HostKeyNotVerifiable):
            await bare.connect(asyncssh.generate_private_key("ssh-ed25519"))

    async def test_installs_the_packages_without_internet(self, bare: Host) -> None:
        assert "missing" in await bare.run("command -v docker nginx ufw || echo missing")
        await bare.run("apt-get update -qq")
        await bare.run(f"DEBIAN_FRONTEND=noninteractive apt-get install -qq -y {SETUP}")
        said = await bare.run("docker info -f '{{.Driver}}'; docker compose version --short; systemctl is-active nginx")
        assert said.split()[0] == "overlay2"
        assert said.split()[-1] == "active"

    async def test_creating_twice_makes_one(self, bare: Host) -> None:
        spec = HostSpec(name=bare.name, address=bare.address, hostname="other.lab.test")
        await bare.driver.create(spec)
        assert (await bare.run("hostname -f")).strip() == "bare.lab.test"

    async def test_unknown_name_is_told(self, driver: MachineDriver) -> None:
        with pytest.raises(KeyError):
            await driver.start("nobody")
        with pytest.raises(KeyError):
            await driver.power("nobody")
        await driver.destroy("nobody")


class TestBlueprint:
    async def test_health_is_that_of_database_and_cache(self, app: Host) -> None:
        body = json.loads(await app.run("curl -s http://127.0.0.1:3001/api/health"))
        assert body.pop("uptime") > 0
        assert body == {"status": "healthy", "database": "connected", "redis": "connected", "version": "1.0.0"}

        await app.run("cd /srv/app && docker compose stop -t 5 redis")
        body = json.loads(await app.run("curl -s http://127.0.0.1:3001/api/health"))
        assert (body["status"], body["database"], body["redis"]) == ("unhealthy", "connected", "disconnected")
        await app.run("cd /srv/app && docker compose start redis && docker compose up -d --wait")

    async def test_migration_fails_clearly_then_runs_once_and_the_credentials_work(self, app: Host) -> None:
        inside = "docker compose --project-directory /srv/app exec -T"
        said = await app.run(f"{inside} -e MIGRATION_TARGET=0099_unknown backend npm run migrate; echo exit $?")
        assert "unknown migration target '0099_unknown'" in said
        assert "exit 1" in said

        first = await app.run(f"{inside} backend npm run migrate")
        again = await app.run(f"{inside} backend npm run migrate")
        assert first.count(": applied") == 3
        assert again.count(": already applied") == 3
        status = json.loads(await app.run(f"{inside} backend npm run migrate:status"))
        assert status == {"applied": ["0001_organizations", "0002_users", "0003_initial_admin"], "pending": []}

        login = "curl -s -w '%{{http_code}}' http://127.0.0.1:3001/api/login -d '{}'"
        good = await app.run(login.format('{"email": "Ada@example.com", "password": "first-password"}'))
        bad = await app.run(login.format('{"email": "ada@example.com", "password": "guess"}'))
        assert good.endswith("200")
        assert json.loads(good[:-3])["mustChangePassword"] is True
        assert bad.endswith("401")

    async def test_front_ends_name_themselves_and_their_organization(self, app: Host) -> None:
        for name, port in (("Portal", 3002), ("Nexus", 3003), ("PayLinQ", 3004), ("RecruitIQ", 3005)):
            page = await app.run(f"curl -s http://127.0.0.1:{port}/")
            assert f"<h1>{name}</h1>" in page
            assert "Example Works" in page

    async def test_no_secret_is_in_a_process_list(self, app: Host) -> None:
        said = await app.run("ps -eo args")
        assert "redis-server" in said
        assert "cache-secret" not in said
        assert "db-secret" not in said

    async def test_only_the_open_ports_are_reached_from_outside(self, app: Host) -> None:
        ports = (22, 80, 443, 3001, 3002, 5432, 6379)
        reached = await asyncio.gather(*(app.reaches(port) for port in ports))
        # Nobody listens on 443 yet; the firewall lets it through to a refusal.
        assert dict(zip(ports, reached, strict=True)) == {port: port in (22, 80) for port in ports}
        with pytest.raises(ConnectionRefusedError):
            await asyncio.wait_for(asyncio.open_connection(app.address, 443), 3)


class TestPower:
    async def test_a_power_cut_keeps_the_disk_and_containers_return(self, app: Host) -> None:
        # Nothing is flushed by a power cut; what a host synced, it finds again.
        await app.run("echo kept > /root/kept; sync")
        before = await app.run("cat /proc/sys/kernel/random/boot_id")
        await app.driver.kill(app.name)
        assert await app.driver.power(app.name) == "stopped"
        assert not await app.reaches(22)
        await app.driver.start(app.name)
        assert (await app.run("cat /root/kept")).strip() == "kept"
        assert await app.run("cat /proc/sys/kernel/random/boot_id") != before
        await app.run("systemctl is-system-running --wait; ufw status | grep -q 'Status: active'")
        await app.run("cd /srv/app && docker compose up -d --wait --wait-timeout 60")

    async def test_a_reboot_from_inside_comes_back(self, driver: MachineDriver) -> None:
        host = await born(driver, "reboots")
        before = await host.run("cat /proc/sys/kernel/random/boot_id")
        await host.run("systemctl reboot", check=False)
        for _ in range(300):
            with contextlib.suppress(OSError, asyncssh.Error):
                if await host.run("cat /proc/sys/kernel/random/boot_id") != before:
                    break
            await asyncio.sleep(0.1)
        else:
            pytest.fail("the host did not come back with another boot id")
        assert await driver.power("reboots") == "running"
        await driver.destroy("reboots")

    async def test_stop_is_orderly_and_start_boots_again(self, driver: MachineDriver) -> None:
        host = await born(driver, "stops")
        await host.run("cloud-init status --wait")
        await driver.stop("stops")
        assert await driver.power("stops") == "stopped"
        assert "Reached target" in driver.console("stops") or "Power" in driver.console("stops")
        await driver.start("stops")
        await host.run("true")
        await driver.destroy("stops")

    async def test_an_unplugged_host_runs_but_is_not_reached(self, driver: MachineDriver) -> None:
        host = await born(driver, "unplugged")
        await host.run("true")
        await driver.unplug("unplugged")
        assert not await host.reaches(22)
        assert await driver.power("unplugged") == "running"
        await driver.plug("unplugged")
        await host.run("true")
        await driver.destroy("unplugged")


class TestDisk:
    async def test_a_full_disk_is_full_inside_and_can_be_freed(self, driver: MachineDriver) -> None:
        driver.disk_limit_mb = 300
        try:
            host = await born(driver, "small")
        finally:
            driver.disk_limit_mb = None
        await host.run("cloud-init status --wait")
        await driver.fill_disk("small")
        said = await host.run("head -c 20M /dev/zero > /root/large", check=False)
        assert "No space left on device" in said
        await driver.free_disk("small")
        await host.run("head -c 20M /dev/zero > /root/large")
        await driver.destroy("small")

    async def test_only_a_limited_disk_can_be_filled(self, bare: Host) -> None:
        with pytest.raises(ValueError, match="limit"):
            await bare.driver.fill_disk(bare.name)


class TestDriver:
    async def test_hosts_outlive_a_killed_driver_and_are_found_again(self, tmp_path: Path) -> None:
        client, host_key = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
        program = (
            "import asyncio, sys, time\nfrom pathlib import Path\nfrom sandbox.hosts.driver import HostSpec\n"
            "from sandbox.hosts.machine import MachineDriver\nfrom sandbox.lab import Lab\n"
            "async def main():\n"
            "    driver = MachineDriver(Lab(), Path(sys.argv[1]))\n"
            "    await driver.open()\n"
            "    address = await driver.reserve_address()\n"
            "    await driver.create(HostSpec(name='kept', address=address, hostname='kept', "
            "user_data=sys.argv[2], authorized_keys=[sys.argv[3]]))\n"
            "    await driver.start('kept')\n"
            "    print(address, flush=True)\n"
            "    time.sleep(600)\n"
            "asyncio.run(main())\n"
        )
        keys = {
            "ed25519_private": host_key.export_private_key().decode(),
            "ed25519_public": host_key.export_public_key().decode(),
        }
        user_data = "#cloud-config\n" + yaml.safe_dump({"ssh_keys": keys})
        arguments = [str(tmp_path), user_data, client.export_public_key().decode().strip()]
        holder = subprocess.Popen(
            [sys.executable, "-c", program, *arguments], cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True
        )
        assert holder.stdout is not None
        address = (await asyncio.to_thread(holder.stdout.readline)).strip()
        second = MachineDriver(Lab(), tmp_path)
        host = Host(second, "kept", address, client, host_key)
        before = await host.run("cat /proc/sys/kernel/random/boot_id")
        with pytest.raises(RuntimeError, match="in use by process"):
            await second.open()

        holder.send_signal(signal.SIGKILL)
        holder.wait()
        holder.stdout.close()
        await second.open()
        assert await second.power("kept") == "running"
        assert await host.run("cat /proc/sys/kernel/random/boot_id") == before

        index = second.network.index
        await second.close()
        assert networks.leftovers(index) == []
        assert mounts_below(tmp_path) == []
        third = MachineDriver(Lab(), tmp_path)
        await third.open()
        assert await host.run("cat /proc/sys/kernel/random/boot_id") != before
        assert third.network.index == index
        await third.destroy("kept")
        await third.close()
        assert networks.leftovers(index) == []

    async def test_opening_again_brings_each_host_to_where_it_was(self, tmp_path: Path) -> None:
        first = MachineDriver(Lab(), tmp_path)
        await first.open()
        runs, off, stopped = [await born(first, name) for name in ("runs", "off", "stopped")]
        await off.run("systemctl poweroff", check=False)
        await asyncio.gather(runs.run("true"), stopped.run("true"))
        await first.stop("stopped")
        for _ in range(200):
            if await first.power("off") == "stopped":
                break
            await asyncio.sleep(0.05)
        await first.close()
        second = MachineDriver(Lab(), tmp_path)
        await second.open()
        assert second.gateway == f"{runs.address.rpartition('.')[0]}.1"
        powers = {name: await second.power(name) for name in await second.names()}
        assert powers == {"off": "stopped", "runs": "running", "stopped": "stopped"}
        for name in powers:
            await second.destroy(name)
        await second.close()

    async def test_destroy_leaves_nothing(self, driver: MachineDriver) -> None:
        host = await born(driver, "gone")
        await host.run("true")
        number = driver.network.number(host.address)
        group, folder = driver.network.namespace(number), driver.state_dir / "hosts" / "gone"
        assert mounts_below(folder)
        await driver.destroy("gone")
        assert not folder.exists()
        assert not list(folder.parent.glob(".gone-*"))
        assert mounts_below(folder) == []
        assert processes(group) == set()
        assert not {group, driver.network.link(number)} & set(networks.leftovers(driver.network.index))
        assert "gone" not in await driver.names()

    async def test_an_address_is_not_given_again_at_once(self, driver: MachineDriver) -> None:
        first, second = await driver.reserve_address(), await driver.reserve_address()
        assert first != second
        assert await driver.reserve_address() not in (first, second)
