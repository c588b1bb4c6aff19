"""The three clouds of a batch: sandboxes on sockets with one fault machine each, and what their own records say."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.clouds.front import CloudApp
from sandbox.clouds.rates import Window
from sandbox.clouds.records import Server
from sandbox.clouds.records import Timings as Shared
from sandbox.digitalocean.app import create_digitalocean_app
from sandbox.digitalocean.records import Droplet
from sandbox.digitalocean.records import Limits as DropletLimits
from sandbox.faults.machine import Machine
from sandbox.linode.app import create_linode_app
from sandbox.linode.records import Limits as LinodeLimits
from sandbox.linode.records import Linode
from sandbox.transip.app import create_transip_app
from sandbox.transip.records import Limits, Timings, Vps
from tests.faults.story import CLOUDS
from tests.sandbox.clouds.serving import serving
from tests.sandbox.transip.emulator import LOGIN, key_pair
from tests.sandbox.transip.memory_driver import MemoryDriver

TOKEN = "faults-0123456789abcdef"
QUICK = {"create": 0.2, "install": 0.4, "power": 0.1, "destroy": 0.2}
NONE = Window(count=10**9, seconds=1)


class Hosts(MemoryDriver):
    def _keep(self) -> None:
        """Nothing restarts the sandbox within a batch."""


@dataclass(frozen=True)
class Bought:
    """A server that a run ordered, by its cloud's own records."""

    cloud: str
    ref: str  # by which the cloud's customers know it
    label: str | None
    living: bool
    paid: bool

    @property
    def name(self) -> tuple[str, str]:
        return self.cloud, self.ref

    def __str__(self) -> str:
        return f"{self.ref} at {self.cloud}"


class Clouds:
    """`urls` are what the clients take."""

    def __init__(self, apps: dict[str, CloudApp[Any, Any]], machines: dict[str, Machine]) -> None:
        self.urls: dict[str, str] = {}
        self._apps = apps
        self._machines = machines
        self._seeds: dict[str, int] = {}

    def follow(self, run: str, seed: int) -> None:
        self._seeds[run] = seed
        for machine in self._machines.values():
            machine.follow(run, seed)

    def bought(self, run: str) -> list[Bought]:
        """Everything a run ever ordered anywhere: also what is not listed yet, and what is gone."""
        found = []
        for cloud, app in self._apps.items():
            servers = app.servers_of(run)
            paid = {invoice.vps if cloud == "transip" else invoice.server for invoice in app.invoices()} if servers \
                else set()  # fmt: skip
            found += [
                Bought(cloud, _ref(server), _label(server), living=server.living, paid=server.name in paid)
                for server in servers
            ]
        return found

    def left(self) -> Iterator[tuple[int, str]]:
        """(seed, server) of everything that lives at any cloud."""
        for cloud, app in self._apps.items():
            for server in app.living():
                yield self._seeds.get(server.run, -1), f"{_ref(server)} at {cloud}"

    def drawn(self, seed: int) -> list[str]:
        return [f"{cloud}: {what}" for cloud in CLOUDS for what in self._machines[cloud].drawn[seed]]

    def twins(self, seed: int) -> int:
        """How many orders the network doubled. At Linode none is: labels are unique, so the second one is refused."""
        doubled = [what for cloud in ("transip", "digitalocean") for what in self._machines[cloud].drawn[seed]]
        return sum(what.startswith("order") and "duplicate" in what for what in doubled)

    async def forget(self, run: str) -> None:
        for app in self._apps.values():
            await app.forget(run)


def _ref(server: Server) -> str:
    return str(server.id) if isinstance(server, Droplet | Linode) else server.name


def _label(server: Server) -> str | None:
    if isinstance(server, Vps):
        return server.description
    assert isinstance(server, Droplet | Linode)
    return server.label


@contextlib.asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Clouds]:
    hosts, accounts, shared = Hosts(folder / "hosts"), {"acme": TOKEN}, Shared(**QUICK)
    machines = {cloud: Machine(cloud) for cloud in CLOUDS}
    for cloud in CLOUDS:
        (folder / cloud).mkdir(parents=True)
    (folder / "transip" / "token-key.pem").write_text(key_pair()[0])  # it would make one, which takes a while
    apps: dict[str, CloudApp[Any, Any]] = {
        "transip": create_transip_app(
            folder / "transip", hosts, accounts={LOGIN: key_pair()[1]}, timings=Timings(appear=0.2, **QUICK),
            limits=Limits(requests=NONE.count, window=NONE.seconds), machine=machines["transip"]),
        "digitalocean": create_digitalocean_app(
            folder / "digitalocean", hosts, accounts=accounts, timings=shared, machine=machines["digitalocean"],
            limits=DropletLimits(hour=NONE, burst=NONE, key_lists=NONE, droplets=NONE.count)),
        "linode": create_linode_app(
            folder / "linode", hosts, accounts=accounts, timings=shared, machine=machines["linode"],
            limits=LinodeLimits(creates=NONE, lists=NONE, others=NONE, linodes=NONE.count)),
    }  # fmt: skip
    made, versions = Clouds(apps, machines), {"transip": "/v6", "digitalocean": "", "linode": "/v4"}
    async with contextlib.AsyncExitStack() as sockets:
        for cloud, app in apps.items():
            made.urls[cloud] = await sockets.enter_async_context(serving(app)) + versions[cloud]
        yield made
