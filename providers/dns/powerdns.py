"""PowerDNS Authoritative over its HTTP API (https://doc.powerdns.com/authoritative/http-api/), 4.7 and newer.

Knows nothing of deployments or workflows. Every write here is safe to repeat, so whatever leaves a doubt is Transient.
Never used: EXTEND and PRUNE (only 4.9.12 and 5.0.2 on have them) and `soa_edit_api` (a value meant for `soa_edit` is
accepted and then freezes the serial for ever).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any
from weakref import WeakValueDictionary

import httpx

from providers.dns.rrsets import Rrset, canonical, mark, pick, suffixes, to_content
from providers.errors import (
    Conflict,
    InvalidInput,
    NotFound,
    ProviderError,
    RateLimited,
    Transient,
    Unauthorized,
)

PROVIDER = "powerdns"
TXT_ATTEMPTS = 5  # rounds of read-modify-REPLACE against another process that writes the same name
COPIES = {"Slave", "Secondary", "Consumer"}
PRIMARIES = {"Master", "Primary", "Producer"}


class PowerDNS:
    """One server's zones. Names may be given with or without the trailing dot."""

    name = PROVIDER

    def __init__(
        self,
        base_url: str,
        api_key: str,
        server_id: str = "localhost",
        transport: httpx.AsyncBaseTransport | None = None,
        timeout: float = 10,
    ) -> None:
        # Error bodies are JSON only where Accept names application/json. The environment's proxies and bundles do not
        # apply to a name server's own API.
        self._url = f"{base_url.rstrip('/')}/servers/{server_id}"
        self._http = httpx.AsyncClient(
            headers={"X-API-Key": api_key, "Accept": "application/json"},
            transport=transport,
            timeout=timeout,
            trust_env=False,
        )
        self._locks: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    async def close(self) -> None:
        await self._http.aclose()

    async def verify_credentials(self) -> None:
        """Unauthorized when the key is not accepted."""
        await self._call("GET", "")

    # ---- zones

    async def ensure_zone(self, zone: str, *, nameservers: Sequence[str], kind: str = "Native") -> bool:
        """Make a zone; False when it is there already (409). An existing zone is left as it is."""
        body = {"name": canonical(zone), "kind": kind, "nameservers": [canonical(name) for name in nameservers]}
        try:
            await self._call("POST", "/zones", body)
        except Conflict:
            return False
        return True

    async def zone_of(self, name: str) -> str:
        """The longest zone here that holds `name`. NotFound when this server has none."""
        for candidate in suffixes(name):
            if await self._call("GET", "/zones", params={"zone": candidate}):
                return candidate
        raise NotFound(f"no zone on this server holds {name}", provider=PROVIDER)

    async def authoritative(self, zone: str) -> list[str]:
        """Names of the zone's servers, from its own NS records."""
        found = await self.read(zone, "NS", zone=zone)
        return [value.rstrip(".") for value in found.values] if found else []

    # ---- records

    async def read(self, name: str, type_: str, *, zone: str | None = None) -> Rrset | None:
        """The enabled records of a name, or None."""
        return (await self._look(name, type_, zone or await self.zone_of(name)))[0]

    async def publish(self, name: str, type_: str, values: Iterable[str], *, ttl: int, owner: str) -> bool:
        """Let `name` have exactly these values, marked as the owner's; False when it already was so.

        Conflict when records of that name and type are there without the owner's mark, or when something else is in
        the way (a CNAME). Nothing is changed then.
        """
        name = canonical(name)
        zone = await self.zone_of(name)
        wanted = _contents(type_, values)
        async with self._lock(name, type_):
            found, kind = await self._look(name, type_, zone)
            self._refuse_foreign(found, name, type_, owner)
            unchanged = found is not None and found.ttl == ttl and _contents(type_, found.values) == wanted
            if not unchanged:
                if kind in COPIES:
                    raise Conflict(f"zone {zone} is a copy kept from another server ({kind})", provider=PROVIDER)
                await self._replace(zone, name, type_, wanted, ttl=ttl, comments=[mark(owner)])
                found, _ = await self._look(name, type_, zone)
                self._refuse_foreign(found, name, type_, owner)
                if found is None or _contents(type_, found.values) != wanted:
                    raise Transient(f"{name} {type_} reads back differently from what was written", provider=PROVIDER)
            # Also when nothing was written: the notification may be what an earlier attempt did not get to.
            await self._notify(zone, kind)
        return not unchanged

    async def withdraw(self, name: str, type_: str, *, owner: str) -> bool:
        """Remove the owner's records. False when there was nothing of the owner's: absent, or somebody else's."""
        name = canonical(name)
        try:
            zone = await self.zone_of(name)
        except NotFound:
            return False
        async with self._lock(name, type_):
            found, kind = await self._look(name, type_, zone)
            if found is None or found.owner != owner:
                return False
            # DELETE, not an empty REPLACE: that one leaves the comments behind.
            await self._patch(zone, {"name": name, "type": type_, "changetype": "DELETE"})
            await self._notify(zone, kind)
        return True

    # ---- challenges: several values of several writers at one name

    async def add_txt(self, name: str, value: str, *, ttl: int, owner: str) -> None:
        """Add one value and keep the others. A new record set gets the owner's mark; an old one keeps its own."""
        await self._change_txt(name, value, ttl=ttl, owner=owner, present=True)

    async def remove_txt(self, name: str, value: str, *, ttl: int, owner: str) -> None:
        """Take one value away and keep the others; absent is success."""
        await self._change_txt(name, value, ttl=ttl, owner=owner, present=False)

    async def _change_txt(self, name: str, value: str, *, ttl: int, owner: str, present: bool) -> None:
        name = canonical(name)
        zone = await self.zone_of(name)
        # The lock orders the writers of this process. Another process can still write between our read and our
        # REPLACE, hence the second look and the next round.
        async with self._lock(name, "TXT"):
            for _ in range(TXT_ATTEMPTS):
                found, kind = await self._look(name, "TXT", zone)
                held = set(found.values) if found else set()
                if (value in held) is present:
                    await self._notify(zone, kind)
                    return
                wanted = held | {value} if present else held - {value}
                if wanted:
                    comments = [mark(owner)] if found is None else None
                    await self._replace(zone, name, "TXT", _contents("TXT", wanted), ttl=ttl, comments=comments)
                else:
                    await self._patch(zone, {"name": name, "type": "TXT", "changetype": "DELETE"})
        raise Transient(f"{name} TXT is being changed by somebody else at the same time", provider=PROVIDER)

    # ---- the wire

    def _lock(self, name: str, type_: str) -> asyncio.Lock:
        return self._locks.setdefault((name, type_), asyncio.Lock())

    @staticmethod
    def _refuse_foreign(found: Rrset | None, name: str, type_: str, owner: str) -> None:
        if found is not None and found.owner != owner:
            whose = f"deployment {found.owner}" if found.owner else "somebody else"
            raise Conflict(
                f"{name} {type_} exists already and belongs to {whose}: {', '.join(found.values)}", provider=PROVIDER
            )

    async def _look(self, name: str, type_: str, zone: str) -> tuple[Rrset | None, str]:
        """(the record set, the zone's kind)"""
        params = {"rrset_name": canonical(name), "rrset_type": type_}
        answer = await self._call("GET", f"/zones/{canonical(zone)}", params=params)
        return pick(answer, name, type_), str(answer.get("kind", ""))

    async def _replace(
        self,
        zone: str,
        name: str,
        type_: str,
        contents: Iterable[str],
        *,
        ttl: int,
        comments: list[dict[str, str]] | None,
    ) -> None:
        records = [{"content": content, "disabled": False} for content in contents]
        change: dict[str, Any] = {"name": name, "type": type_, "ttl": ttl, "changetype": "REPLACE", "records": records}
        if comments is not None:
            change["comments"] = comments
        await self._patch(zone, change)

    async def _patch(self, zone: str, change: dict[str, Any]) -> None:
        await self._call("PATCH", f"/zones/{zone}", {"rrsets": [change]})

    async def _notify(self, zone: str, kind: str) -> None:
        if kind in PRIMARIES:
            await self._call("PUT", f"/zones/{zone}/notify")

    async def _call(self, method: str, path: str, body: Any = None, *, params: dict[str, str] | None = None) -> Any:
        try:
            answer = await self._http.request(method, self._url + path, json=body, params=params)
        except httpx.TransportError as error:
            raise Transient(f"the name server's API did not answer: {error!r}", provider=PROVIDER) from error
        if answer.is_success:
            return self._json(answer)
        raise _refusal(answer, f"{method} {path or '/'}")

    @staticmethod
    def _json(answer: httpx.Response) -> Any:
        if not answer.content:
            return None
        try:
            return answer.json()
        except ValueError as error:
            raise Transient("the name server's API answered something that is not JSON", provider=PROVIDER) from error


def _contents(type_: str, values: Iterable[str]) -> list[str]:
    try:
        return sorted({to_content(type_, value) for value in values})
    except ValueError as error:
        raise InvalidInput(f"not a value for {type_}: {error}", provider=PROVIDER, field="value") from error


def _refusal(answer: httpx.Response, what: str) -> ProviderError:
    """Statuses of the API's documentation, as recorded from 4.7.3."""
    try:
        said = str(answer.json().get("error", ""))
    except (ValueError, AttributeError):
        said = answer.text
    message = f"PowerDNS answered {answer.status_code} to {what}: {said[:500]}"
    match answer.status_code:
        case 401 | 403:
            return Unauthorized(message, provider=PROVIDER)
        case 404:
            return NotFound(message, provider=PROVIDER)
        case 409:
            return Conflict(message, provider=PROVIDER)
        case 422 if "Conflicts with" in said:
            return Conflict(message, provider=PROVIDER)
        case 429:
            wait = answer.headers.get("Retry-After", "")
            return RateLimited(message, provider=PROVIDER, retry_after=float(wait) if wait.isdigit() else None)
        case status if status >= 500:
            return Transient(message, provider=PROVIDER)
        case _:
            return InvalidInput(message, provider=PROVIDER)
