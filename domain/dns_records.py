"""Record sets as somebody asks for them, and which of them may stand together in a zone (R157). Pure.

`RecordInput` is the request's shape, `RecordSet` its one normal form: what rows hold, what is sent to the name server
and what is compared with its answers. Every refusal is InvalidDns with a stable reason, the field and a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

from pydantic import BaseModel, ConfigDict

from domain.dns_names import InvalidDns, check_record_name, inside
from domain.dns_values import RecordType, plain

MIN_TTL = 60  # seconds
MAX_TTL = 604_800
DEFAULT_TTL = 3600
MAX_VALUES = 100
MAX_OCTETS = 16_384  # of a set; an answer is at most 65,535 octets, and carries more than the set
ALONE = "CNAME"
GLUE = frozenset({"A", "AAAA"})
AT_CUT = frozenset({"NS", "DS"})
WITH_PRIORITY = frozenset({RecordType.MX, RecordType.SRV})
SERVICE = re.compile(r"_[a-z0-9-]+\._[a-z0-9-]+\..+")  # RFC 2782, RFC 6698 §3


class RecordInput(BaseModel):
    """One set as typed. `content` and `values` are the same thing, for one value and for several. `priority` (MX, SRV)
    goes before each value that does not begin with its own. `ttl` in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    type: str
    content: str | None = None
    values: tuple[str, ...] | None = None
    ttl: int = DEFAULT_TTL
    priority: int | None = None


class RecordKey(BaseModel, frozen=True):
    """A set's name in the form of `ascii_name`, and its type."""

    name: str
    type: str

    def __str__(self) -> str:
        return f"{self.name} {self.type}"


class RecordSet(BaseModel, frozen=True):
    """`name` whole, as in `domain/dns_names.py`; `values` plain, sorted, each once."""

    name: str
    type: RecordType
    ttl: int
    values: tuple[str, ...]

    @property
    def key(self) -> RecordKey:
        return RecordKey(name=self.name, type=self.type.value)

    def as_input(self) -> RecordInput:
        return RecordInput(name=f"{self.name}.", type=self.type.value, values=self.values, ttl=self.ttl)


def normal_set(zone: str, given: RecordInput) -> RecordSet:
    """The normal form of what was typed for a zone (`zone` in the form of `ascii_name`)."""
    type_ = record_type(given.type)
    name = check_record_name(given.name, zone)
    if not MIN_TTL <= given.ttl <= MAX_TTL:
        raise InvalidDns("ttl_out_of_range", f"ttl is {MIN_TTL} to {MAX_TTL} seconds, not {given.ttl}", field="ttl")
    values = tuple(sorted({plain(type_, text) for text in _texts(given, type_)}))
    if sum(len(value.encode()) for value in values) > MAX_OCTETS:
        raise InvalidDns("set_too_large", f"a set holds at most {MAX_OCTETS} octets", field="values")
    _check_set(zone, name, type_, values)
    return RecordSet(name=name, type=type_, ttl=given.ttl, values=values)


def normal_key(zone: str, name: str, type_: str) -> RecordKey:
    """Which set a request is about, for looking it up or taking it away."""
    return RecordKey(name=check_record_name(name, zone), type=record_type(type_).value)


def record_type(text: str) -> RecordType:
    try:
        return RecordType(text.strip().upper())
    except ValueError as error:
        known = ", ".join(RecordType)
        raise InvalidDns("type_unknown", f"{text!r} is not one of the types {known}", field="type") from error


def check_together(zone: str, types: Mapping[str, Iterable[str]], touched: Collection[str] | None = None) -> None:
    """Which types stand at each name once everything is done. `touched` are the names that change: what is wrong
    elsewhere was wrong before. An alias stands alone (RFC 1034 §3.6.2); what is given away by NS records is answered by
    others, so only addresses of its servers may stand there (RFC 1034 §4.2.1)."""
    there = {name: set(found) | ({"SOA", "NS"} if name == zone else set()) for name, found in types.items()}
    cuts = {name for name, found in there.items() if "NS" in found and name != zone}
    for name, found in there.items():
        cut = next((above for above in reversed(_upwards(name, zone)) if above in cuts), None)
        if touched is not None and name not in touched and cut not in touched:
            continue
        if ALONE in found and len(found) > 1:
            others = ", ".join(sorted(found - {ALONE}))
            raise InvalidDns("cname_not_alone", f"{name} cannot have a CNAME beside {others}", field="type")
        hidden = found - GLUE - (AT_CUT if name == cut else set())
        if cut is not None and hidden:
            what = ", ".join(sorted(hidden))
            raise InvalidDns("below_delegation", f"{name} {what} would be hidden: {cut} is given away", field="name")


def _upwards(name: str, zone: str) -> list[str]:
    """The name and those above it, up to the zone's."""
    found = []
    while inside(name, zone):
        found.append(name)
        name = name.partition(".")[2]
    return found


def _texts(given: RecordInput, type_: RecordType) -> list[str]:
    if (given.content is None) == (given.values is None):
        raise InvalidDns("values_missing", "give either content or values", field="values")
    texts = [given.content] if given.content is not None else list(given.values or ())
    if not texts:
        raise InvalidDns("values_missing", "at least one value is needed", field="values")
    if len(texts) > MAX_VALUES:
        raise InvalidDns("values_too_many", f"at most {MAX_VALUES} values stand in one set", field="values")
    if given.priority is None:
        return texts
    if type_ not in WITH_PRIORITY:
        raise InvalidDns("priority_unwanted", f"{type_} has no priority", field="priority")
    if not 0 <= given.priority <= 65535:
        raise InvalidDns("number_out_of_range", "priority is a number from 0 to 65535", field="priority")
    whole = 2 if type_ is RecordType.MX else 4
    return [_with_priority(text, given.priority, whole) for text in texts]


def _with_priority(text: str, priority: int, whole: int) -> str:
    words = text.split()
    if len(words) != whole:
        return f"{priority} {text}"
    if words[0] != str(priority):
        raise InvalidDns("priority_twice", f"{text!r} has another priority than {priority}", field="priority")
    return text


def _check_set(zone: str, name: str, type_: RecordType, values: tuple[str, ...]) -> None:
    match type_:
        case RecordType.CNAME if len(values) > 1:
            raise InvalidDns("cname_not_alone", f"{name} can be an alias of one name only", field="values")
        case RecordType.CNAME if name == zone:
            raise InvalidDns("cname_not_alone", f"{name} is the zone itself and cannot be an alias", field="name")
        case RecordType.CNAME if values == (name,):
            raise InvalidDns("cname_of_itself", f"{name} cannot be an alias of itself", field="values")
        case RecordType.NS if name == zone:
            raise InvalidDns("ns_of_zone", "the zone's own name servers are not edited as records", field="name")
        case RecordType.NS if name.startswith("*."):
            raise InvalidDns("ns_wildcard", "a wildcard cannot be given away (RFC 4592 §4.2)", field="name")
        case RecordType.SRV | RecordType.TLSA if not SERVICE.fullmatch(name):
            example = "_imaps._tcp" if type_ is RecordType.SRV else "_443._tcp"
            raise InvalidDns("name_no_service", f"the name of {type_} begins like {example}", field="name")
        case RecordType.MX | RecordType.SRV if len(values) > 1 and any(value.endswith(" .") for value in values):
            raise InvalidDns("nowhere_not_alone", "a value that says 'none' stands alone", field="values")
        case _:
            return
