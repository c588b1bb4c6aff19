"""Which mail addresses, domains and owners there can be. They become file names, so only plain ones pass."""

from __future__ import annotations

import re
from typing import NamedTuple

from providers.errors import InvalidInput

# RFC 5321 §4.5.3.1: 64 octets before the sign. What stands behind a `+` is a detail, no part of a mailbox's name.
_LOCAL = re.compile(r"[a-z0-9](?:[a-z0-9_-]|\.(?!\.)){0,63}(?<![.])")
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"(?:{_LABEL}\.)+(?!\d+$){_LABEL}")
_OWNER = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}")


class Address(NamedTuple):
    local: str
    domain: str

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}"


def domain_of(text: str) -> str:
    """Lower case, without a dot behind it, international names as A-labels. InvalidInput."""
    bare = text.strip().rstrip(".").lower()
    if not bare.isascii():
        try:
            bare = bare.encode("idna").decode()
        except UnicodeError:
            bare = ""
    if len(bare) > 253 or not _DOMAIN.fullmatch(bare):
        raise InvalidInput("this is not the name of a mail domain", field="domain")
    return bare


def address_of(text: str) -> Address:
    """InvalidInput for anything but `local@domain` with a plain local part."""
    local, sign, domain = text.strip().rpartition("@")
    # Of the letters outside of ASCII some are ASCII's when made small.
    if not sign or not local.isascii() or not _LOCAL.fullmatch(local.lower()):
        raise InvalidInput("this is not an address a mailbox can have", field="address")
    return Address(local.lower(), domain_of(domain))


def owner_of(text: str) -> str:
    if not _OWNER.fullmatch(text):
        raise InvalidInput("this is not an owner's id", field="owner")
    return text
