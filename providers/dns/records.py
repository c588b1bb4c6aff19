"""Record sets of a zone of ours: all of them read, several changed at once, none of anybody else's touched.

A change is one PATCH, which PowerDNS carries out whole or not at all. Deletions go first: it checks an alias against
what is there at that point of the list. Only REPLACE and DELETE are used; EXTEND and PRUNE exist from 4.9.12 and 5.0.2
on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any
from weakref import WeakValueDictionary

from pydantic import BaseModel

from domain.dns_names import InvalidDns, ascii_name, inside
from domain.dns_records import RecordKey, RecordSet, check_together
from providers.dns.rrsets import Rrset, canonical, contents, deletion, every, marked, replacement
from providers.dns.wire import PROVIDER, Api
from providers.dns.zone_shapes import COPIES, PRIMARIES, grows, refuse_foreign, zone_path
from providers.errors import Conflict, InvalidInput, Transient

Sets = dict[RecordKey, Rrset]


class Changed(BaseModel, frozen=True):
    """What a call did; empty lists mean that everything was so already. `serial` is the one answered from now on: what
    `propagation.check_published` waits for."""

    serial: int
    written: tuple[RecordKey, ...] = ()
    removed: tuple[RecordKey, ...] = ()


class Records:
    def __init__(self, api: Api) -> None:
        self._api = api
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def all(self, zone: str) -> list[Rrset]:
        """Every set with its owner, the disabled values apart. NotFound when this server does not have the zone."""
        found = every(await self._api.call("GET", zone_path(zone)))
        return sorted(found, key=lambda item: (item.name, item.type))

    async def change(
        self, zone: str, *, owner: str, put: Sequence[RecordSet] = (), remove: Sequence[RecordKey] = ()
    ) -> Changed:
        """Let the zone have exactly the sets of `put` under their names and types, and none of `remove`.

        All or nothing. Conflict when the zone or one of the sets is not the owner's, when the zone is a copy, or when
        something is in the way of a new set (an alias, a delegation). InvalidInput when the sets cannot stand together.
        """
        zone = ascii_name(zone)
        _check(zone, put, remove)
        async with self._locks.setdefault(zone, asyncio.Lock()):
            shape = await self._api.call("GET", zone_path(zone))
            refuse_foreign(shape, owner)
            if shape.get("kind") in COPIES:
                raise Conflict(f"zone {zone} is a copy kept from another server", provider=PROVIDER)
            there = _by_key(shape)
            written = [item for item in put if not _same(there.get(item.key), item)]
            removed = [key for key in remove if key in there]
            _refuse_sets(there, [*(item.key for item in put), *remove], owner)
            if written or removed:
                _refuse_clash(zone, there, written, removed)
                if not grows(shape):
                    # The zone is ours, and secondaries would never learn of a change under the same serial.
                    await self._api.call("PUT", zone_path(zone), {"soa_edit_api": "DEFAULT"})
                await self._patch(zone, there, written, removed, owner)
                shape = await self._api.call("GET", zone_path(zone))
                _check_read_back(_by_key(shape), written, removed, owner)
            # Also when nothing was written: the notification may be what an earlier attempt did not get to.
            if shape.get("kind") in PRIMARIES:
                await self._api.call("PUT", f"{zone_path(zone)}/notify")
        serial = int(shape.get("edited_serial") or shape.get("serial") or 0)
        return Changed(serial=serial, written=tuple(item.key for item in written), removed=tuple(removed))

    async def _patch(
        self, zone: str, there: Sets, written: Sequence[RecordSet], removed: Sequence[RecordKey], owner: str
    ) -> None:
        changes = [deletion(canonical(key.name), key.type) for key in removed]
        for item in written:
            made = contents(item.type, item.values)
            comments = marked(owner, there.get(item.key))
            changes.append(replacement(canonical(item.name), item.type, made, ttl=item.ttl, comments=comments))
        await self._api.call("PATCH", zone_path(zone), {"rrsets": changes})


def _by_key(shape: dict[str, Any]) -> Sets:
    return {RecordKey(name=item.name.removesuffix("."), type=item.type): item for item in every(shape)}


def _same(found: Rrset | None, wanted: RecordSet) -> bool:
    return found is not None and not found.disabled and (found.ttl, found.values) == (wanted.ttl, wanted.values)


def _check(zone: str, put: Sequence[RecordSet], remove: Sequence[RecordKey]) -> None:
    """What is wrong with a request whatever the zone holds."""
    keys = [*(item.key for item in put), *remove]
    if len(set(keys)) != len(keys):
        raise InvalidInput("a record set is named twice", provider=PROVIDER, field="name")
    for key in keys:
        if not inside(key.name.removeprefix("*."), zone):
            raise InvalidInput(f"{key.name} is not in the zone {zone}", provider=PROVIDER, field="name")
        if key.type == "SOA" or (key.type == "NS" and key.name == zone):
            raise InvalidInput(
                "the zone's SOA and name servers are not records to edit", provider=PROVIDER, field="type"
            )
    try:
        check_together(zone, _types(item.key for item in put))
    except InvalidDns as error:
        raise InvalidInput(error.message, provider=PROVIDER, field=error.field) from error


def _refuse_sets(there: Sets, keys: Iterable[RecordKey], owner: str) -> None:
    foreign = [str(key) for key in keys if key in there and there[key].owner != owner]
    if foreign:
        raise Conflict(f"not the owner's, and left alone: {', '.join(foreign)}", provider=PROVIDER)


def _refuse_clash(zone: str, there: Sets, written: Iterable[RecordSet], removed: Iterable[RecordKey]) -> None:
    """Also against disabled sets: they come back when somebody enables them."""
    try:
        types = _types((set(there) - set(removed)) | {item.key for item in written})
        check_together(zone, types, {item.name for item in written})
    except InvalidDns as error:
        raise Conflict(error.message, provider=PROVIDER, field=error.field) from error


def _types(keys: Iterable[RecordKey]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for key in keys:
        found.setdefault(key.name, set()).add(key.type)
    return found


def _check_read_back(there: Sets, written: Sequence[RecordSet], removed: Sequence[RecordKey], owner: str) -> None:
    wrong = [
        str(item.key) for item in written if not _same(there.get(item.key), item) or there[item.key].owner != owner
    ]
    wrong += [str(key) for key in removed if key in there]
    if wrong:
        raise Transient(f"reads back differently from what was written: {', '.join(wrong)}", provider=PROVIDER)
