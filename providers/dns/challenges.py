"""DNS-01 challenges on PowerDNS: put the value there, wait until the whole zone tells it, take it away.

Fits the protocol Solver of providers/acme/solvers.py; neither file knows the other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from providers.dns.lookup import seen_everywhere
from providers.dns.powerdns import PowerDNS


class ChallengeSolver:
    """`servers` are the authoritative ones, host:port. `owner` marks the records: withdrawing finds leftovers by it."""

    def __init__(
        self, dns: PowerDNS, servers: Sequence[str], *, owner: str, ttl: int = 60, interval: float = 1.0
    ) -> None:
        self._dns = dns
        self._servers = list(servers)
        self._owner = owner
        self._ttl = ttl
        self._interval = interval

    async def present(self, name: str, value: str) -> None:
        await self._dns.add_txt(name, value, ttl=self._ttl, owner=self._owner)

    async def ready(self, name: str, value: str) -> None:
        """Returns once every authoritative server answers with the value; the caller sets the deadline."""
        while not await seen_everywhere(self._servers, name, "TXT", [value]):
            # A writer in another process may have replaced the record set after we had looked; put it back.
            await self.present(name, value)
            await asyncio.sleep(self._interval)

    async def clean_up(self, name: str, value: str) -> None:
        await self._dns.remove_txt(name, value, ttl=self._ttl, owner=self._owner)
