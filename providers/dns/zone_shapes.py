"""Zones as PowerDNS shows and takes them, and the mark that says whose a zone is. Pure: no I/O.

A zone's mark is its `account` field, `slipway:<owner>`. It is written by the same POST that makes the zone, so no zone
of ours exists without it even for a moment (metadata such as `X-SLIPWAY-OWNER` is a second call, and a crash in between
would leave a zone that looks foreign), it survives every PUT and PATCH, and a list shows it. Seen at 4.7.3; the column
holds 40 characters with every backend.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from domain.dns_names import InvalidDns, check_host, check_zone
from domain.ids import OWNER_TAG
from providers.dns.lookup import split
from providers.dns.rrsets import canonical, contents, marked, replacement
from providers.dns.wire import PROVIDER
from providers.errors import Conflict, InvalidInput

Kind = Literal["Native", "Primary", "Secondary"]

# The older words: 4.7 to 5.x all take and show them, and an unknown word is taken for Native without a complaint.
WORDS: dict[Kind, str] = {"Native": "Native", "Primary": "Master", "Secondary": "Slave"}
KINDS: dict[str, Kind] = {
    "Native": "Native", "Master": "Primary", "Primary": "Primary", "Producer": "Primary",
    "Slave": "Secondary", "Secondary": "Secondary", "Consumer": "Secondary",
}  # fmt: skip
COPIES = frozenset(word for word, kind in KINDS.items() if kind == "Secondary")
PRIMARIES = frozenset(word for word, kind in KINDS.items() if kind == "Primary")
# A value meant for `soa_edit` is accepted as `soa_edit_api` and then freezes the serial for ever.
GROWING = frozenset({"DEFAULT", "INCREASE", "EPOCH", "SOA-EDIT", "SOA-EDIT-INCREASE"})
SOA_TIMES = "10800 3600 604800 300"  # refresh, retry, expire, and how long an absence may be remembered, in seconds
APEX_TTL = 3600


class ZoneOrder(BaseModel):
    """`nameservers` for Native and Primary, the first one is the SOA's; `primaries` (address or address:port) for
    Secondary. Nothing else may be given: no zone file, no record sets, no `soa_edit_api`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    kind: Kind = "Native"
    nameservers: tuple[str, ...] = ()
    primaries: tuple[str, ...] = ()


class ZoneSummary(BaseModel, frozen=True):
    """`owner` is the token of `owner_token`, None for a zone that is not ours. `serial` is the one that is answered."""

    name: str
    kind: Kind
    serial: int
    owner: str | None = None


class Zone(ZoneSummary, frozen=True):
    nameservers: tuple[str, ...] = ()
    primaries: tuple[str, ...] = ()
    signed: bool = False
    serial_grows: bool = True


def owner_token(owner: str) -> str:
    """An owner's id without hyphens: a UUID's 32 digits are what fits into the 40 characters beside our name."""
    token = owner.replace("-", "")
    if not re.fullmatch(r"[A-Za-z0-9]{1,32}", token):
        raise InvalidInput(
            "an owner is 1 to 32 letters and digits, not counting hyphens", provider=PROVIDER, field="owner"
        )
    return token


def zone_mark(owner: str) -> str:
    return f"{OWNER_TAG}:{owner_token(owner)}"


def zone_path(name: str) -> str:
    return f"/zones/{canonical(name)}"


def refuse_foreign(shape: dict[str, Any], owner: str) -> None:
    """Conflict unless the zone shown is the owner's."""
    if shape.get("account") != zone_mark(owner):
        whose = "another owner of ours" if owner_of_zone(shape) else "somebody else"
        raise Conflict(f"zone {shape.get('name')} is there and belongs to {whose}", provider=PROVIDER)


def grows(shape: dict[str, Any]) -> bool:
    """Whether a change of the zone's records gets a new serial."""
    return str(shape.get("soa_edit_api") or "").upper() in GROWING


def to_body(order: ZoneOrder, owner: str) -> tuple[str, dict[str, Any]]:
    """(the zone's name, what is sent)"""
    try:
        name = check_zone(order.name)
        servers = [check_host(server, field="nameservers") for server in order.nameservers]
    except InvalidDns as error:
        raise InvalidInput(error.message, provider=PROVIDER, field=error.field) from error
    copied = order.kind == "Secondary"
    if copied and not order.primaries:
        raise InvalidInput("a secondary zone needs its primaries' addresses", provider=PROVIDER, field="primaries")
    if not copied and not servers:
        raise InvalidInput("a zone needs name servers", provider=PROVIDER, field="nameservers")
    for primary in order.primaries:
        _check_address(primary)
    zone = canonical(name)
    rrsets = []
    if not copied:
        soa = f"{servers[0]}. hostmaster.{zone} 0 {SOA_TIMES}"
        for type_, made in ("SOA", [soa]), ("NS", contents("NS", servers)):
            rrsets.append(replacement(zone, type_, made, ttl=APEX_TTL, comments=marked(owner, None)))
    return name, {
        "name": zone,
        "kind": WORDS[order.kind],
        "account": zone_mark(owner),
        "masters": list(order.primaries),
        "nameservers": [],
        "soa_edit_api": "DEFAULT",
        "rrsets": rrsets,
    }


def _check_address(primary: str) -> None:
    try:
        ipaddress.ip_address(split(primary)[0])
    except ValueError as error:
        raise InvalidInput(f"{primary!r} is not an address", provider=PROVIDER, field="primaries") from error


def owner_of_zone(shape: dict[str, Any]) -> str | None:
    account = str(shape.get("account") or "")
    return account.removeprefix(f"{OWNER_TAG}:") or None if account.startswith(f"{OWNER_TAG}:") else None


def to_summary(shape: dict[str, Any]) -> ZoneSummary:
    return ZoneSummary(
        name=str(shape["name"]).rstrip("."),
        kind=KINDS.get(str(shape.get("kind")), "Native"),
        serial=int(shape.get("edited_serial") or shape.get("serial") or 0),
        owner=owner_of_zone(shape),
    )


def to_zone(shape: dict[str, Any], servers: list[str]) -> Zone:
    return Zone(
        **to_summary(shape).model_dump(),
        nameservers=tuple(sorted(servers)),
        primaries=tuple(str(item) for item in shape.get("masters") or []),
        signed=bool(shape.get("dnssec")),
        serial_grows=grows(shape),
    )
