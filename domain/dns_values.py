"""Values of records in three forms: what somebody types, our plain form, and PowerDNS's content.

The plain form is what rows and answers hold: addresses as RFC 5952 writes them, names without the last dot, TXT without
quotes, hexadecimal in lower case. `plain` is strict and idempotent; `to_content` and `to_value` are each other's
inverse for every plain value. Seen at 4.7.3: content in any other form is refused ("Not in expected format"). Pure.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from enum import StrEnum

from domain.dns_names import InvalidDns, ascii_name, check_host

TXT_CHUNK = 255  # octets; RFC 1035 §3.3: one character string
TXT_MAX = 4096  # octets of a whole value; a DKIM key of 4096 bits takes 740
NOWHERE = "."  # RFC 7505: no mail here; RFC 2782: no such service
CAA_TAGS = frozenset({"issue", "issuewild", "issuemail", "issuevmc", "iodef", "contactemail", "contactphone"})
TLSA_DIGITS = {1: 64, 2: 128}  # RFC 6698 §2.1.3; 0 is the certificate or key itself
TLSA_MAX = 8192


class RecordType(StrEnum):
    """What may be edited. SOA is the zone's own, and PowerDNS keeps its serial."""

    A = "A"
    AAAA = "AAAA"
    CAA = "CAA"
    CNAME = "CNAME"
    MX = "MX"
    NS = "NS"
    PTR = "PTR"
    SRV = "SRV"
    TLSA = "TLSA"
    TXT = "TXT"


NAMES = frozenset({"CNAME", "NS", "PTR"})  # the content is a name
NAME_LAST = frozenset({"MX", "SRV"})  # the content ends with a name


def plain(type_: str, text: str) -> str:
    """What was typed, in the plain form. InvalidDns with `field` "values" and a sentence."""
    match type_:
        case "A" | "AAAA":
            return _address(type_, text)
        case "CNAME" | "PTR":
            return check_host(text, underscores=True)
        case "NS":
            return check_host(text)
        case "MX":
            priority, host = _words(text, 2, "a priority and a host, like 10 mail.example.org")
            return f"{_number(priority, 65535, 'priority')} {_target(host)}"
        case "SRV":
            words = _words(text, 4, "priority, weight, port and host, like 10 5 443 www.example.org")
            numbers = [
                _number(word, 65535, what) for word, what in zip(words, ("priority", "weight", "port"), strict=False)
            ]
            return " ".join([*map(str, numbers), _target(words[3])])
        case "CAA":
            return _caa(text)
        case "TLSA":
            return _tlsa(text)
        case "TXT":
            return _text(text)
        case _:
            raise InvalidDns("type_unknown", f"records of type {type_} cannot be edited", field="type")


def to_content(type_: str, value: str) -> str:
    """A plain value as PowerDNS takes it. ValueError for an address that is none; other types go as they are."""
    if type_ == "TXT":
        return quote(value)
    if type_ in {"A", "AAAA"}:
        return str(ipaddress.ip_address(value))
    if type_ in NAMES:
        return ascii_name(value) + "."
    if type_ in NAME_LAST and not value.endswith("."):
        return value + "."
    return value


def to_value(type_: str, content: str) -> str:
    """PowerDNS's content in the plain form, also of records that others made: whatever it is, it can be shown."""
    if type_ == "TXT":
        return unquote(content)
    if type_ in {"A", "AAAA"}:
        try:
            return str(ipaddress.ip_address(content))
        except ValueError:
            return content
    if type_ in NAMES or type_ in NAME_LAST:
        lower = content.lower()
        return lower if lower == NOWHERE or lower.endswith(f" {NOWHERE}") else lower.removesuffix(".")
    if type_ == "TLSA":
        words = content.lower().split(maxsplit=3)
        return " ".join([*words[:3], *("".join(word.split()) for word in words[3:])])
    return content


# ---- TXT


def quote(value: str) -> str:
    """In presentation form, cut into character strings; octets outside ASCII as \\DDD (RFC 1035 §5.1)."""
    octets = value.encode("utf-8")
    chunks = [octets[at : at + TXT_CHUNK] for at in range(0, len(octets), TXT_CHUNK)] or [b""]
    return " ".join('"' + "".join(map(_escaped, chunk)) + '"' for chunk in chunks)


