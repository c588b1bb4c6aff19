"""Which limits we know of which CA. Of any other its own refusals tell, and they are kept beside these."""

from __future__ import annotations

from collections.abc import Mapping

from domain.ca_limits import LETS_ENCRYPT, LETS_ENCRYPT_STAGING, Bucket, CaLimit

ACCOUNT = "house"  # at each CA one account, for all customers

DIRECTORIES: dict[str, Mapping[CaLimit, Bucket]] = {
    "https://acme-v02.api.letsencrypt.org/directory": LETS_ENCRYPT,
    "https://acme-staging-v02.api.letsencrypt.org/directory": LETS_ENCRYPT_STAGING,
}


def limits_of(directory_url: str) -> Mapping[CaLimit, Bucket]:
    return DIRECTORIES.get(directory_url, {})
