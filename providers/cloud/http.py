"""What the clients of all clouds share: one pool of connections, the gate before each call, how silence is read.

Knows no cloud: what an answer's words mean is in each cloud's own file of errors. Nothing is repeated in here.
"""

from __future__ import annotations

import builtins
import ssl
import time
from collections.abc import Callable, Iterable
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import httpx

from providers.cloud.base import CallGate
from providers.errors import ProviderError, RateLimited, Transient, Unconfirmed

TIMEOUT = httpx.Timeout(30.0, connect=10.0)
# Below Apache's usual 5 s: an order on a connection the other side has just closed would count as unconfirmed.
LIMITS = httpx.Limits(max_connections=20, max_keepalive_connections=10, keepalive_expiry=4.0)
LOOPBACK = {"localhost", "127.0.0.1", "::1"}
RATE_UNTOLD = 60.0  # seconds to wait on a 429 that names no time

# Raised before a connection stood, so nothing of the request can have left.
NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


class Reader:
    """Reads answers and silences of one cloud: what is the same at all of them. `title` is its name in sentences."""

    def __init__(self, provider: str, title: str) -> None:
        self.provider = provider
        self.title = title

    def lost(self, error: httpx.HTTPError, *, ordering: bool = False) -> ProviderError:
        """An order whose answer was lost may have been accepted; everything else is safe to repeat."""
        kind = type(error).__name__  # its text may hold headers
        if isinstance(error, NEVER_SENT):
            return Transient(f"{self.title} could not be reached ({kind})", provider=self.provider)
        if ordering:
            return Unconfirmed(f"the answer of {self.title} to an order was lost ({kind})", provider=self.provider)
        return Transient(f"the answer of {self.title} was lost ({kind})", provider=self.provider)

    def unless_refused(
        self, response: httpx.Response, message: str, *, wait: float, ordering: bool
    ) -> ProviderError | None:
        """The error of an answer that is neither a success nor a refusal; None for a refusal, where words decide."""
        if response.status_code == 429:
            return RateLimited(message, provider=self.provider, retry_after=wait)
        if 400 <= response.status_code < 500 and response.status_code != 408:
            return None
        if ordering:
            return Unconfirmed(message, provider=self.provider)
        return Transient(message, provider=self.provider)

    def object_of(self, response: httpx.Response) -> dict[str, Any]:
        """The body of a success as an object. Transient where it is something else: a proxy's page, half a body."""
        body = body_of(response)
        if not isinstance(body, dict):
            raise self.garbled(f"answered {response.status_code} with something that is no JSON object")
        return body

    def member(self, body: dict[str, Any], name: str, *, key: str) -> dict[str, Any]:
        """One thing out of an answer. Transient where it is not there, or has no `key`."""
        found = body.get(name)
        if not isinstance(found, dict) or not found.get(key):
            raise self.garbled(f"answered without '{name}'")
        return found

    def objects(self, body: dict[str, Any], name: str) -> builtins.list[dict[str, Any]]:
        """The objects of a list. An answer without it says nothing, and is no proof of an empty list."""
        items = body.get(name)
        if not isinstance(items, list):
            raise self.garbled(f"answered without '{name}'")
        return [item for item in items if isinstance(item, dict)]

    def complete(self, body: dict[str, Any], name: str, *, key: str, path: str) -> builtins.list[dict[str, Any]]:
        """The same where each must be known: leaving one out would make the list look complete."""
        items = self.objects(body, name)
        if len(items) < len(body[name]) or not all(item.get(key) for item in items):
            raise self.garbled(f"listed something without '{key}' at {path}")
        return items

    def garbled(self, what: str) -> Transient:
        return Transient(f"{self.title} {what}", provider=self.provider)


class Line:
    """One account's line to its cloud: connections that are kept, and the gate in front of them."""

    def __init__(
        self,
        reader: Reader,
        base_url: str,
        *,
        wait: Callable[[httpx.Response], float],
        token: str | None = None,
        gate: CallGate | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        verify: ssl.SSLContext | bool = True,
    ) -> None:
        """`wait` reads from a 429 for how many seconds nobody of this account may ask again."""
        self._reader = reader
        self._wait = wait
        self._gate = gate
        headers = {"Accept": "application/json", "User-Agent": "slipway"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        self.http = httpx.AsyncClient(
            base_url=base_url,
            timeout=TIMEOUT,
            limits=LIMITS,
            transport=transport,
            verify=verify,
            headers=headers,
            # A proxy of the environment cannot reach this machine's own addresses.
            trust_env=(urlsplit(base_url).hostname or "") not in LOOPBACK,
        )

    async def send(
        self, method: str, path: str, *, calls: tuple[str, ...], ordering: bool = False, **request: Any
    ) -> httpx.Response:
        """One call, whatever its status. `calls` are its classes in the account's limits, the narrowest last."""
        if self._gate is not None:
            await self._gate.enter(*calls)
        try:
            response = await self.http.request(method, path, **request)
        except httpx.HTTPError as error:
            raise self._reader.lost(error, ordering=ordering) from None
        if response.status_code == 429 and self._gate is not None:
            await self._gate.refused(calls[-1], self._wait(response))
        return response

    async def close(self) -> None:
        await self.http.aclose()


def body_of(response: httpx.Response) -> object:
    """The JSON of an answer; None where it is none."""
    try:
        return response.json()
    except ValueError:
        return None


def rate_wait(response: httpx.Response, *, reset: str, window: float) -> float:
    """Seconds until a 429 ends: Retry-After, else the time in the header `reset` (epoch seconds) by the cloud's clock
    where it shows one, since ours may be wrong. Never longer than the window, after which nothing of it counts."""
    headers, wait = response.headers, RATE_UNTOLD
    if headers.get("Retry-After", "").isdigit():
        wait = float(headers["Retry-After"])
    else:
        try:
            now = parsedate_to_datetime(headers["Date"]).timestamp() if "Date" in headers else time.time()
            wait = float(headers[reset]) - now
        except (KeyError, ValueError, TypeError):
            pass
    return min(max(1.0, wait), window)


def whole(value: object, unit: int = 1) -> int | None:
    """A number of the wire in our unit; None where there is none."""
    return int(value) // unit if isinstance(value, int | float) else None


def money(value: object) -> Decimal | None:
    """An amount of the wire. Some clouds send single-precision floats, whose digits after the fifth mean nothing."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    amount = Decimal(str(value))
    return round(amount, 5) if amount.normalize().as_tuple().exponent < -5 else amount  # type: ignore[operator]


def texts(value: object) -> builtins.list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []


def tag_after(tags: Iterable[str], start: str) -> str | None:
    """What follows `start` in the first tag that begins with it."""
    return next((tag.removeprefix(start) for tag in tags if tag.startswith(start)), None)
