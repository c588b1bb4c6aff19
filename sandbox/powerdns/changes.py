"""What a zone's creation and a PATCH of its records do, in the order of PowerDNS 4.7.3, down to its refusals."""

from __future__ import annotations

import ipaddress
import time
from datetime import datetime
from typing import Any

from sandbox.powerdns.contents import Refused, canonical, check_characters, known_type, normalized, zone_name
from sandbox.powerdns.store import Comment, Record, Store, Zone

KINDS = {"master": "Master", "primary": "Master", "slave": "Slave", "secondary": "Slave", "producer": "Producer",
         "consumer": "Consumer"}  # fmt: skip
COPIES = {"Slave", "Consumer"}
DEFAULT_TTL = 3600
DEFAULT_SOA = "a.misconfigured.dns.server.invalid. hostmaster.@ 0 10800 3600 604800 3600"
ONE_RECORD = {"CNAME", "SOA", "DNAME"}


def text_of(body: Any, key: str) -> str:
    value = body.get(key) if isinstance(body, dict) else None
    if not isinstance(value, str):
        raise Refused(f"Key '{key}' not present or not a String")
    return value


def read_zone(body: Any) -> Zone:
    """A zone out of a POST; an unknown kind is Native, as the real server has it."""
    name = zone_name(text_of(body, "name"))
    kind = KINDS.get(text_of(body, "kind").lower(), "Native")
    edit = body.get("soa_edit_api", "DEFAULT")
    return Zone(name, kind, str(body.get("account", "")), str(edit), masters_of(body), 0)


def masters_of(body: Any) -> list[str]:
    """Addresses with or without a port; what is no list counts as none."""
    masters = body.get("masters")
    found = [str(item) for item in masters] if isinstance(masters, list) else []
    for master in found:
        host, colon, port = master.rpartition(":")
        bare = host.strip("[]") if colon and port.isdigit() and (host.startswith("[") or ":" not in host) else master
        try:
            ipaddress.ip_address(bare)
        except ValueError as error:
            text = f"Master ({master}) is not an IP address: Unable to convert presentation address '{bare}'"
            raise Refused(text) from error
    return found


def create_zone(store: Store, body: Any, soa: str = DEFAULT_SOA) -> Zone:
    """The caller has made sure that there is none of the name."""
    zone = read_zone(body)
    nameservers = body.get("nameservers", [])
    if not isinstance(nameservers, list):
        raise Refused("Nameservers is not a list")
    nameservers = [canonical(name, "Nameserver is not canonical: '{}'") for name in nameservers]
    rrsets = body.get("rrsets") or []
    if nameservers and any(r.get("type") == "NS" and r.get("name") == zone.name for r in rrsets):
        raise Refused("Nameservers list MUST NOT be mixed with zone-level NS in rrsets")
    with store.change():
        store.put_zone(zone)
        if zone.kind not in COPIES:
            owner = "" if zone.name == "." else zone.name
            content = soa.replace("@", owner)
            store.replace_records(zone.name, zone.name, "SOA", [Record(zone.name, "SOA", content, DEFAULT_TTL)])
            servers = [Record(zone.name, "NS", name, DEFAULT_TTL) for name in nameservers]
            store.replace_records(zone.name, zone.name, "NS", servers)
        _apply(store, zone, [{"changetype": "REPLACE", **rrset} for rrset in rrsets])
        bump(store, zone)
    return zone


def patch(store: Store, zone: Zone, body: Any) -> None:
    """All changes or none."""
    rrsets = body.get("rrsets") if isinstance(body, dict) else None
    if not isinstance(rrsets, list):
        raise Refused("No rrsets given in update request")
    if rrsets:
        with store.change():
            _apply(store, zone, rrsets)
            bump(store, zone)


