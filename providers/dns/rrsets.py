"""Records of one name and type as PowerDNS shows them, in plain values, and the mark that says whose they are.

Pure: no I/O. The mark is a comment of the record set (account `slipway`, content `owner=<id>`); PowerDNS 4.7.3 keeps it
through a REPLACE that names no comments and drops it with a DELETE.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from domain.ids import OWNER_TAG

TXT_CHUNK = 255  # RFC 1035 §3.3: one character string


class Rrset(BaseModel, frozen=True):
    """`values` are plain: TXT without quotes, addresses in canonical form. `owner` is None for somebody else's."""

    name: str
    type: str
    ttl: int
    values: tuple[str, ...]
    owner: str | None = None


def canonical(name: str) -> str:
    """Lower case with the trailing dot PowerDNS insists on; international names as A-labels."""
    bare = name.strip().rstrip(".")
    if not bare.isascii():
        bare = bare.encode("idna").decode()
    return bare.lower() + "."


def suffixes(name: str) -> list[str]:
    """Names that may be a zone of `name`: itself and those above it, longest first, without the root and wildcards."""
    labels = canonical(name).removeprefix("*.").rstrip(".").split(".")
    return [".".join(labels[start:]) + "." for start in range(len(labels))]


def quote(value: str) -> str:
    """A TXT value in presentation form, split into character strings."""
    chunks = [value[at : at + TXT_CHUNK] for at in range(0, len(value), TXT_CHUNK)] or [""]
    return " ".join('"' + chunk.replace("\\", "\\\\").replace('"', '\\"') + '"' for chunk in chunks)


def unquote(content: str) -> str:
    return "".join(re.sub(r"\\(.)", r"\1", part) for part in re.findall(r'"((?:[^"\\]|\\.)*)"', content))


def to_content(type_: str, value: str) -> str:
    if type_ == "TXT":
        return quote(value)
    if type_ in {"A", "AAAA"}:
        return str(ipaddress.ip_address(value))
    if type_ in {"CNAME", "NS"}:
        return canonical(value)
    return value


def to_value(type_: str, content: str) -> str:
    return unquote(content) if type_ == "TXT" else content


def mark(owner: str) -> dict[str, str]:
    return {"account": OWNER_TAG, "content": f"owner={owner}"}


def owner_of(comments: Sequence[dict[str, Any]]) -> str | None:
    for comment in comments:
        content = str(comment.get("content", ""))
        if comment.get("account") == OWNER_TAG and content.startswith("owner="):
            return content.removeprefix("owner=")
    return None


def pick(zone: dict[str, Any], name: str, type_: str) -> Rrset | None:
    """The record set out of a zone's answer.

    Picked by name and type again, because a server may ignore the filter, and because 4.7.3 answers it with left-over
    comments of other names too: sets without records, which do not exist.
    """
    for item in zone.get("rrsets") or []:
        if canonical(str(item["name"])) != canonical(name) or item["type"] != type_ or not item.get("records"):
            continue
        values = tuple(sorted(to_value(type_, str(record["content"])) for record in item["records"]))
        owner = owner_of(item.get("comments") or [])
        return Rrset(name=canonical(name), type=type_, ttl=int(item["ttl"]), values=values, owner=owner)
    return None
