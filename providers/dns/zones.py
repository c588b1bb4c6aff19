"""Zones on PowerDNS: made, read, listed, exported and removed; only ours are ever changed.

Zone files are not taken: records come through `Records`, which knows whose they are.
"""

from __future__ import annotations

from typing import Any

from providers.dns.rrsets import Rrset, canonical, every, suffixes
from providers.dns.wire import PROVIDER, Api
from providers.dns.zone_shapes import (
    COPIES,
    KINDS,
    PRIMARIES,
    Zone,
    ZoneOrder,
    ZoneSummary,
    grows,
    owner_token,
    refuse_foreign,
    to_body,
    to_summary,
    to_zone,
    zone_mark,
    zone_path,
)
from providers.errors import Conflict, NotFound

NAMED = 5  # so many foreign sets are named in a refusal


class Zones:
    def __init__(self, api: Api) -> None:
        self._api = api

    async def ensure(self, order: ZoneOrder, *, owner: str) -> bool:
        """Let the zone be there, the owner's, of the kind asked for; False when it was already there.

        InvalidInput with a field; Conflict when a zone of that name, or one above it, belongs to somebody else (who
        holds a name inside another's zone answers for it). Records of a zone that is there are left as they are.
        """
        name, body = to_body(order, owner)
        found = await self._find(name)
        if found is None:
            await self._refuse_inside_foreign(name, owner)
            try:
                await self._api.call("POST", "/zones", body)
            except Conflict:
                found = await self._find(name)  # a twin of this call, or somebody else at the same time
                if found is None:
                    raise
        if found is not None:
            await self._mend(found, body, owner)
        # Also when nothing was made: it may be what an earlier attempt did not get to.
        if order.kind == "Primary":
            await self._api.call("PUT", f"{zone_path(name)}/notify")
        if order.kind == "Secondary":
            await self._api.call("PUT", f"{zone_path(name)}/axfr-retrieve")
        return found is None

    async def read(self, name: str) -> Zone | None:
        """None when this server does not have it."""
        found = await self._find(name)
        if found is None:
            return None
        ns = await self._api.call("GET", zone_path(name), params={"rrset_name": canonical(name), "rrset_type": "NS"})
        servers = [value for rrset in every(ns) if rrset.type == "NS" and rrset.name == canonical(name)
                   for value in rrset.values]  # fmt: skip
        return to_zone(found, servers)

    async def ours(self, *, owner: str | None = None) -> list[ZoneSummary]:
        """Zones with our mark, or those of one owner, by name. The API has no pages: the caller cuts."""
        answer = await self._api.call("GET", "/zones", params={"dnssec": "false"})  # else it looks for each zone's keys
        found = [summary for item in answer or [] if (summary := to_summary(item)).owner is not None]
        wanted = owner_token(owner) if owner is not None else None
        return sorted((zone for zone in found if wanted in (None, zone.owner)), key=lambda zone: zone.name)

    async def export(self, name: str) -> str:
        """The zone as a zone file, for a last backup. What is not answered, and whose each set is, follows as comments.

        NotFound when this server does not have it.
        """
        path = zone_path(name)
        answer = await self._api.call("GET", f"{path}/export")
        text = str(answer["zone"] if isinstance(answer, dict) else answer)
        sets = every(await self._api.call("GET", path))
        notes = [f"; owner of {found.name} {found.type}: {found.owner}" for found in sets if found.owner]
        notes += [f"; disabled: {found.name} {found.ttl} IN {found.type} {value}" for found in sets
                  for value in found.disabled]  # fmt: skip
        return text + "".join(f"{note}\n" for note in sorted(notes))

    async def remove(self, name: str, *, owner: str) -> bool:
        """Remove the owner's zone with the owner's records. False when it is not there.

        Conflict, and nothing is changed, when it is not the owner's, when it holds sets without the owner's mark (they
        are named), or when it is signed (its parent's DS would make the name fail everywhere).
        """
        try:
            found = await self._api.call("GET", zone_path(name))
        except NotFound:
            return False
        refuse_foreign(found, owner)
        if found.get("dnssec"):
            raise Conflict(
                f"zone {name} is signed: take its DS out of the parent and its keys away first", provider=PROVIDER
            )
        foreign = [] if found.get("kind") in COPIES else [item for item in every(found) if item.owner != owner]
        if foreign:
            raise Conflict(f"zone {name} holds records that are not its owner's: {_named(foreign)}", provider=PROVIDER)
        try:
            await self._api.call("DELETE", zone_path(name))
        except NotFound:
            return False
        return True

    async def notify(self, name: str) -> None:
        """Tell the secondaries of a primary zone that it changed; for other kinds nothing happens."""
        found = await self._find(name)
        if found is not None and found.get("kind") in PRIMARIES:
            await self._api.call("PUT", f"{zone_path(name)}/notify")

    # ---- what is there

    async def _find(self, name: str) -> dict[str, Any] | None:
        try:
            answer: dict[str, Any] = await self._api.call("GET", zone_path(name), params={"rrsets": "false"})
        except NotFound:
            return None
        return answer

    async def _mend(self, found: dict[str, Any], body: dict[str, Any], owner: str) -> None:
        """Ours, but left half made or changed by hand: kind, primaries, a serial that stands still."""
        refuse_foreign(found, owner)
        there, wanted = KINDS.get(str(found.get("kind"))), KINDS[body["kind"]]
        if (there == "Secondary") is not (wanted == "Secondary"):
            raise Conflict(
                f"zone {body['name']} is there as {there}; its records come from elsewhere", provider=PROVIDER
            )
        change = {} if there == wanted else {"kind": body["kind"]}
        if body["masters"] and sorted(found.get("masters") or []) != sorted(body["masters"]):
            change["masters"] = body["masters"]
        if not grows(found):
            change["soa_edit_api"] = "DEFAULT"
        if change:
            await self._api.call("PUT", zone_path(body["name"]), change)

    async def _refuse_inside_foreign(self, name: str, owner: str) -> None:
        for above in suffixes(name)[1:]:
            for item in await self._api.call("GET", "/zones", params={"zone": above, "dnssec": "false"}):
                if item.get("account") != zone_mark(owner):
                    raise Conflict(f"{name} lies in the zone {above}, which is somebody else's", provider=PROVIDER)


def _named(sets: list[Rrset]) -> str:
    shown = [f"{item.name.rstrip('.')} {item.type}" for item in sets[:NAMED]]
    more = len(sets) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
