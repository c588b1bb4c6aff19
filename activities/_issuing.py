"""One issuance at the CA, for a deployment or a subscription: by DNS-01, for a key that stays on its server (X18)."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError
from temporalio import activity

from activities._context import Deps
from activities._log import Lines
from activities.names import name_servers
from db import secrets
from db.base import new_id
from db.models_certificates import Certificate
from domain.provisioning import CertificateIssued
from providers.acme import csr as csrs
from providers.acme.chains import Issued
from providers.dns.challenges import ChallengeSolver
from providers.errors import Transient

DEADLINE_SECONDS = 240.0  # of one issuance; leaves the attempt time to clean up
STORE_TRIES = 10
STORE_PAUSE_SECONDS = 3.0
_COLUMNS = {"deployment": Certificate.deployment_id, "subscription": Certificate.subscription_id}


class Holder(NamedTuple):
    """Whose certificate it is; `kind` is deployment or subscription. The id marks the challenge records."""

    kind: str
    id: uuid.UUID


class Issuing:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    async def issue(
        self, log: Lines, holder: Holder, names: Sequence[str], csr_pem: str, profile: str
    ) -> CertificateIssued:
        """The stored certificate for this key and these names, or a new one. The activity around it beats."""
        request = csrs.facts(csr_pem)
        csrs.require_exactly(request, sorted(names))
        stored = await self._stored(holder, request)
        if stored is not None:
            await log.say(f"certificate {stored.serial} for this key is already present")
            return _shown(stored)
        solver = ChallengeSolver(
            self._deps.dns,
            await name_servers(self._deps, names[0]),
            owner=str(holder.id),
            ttl=self._deps.config.dns_ttl,
        )
        await log.say(f"asking {self._deps.acme.directory_url} for a certificate for {', '.join(names)}")
        issued = await self._deps.acme.issue(
            await self._account_key(),
            csr_pem,
            profile=profile or self._deps.config.acme_profile,
            solver=solver,
            deadline_seconds=DEADLINE_SECONDS,
            heartbeat=activity.heartbeat,
        )
        made = await self._store(holder, issued)
        await log.say(f"certificate {issued.serial} issued by {issued.issuer}, valid until {issued.not_after:%F}")
        return _shown(made)

    async def _account_key(self) -> str:
        """One account for all customers, as CAs advise; its key is stored before it is first used."""
        directory = hashlib.sha256(self._deps.acme.directory_url.encode()).hexdigest()[:32]
        async with self._deps.db.begin() as session:
            return await secrets.ensure(
                session, self._deps.keys, f"acme-account:{directory}", self._deps.acme.new_account_key
            )

    async def _stored(self, holder: Holder, request: csrs.CsrFacts) -> Certificate | None:
        """A certificate for this key and these names with a third of its life left: less is a renewal's business."""
        async with self._deps.db.begin() as session:
            rows = await session.scalars(
                select(Certificate)
                .where(
                    _COLUMNS[holder.kind] == holder.id,
                    Certificate.key_sha256 == request.key_sha256,
                    Certificate.directory_url == self._deps.acme.directory_url,
                )
                .order_by(Certificate.not_after.desc())
            )
            now = datetime.now(UTC)
            for row in rows:
                if (
                    sorted(row.names) == list(request.names)
                    and now < row.not_after - (row.not_after - row.not_before) / 3
                ):
                    return row
        return None

    async def _store(self, holder: Holder, issued: Issued) -> Certificate:
        """Keep what was issued. A database that is away for a moment must not cost another order at the CA."""
        values = {
            "id": new_id(),
            _COLUMNS[holder.kind].key: holder.id,
            "names": issued.names,
            "serial": issued.serial,
            "issuer": issued.issuer,
            "not_before": issued.not_before,
            "not_after": issued.not_after,
            "chain_pem": issued.chain_pem,
            "key_sha256": issued.key_sha256,
            "directory_url": self._deps.acme.directory_url,
        }
        query = select(Certificate).where(Certificate.serial == issued.serial, Certificate.issuer == issued.issuer)
        for left in reversed(range(STORE_TRIES)):
            try:
                async with self._deps.db.begin() as session:
                    await session.execute(insert(Certificate).values(**values).on_conflict_do_nothing())
                    return (await session.execute(query)).scalar_one()
            except (SQLAlchemyError, OSError) as error:
                if not left:
                    raise Transient(f"the certificate could not be stored: {type(error).__name__}") from error
                await asyncio.sleep(STORE_PAUSE_SECONDS)
        raise AssertionError("unreachable")


def _shown(row: Certificate) -> CertificateIssued:
    return CertificateIssued(certificate_id=str(row.id), serial=row.serial, not_after=row.not_after)
