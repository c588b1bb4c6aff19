"""Names of the DNS: international ones as A-labels, what a label may be, and where a record's name lies in its zone.

Names are lower case without the last dot everywhere in our code; PowerDNS gets the dot in providers/dns/rrsets.py.
Labels and lengths: RFC 1035 §2.3.4, RFC 8552 (underscores), RFC 4592 (wildcards). IDNA 2008 with UTS #46, because the
older rules of Python's own codec turn `straße` into another name than registries do. Pure.
"""

from __future__ import annotations

import re
from typing import ClassVar

import idna

from domain.errors import ErrorCode

LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
HOST_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
MAX_NAME = 253  # characters, without the last dot


class InvalidDns(ValueError):
    """What somebody typed cannot be a record. `reason` is a stable word, `field` the member of the input."""

    code: ClassVar[ErrorCode] = ErrorCode.VALIDATION_ERROR

    def __init__(self, reason: str, message: str, *, field: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.field = field


def ascii_name(text: str) -> str:
    """Lower case, A-labels, no last dot. Only the form is made; `check_*` say whether it may be used."""
    bare = text.strip()
    if not bare.isascii():
        try:
            bare = idna.uts46_remap(bare, std3_rules=False)
            bare = ".".join(label if label.isascii() else idna.alabel(label).decode() for label in bare.split("."))
        except UnicodeError as error:
            raise InvalidDns(
                "name_not_idna", f"{text!r} is not an international name: {error}", field="name"
            ) from error
    return bare.removesuffix(".").lower()


def inside(name: str, zone: str) -> bool:
    """Whether a name is the zone's own or below it. Both in the form of `ascii_name`."""
    return name == zone or name.endswith(f".{zone}")


def check_zone(text: str) -> str:
    """A zone's name in our form: two labels at least, no wildcard."""
    name = ascii_name(text)
    _check(name, LABEL, "name")
    if "." not in name:
        raise InvalidDns("zone_too_short", f"{text!r} is a whole top level, not a zone", field="name")
    return name


def check_record_name(text: str, zone: str) -> str:
    """A record's name in our form. `@` is the zone itself; a name with a last dot, or one that ends with the zone, is
    whole; any other is taken as below the zone. A wildcard is the first label and nothing else (RFC 4592 §2.1.1)."""
    given = ascii_name(text)
    if text.strip() == "@":
        name = zone
    elif text.strip().endswith("."):
        name = given
    else:
        name = given if inside(given, zone) else f"{given}.{zone}"
    if not inside(name, zone):
        raise InvalidDns("name_outside_zone", f"{given} is not in the zone {zone}", field="name")
    rest = name.removeprefix("*.")
    if rest != name and not inside(rest, zone):
        raise InvalidDns("name_outside_zone", f"{given} is not in the zone {zone}", field="name")
    _check(rest, LABEL, "name")
    if len(name) > MAX_NAME:
        raise InvalidDns("name_too_long", f"the name is longer than {MAX_NAME} characters", field="name")
    return name


def check_host(text: str, *, field: str = "values", underscores: bool = False) -> str:
    """The name of another host, always whole. `underscores` for aliases, which may point at service names."""
    try:
        name = ascii_name(text)
    except InvalidDns as error:
        raise InvalidDns(error.reason, error.message, field=field) from error
    _check(name, LABEL if underscores else HOST_LABEL, field)
    if name.rpartition(".")[2].isdigit():
        raise InvalidDns("host_is_address", f"{text!r} is an address where a host's name is wanted", field=field)
    if "." not in name:
        raise InvalidDns("host_not_whole", f"{text!r} is not a whole name", field=field)
    return name


def _check(name: str, pattern: re.Pattern[str], field: str) -> None:
    if len(name) > MAX_NAME:
        raise InvalidDns("name_too_long", f"the name is longer than {MAX_NAME} characters", field=field)
    for label in name.split("."):
        if not pattern.fullmatch(label):
            raise InvalidDns("name_malformed", f"{label!r} cannot be a part of a name", field=field)
        if label.startswith("xn--"):
            try:
                idna.ulabel(label)
            except UnicodeError as error:
                raise InvalidDns("name_not_idna", f"{label!r} is not an international name", field=field) from error
