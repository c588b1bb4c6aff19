"""The lab's recipe and its servers, piece by piece; the hosts themselves are in test_machine.py."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import socket
import ssl
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import dns.message
import dns.query
import httpx
import pytest

from sandbox.hosts.machine_record import Addresses
from sandbox.hosts.machine_tools import load, save
from sandbox.hosts.network import FIRST_HOST, LAST_HOST, Network
from sandbox.lab import Lab, checks, debian, images, missing, paths, services
from sandbox.lab.authority import ensure_authority, issue
from sandbox.lab.layers import pack
from sandbox.service import ServiceSpec

LACKS = missing()
REQUIRED = os.environ.get("SLIPWAY_REQUIRE_PARTS") == "1"
needs_lab = pytest.mark.skipif(bool(LACKS) and not REQUIRED, reason=" ".join(LACKS))


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextlib.contextmanager
def running(spec: ServiceSpec) -> Iterator[None]:
    assert isinstance(spec.ready, tuple)
    with spec.log_path.open("ab") as log:
        server = subprocess.Popen(
            spec.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, **spec.env}
        )
    try:
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(spec.ready, 0.5):
                break
            assert server.poll() is None, spec.log_path.read_text()[-1500:]
            time.sleep(0.05)
        yield
    finally:
        server.terminate()
        server.wait()


OURS = "http://mine.example/debian"  # a reserved name: no real mirror is named anywhere (RFC 2606)
OTHER = "http://other.example/tools"


class TestMirror:
    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("sources.list", "deb [arch=amd64] {OURS} trixie main\n"),
            ("sources.list.d/debian.sources", "Types: deb\nURIs: {OURS}\nSuites: trixie\n"),
            ("sources.list.d/more.list", "deb {OTHER} x y\ndeb {OURS}/ x main\n"),
        ],
    )
    def test_is_read_from_the_machines_own_sources(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str
    ) -> None:
        monkeypatch.delenv("SLIPWAY_LAB_MIRROR", raising=False)
        (tmp_path / "sources.list.d").mkdir()
        (tmp_path / name).write_text(text.format(OURS=OURS, OTHER=OTHER))
        assert debian.mirror(tmp_path).rstrip("/") == OURS

    def test_the_environment_decides_where_there_is_none(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SLIPWAY_LAB_MIRROR", OURS)
        assert debian.mirror(tmp_path) == OURS
        monkeypatch.delenv("SLIPWAY_LAB_MIRROR")
        with pytest.raises(RuntimeError, match="SLIPWAY_LAB_MIRROR"):
            debian.mirror(tmp_path)


class TestCache:
    def test_an_absent_cache_is_one_clear_sentence(self, tmp_path: Path) -> None:
        (line,) = [line for line in missing(Lab(tmp_path)) if str(tmp_path) in line]
        assert line == (
            f"{tmp_path} lacks authority, base, apt, baked, hosting, images, pebble: "
            "run `python -m sandbox.lab prepare`."
        )

    def test_what_a_machine_cannot_do_is_said(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: 1000)
        assert any("needs root" in line for line in missing())
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        monkeypatch.setattr(checks, "_effective_capabilities", lambda: 1 << 21)
        lacks = missing()
        assert any("CAP_NET_ADMIN" in line for line in lacks)
        assert not any("CAP_SYS_ADMIN" in line for line in lacks)

    def test_a_changed_recipe_is_another_part_and_so_is_what_stands_on_it(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = {part: paths.version(part) for part in paths.RECIPES}
        monkeypatch.setitem(paths.RECIPES, "base", (("rootfs.py", "debian.py"), ("authority",)))
        paths.version.cache_clear()
        after = {part: paths.version(part) for part in paths.RECIPES}
        monkeypatch.undo()
        paths.version.cache_clear()
        assert {part for part in before if before[part] != after[part]} == {"base", "apt", "baked", "hosting"}


class TestLayer:
    def test_whiteouts_and_links_are_told_and_bytes_repeat(self, tmp_path: Path) -> None:
        tree = tmp_path / "tree"
        (tree / "etc").mkdir(parents=True)
        (tree / "var/cache/apt").mkdir(parents=True)
        (tree / "etc/kept").write_text("kept")
        (tree / "etc/link").symlink_to("kept")
        os.link(tree / "etc/kept", tree / "etc/same")
        expected = {"etc", "etc/kept", "etc/link", "etc/same", "var", "var/cache"}
        if os.geteuid() == 0:
            os.mknod(tree / "etc/removed", 0o020000, os.makedev(0, 0))
            expected.add("etc/.wh.removed")
        first, second = pack(tree, tmp_path / "a.tar.gz"), pack(tree, tmp_path / "b.tar.gz")
        assert (first.digest, first.diff_id) == (second.digest, second.diff_id)
        with tarfile.open(first.path) as archive:
            assert set(archive.getnames()) == expected
            assert archive.getmember("etc/same").linkname == "etc/kept"
            assert archive.getmember("etc/link").issym()

    def test_every_image_says_how_it_is_asked_for_its_health(self) -> None:
        described = {image.service: image.described() for image in images.catalogue()}
        assert set(described) == {"postgres", "redis", "backend", "portal", "nexus", "paylinq", "recruitiq"}
        for config in described.values():
            assert config["Healthcheck"]["Test"] == ["CMD", "healthcheck"]
            assert sum(line.startswith("PATH=") for line in config["Env"]) == 1


class TestNetwork:
    def test_names_and_addresses_follow_from_the_index(self) -> None:
        network = Network(7, -1)
        assert (network.gateway, network.bridge, network.namespace(9)) == ("10.77.7.1", "slw7", "slw7-9")
        assert network.mac(9) == "02:77:0a:4d:07:09"
        assert network.number("10.77.7.9") == 9
        assert len(Network(250, -1).link(250)) <= 15
        for wrong in ("10.77.8.9", "10.77.7.1", "10.77.7.251", "example.com"):
            with pytest.raises(ValueError, match="no host address"):
                network.number(wrong)

    async def test_addresses_go_round_and_skip_what_is_held(self, tmp_path: Path) -> None:
        book = Addresses(tmp_path / "addresses.json")
        assert [await book.reserve(set()), await book.reserve({3}), await book.reserve(set())] == [2, 4, 5]
        save(tmp_path / "addresses.json", {"held": [2], "last": LAST_HOST})
        assert await book.reserve(set()) == 3
        await book.free(2)
        assert load(tmp_path / "addresses.json") == {"held": [3], "last": 3}
        with pytest.raises(RuntimeError, match="no address is left"):
            await book.reserve(set(range(FIRST_HOST, LAST_HOST + 1)))


class TestAuthority:
    def test_its_certificates_verify_for_their_names_only(self, tmp_path: Path) -> None:
        ca_file = ensure_authority(tmp_path / "ca")
        assert ensure_authority(tmp_path / "ca") == ca_file
        chain, key = issue(tmp_path / "ca", ["127.0.0.1", "localhost"], tmp_path / "server")
        assert key.stat().st_mode & 0o077 == 0
        server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cafile=str(ca_file))
        server.load_cert_chain(chain, key)
        assert handshake(server, client, "127.0.0.1") is None
        assert "mismatch" in str(handshake(server, client, "other.test"))


def handshake(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> ssl.SSLError | None:
    """Both ends in memory; returns what the client objected to."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_hostname=name),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(4):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLError as error:
                return error
    return None


