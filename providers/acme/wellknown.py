"""HTTP-01 challenges on a host: put the file there, look whether it is served, take it away (RFC 8555 §8.3).

Fits the protocol Solver of solvers.py. How the file gets to the host is the webroot's business.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Protocol
from urllib.parse import urlsplit

import httpx

LOOK_SECONDS = 5.0
MOST_BYTES = 2048  # of an answer; a key authorization has some ninety


class Webroot(Protocol):
    """Where a host serves `/.well-known/acme-challenge/` from. Both may be repeated; absent is success for removal."""

    async def put(self, token: str, content: str) -> None: ...

    async def remove(self, token: str) -> None: ...


class WellKnownSolver:
    """`address` (host:port) is asked instead of what the name leads to by now: a name may just be moving to the host.

    The look from here is a courtesy. A CA sees the host from elsewhere, so after `patience` seconds it is asked all the
    same: a renewal that worked before must not fail because of where we stand.
    """

    def __init__(self, webroot: Webroot, *, address: str = "", patience: float = 20.0, interval: float = 1.0) -> None:
        self._webroot = webroot
        self._address = address
        self._patience = patience
        self._interval = interval

    async def present(self, place: str, value: str) -> None:
        await self._webroot.put(_token(place), value)

    async def ready(self, place: str, value: str) -> None:
        """Returns when the host serves the value, or patience is over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._patience):
                while True:
                    if await self._seen(place) == value:
                        return
                    await asyncio.sleep(self._interval)

    async def clean_up(self, place: str, value: str) -> None:
        await self._webroot.remove(_token(place))

    async def _seen(self, place: str) -> str:
        name = urlsplit(place).netloc
        here = place.replace(f"http://{name}/", f"http://{self._address or name}/", 1)
        found = b""
        try:
            # Redirects are not followed: where a customer's site sends us is not for the control plane to visit.
            async with httpx.AsyncClient(trust_env=False, timeout=LOOK_SECONDS) as http:
                async with http.stream("GET", here, headers={"Host": name}) as answer:
                    async for chunk in answer.aiter_raw():
                        found += chunk
                        if len(found) > MOST_BYTES:
                            break
        except (httpx.HTTPError, httpx.InvalidURL):
            return ""
        return found.decode("ascii", "replace").rstrip() if answer.status_code == httpx.codes.OK else ""


def _token(place: str) -> str:
    return place.rsplit("/", 1)[-1]
