"""Certificate profiles (draft-ietf-acme-profiles): which of those a directory offers is asked for."""

from __future__ import annotations

from collections.abc import Mapping

from providers.acme.problems import PROVIDER
from providers.errors import InvalidInput

PREFERRED_PROFILES = ("classic", "default")  # Let's Encrypt's and Pebble's names of the long-lived one


def choose_profile(offered: Mapping[str, str] | None, wanted: str = "") -> str | None:
    """The profile to ask for. Where profiles exist one is always asked for: unasked, the CA may pick a six-day one."""
    if not offered:
        return None
    if wanted:
        if wanted not in offered:
            raise InvalidInput(
                f"the CA offers no profile {wanted!r}, only {', '.join(sorted(offered))}",
                provider=PROVIDER,
                field="acme_profile",
            )
        return wanted
    for name in (*PREFERRED_PROFILES, *(name for name in offered if "short" not in name)):
        if name in offered:
            return name
    return next(iter(offered))
