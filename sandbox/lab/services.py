"""How to run the lab's real servers: each builder writes a configuration into a state folder and says how to start it.

`apt_repo` and `registry` listen on the gateway of a hosts' network; `pdns` and `pebble` also work without one.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from dataclasses import dataclass
from pathlib import Path

from sandbox.lab.authority import ensure_authority, issue
from sandbox.lab.paths import Lab
from sandbox.lab.tools import write
from sandbox.service import ServiceSpec

APT_PORT = 3142
REGISTRY_PORT = 5000
DNS_PORT = 53


def apt_repo(lab: Lab, state_dir: Path, gateway: str) -> ServiceSpec:
    """The packages of the hosts, at http://{gateway}:3142/."""
    server = Path(__file__).with_name("static.py")
    argv = [sys.executable, "-S", "-E", str(server), gateway, str(APT_PORT), str(lab.apt_repo)]
    return ServiceSpec("apt", argv, (gateway, APT_PORT), _log(state_dir, "apt"))


def registry(lab: Lab, state_dir: Path, gateway: str) -> ServiceSpec:
    """The images `{gateway}:5000/recruitiq/{service}:1.0.0`, read only, over TLS that the hosts trust."""
    folder = state_dir / "registry"
    chain, key = issue(lab.authority, [gateway], folder)
    config = {
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {
            "filesystem": {"rootdirectory": str(lab.registry_storage)},
            "maintenance": {"readonly": {"enabled": True}},
        },
        "http": {"addr": f"{gateway}:{REGISTRY_PORT}", "tls": {"certificate": str(chain), "key": str(key)}},
    }
    # JSON is YAML.
    write(folder / "registry.yml", json.dumps(config, indent=1))
    argv = [str(lab.registry), "serve", str(folder / "registry.yml")]
    return ServiceSpec("registry", argv, (gateway, REGISTRY_PORT), _log(state_dir, "registry"))


@dataclass(frozen=True)
class NameServer:
    spec: ServiceSpec
    api_url: str
    api_key: str
    address: tuple[str, int]


def pdns(
    lab: Lab,
    state_dir: Path,
    *,
    dns_port: int,
    api_port: int,
    api_key: str,
    gateway: str | None = None,
    address: str = "127.0.0.1",
    secondary: str | None = None,
) -> NameServer:
    """PowerDNS on {address}:{dns_port} and, for the hosts, on {gateway}:53; its API on {address}:{api_port}.

    It may hold primary and secondary zones at once. `secondary` (address:port) is told of changes of primary ones.
    """
    folder = state_dir / "pdns"
    folder.mkdir(parents=True, exist_ok=True)
    database = folder / "pdns.sqlite3"
    if not database.exists():
        draft = folder / "draft.sqlite3"
        draft.unlink(missing_ok=True)
        with sqlite3.connect(draft) as connection:
            connection.executescript(lab.pdns_schema.read_text())
        connection.close()
        draft.rename(database)
    addresses = [f"{address}:{dns_port}", *([f"{gateway}:{DNS_PORT}"] if gateway else [])]
    settings = {
        "launch": "gsqlite3",
        "gsqlite3-database": database,
        # A lost zone is a lost sandbox, not a lost customer; waiting for the disk is most of an update's time.
        "gsqlite3-pragma-synchronous": 0,
        "local-address": ", ".join(addresses),
        "socket-dir": folder,
        "api": "yes",
        "api-key": api_key,
        "webserver": "yes",
        "webserver-address": address,
        "webserver-port": api_port,
        "webserver-allow-from": "127.0.0.0/8",
        "default-soa-content": "ns1.@ hostmaster.@ 0 10800 3600 604800 60",
        # What was just written must be what the next query reads.
        "cache-ttl": 0,
        "query-cache-ttl": 0,
        "negquery-cache-ttl": 0,
        "zone-cache-refresh-interval": 0,
        "security-poll-suffix": "",
        "primary": "yes",
        "secondary": "yes",
        # Names of the lab's servers resolve nowhere; who is told is said here. A secondary knows a primary by the
        # address that its questions and notifications come from.
        "only-notify": "",
        "also-notify": secondary or "",
        "query-local-address": address,
        "xfr-cycle-interval": 1,
    }
    text = "".join(f"{key}={value}\n" for key, value in settings.items())
    write(folder / "pdns.conf", text, 0o600)
    argv = [str(lab.pdns), f"--config-dir={folder}", "--guardian=no", "--daemon=no", "--disable-syslog"]
    spec = ServiceSpec("pdns", argv, (address, api_port), _log(state_dir, "pdns"))
    return NameServer(spec, f"http://{address}:{api_port}/api/v1", api_key, (address, dns_port))


@dataclass(frozen=True)
class CertificateAuthority:
    spec: ServiceSpec
    directory_url: str
    management_url: str
    """`/roots/0` here is the root its certificates lead to; it is new at each start."""
    ca_file: Path
    """What to trust for the two URLs themselves."""


def pebble(
    lab: Lab,
    state_dir: Path,
    *,
    acme_port: int,
    management_port: int,
    dns: tuple[str, int],
    http_port: int = 80,
    tls_port: int = 443,
) -> CertificateAuthority:
    """Pebble on 127.0.0.1, asking `dns`; it fetches HTTP challenges from the hosts themselves."""
    folder = state_dir / "pebble"
    authority = lab.authority if os.access(lab.authority / "ca.key", os.R_OK) else state_dir / "authority"
    ca_file = ensure_authority(authority)
    chain, key = issue(authority, ["localhost", "127.0.0.1"], folder)
    config = {
        "listenAddress": f"127.0.0.1:{acme_port}",
        "managementListenAddress": f"127.0.0.1:{management_port}",
        "certificate": str(chain),
        "privateKey": str(key),
        "httpPort": http_port,
        "tlsPort": tls_port,
        "ocspResponderURL": "",
        "externalAccountBindingRequired": False,
        "retryAfter": {"authz": 1, "order": 1},
        "profiles": {
            "default": {"description": "ninety days", "validityPeriod": 7776000},
            "shortlived": {"description": "six days", "validityPeriod": 518400},
        },
    }
    write(folder / "pebble.json", json.dumps({"pebble": config}, indent=1))
    argv = [str(lab.pebble), "-config", str(folder / "pebble.json"), "-dnsserver", f"{dns[0]}:{dns[1]}"]
    # No random sleeps, no refused nonces, no reused authorizations: those are faults to ask for, not to meet by chance.
    env = {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0", "PEBBLE_AUTHZREUSE": "0"}
    spec = ServiceSpec("pebble", argv, ("127.0.0.1", acme_port), _log(state_dir, "pebble"), env)
    management = f"https://127.0.0.1:{management_port}"
    return CertificateAuthority(spec, f"https://127.0.0.1:{acme_port}/dir", management, ca_file)


def _log(state_dir: Path, name: str) -> Path:
    folder = state_dir / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{name}.log"
