"""Record contents as PowerDNS 4.7.3 reads them: what it accepts, what it rewrites, and its words when it refuses.

The words were taken from a real pdns_server; see tests/providers/dns/fixtures. Pure.
"""

from __future__ import annotations

import re

import dns.exception
import dns.ipv6
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype

CHECK = "Parsing record content (try 'pdnsutil check-zone'): "
NAME_CHARACTERS = re.compile(r"[^A-Za-z0-9_/.@*-]")


class Refused(Exception):
    """422 with this text."""


def canonical(name: object, text: str = "DNS Name '{}' is not canonical") -> str:
    if not isinstance(name, str) or not name.endswith("."):
        raise Refused(text.format(name))
    return name.lower()


def check_characters(name: str) -> None:
    bad = NAME_CHARACTERS.search(name)
    if bad:
        escaped = NAME_CHARACTERS.sub(lambda found: f"\\{ord(found.group()):03d}", name)
        raise Refused(f"Name '{escaped}' contains unsupported characters")


def zone_name(name: object) -> str:
    """Of a zone: no wildcard."""
    made = canonical(name)
    check_characters(made)
    if "*" in made:
        raise Refused(f"Name '{name}' contains unsupported characters")
    return made


def known_type(type_: str) -> bool:
    try:
        return dns.rdatatype.from_text(type_) not in {dns.rdatatype.NONE, dns.rdatatype.ANY, dns.rdatatype.AXFR}
    except (dns.rdatatype.UnknownRdatatype, ValueError):
        return False


def normalized(type_: str, content: str) -> str:
    """The content as it is stored. Refused carries what stands behind "Record name/TYPE 'content': "."""
    if type_ == "A":
        return _address(content)
    if type_ == "AAAA":
        try:
            return dns.ipv6.canonicalize(content)
        except dns.exception.SyntaxError as error:
            raise Refused("Invalid IPv6 address") from error
    if type_ == "TXT":
        return _text(content)
    if type_ == "MX" and not content[:1].isdigit():
        raise Refused(f"{CHECK}expected digits at position 0 in '{content}'")
    if type_ == "SOA" and len(content.split()) < 7:
        raise Refused(f"{CHECK}missing field at the end of record content '{content}'")
    try:
        parsed = dns.rdata.from_text(
            dns.rdataclass.IN, dns.rdatatype.from_text(type_), content, origin=dns.name.root, relativize=False
        ).to_text()
    except (dns.exception.DNSException, ValueError) as error:
        raise Refused(f"{CHECK}{error}") from error
    if type_ == "TLSA":
        words = parsed.split(maxsplit=3)
        return _expected(content, " ".join([*words[:3], "".join(words[3].split())])).lower()
    return _expected(content, parsed)


def _expected(content: str, parsed: str) -> str:
    if parsed.lower() != content.lower():
        raise Refused(f"Not in expected format (parsed as '{parsed}')")
    return content


def _address(content: str) -> str:
    text = content.strip()
    if not text:
        raise Refused(f"{CHECK}missing field at the end of record content '{content}'")
    stray = re.search(r"[^0-9.]", text) or re.search(r"(?<=\.)\.|^\.|\.$", text)
    if stray:
        raise Refused(f"{CHECK}while parsing IP address, expected digits at position {stray.start()} in '{text}'")
    dots = text.count(".")
    if dots != 3:
        raise Refused(f"{CHECK}unable to parse IP address, {'not enough' if dots < 3 else 'too many'} dots")
    if any(int(part) > 255 for part in text.split(".")):
        raise Refused(f"{CHECK}unable to parse IP address")
    return _expected(content, ".".join(str(int(part)) for part in text.split(".")))


def _text(content: str) -> str:
    rest = content
    while rest.strip():
        rest = rest.lstrip()
        if not rest.startswith('"'):
            at = len(content) - len(rest)
            raise Refused(f"{CHECK}Data field in DNS should start with quote (\") at position {at} of '{content}'")
        string = re.match(r'"(?:[^"\\]|\\.)*"', rest, re.DOTALL)
        if string is None:
            raise Refused(f"{CHECK}Data field in DNS should end on a quote (\") in '{content}'")
        rest = rest[string.end() :]
    return content


def cut_strings(content: str) -> str:
    """TXT content with every string in pieces of at most 255 octets, as it goes on the wire; nothing is one empty."""
    pieces: list[str] = []
    for string in re.findall(r'"((?:[^"\\]|\\.)*)"', content, re.DOTALL) or [""]:
        units = re.findall(r"\\\d{3}|\\.|.", string, re.DOTALL)
        octets, piece = 0, ""
        for unit in units:
            size = 1 if unit.startswith("\\") else len(unit.encode())
            if octets + size > 255:
                pieces.append(piece)
                octets, piece = 0, ""
            octets, piece = octets + size, piece + unit
        pieces.append(piece)
    return " ".join(f'"{piece}"' for piece in pieces)
