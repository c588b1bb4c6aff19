"""The CAs as activities see them: which one is asked for what, its account key, and the policy that follows."""

from __future__ import annotations

import hashlib

from activities._context import Deps
from db import secrets
from db.models_certificates import Certificate
from domain.renewal import Action, RenewalRules
from providers.acme.authorities import Role
from providers.acme.client import AcmeClient
from providers.acme.revocation import list_urls
from providers.errors import InvalidInput

ROLES = {Action.SECOND_CA: Role.SECOND, Action.REHEARSE: Role.STAGING}


def rules_of(deps: Deps) -> RenewalRules:
    """Patience as everywhere; whether there is a second CA and one for rehearsals is a matter of settings."""
    others = deps.authorities
    return RenewalRules(
        has_staging=others is not None and others.has(Role.STAGING),
        has_second_ca=others is not None and others.has(Role.SECOND),
    )


def ca_for(deps: Deps, action: Action) -> tuple[AcmeClient, str]:
    """(client, profile) for the action. InvalidInput where a setting was taken away meanwhile."""
    role = ROLES.get(action)
    if role is None:
        return deps.acme, deps.config.acme_profile
    if deps.authorities is None:
        raise InvalidInput(f"no {role} CA is configured", field="acme_directory_url")
    return deps.authorities.client(role), deps.authorities.profile(role)


def issuer_of(deps: Deps, directory_url: str) -> AcmeClient | None:
    """Who issued something and is to be asked about it; None for a CA that we do not speak to any more."""
    if deps.acme.directory_url == directory_url:
        return deps.acme
    return deps.authorities.of_directory(directory_url) if deps.authorities is not None else None


def can_be_asked(deps: Deps, row: Certificate) -> bool:
    """Whether anybody can tell more of a certificate than its own dates: its CA, or that CA's list."""
    return issuer_of(deps, row.directory_url) is not None or bool(list_urls(row.chain_pem))


async def account_key(deps: Deps, ca: AcmeClient) -> str:
    """One account for all customers, as CAs advise; its key is stored before it is first used."""
    directory = hashlib.sha256(ca.directory_url.encode()).hexdigest()[:32]
    async with deps.db.begin() as session:
        return await secrets.ensure(session, deps.keys, f"acme-account:{directory}", ca.new_account_key)