@needs_lab
@pytest.mark.lab
class TestServers:
    def test_name_server_and_certificate_authority_work_without_a_hosts_network(self, tmp_path: Path) -> None:
        assert not LACKS, f"SLIPWAY_REQUIRE_PARTS=1, but: {' '.join(LACKS)}"
        lab = Lab()
        names = services.pdns(lab, tmp_path, dns_port=free_port(), api_port=free_port(), api_key="a-test-key")
        ca = services.pebble(lab, tmp_path, acme_port=free_port(), management_port=free_port(), dns=names.address)
        with running(names.spec), running(ca.spec):
            with httpx.Client(trust_env=False, headers={"X-API-Key": names.api_key}) as api:
                zone = {"name": "lab.test.", "kind": "Native", "nameservers": ["ns1.lab.test."]}
                record = {"content": "10.77.1.9", "disabled": False}
                rrset = {"name": "app.lab.test.", "type": "A", "ttl": 60, "changetype": "REPLACE", "records": [record]}
                zones = f"{names.api_url}/servers/localhost/zones"
                assert api.post(zones, json=zone).status_code == httpx.codes.CREATED
                assert api.patch(f"{zones}/lab.test.", json={"rrsets": [rrset]}).status_code == httpx.codes.NO_CONTENT
            address, port = names.address
            answer = dns.query.udp(dns.message.make_query("app.lab.test", "A"), address, port=port, timeout=3)
            assert "10.77.1.9" in str(answer.answer[0])

            trust = ssl.create_default_context(cafile=str(ca.ca_file))
            with httpx.Client(trust_env=False, verify=trust) as acme:
                directory = acme.get(ca.directory_url).json()
                assert {"newOrder", "renewalInfo"} <= set(directory)
                assert set(directory["meta"]["profiles"]) == {"default", "shortlived"}
                assert "BEGIN CERTIFICATE" in acme.get(f"{ca.management_url}/roots/0").text

    def test_repository_index_names_every_package_with_its_size(self) -> None:
        folder = Lab().apt_repo
        index = gzip.decompress((folder / "Packages.gz").read_bytes()).decode()
        listed = {
            fields["Filename"]: int(fields["Size"])
            for stanza in index.strip().split("\n\n")
            for fields in [dict(line.split(": ", 1) for line in stanza.splitlines() if ": " in line and line[0] != " ")]
        }
        assert listed == {f"./{path.name}": path.stat().st_size for path in folder.glob("*.deb")}
        assert "./docker.io_" in str(listed)

    def test_registry_settings_are_read_only_and_over_tls(self, tmp_path: Path) -> None:
        spec = services.registry(Lab(), tmp_path, "10.77.9.1")
        config = json.loads(Path(spec.argv[-1]).read_text())
        assert config["storage"]["maintenance"]["readonly"] == {"enabled": True}
        assert config["http"]["addr"] == "10.77.9.1:5000"
        assert Path(config["http"]["tls"]["key"]).stat().st_mode & 0o077 == 0
