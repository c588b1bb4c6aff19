"""The mail domains of a host as Postfix reads them (texthash: `name value` a line), with the owner as the value.

Pure, and over bytes: lines of an administrator stay as they are, whatever they hold.
"""

from __future__ import annotations

from providers.errors import Conflict

_OWNER = "owner="


def owner_in(table: bytes, domain: str) -> str | None:
    """The owner on a domain's line, "" for a line without our mark, None for no line."""
    for line in table.splitlines():
        words = line.decode("utf-8", "replace").split()
        if words and not words[0].startswith("#") and words[0].lower() == domain:
            marked = len(words) == 2 and words[1].startswith(_OWNER)
            return words[1].removeprefix(_OWNER) if marked else ""
    return None


def with_domain(table: bytes, domain: str, owner: str) -> bytes:
    """Conflict where the domain is somebody else's."""
    found = owner_in(table, domain)
    if found is not None:
        refuse_foreign(found, domain, owner)
        return table
    if table and not table.endswith(b"\n"):
        table += b"\n"
    return table + _line(domain, owner)


def without_domain(table: bytes, domain: str, owner: str) -> bytes:
    found = owner_in(table, domain)
    if found is None:
        return table
    refuse_foreign(found, domain, owner)
    ours = _line(domain, owner).split()
    return b"".join(line for line in table.splitlines(keepends=True) if line.split() != ours)


def refuse_foreign(found: str, domain: str, owner: str) -> None:
    if found != owner:
        raise Conflict(f"the mail domain {domain} on this host is not ours to touch", field="domain")


def _line(domain: str, owner: str) -> bytes:
    return f"{domain} {_OWNER}{owner}\n".encode()