def _escaped(octet: int) -> str:
    if octet in b'"\\':
        return f"\\{chr(octet)}"
    return chr(octet) if 32 <= octet < 127 else f"\\{octet:03d}"


def unquote(content: str) -> str:
    made = bytearray()
    for string in re.findall(r'"((?:[^"\\]|\\.)*)"', content, re.DOTALL):
        for number, escaped, other in re.findall(r"\\(\d{3})|\\(.)|([^\\]+)", string, re.DOTALL):
            made += bytes([int(number) & 255]) if number else (escaped or other).encode("utf-8")
    return made.decode("utf-8", "backslashreplace")


def _text(text: str) -> str:
    if not text:
        raise InvalidDns("text_empty", "a TXT value holds at least one character", field="values")
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in text):
        raise InvalidDns("text_control", "a TXT value holds no line breaks or control characters", field="values")
    if len(text) > 1 and text.startswith('"') and text.endswith('"'):
        raise InvalidDns("text_quoted", "write a TXT value without quotes; they are added where needed", field="values")
    if len(text.encode("utf-8")) > TXT_MAX:
        raise InvalidDns("text_too_long", f"a TXT value is at most {TXT_MAX} octets long", field="values")
    return text


# ---- the others


def _address(type_: str, text: str) -> str:
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError as error:
        raise InvalidDns("address_malformed", f"{text!r} is not an IP address", field="values") from error
    if isinstance(address, ipaddress.IPv4Address):
        if type_ == "A":
            return str(address)
        raise InvalidDns("address_wrong_family", f"{text} is an IPv4 address: an A record", field="values")
    if type_ == "A":
        raise InvalidDns("address_wrong_family", f"{text} is an IPv6 address: an AAAA record", field="values")
    if address.scope_id is not None or address.ipv4_mapped is not None:
        # 4.7.3 answers a mapped one in a form that it refuses to be sent.
        raise InvalidDns("address_not_global", f"{text} means nothing outside one machine", field="values")
    return str(address)


def _words(text: str, count: int, wanted: str) -> list[str]:
    words = text.split()
    if len(words) != count:
        raise InvalidDns("value_malformed", f"{text!r} is not {wanted}", field="values")
    return words


def _number(text: str, most: int, what: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or int(text) > most:
        raise InvalidDns("number_out_of_range", f"{what} is a number from 0 to {most}, not {text!r}", field="values")
    return int(text)


def _target(text: str) -> str:
    return NOWHERE if text == NOWHERE else check_host(text)


def _caa(text: str) -> str:
    found = re.fullmatch(r'\s*(\S+)\s+(\S+)\s+(?:"([^"]*)"|([^"\s]+))\s*', text)
    if found is None:
        raise InvalidDns("value_malformed", f'{text!r} is not like 0 issue "letsencrypt.org"', field="values")
    flags, tag, value = found[1], found[2].lower(), found[3] if found[3] is not None else found[4]
    if flags not in {"0", "128"}:
        raise InvalidDns("caa_flags", f"the flags of CAA are 0 or 128 (RFC 8659), not {flags!r}", field="values")
    if tag not in CAA_TAGS:
        raise InvalidDns(
            "caa_tag", f"{tag!r} is no property of CAA; known are {', '.join(sorted(CAA_TAGS))}", field="values"
        )
    if not re.fullmatch(r"[\x20-\x7e]*", value) or "\\" in value:
        raise InvalidDns("value_malformed", "the value of CAA is plain ASCII without backslashes", field="values")
    return f'{flags} {tag} "{value}"'


def _tlsa(text: str) -> str:
    words = text.split(maxsplit=3)
    if len(words) != 4:
        raise InvalidDns("value_malformed", f"{text!r} is not usage, selector, matching and data", field="values")
    usage, selector, matching = (_number(word, most, what) for word, most, what in zip(
        words, (3, 1, 2), ("usage", "selector", "matching"), strict=False))  # fmt: skip
    data = "".join(words[3].split()).lower()
    wanted = TLSA_DIGITS.get(matching, len(data))
    if not re.fullmatch(r"([0-9a-f]{2})+", data) or len(data) != wanted or len(data) > TLSA_MAX:
        digits = f"{wanted} " if matching else ""
        raise InvalidDns("tlsa_data", f"the data of TLSA is {digits}hexadecimal digits", field="values")
    return f"{usage} {selector} {matching} {data}"
