"""Names that customers bring for their sites: written in one way, and refused where no public resolver could know them.

IDNA 2008 as browsers apply it (UTS 46, RFC 5891); reserved names of RFC 6761 and its registry.
"""

from __future__ import annotations

import re

import idna

LONGEST = 249  # of 253, so that "www." fits before it
# Never in the public DNS.
_PRIVATE = frozenset({"alt", "arpa", "corp", "home", "internal", "invalid", "lan", "local", "localhost", "onion"})
# Reserved for documentation and tests (RFC 2606).
_EXAMPLES = frozenset({"example", "test"})
_EXAMPLE_DOMAINS = frozenset({"example.com", "example.net", "example.org"})
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def site_domain(text: str, base_domain: str) -> str:
    """The name in lower-case ASCII without the last dot: " Bücher.NL. " -> "xn--bcher-kva.nl".

    ValueError says what is wrong, without repeating the name. Names below `base_domain` are the platform's own to
    give. A platform whose own base domain is reserved is a lab, and takes names that are reserved for tests.
    """
    name = _ascii(text.strip())
    labels = name.split(".")
    if len(labels) < 2 or len(name) > LONGEST or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError("must be a host name with at least two labels of letters, digits and hyphens")
    if labels[-1].isdigit():
        raise ValueError("must be a host name, not an address")
    base = base_domain.lower().rstrip(".")
    if f".{name}".endswith(f".{base}") or f".{base}".endswith(f".{name}"):
        raise ValueError("must be a name of the customer's own, not one of the platform's")
    if labels[-1] in _PRIVATE or (_is_example(name, labels) and not _is_example(base, base.split("."))):
        raise ValueError("is a reserved name that no public name server answers for")
    return name


def is_host_name(name: str) -> bool:
    """Whether it is written as certificates write host names: ASCII, lower case, two labels at least."""
    labels = name.split(".")
    return len(labels) >= 2 and len(name) <= 253 and all(_LABEL.fullmatch(label) for label in labels)


def same_name(one: str, other: str) -> bool:
    """Whether two spellings are of one name: " Bücher.NL. " and "xn--bcher-kva.nl". What is no name is nobody's."""
    try:
        return _ascii(one.strip()) == _ascii(other.strip())
    except ValueError:
        return False


def _ascii(text: str) -> str:
    try:
        return idna.encode(text, uts46=True).decode().lower().rstrip(".")
    except (idna.IDNAError, UnicodeError):
        raise ValueError("is no host name") from None


def _is_example(name: str, labels: list[str]) -> bool:
    return labels[-1] in _EXAMPLES or ".".join(labels[-2:]) in _EXAMPLE_DOMAINS
