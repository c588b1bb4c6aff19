"""The registered domain of a name, as CAs count their limits: one label below a public suffix (publicsuffix.org)."""

from __future__ import annotations

import functools

from publicsuffixlist import PublicSuffixList


@functools.cache
def _suffixes() -> PublicSuffixList:
    """The list as the package brings it, with its private part: what is sold below `github.io` counts by itself."""
    return PublicSuffixList()


def registered_domain(name: str) -> str:
    """`name` in ASCII, a wildcard or not. A public suffix itself is its own; a suffix that nobody has listed has one
    label."""
    host = name.removeprefix("*.").rstrip(".").lower()
    return _suffixes().privatesuffix(host) or host
