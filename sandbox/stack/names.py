"""The sandbox's name server and certificate authority, and in machine mode its packages and images.

The real PowerDNS and Pebble where this machine has them, else our own small ones; the product cannot tell.
"""

from __future__ import annotations

import json
import os
import re
import ssl
import sys
from pathlib import Path

import httpx

from sandbox.lab import Lab
from sandbox.lab import services as lab_services
from sandbox.service import ServiceSpec
from sandbox.stack.hosts import Kind
from sandbox.stack.keys import Secrets
from sandbox.stack.layout import Layout, StackError, write_json, write_private
from sandbox.stack.ports import Ports

ROOTS_KEPT = 50
PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
EMULATED = {"HOST_SSH_PORT": "2222", "HOST_HTTP_PORT": "8080", "HOST_HTTPS_PORT": "8443"}


def with_root(bundle: str, root: str) -> str:
    """The PEM bundle with `root` as its first certificate and the newest others behind it."""
    others = [pem for pem in PEM.findall(bundle) if pem != root.strip()]
    return "\n".join([root.strip(), *others[: ROOTS_KEPT - 1]]) + "\n"


class Names:
    """`gateway`, this machine's address on the hosts' network, is known once the cloud runs (machine mode only)."""

    def __init__(self, layout: Layout, secrets: Secrets, ports: Ports, kind: Kind) -> None:
        self._layout, self._secrets, self._kind = layout, secrets, kind
        self._lab = Lab()
        self._dns_port, self._dns_api = ports.get("dns"), ports.get("dns-api")
        self._acme_port, self._acme_management = ports.get("acme"), ports.get("acme-management")
        self.gateway = ""
        self._folder = layout.root / "names"
        self._folder.mkdir(exist_ok=True)
        self.acme_url = ""
        self.acme_ca: Path | None = None
        self.roots_url = ""
        # Pebble offers several profiles and takes any of them when none is asked for.
        self._acme_profile = "default"

    # ---- name server

    def dns(self) -> tuple[ServiceSpec, str]:
        """(how to run the name server, what it is called)."""
        if self._lab.pdns is not None and self._lab.pdns_schema.exists():
            server = lab_services.pdns(
                self._lab, self._folder, dns_port=self._dns_port, api_port=self._dns_api,
                api_key=self._secrets.powerdns_api_key, gateway=self.gateway or None,
            )  # fmt: skip
            return server.spec, "PowerDNS"
        config = self._folder / "dns.json"
        write_json(config, {
            "api": f"127.0.0.1:{self._dns_api}", "api_key": self._secrets.powerdns_api_key,
            "dns": [f"127.0.0.1:{self._dns_port}"], "state": str(self._folder / "dns.sqlite3"),
        })  # fmt: skip
        argv = [sys.executable, "-m", "sandbox.dns_server", "--config", str(config)]
        return ServiceSpec("dns", argv, ("127.0.0.1", self._dns_api), self._layout.log("dns")), "Name server"

    @property
    def dns_server(self) -> str:
        return f"127.0.0.1:{self._dns_port}"

    @property
    def _dns_url(self) -> str:
        return f"http://127.0.0.1:{self._dns_api}/api/v1"

    async def ensure_zone(self, zone: str) -> None:
        """The zone that customers' names go into, as an operator would have made it before."""
        headers = {"X-API-Key": self._secrets.powerdns_api_key}
        where = f"{self._dns_url}/servers/localhost/zones"
        async with httpx.AsyncClient(headers=headers, trust_env=False, timeout=10) as client:
            if (await client.get(f"{where}/{zone}.")).is_success:
                return
            made = await client.post(
                where, json={"name": f"{zone}.", "kind": "Native", "nameservers": [f"ns1.{zone}."]}
            )
            if not made.is_success:
                raise StackError(f"The name server refused the zone {zone}: {made.text[:300]}")

    async def ensure_address(self, zone: str, name: str, address: str) -> None:
        """An address of the house's own, which no run of the product owns."""
        records = [{"content": address, "disabled": False}]
        change = {"name": f"{name}.", "type": "A", "ttl": 60, "changetype": "REPLACE", "records": records}
        headers = {"X-API-Key": self._secrets.powerdns_api_key}
        async with httpx.AsyncClient(headers=headers, trust_env=False, timeout=10) as client:
            made = await client.patch(f"{self._dns_url}/servers/localhost/zones/{zone}.", json={"rrsets": [change]})
            if not made.is_success:
                raise StackError(f"The name server refused {name}: {made.text[:300]}")

    # ---- packages and images of the hosts

    def lab_servers(self) -> list[tuple[ServiceSpec, str]]:
        if self._kind != "machine":
            return []
        return [
            (lab_services.apt_repo(self._lab, self._folder, self.gateway), "Package mirror"),
            (lab_services.registry(self._lab, self._folder, self.gateway), "Image registry"),
        ]

    # ---- certificate authority

    def acme(self) -> tuple[ServiceSpec, str]:
        # Pebble's own certificate is signed with the lab's key, which may be another user's.
        key = self._lab.authority / "ca.key"
        if self._lab.pebble.exists() and (os.access(key, os.R_OK) or not key.exists()):
            http_port, tls_port = (80, 443) if self._kind == "machine" else (8080, 8443)
            authority = lab_services.pebble(
                self._lab, self._folder, acme_port=self._acme_port, management_port=self._acme_management,
                dns=("127.0.0.1", self._dns_port), http_port=http_port, tls_port=tls_port,
            )  # fmt: skip
            self.acme_url, self.acme_ca = authority.directory_url, authority.ca_file
            self.roots_url = f"{authority.management_url}/roots/0"
            return authority.spec, "Pebble"
        state, config = self._folder / "acme", self._folder / "acme.json"
        listen = f"127.0.0.1:{self._acme_port}"
        write_json(config, {"listen": listen, "dns": self.dns_server, "state_dir": str(state)})
        self.acme_url, self.acme_ca = f"https://{listen}/dir", state / "api-ca.pem"
        self.roots_url, self._acme_profile = f"https://{listen}/roots/0", "classic"
        argv = [sys.executable, "-m", "sandbox.acme_server", "--config", str(config)]
        return ServiceSpec("acme", argv, ("127.0.0.1", self._acme_port), self._layout.log("acme")), "ACME server"

    async def fetch_root(self) -> None:
        """Put the CA's root where probes and people look for it.

        Pebble makes a new one at each start; the earlier ones stay, for the certificates that hosts already serve.
        """
        trust: ssl.SSLContext | bool = True
        if self.acme_ca is not None:
            trust = ssl.create_default_context(cafile=str(self.acme_ca))
        async with httpx.AsyncClient(verify=trust, trust_env=False, timeout=5) as client:
            reply = await client.get(self.roots_url)
            reply.raise_for_status()
        known = self._layout.ca.read_text() if self._layout.ca.exists() else ""
        write_private(self._layout.ca, with_root(known, reply.text), 0o644)

    # ---- settings

    def environment(self) -> dict[str, str]:
        ours = {
            "POWERDNS_API_URL": self._dns_url,
            "POWERDNS_API_KEY": self._secrets.powerdns_api_key,
            "POWERDNS_SERVER_ID": "localhost",
            "DNS_SERVERS": json.dumps([self.dns_server]),
            "DNS_TTL": "1",
            "ACME_DIRECTORY_URL": self.acme_url or "http://127.0.0.1/dir",
            "ACME_PROFILE": self._acme_profile,
            "LETSENCRYPT_EMAIL": "operators@slipway.test",
            "TLS_TRUST_FILE": str(self._layout.ca),
        }
        if self.acme_ca is not None:
            ours["ACME_CA_FILE"] = str(self.acme_ca)
        if self._kind == "emulated":
            return ours | EMULATED
        return ours | {
            "DOCKER_REGISTRY": f"{self.gateway}:{lab_services.REGISTRY_PORT}",
            "HOST_APT_SOURCE": f"deb [trusted=yes] http://{self.gateway}:{lab_services.APT_PORT}/ ./",
        }
