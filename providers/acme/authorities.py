"""The CAs we may turn to: the first, a second for when it fails, and the staging CA for rehearsals."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel

from providers.acme.accounts import ExternalAccount
from providers.acme.client import AcmeClient
from providers.acme.problems import PROVIDER
from providers.errors import InvalidInput

LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"
LETS_ENCRYPT_STAGING = "https://acme-staging-v02.api.letsencrypt.org/directory"


class Role(StrEnum):
    FIRST = "first"
    SECOND = "second"
    STAGING = "staging"  # what it issues is trusted by nobody, and must never be installed


class Authority(BaseModel, frozen=True):
    """One CA. `external_account` where it wants accounts bound; `ca_file` where its API is not publicly trusted."""

    directory_url: str
    ca_file: Path | None = None
    email: str | None = None
    profile: str = ""
    external_account: ExternalAccount | None = None


class Authorities:
    """A client for each role that is filled. An account belongs to one directory: keep its key by `directory_url`."""

    def __init__(self, authorities: Mapping[Role, Authority], *, poll_seconds: float = 1.0) -> None:
        self._authorities = dict(authorities)
        self._clients = {
            role: AcmeClient(
                authority.directory_url,
                ca_file=authority.ca_file,
                email=authority.email,
                poll_seconds=poll_seconds,
                external_account=authority.external_account,
            )
            for role, authority in authorities.items()
        }

    def has(self, role: Role) -> bool:
        return role in self._clients

    def client(self, role: Role) -> AcmeClient:
        """InvalidInput: no CA has that role."""
        if role not in self._clients:
            raise InvalidInput(f"no {role} CA is configured", provider=PROVIDER, field="acme_directory_url")
        return self._clients[role]

    def profile(self, role: Role) -> str:
        return self._authorities[role].profile if role in self._authorities else ""

    def of_directory(self, directory_url: str) -> AcmeClient | None:
        """The client of the CA that issued something: the one to ask for renewal information and to revoke at."""
        return next((made for made in self._clients.values() if made.directory_url == directory_url), None)
