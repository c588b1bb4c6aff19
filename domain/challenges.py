"""How control over names is proven to a CA (RFC 8555 §8): by a record in DNS or a page on the names' host. Pure.

a wildcard            DNS-01, whatever was asked for or done before: HTTP-01 cannot prove one (§7.1.3, CA policy)
a zone not ours       HTTP-01: no record of ours would be seen
asked for             that
renewed               as the certificate before was, because that has worked
else                  DNS-01, which needs nothing of the host
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Literal

ChallengeChoice = Literal["", "dns-01", "http-01"]  # empty: by the rule


class Challenge(StrEnum):
    DNS_01 = "dns-01"
    HTTP_01 = "http-01"


class Unprovable(ValueError):
    """A wildcard in a zone that others serve: nothing that we can do proves it."""


def is_wildcard(name: str) -> bool:
    return name.startswith("*.")


def choose(names: Sequence[str], *, ours: bool, asked: str = "", before: str = "") -> Challenge:
    """`ours`: the world asks our name servers about all of the names. `asked` and `before` may be empty."""
    wildcards = [name for name in names if is_wildcard(name)]
    if wildcards and not ours:
        raise Unprovable(f"{', '.join(wildcards)} can only be proven in DNS, and other name servers answer for it")
    if wildcards:
        return Challenge.DNS_01
    if not ours:
        return Challenge.HTTP_01
    return Challenge(asked or before or Challenge.DNS_01)


def with_wildcard(names: Sequence[str]) -> list[str]:
    """The first name and everything one label below it; the others where that does not cover them."""
    base = names[0]
    return [base, f"*.{base}", *(name for name in names[1:] if name.partition(".")[2] != base)]