def _apply(store: Store, zone: Zone, rrsets: list[Any]) -> None:
    seen: set[tuple[str, str, str]] = set()
    for rrset in rrsets:
        change = text_of(rrset, "changetype").upper()
        name = canonical(text_of(rrset, "name"))
        type_ = text_of(rrset, "type").upper()
        label = f"{rrset['name']} IN {type_}"
        if not known_type(type_):
            raise Refused(f"RRset {label}: unknown type given")
        if (change, name, type_) in seen:
            raise Refused(f"Duplicate RRset {label} with changetype: {change}")
        seen.add((change, name, type_))
        if change == "DELETE":
            store.replace_records(zone.name, name, type_, [])
            store.replace_comments(zone.name, name, type_, [])
        elif change == "REPLACE":
            _replace(store, zone, rrset, name, type_, label)
        else:
            raise Refused("Changetype not understood")


def _replace(store: Store, zone: Zone, rrset: dict[str, Any], name: str, type_: str, label: str) -> None:
    if not (name == zone.name or zone.name == "." or name.endswith(f".{zone.name}")):
        raise Refused(f"RRset {label}: Name is out of zone")
    check_characters(name)
    records, comments = rrset.get("records"), rrset.get("comments")
    if not isinstance(records, list) and not isinstance(comments, list):
        raise Refused(f"No change for RRset {label}")
    if isinstance(records, list):
        new = _records(rrset, records, name, type_, label)
        if type_ == "SOA" and name != zone.name:
            raise Refused(f"Record {label} is only allowed at apex")
        if new:
            others = {record.type for record in store.records(zone.name, name)} - {type_}
            if "CNAME" in others or (type_ == "CNAME" and others):
                raise Refused(f"RRset {label}: Conflicts with pre-existing RRset")
        store.replace_records(zone.name, name, type_, new)
    if isinstance(comments, list):
        now = int(time.time())
        made = [
            Comment(name, type_, text_of(c, "account"), text_of(c, "content"), int(c.get("modified_at", now)))
            for c in sorted(comments, key=lambda c: "content" not in c)
        ]
        store.replace_comments(zone.name, name, type_, made)


def _records(rrset: dict[str, Any], items: list[Any], name: str, type_: str, label: str) -> list[Record]:
    ttl = rrset.get("ttl")
    if isinstance(ttl, str) and ttl.isdigit():
        ttl = int(ttl)
    if isinstance(ttl, bool) or not isinstance(ttl, int | float):
        raise Refused("Key 'ttl' not an Integer or not present")
    made: list[Record] = []
    for item in items:
        content, disabled = text_of(item, "content"), item.get("disabled", False)
        if not isinstance(disabled, bool):
            raise Refused("Key 'disabled' not present or not a Bool")
        try:
            stored = normalized(type_, content)
        except Refused as error:
            raise Refused(f"Record {rrset['name']}/{type_} '{content}': {error}") from error
        if any(record.content == stored for record in made):
            raise Refused(f'Duplicate record in RRset {label} with content "{stored}"')
        made.append(Record(name, type_, stored, int(ttl) % 2**32, disabled))
    if type_ in ONE_RECORD and len(made) > 1:
        raise Refused(f"RRset {label} has more than one record")
    return made


# ---- the serial


def serial_of(store: Store, zone: str) -> int:
    found = store.records(zone, zone, "SOA")
    return int(found[0].content.split()[2]) if found else 0


def next_serial(old: int, how: str, now: datetime) -> int:
    """SOA-EDIT-API. A word the server does not know there, SOA-EDIT's own among them, leaves the serial for ever."""
    match how.upper():
        case "DEFAULT" | "SOA-EDIT":
            return max(int(now.strftime("%Y%m%d")) * 100 + 1, old + 1)
        case "INCREASE" | "SOA-EDIT-INCREASE":
            return old + 1
        case "EPOCH":
            return int(now.timestamp())
        case _:
            return old


def bump(store: Store, zone: Zone) -> None:
    for record in store.records(zone.name, zone.name, "SOA"):
        words = record.content.split()
        words[2] = str(next_serial(int(words[2]), zone.soa_edit_api, datetime.now().astimezone()))
        store.replace_records(zone.name, zone.name, "SOA", [record._replace(content=" ".join(words))])
