"""Which programs the sandbox needs, with which settings, and what is told about them when all are ready."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from sandbox.cloud_server import PATHS
from sandbox.service import ServiceSpec
from sandbox.stack import clouds, names, shop
from sandbox.stack.accounts import FirstUser
from sandbox.stack.hosts import Choice, Kind
from sandbox.stack.house import House
from sandbox.stack.keys import Secrets, transip_key
from sandbox.stack.layout import PROJECT, Layout, last_lines, write_json
from sandbox.stack.ports import Ports
from sandbox.stack.probes import http, tcp
from sandbox.stack.supervisor import Service
from settings import Settings

CLOUD_GRACE = 60.0  # seconds: every host shuts down in an orderly way
WORKER_GRACE = 150.0  # seconds: the longest grace of a pool (SSH work) and a little more


class Plan:
    """The stack of one state folder. `database_url` and the Temporal addresses are filled in when they are known."""

    def __init__(self, layout: Layout, secrets: Secrets, ports: Ports, port: int, kind: Kind) -> None:
        self.layout, self.secrets, self.port, self.kind = layout, secrets, port, kind
        self.base_domain = os.environ.get("BASE_DOMAIN") or "slipway.test"
        self.database_url = ""
        self.temporal_address = "127.0.0.1:7233"
        self.temporal_ui = "http://127.0.0.1:8233"
        # The port of the first cloud keeps the name it had when there was one.
        self.cloud_ports = {name: ports.get("cloud" if name == "transip" else name) for name in clouds.NAMES}
        self.names = names.Names(layout, secrets, ports, kind)
        self.house = House(layout, self.names, self.base_domain)
        self._stripe_port = ports.get("stripe")
        self.price = ""
        self._transip_key = str(transip_key(layout)[0])

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    # ---- settings

    def environment(self) -> dict[str, str]:
        """What every process of the product is given: our environment and, over it, the sandbox's settings."""
        ours = {
            "ENVIRONMENT": "development",
            "HOST": os.environ.get("HOST") or "127.0.0.1",
            "PORT": str(self.port),
            "DATABASE_URL": self.database_url,
            "TEMPORAL_ADDRESS": self.temporal_address,
            "TEMPORAL_UI_URL": self.temporal_ui,
            "SECRET_KEYS": self.secrets.secret_keys,
            "JWT_SECRET": self.secrets.jwt_secret,
            "BASE_DOMAIN": self.base_domain,
            **self._cloud_environment(),
            **self._shop_environment(),
            # Below INFO the worker would not say that it is ready.
            "LOG_LEVEL": "DEBUG" if os.environ.get("LOG_LEVEL", "").upper() == "DEBUG" else "INFO",
            "PYTHONPATH": str(PROJECT),
            "PYTHONUNBUFFERED": "1",
            **self.names.environment(),
        }
        return {**os.environ, **ours}

    def _cloud_environment(self) -> dict[str, str]:
        urls = {name: f"http://127.0.0.1:{port}{PATHS[name]}" for name, port in self.cloud_ports.items()}
        ours = {
            "TRANSIP_USERNAME": clouds.ACCOUNT,
            "TRANSIP_PRIVATE_KEY": self._transip_key,
            "DIGITALOCEAN_TOKEN": self.secrets.digitalocean_token,
            "LINODE_TOKEN": self.secrets.linode_token,
        }
        for name, url in urls.items():
            ours[f"{name.upper()}_API_URL"] = url
            # The sandbox's clouds accept within seconds and are next door: no need to wait as for real ones.
            for what, seconds in (("LATE_ACCEPT_SECONDS", "15"), ("POLL_SECONDS", "0.5")):
                variable = f"{name.upper()}_{what}"
                ours[variable] = os.environ.get(variable) or seconds
        return ours

    def _shop_environment(self) -> dict[str, str]:
        return {
            "MARKETING_WEBHOOK_SECRET": self.secrets.marketing_secret,
            "STRIPE_API_KEY": self.secrets.stripe_key,
            "STRIPE_API_URL": f"http://127.0.0.1:{self._stripe_port}",
            "STRIPE_WEBHOOK_SECRET": self.secrets.stripe_webhook_secret,
            "PORTAL_URL": os.environ.get("PORTAL_URL") or self.address,
        }

    def settings(self) -> Settings:
        """Those of them that this process needs itself."""
        return Settings(
            _env_file=None,
            database_url=SecretStr(self.database_url),
            temporal_address=self.temporal_address,
            base_domain=self.base_domain,
            secret_keys=SecretStr(self.secrets.secret_keys),
            jwt_secret=SecretStr(self.secrets.jwt_secret),
        )

    def _helper_environment(self, more: dict[str, str]) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(PROJECT), "PYTHONUNBUFFERED": "1", **more}

    # ---- programs

    def cloud(self) -> Service:
        """The sandbox's clouds, which make and boot the hosts."""
        folder = self.layout.root / f"cloud-{self.kind}"
        folder.mkdir(exist_ok=True)
        path = self.layout.root / "cloud.json"
        write_json(path, clouds.configuration(folder, self.kind, self.layout, self.secrets, self.cloud_ports,
                                              quick=True))  # fmt: skip
        return Service(
            "cloud", "Sandbox clouds", [sys.executable, "-m", "sandbox.cloud_server", "--config", str(path)],
            self._helper_environment({}), says='"gateway"', ready_timeout=120, grace=CLOUD_GRACE,
            after_ready=self.learn_gateway,
        )  # fmt: skip

    def worker(self) -> Service:
        return Service(
            "worker", "Worker", [sys.executable, "-m", "workers"], self.environment(),
            says="workers are running", ready_timeout=90, grace=WORKER_GRACE,
        )  # fmt: skip

    def api(self) -> Service:
        ready = http(f"{self.address}/api/ready", below=300)
        return Service(
            "api",
            "API and portal",
            [sys.executable, "-m", "api"],
            self.environment(),
            ready=ready,
            ready_timeout=60,
            grace=15,
        )

    def from_spec(self, spec: ServiceSpec, title: str) -> Service:
        ready = http(spec.ready) if isinstance(spec.ready, str) else tcp(*spec.ready)
        return Service(spec.name, title, spec.argv, self._helper_environment(spec.env), ready=ready)

    def names_and_images(self) -> list[Service]:
        return [self.from_spec(spec, title) for spec, title in (self.names.dns(), *self.names.lab_servers())]

    def stripe(self) -> Service:
        spec = shop.stripe(self.layout, self.secrets, self._stripe_port, self.address)
        return self.from_spec(spec, "Payment service")

    def acme(self) -> Service:
        service = self.from_spec(*self.names.acme())
        service.after_ready = self.names.fetch_root
        return service

    async def learn_gateway(self) -> None:
        """The cloud says at its start which address of ours its hosts can reach."""
        for line in reversed(last_lines(self.layout.log("cloud"), 50)):
            if line.startswith("{") and "gateway" in (said := json.loads(line)):
                self.names.gateway = said["gateway"] or ""
                return

    # ---- what is told

    def order_script(self) -> Path:
        return shop.order_script(self.layout, self.address, self.secrets.marketing_secret, self.price)

    def details(self, user: FirstUser, choice: Choice) -> dict[str, Any]:
        """The content of up.json."""
        return {
            "api": self.address,
            "portal": f"{self.address}/",
            "temporal_ui": self.temporal_ui,
            "username": user.username,
            "password": user.password,
            "hosts": choice.kind,
            "ca_file": str(self.layout.ca),
            "dns_server": self.names.dns_server,
            "sandbox": f"http://127.0.0.1:{self.cloud_ports['transip']}",
            "stripe": f"http://127.0.0.1:{self._stripe_port}",
            "tenant": shop.TENANT,
            "price": self.price,
            "order_key": self.secrets.marketing_secret,
            "clouds": {name: f"http://127.0.0.1:{port}" for name, port in self.cloud_ports.items()},
            "base_domain": self.base_domain,
            "database_url": self.database_url,
            "temporal_address": self.temporal_address,
        }

    def lines(self, user: FirstUser, choice: Choice) -> list[tuple[str, str]]:
        """What a newcomer needs to know, as (label, text)."""
        kinds = {"machine": "real Debian machines", "emulated": "emulated"}
        port = names.EMULATED["HOST_HTTPS_PORT"] if choice.kind == "emulated" else "443"
        name = f"SLUG.{self.base_domain}"
        shown = "" if port == "443" else f":{port}"
        sign_in = f"{user.username} / {user.password}   (made for this machine; change it in the portal)"
        ca = os.path.relpath(self.layout.ca)
        return [
            ("Portal", f"{self.address}/"),
            ("Sign in", sign_in if user.password else f"{user.username}, with the password chosen before"),
            ("API docs", f"{self.address}/docs"),
            ("Temporal", self.temporal_ui),
            ("Hosts", f"{kinds[choice.kind]} ({choice.why})"),
            ("Clouds", "  ".join(f"{name} 127.0.0.1:{port}" for name, port in self.cloud_ports.items())),
            ("An app", f"curl --cacert {ca} --resolve {name}:{port}:ADDRESS https://{name}{shown}/"),
            (
                "A paid order",
                f"sh {os.path.relpath(self.order_script())} you@example.com   (the documented call is in it)",
            ),
            ("Names", f"dig @127.0.0.1 -p {self.names.dns_server.rpartition(':')[2]} {name}"),
            ("Logs", f"{os.path.relpath(self.layout.logs)}/"),
            ("Command line", "slipway instances list   (in .venv/bin)"),
        ]
