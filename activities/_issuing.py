"""One issuance at a CA, for a deployment or a subscription, for a key that stays on its server (X18)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError

from activities._cas import ca_for, rules_of
from activities._context import Deps
from activities._orders_at_ca import Order, OrderAtCa
from activities._proofs import challenge_for
from activities._renewing import Holder
from db.base import new_id
from db.models_certificates import Certificate
from db.queries import certificates, shared_certificates
from domain.ca_limits import Renewal
from domain.certificates import HolderKind
from domain.provisioning import CertificateIssued
from domain.renewal import Action
from providers.acme import csr as csrs
from providers.acme.ari import certificate_id, leaf_of
from providers.acme.chains import Issued
from providers.errors import InvalidInput, Transient
from providers.hosts.packages import Say

STORE_TRIES = 10
STORE_PAUSE_SECONDS = 3.0
_COLUMNS = {HolderKind.DEPLOYMENT: Certificate.deployment_id, HolderKind.SUBSCRIPTION: Certificate.subscription_id}


class Issuing:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    async def issue(
        self, say: Say, holder: Holder, names: Sequence[str], csr_pem: str, profile: str, asked: str
    ) -> CertificateIssued:
        """The stored certificate for this key and these names, or a new one. The activity around it beats.

        `asked`: the challenge that an operator has chosen, or empty.
        """
        request = csrs.facts(csr_pem)
        csrs.require_exactly(request, sorted(names))
        async with self._deps.db.begin() as session:
            if await shared_certificates.is_shared(session, request.key_sha256):
                raise InvalidInput("the CSR is for a key that was uploaded, which others know", field="csr_pem")
        stored = await self._stored(holder, request)
        if stored is not None:
            await say(f"certificate {stored.serial} for this key is already present")
            return _shown(stored)
        ca, usual = ca_for(self._deps, Action.RENEW)
        challenge = await challenge_for(self._deps, names, asked=asked)
        await say(f"asking {ca.directory_url} for a certificate for {', '.join(names)}, to be proven by {challenge}")
        order = Order(ca, holder, names, csr_pem, profile or usual, challenge)
        issued = await OrderAtCa(self._deps, order).obtain()
        made = await self._store(order, issued)
        await say(f"certificate {issued.serial} issued by {issued.issuer}, valid until {issued.not_after:%F}")
        return _shown(made)

    async def renew(
        self, say: Say, old: Certificate, names: Sequence[str], csr_pem: str, action: Action, asked: str
    ) -> Certificate:
        """A successor for the key of the CSR, which names its predecessor where the same CA issued it. One that was
        issued before and is not served yet is taken first. Raises what `OrderAtCa.obtain` does."""
        request = csrs.facts(csr_pem)
        csrs.require_exactly(request, names)
        async with self._deps.db.begin() as session:
            found = await certificates.successor(session, old)
        if found is not None and _fits(found, request):
            await say(f"certificate {found.serial} was issued before and is used")
            return found
        order = await self._renewal(old, names, csr_pem, action, asked)
        issued = await OrderAtCa(self._deps, order).obtain()
        made = await self._store(order, issued, renews=old)
        await say(f"certificate {issued.serial} issued by {issued.issuer} in place of {old.serial}")
        return made

    async def rehearse(self, say: Say, old: Certificate, names: Sequence[str], csr_pem: str, asked: str) -> None:
        """The same at the staging CA. What it issues is trusted by nobody and is not kept."""
        csrs.require_exactly(csrs.facts(csr_pem), names)
        order = await self._renewal(old, names, csr_pem, Action.REHEARSE, asked)
        issued = await OrderAtCa(self._deps, order).obtain()
        async with self._deps.db.begin() as session:
            await certificates.forget_order(session, order.holder.id, order.ca.directory_url)
        await say(f"{order.ca.directory_url} would have issued a certificate for {', '.join(issued.names)}")

    async def _renewal(self, old: Certificate, names: Sequence[str], csr_pem: str, action: Action, asked: str) -> Order:
        ca, profile = ca_for(self._deps, action)
        holder = Holder(*certificates.holder_of(old))
        challenge = await challenge_for(self._deps, names, asked=asked, before=old.challenge, look=old.failures > 0)
        if ca.directory_url != old.directory_url:
            return Order(ca, holder, names, csr_pem, profile, challenge)
        named = old.certificate_id or certificate_id(leaf_of(old.chain_pem)) or ""
        inside = old.window_start is None or datetime.now(UTC) >= old.window_start
        same = Renewal.SAME_SET if sorted(names) == sorted(old.names) else Renewal.NEW
        shared = set(names) & set(old.names)
        kind = Renewal.ARI if named and inside and shared else same
        return Order(ca, holder, names, csr_pem, profile, challenge, named if shared else "", kind)

    async def _stored(self, holder: Holder, request: csrs.CsrFacts) -> Certificate | None:
        """A certificate for this key and these names with a third of its life left: less is a renewal's business."""
        async with self._deps.db.begin() as session:
            rows = await session.scalars(
                select(Certificate)
                .where(
                    _COLUMNS[holder.kind] == holder.id,
                    Certificate.key_sha256 == request.key_sha256,
                    Certificate.directory_url == self._deps.acme.directory_url,
                    Certificate.revoked.is_(False),
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

    async def _store(self, order: Order, issued: Issued, *, renews: Certificate | None = None) -> Certificate:
        """Keep what was issued. A database that is away for a moment must not cost another order at the CA.

        A renewal's successor has no plan of its own until it is served.
        """
        holder, directory_url = order.holder, order.ca.directory_url
        values = {
            "id": new_id(),
            _COLUMNS[holder.kind].key: holder.id,
            "renews_id": renews.id if renews is not None else None,
            "directory_url": directory_url,
            "challenge": order.challenge.value,
            **issued.model_dump(),
        }
        query = select(Certificate).where(
            Certificate.serial == issued.serial, Certificate.issuer == issued.issuer, Certificate.shared_id.is_(None)
        )
        for left in reversed(range(STORE_TRIES)):
            try:
                async with self._deps.db.begin() as session:
                    await session.execute(insert(Certificate).values(**values).on_conflict_do_nothing())
                    made = (await session.execute(query)).scalar_one()
                    await certificates.forget_order(session, holder.id, directory_url)
                    if renews is None:
                        now = datetime.now(UTC)
                        await certificates.supersede_others(session, made, now)
                        certificates.plan(made, now, rules_of(self._deps))
                    return made
            except (SQLAlchemyError, OSError) as error:
                if not left:
                    raise Transient(f"the certificate could not be stored: {type(error).__name__}") from error
                await asyncio.sleep(STORE_PAUSE_SECONDS)
        raise AssertionError("unreachable")


def _fits(found: Certificate, request: csrs.CsrFacts) -> bool:
    same = found.key_sha256 == request.key_sha256 and sorted(found.names) == list(request.names)
    return same and datetime.now(UTC) < found.not_after


def _shown(row: Certificate) -> CertificateIssued:
    return CertificateIssued(certificate_id=str(row.id), serial=row.serial, not_after=row.not_after)
