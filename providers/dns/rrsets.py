"""Record sets as PowerDNS shows and takes them, and the mark that says whose they are.

Pure: no I/O. The mark is a comment of the record set (account `slipway`, content `owner=<id>`); PowerDNS 4.7.3 keeps it
through a REPLACE that names no comments and drops it with a DELETE. Backends without comments (BIND files) refuse the
write (422), so nothing of ours is ever there without its mark.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import BaseModel

from domain.dns_names import ascii_name
from domain.dns_values import to_content, to_value
from domain.ids import OWNER_TAG
from providers.dns.wire import PROVIDER
from providers.errors import InvalidInput


class Note(BaseModel, frozen=True):
    """A comment of a set that is not our mark. `modified_at` in seconds since 1970."""

    account: str = ""
    content: str = ""
    modified_at: int = 0


class Rrset(BaseModel, frozen=True):
    """`values` are the answered ones, in the plain form of domain/dns_values.py; `disabled` are kept by the server and
    not answered. `owner` is None for somebody else's. `name` has the last dot."""

    name: str
    type: str
    ttl: int
    values: tuple[str, ...]
    disabled: tuple[str, ...] = ()
    owner: str | None = None
    notes: tuple[Note, ...] = ()


def canonical(name: str) -> str:
    """Lower case with the trailing dot PowerDNS insists on; international names as A-labels."""
    return ascii_name(name) + "."


def suffixes(name: str) -> list[str]:
    """Names that may be a zone of `name`: itself and those above it, longest first, without the root and wildcards."""
    labels = canonical(name).removeprefix("*.").rstrip(".").split(".")
    return [".".join(labels[start:]) + "." for start in range(len(labels))]


def contents(type_: str, values: Iterable[str]) -> list[str]:
    """Plain values as the server takes them, each once. InvalidInput for what is none."""
    try:
        return sorted({to_content(type_, value) for value in values})
    except ValueError as error:
        raise InvalidInput(f"not a value for {type_}: {error}", provider=PROVIDER, field="value") from error


# ---- the mark


def mark(owner: str) -> dict[str, str]:
    return {"account": OWNER_TAG, "content": f"owner={owner}"}


def marked(owner: str, found: Rrset | None) -> list[dict[str, Any]]:
    """The comments of a set to write: our mark, beside the notes that people left on the one that is there."""
    return [*(note.model_dump() for note in (found.notes if found else ())), mark(owner)]


def _is_mark(comment: dict[str, Any]) -> bool:
    return comment.get("account") == OWNER_TAG and str(comment.get("content", "")).startswith("owner=")


def owner_of(comments: Sequence[dict[str, Any]]) -> str | None:
    return next((str(item["content"]).removeprefix("owner=") for item in comments if _is_mark(item)), None)


# ---- changes of a PATCH


def replacement(
    name: str,
    type_: str,
    made: Iterable[str],
    *,
    ttl: int,
    comments: list[dict[str, Any]] | None,
    disabled: Iterable[str] = (),
) -> dict[str, Any]:
    """REPLACE: exactly these contents. None for `comments` leaves those that are there."""
    records = [{"content": content, "disabled": False} for content in made]
    records += [{"content": content, "disabled": True} for content in disabled]
    change: dict[str, Any] = {"name": name, "type": type_, "ttl": ttl, "changetype": "REPLACE", "records": records}
    return change if comments is None else change | {"comments": comments}


def deletion(name: str, type_: str) -> dict[str, Any]:
    """DELETE, not an empty REPLACE: that one leaves the comments, and with them our mark, behind."""
    return {"name": name, "type": type_, "changetype": "DELETE"}


# ---- answers


def every(zone: dict[str, Any]) -> list[Rrset]:
    """All sets of a zone's answer that hold records. Left-over comments of 4.7.3 are sets without; they are none."""
    return [_read(item) for item in zone.get("rrsets") or [] if item.get("records")]


def pick(zone: dict[str, Any], name: str, type_: str) -> Rrset | None:
    """One set out of a zone's answer. Picked by name and type again, because a server may ignore the filter."""
    wanted = canonical(name)
    return next((found for found in every(zone) if found.name == wanted and found.type == type_), None)


def _read(item: dict[str, Any]) -> Rrset:
    type_, records, comments = str(item["type"]), item["records"], item.get("comments") or []
    values = {off: sorted(to_value(type_, str(record["content"])) for record in records
                          if bool(record.get("disabled")) is off) for off in (False, True)}  # fmt: skip
    return Rrset(
        name=canonical(str(item["name"])),
        type=type_,
        ttl=int(item["ttl"]),
        values=tuple(values[False]),
        disabled=tuple(values[True]),
        owner=owner_of(comments),
        notes=tuple(Note.model_validate(comment) for comment in comments if not _is_mark(comment)),
    )
