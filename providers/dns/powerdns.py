"""PowerDNS Authoritative, 4.7 to 5.x: single records by name, challenges, and beside them `zones` and `records`.

Knows nothing of deployments or workflows. Every write here is safe to repeat, so whatever leaves a doubt is Transient.
Never used: EXTEND and PRUNE (only 4.9.12 and 5.0.2 on have them) and any `soa_edit_api` but DEFAULT (a value meant for
`soa_edit` is accepted and then freezes the serial for ever).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Sequence
from typing import Any
from weakref import WeakValueDictionary

import httpx

from providers.dns.records import Records
from providers.dns.rrsets import Rrset, canonical, contents, deletion, marked, pick, replacement, suffixes
from providers.dns.wire import PROVIDER, Api
from providers.dns.zone_shapes import COPIES, PRIMARIES
from providers.dns.zones import Zones
from providers.errors import Conflict, NotFound, Transient

TXT_ATTEMPTS = 5  # rounds of read-modify-REPLACE against another process that writes the same name
SEARCH_MAX = 1000


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
        pause: float = 0.3,
    ) -> None:
        """`timeout` of a call and `pause` before a challenge's next round are in seconds; the pause doubles."""
        self._api = Api(base_url, api_key, server_id, transport, timeout)
        self._pause = pause
        self._locks: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()
        self.zones = Zones(self._api)
        self.records = Records(self._api)

    async def close(self) -> None:
        await self._api.close()

    async def verify_credentials(self) -> None:
        """Unauthorized when the key is not accepted."""
        await self._api.call("GET", "")

    # ---- zones of operators, which are found and not made

    async def ensure_zone(self, zone: str, *, nameservers: Sequence[str], kind: str = "Native") -> bool:
        """Make an unmarked zone; False when it is there already (409). An existing zone is left as it is."""
        body = {"name": canonical(zone), "kind": kind, "nameservers": [canonical(name) for name in nameservers]}
        try:
            await self._api.call("POST", "/zones", body)
        except Conflict:
            return False
        return True

    async def zone_of(self, name: str) -> str:
        """The longest zone here that holds `name`. NotFound when this server has none."""
        for candidate in suffixes(name):
            if await self._api.call("GET", "/zones", params={"zone": candidate}):
                return candidate
        raise NotFound(f"no zone on this server holds {name}", provider=PROVIDER)

    async def authoritative(self, zone: str) -> list[str]:
        """Names of the zone's servers, from its own NS records."""
        found = await self.read(zone, "NS", zone=zone)
        return list(found.values) if found else []

    # ---- one record set by its name, whoever has the zone

    async def read(self, name: str, type_: str, *, zone: str | None = None) -> Rrset | None:
        """The answered records of a name, or None."""
        found = (await self._look(name, type_, zone or await self.zone_of(name)))[0]
        return found if found is not None and found.values else None

    async def publish(self, name: str, type_: str, values: Iterable[str], *, ttl: int, owner: str) -> bool:
        """Let `name` have exactly these values, marked as the owner's; False when it already was so.

        Conflict when records of that name and type are there without the owner's mark, disabled ones too, or when
        something else is in the way (a CNAME). Nothing is changed then.
        """
        name = canonical(name)
        zone = await self.zone_of(name)
        wanted = contents(type_, values)
        async with self._lock(name, type_):
            found, kind = await self._look(name, type_, zone)
            self._refuse_foreign(found, name, type_, owner)
            unchanged = found is not None and found.ttl == ttl and contents(type_, found.values) == wanted
            if not unchanged:
                if kind in COPIES:
                    raise Conflict(f"zone {zone} is a copy kept from another server ({kind})", provider=PROVIDER)
                if found is None:
                    self._refuse_foreign(await self._searched(name, type_, zone), name, type_, owner)
                await self._patch(zone, replacement(name, type_, wanted, ttl=ttl, comments=marked(owner, found)))
                found, _ = await self._look(name, type_, zone)
                self._refuse_foreign(found, name, type_, owner)
                if found is None or contents(type_, found.values) != wanted:
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
            await self._patch(zone, deletion(name, type_))
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
        # The lock orders the writers of this process. Another process can still write between our read and our
        # REPLACE, hence the second look and the next round.
        async with self._lock(name, "TXT"):
            for number in range(1, TXT_ATTEMPTS + 1):
                try:
                    if await self._holds_txt(name, value, ttl=ttl, owner=owner, present=present):
                        return
                except Transient:
                    # On SQLite, 500 to a write while another one lasts. What came of it is seen by the next look.
                    if number == TXT_ATTEMPTS:
                        raise
                    spread = random.uniform(0.5, 1)  # noqa: S311 - spreads, hides nothing
                    await asyncio.sleep(self._pause * 2**number * spread)
        raise Transient(f"{name} TXT is being changed by somebody else at the same time", provider=PROVIDER)

    async def _holds_txt(self, name: str, value: str, *, ttl: int, owner: str, present: bool) -> bool:
        """One round: whether it is so already, and a write towards it where not."""
        zone = await self.zone_of(name)
        found, kind = await self._look(name, "TXT", zone)
        held = set(found.values) if found else set()
        if (value in held) is present:
            await self._notify(zone, kind)
            return True
        if found is None or found.owner is None:
            found = await self._searched(name, "TXT", zone)
        wanted = held | {value} if present else held - {value}
        disabled = contents("TXT", found.disabled) if found else []
        if wanted or disabled:
            comments = marked(owner, None) if found is None else None
            made = contents("TXT", wanted)
            await self._patch(zone, replacement(name, "TXT", made, ttl=ttl, comments=comments, disabled=disabled))
        else:
            await self._patch(zone, deletion(name, "TXT"))
        return False

    # ---- the wire

    def _lock(self, name: str, type_: str) -> asyncio.Lock:
        return self._locks.setdefault((name, type_), asyncio.Lock())

    @staticmethod
    def _refuse_foreign(found: Rrset | None, name: str, type_: str, owner: str) -> None:
        if found is not None and found.owner != owner:
            whose = f"deployment {found.owner}" if found.owner else "somebody else"
            what = ", ".join([*found.values, *(f"{value} (disabled)" for value in found.disabled)])
            raise Conflict(f"{name} {type_} exists already and belongs to {whose}: {what}", provider=PROVIDER)

    async def _look(self, name: str, type_: str, zone: str) -> tuple[Rrset | None, str]:
        """(the record set, the zone's kind)"""
        params = {"rrset_name": canonical(name), "rrset_type": type_}
        answer = await self._api.call("GET", f"/zones/{canonical(zone)}", params=params)
        return pick(answer, name, type_), str(answer.get("kind", ""))

    async def _searched(self, name: str, type_: str, zone: str) -> Rrset | None:
        """A set with its disabled records. 4.7.3 leaves them out of a filtered view, and a REPLACE would drop them; the
        whole zone shows them too, but may be a hundred thousand sets. The search reads the server's whole table, so it
        is asked only before a write to a set that is not known to be ours."""
        params = {"q": name.removesuffix("."), "object_type": "record", "max": str(SEARCH_MAX)}
        found = [
            item for item in await self._api.call("GET", "/search-data", params=params)
            if canonical(item["name"]) == name and item["type"] == type_ and canonical(item["zone"]) == canonical(zone)
        ]  # fmt: skip
        if not found:
            return None
        params = {"rrset_name": name, "rrset_type": type_}
        view = await self._api.call("GET", f"/zones/{canonical(zone)}", params=params)
        comments = [comment for item in view.get("rrsets") or [] if (item["name"], item["type"]) == (name, type_)
                    for comment in item.get("comments") or []]  # fmt: skip
        records = [{"content": item["content"], "disabled": item["disabled"]} for item in found]
        shown = {"name": name, "type": type_, "ttl": found[0]["ttl"], "records": records, "comments": comments}
        return pick({"rrsets": [shown]}, name, type_)

    async def _patch(self, zone: str, change: dict[str, Any]) -> None:
        await self._api.call("PATCH", f"/zones/{zone}", {"rrsets": [change]})

    async def _notify(self, zone: str, kind: str) -> None:
        if kind in PRIMARIES:
            await self._api.call("PUT", f"/zones/{zone}/notify")
