"""`python -m sandbox.cloud_server --config FILE.json`: a sandbox cloud as a process of its own.

Configuration (JSON):
  listen          "127.0.0.1:0"                    host:port; port 0 takes a free one
  state_dir       "…"                              what must survive lies here, the hosts' disks under hosts/
  driver          "machine" | "emulated" | "package.module:Class"
  driver_options  {…}                              passed to the driver; a `ports` object becomes HostPorts
  accounts        {"login": PEM public key or path}
  timings, limits {…}                              see sandbox/transip/records.py

When calls are served it prints one line of JSON: {"url", "gateway", "ports"}. SIGTERM and SIGINT stop the hosts in an
orderly way; after SIGKILL the next start with the same configuration finds everything again.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib
import json
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvicorn
from pydantic import BaseModel, Field

from sandbox.hosts.driver import HostDriver, HostPorts
from sandbox.transip.app import create_transip_app
from sandbox.transip.records import Limits, Timings


class Config(BaseModel):
    listen: str = "127.0.0.1:0"
    state_dir: Path
    driver: str
    driver_options: dict[str, Any] = {}
    accounts: dict[str, str]
    timings: Timings = Field(default_factory=Timings)
    limits: Limits = Field(default_factory=Limits)


class Server(uvicorn.Server):
    """Tells when it serves, and ends with status 0 when it was asked to."""

    def __init__(self, config: uvicorn.Config, driver: HostDriver) -> None:
        super().__init__(config)
        self._driver = driver

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.should_exit or not sockets:
            return
        host, port = sockets[0].getsockname()[:2]
        ready = {"url": f"http://{host}:{port}/v6", "gateway": getattr(self._driver, "gateway", None),
                 "ports": self._driver.ports.model_dump()}  # fmt: skip
        print(json.dumps(ready), flush=True)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # uvicorn's own would raise the signal again at the end, and an orderly stop would look like a crash.
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, setattr, self, "should_exit", True)
        yield


def make_driver(config: Config) -> HostDriver:
    """Imported only here: each driver needs things of its machine that the other does not."""
    options, state = dict(config.driver_options), config.state_dir / "hosts"
    if "ports" in options:
        options["ports"] = HostPorts.model_validate(options["ports"])
    if config.driver == "machine":
        from sandbox.hosts.machine import MachineDriver
        from sandbox.lab.paths import Lab

        lab = options.pop("lab", None)  # a folder; the lab's own default otherwise
        machine: HostDriver = MachineDriver(Lab(Path(lab)) if lab else Lab(), state, **options)
        return machine
    name = "sandbox.hosts.emulated:EmulatedDriver" if config.driver == "emulated" else config.driver
    module, _, attribute = name.partition(":")
    driver: HostDriver = getattr(importlib.import_module(module), attribute)(state, **options)
    return driver


def accounts_of(config: Config) -> dict[str, str]:
    return {
        login: value if "-----BEGIN" in value else Path(value).read_text() for login, value in config.accounts.items()
    }


async def serve(config: Config) -> None:
    driver = make_driver(config)
    app = create_transip_app(
        config.state_dir, driver, accounts=accounts_of(config), timings=config.timings, limits=config.limits
    )
    host, _, port = config.listen.rpartition(":")
    # With its protocol named, asyncio turns Nagle's delay off for what is accepted here: 40 ms a call.
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host.strip("[]"), int(port)))
    settings = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=5, lifespan="on")
    server = Server(settings, driver)
    await server.serve(sockets=[listener])
    if not server.started:
        raise SystemExit(3)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m sandbox.cloud_server", description="A sandbox cloud.")
    parser.add_argument("--config", type=Path, required=True, help="JSON file")
    arguments = parser.parse_args()
    asyncio.run(serve(Config.model_validate_json(arguments.config.read_text())))


if __name__ == "__main__":
    main()
