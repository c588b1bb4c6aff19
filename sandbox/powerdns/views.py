"""What is read of a server beside its zones: a search over everything, and a zone as text. As 4.7.3 answers."""

from __future__ import annotations

import re
from typing import Any

from sandbox.powerdns.contents import Refused
from sandbox.powerdns.store import Store

KINDS = {"all", "zone", "record", "comment"}


def search(store: Store, query: str | None, most: str | None, kind: str | None) -> list[dict[str, Any]]:
    """`*` and `?` stand for any text and any character. Names are matched without their last dot."""
    if not query:
        raise Refused("Query q can't be blank")
    left = int(most) if most else 100
    if left < 1:
        raise Refused("Maximum entries must be larger than 0")
    if kind not in {None, "", *KINDS}:
        raise Refused("object_type must be one of the following options: all, zone, record, comment")
    pattern = re.compile(
        "".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in query), re.IGNORECASE | re.DOTALL
    )

    def fits(*texts: str) -> bool:
        return any(pattern.fullmatch(text) for text in texts)

    found: dict[str, list[dict[str, Any]]] = {"zone": [], "record": [], "comment": []}
    for zone in store.zones():
        where = {"zone": zone.name, "zone_id": zone.name}
        if fits(zone.name.removesuffix(".")):
            found["zone"].append({"name": zone.name, "object_type": "zone", "zone_id": zone.name})
        for record in store.records(zone.name):
            if fits(record.name.removesuffix("."), record.content):
                shown = {"content": record.content, "disabled": record.disabled, "name": record.name,
                         "object_type": "record", "ttl": record.ttl, "type": record.type}  # fmt: skip
                found["record"].append(shown | where)
        for comment in store.comments(zone.name):
            if fits(comment.name.removesuffix("."), comment.content):
                shown = {"content": comment.content, "name": comment.name, "object_type": "comment",
                         "type": comment.type}  # fmt: skip
                found["comment"].append(shown | where)
    wanted = found if kind in {None, "", "all"} else {str(kind): found[str(kind)]}
    return [item for items in wanted.values() for item in items[:left]]


def export(store: Store, zone: str) -> str:
    """Lines of a zone file; disabled records and comments are left out."""
    lines = (f"{r.name}\t{r.ttl}\tIN\t{r.type}\t{r.content}\n" for r in store.records(zone) if not r.disabled)
    return "".join(sorted(lines))
