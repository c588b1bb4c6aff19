"""`python -m sandbox.cloud_server --config FILE.json`: the sandbox's clouds as one process, with one driver of hosts.

Configuration (JSON):
  state_dir       "…"                              what must survive lies here, the hosts' disks under hosts/
  driver          "machine" | "emulated" | "package.module:Class"
  driver_options  {…}                              passed to the driver; a `ports` object becomes HostPorts
  transip, digitalocean, linode                    one object for each cloud that is wanted:
    listen           "127.0.0.1:0"                 host:port; port 0 takes a free one
    accounts         TransIP: {"login": PEM public key or path}; the others: {"name": "token"}
    timings, limits  {…}                           see the cloud's records.py
    limits_of        {"name": {…}}                 DigitalOcean and Linode: limits of single accounts

When calls are served it prints one line of JSON: {"urls": {cloud: URL}, "gateway", "ports"}. SIGTERM and SIGINT stop
the hosts in an orderly way; after SIGKILL the next start with the same configuration finds everything again.
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
from starlette.types import ASGIApp

from sandbox.digitalocean import records as digitalocean
from sandbox.digitalocean.app import create_digitalocean_app
from sandbox.hosts.driver import HostDriver, HostPorts
from sandbox.hosts.shared import shared
from sandbox.linode import records as linode
from sandbox.linode.app import create_linode_app
from sandbox.transip import records as transip
from sandbox.transip.app import create_transip_app

# What a cloud's clients take for its address, behind the host and the port.
PATHS = {"transip": "/v6", "digitalocean": "", "linode": "/v4"}


class Place(BaseModel, extra="forbid"):
    listen: str = "127.0.0.1:0"
    accounts: dict[str, str]


class TransIP(Place):
    timings: transip.Timings = Field(default_factory=transip.Timings)
    limits: transip.Limits = Field(default_factory=transip.Limits)


class DigitalOcean(Place):
    timings: digitalocean.Timings = Field(default_factory=digitalocean.Timings)
    limits: digitalocean.Limits = Field(default_factory=digitalocean.Limits)
    limits_of: dict[str, digitalocean.Limits] = {}


class Linode(Place):
    timings: linode.Timings = Field(default_factory=linode.Timings)
    limits: linode.Limits = Field(default_factory=linode.Limits)
    limits_of: dict[str, linode.Limits] = {}


class Config(BaseModel, extra="forbid"):
    state_dir: Path
    driver: str
    driver_options: dict[str, Any] = {}
    transip: TransIP | None = None
    digitalocean: DigitalOcean | None = None
    linode: Linode | None = None


class Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # uvicorn's own would raise the signal again at the end, and an orderly stop would look like a crash.
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


def make_clouds(config: Config, driver: HostDriver) -> dict[str, tuple[str, ASGIApp]]:
    """(where it listens, its application) of every cloud that is wanted."""
    clouds: dict[str, tuple[str, ASGIApp]] = {}
    if (one := config.transip) is not None:
        keys = {login: value if "-----BEGIN" in value else Path(value).read_text()
                for login, value in one.accounts.items()}  # fmt: skip
        clouds["transip"] = (
            one.listen,
            create_transip_app(config.state_dir, driver, accounts=keys, timings=one.timings, limits=one.limits),
        )
    if (two := config.digitalocean) is not None:
        clouds["digitalocean"] = two.listen, create_digitalocean_app(
            config.state_dir, driver, accounts=two.accounts, timings=two.timings, limits=two.limits,
            limits_of=two.limits_of,
        )  # fmt: skip
    if (three := config.linode) is not None:
        clouds["linode"] = three.listen, create_linode_app(
            config.state_dir, driver, accounts=three.accounts, timings=three.timings, limits=three.limits,
            limits_of=three.limits_of,
        )  # fmt: skip
    return clouds


def listener_of(listen: str) -> socket.socket:
    host, _, port = listen.rpartition(":")
    # With its protocol named, asyncio turns Nagle's delay off for what is accepted here: 40 ms a call.
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host.strip("[]"), int(port)))
    return listener


def url_of(cloud: str, listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}{PATHS[cloud]}"


async def serve(config: Config, more: dict[str, Any] | None = None) -> None:
    """Serve until a signal. `more` is told with the ready line."""
    driver = make_driver(config)
    clouds = make_clouds(config, shared(driver))
    if not clouds:
        raise SystemExit("the configuration names no cloud")
    listeners = {name: listener_of(listen) for name, (listen, _) in clouds.items()}
    servers = []
    for _, app in clouds.values():
        settings = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=5,
                                  lifespan="on", server_header=False)  # fmt: skip
        servers.append(Server(settings))

    stopping = asyncio.Event()

    def stop() -> None:
        stopping.set()
        for server in servers:
            server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    running = [asyncio.create_task(server.serve(sockets=[listener]))
               for server, listener in zip(servers, listeners.values(), strict=True)]  # fmt: skip
    while not all(server.started for server in servers):
        if any(task.done() for task in running):
            asked = stopping.is_set()
            stop()
            await asyncio.gather(*running, return_exceptions=True)
            raise SystemExit(0 if asked else 3)
        await asyncio.sleep(0.02)
    urls = {name: url_of(name, listener) for name, listener in listeners.items()}
    ready = {"urls": urls, "gateway": getattr(driver, "gateway", None), "ports": driver.ports.model_dump()}
    print(json.dumps({**ready, **(more or {})}), flush=True)
    await asyncio.gather(*running)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m sandbox.cloud_server", description="The sandbox's clouds.")
    parser.add_argument("--config", type=Path, required=True, help="JSON file")
    arguments = parser.parse_args()
    asyncio.run(serve(Config.model_validate_json(arguments.config.read_text())))


if __name__ == "__main__":
    main()
