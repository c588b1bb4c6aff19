"""Which limits we know of which CA, and what an order of ours takes of them. Of any other CA its own refusals tell, and
they are kept beside these."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from domain.ca_limits import LETS_ENCRYPT, LETS_ENCRYPT_STAGING, Bucket, CaLimit, Renewal, Wanted
from domain.registered import registered_domain

ACCOUNT = "house"  # at each CA one account, for all customers

DIRECTORIES: dict[str, Mapping[CaLimit, Bucket]] = {
    "https://acme-v02.api.letsencrypt.org/directory": LETS_ENCRYPT,
    "https://acme-staging-v02.api.letsencrypt.org/directory": LETS_ENCRYPT_STAGING,
}


def order_for(names: Iterable[str], renewal: Renewal = Renewal.NEW) -> Wanted:
    """An order of ours for these names."""
    ordered = sorted(names)
    return Wanted(ACCOUNT, ordered, [*map(registered_domain, ordered)], renewal)


def limits_of(directory_url: str) -> Mapping[CaLimit, Bucket]:
    return DIRECTORIES.get(directory_url, {})
