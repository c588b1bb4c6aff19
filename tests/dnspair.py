"""Two real PowerDNS servers, a primary and its secondary, joined by NOTIFY and AXFR; the secondary can be stopped.

`async with name_pair(folder) as pair:` gives both with clients. Every zone made by `pair.zone()` is on both.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from providers.dns.powerdns import PowerDNS
from providers.dns.propagation import check_published
from providers.dns.zone_shapes import ZoneOrder
from providers.errors import NotReady
from sandbox.lab.paths import Lab
from sandbox.lab.services import NameServer, pdns
from tests.parts import require
from tests.providers.dns.servers import API_KEY, free_port, running

PRIMARY, SECONDARY = "127.0.0.1", "127.0.0.2"
NAMESERVERS = ("ns1.slipway.test", "ns2.slipway.test")


@dataclass
class Pair:
    built: NameServer
    built_secondary: NameServer
    primary: PowerDNS
    secondary: PowerDNS
    _running: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)

    @property
    def servers(self) -> list[str]:
        """host:port of both, the primary first."""
        return [f"{host}:{port}" for host, port in (self.built.address, self.built_secondary.address)]

    async def start_secondary(self) -> None:
        await self._running.enter_async_context(running(self.built_secondary.spec))

    async def stop_secondary(self) -> None:
        await self._running.aclose()

    async def zone(self, name: str, *, owner: str) -> None:
        """A zone of the owner on both servers, settled."""
        await self.primary.zones.ensure(ZoneOrder(name=name, kind="Primary", nameservers=NAMESERVERS), owner=owner)
        primary = "{}:{}".format(*self.built.address)
        await self.secondary.zones.ensure(ZoneOrder(name=name, kind="Secondary", primaries=(primary,)), owner=owner)
        await self.settled(name)

    async def settled(self, zone: str) -> None:
        """Until both serve the primary's serial; its secondary is told again each time."""
        async with asyncio.timeout(60):
            while True:
                await self.primary.zones.notify(zone)
                found = await self.primary.zones.read(zone)
                assert found is not None
                with contextlib.suppress(NotReady):
                    await check_published(self.servers, zone, [], serial=found.serial, timeout=0.5)
                    return
                await asyncio.sleep(0.1)


@contextlib.asynccontextmanager
async def name_pair(folder: Path) -> AsyncIterator[Pair]:
    require("pdns")
    port = free_port()
    second = pdns(Lab(), folder / "secondary", dns_port=port, api_port=free_port(), api_key=API_KEY, address=SECONDARY)
    first = pdns(
        Lab(), folder / "primary", dns_port=free_port(), api_port=free_port(), api_key=API_KEY, address=PRIMARY,
        secondary=f"{SECONDARY}:{port}",
    )  # fmt: skip
    pair = Pair(first, second, PowerDNS(first.api_url, API_KEY), PowerDNS(second.api_url, API_KEY))
    async with running(first.spec):
        try:
            await pair.start_secondary()
            yield pair
        finally:
            await pair.stop_secondary()
            await pair.primary.close()
            await pair.secondary.close()
