"""An uploaded certificate on its way to a place: its key beside the one in use, and a row for the place."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from activities._cas import can_be_asked, rules_of
from activities._context import Deps
from activities._renewing import Holder, enter
from db.base import new_id
from db.models_certificates import Certificate, SharedCertificate
from db.queries import certificates, shared_certificates
from domain.certificates import HolderKind, covers
from domain.provisioning import CertificateIssued
from providers.acme.ari import certificate_id, leaf_of
from providers.errors import InvalidInput
from providers.hosts.packages import Say


class SharedKeys:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    async def bring(self, say: Say, holder: Holder, shared_id: str, renews: uuid.UUID) -> Certificate:
        """Its key on the holder's server, not in use yet, and its row, which has no plan until it is served.

        InvalidInput: shared keys are switched off, or it was withdrawn, has ended, or does not cover what the holder
        answers to by now.
        """
        if not self._deps.config.shared_keys:
            raise InvalidInput("shared keys are switched off (SHARED_KEYS)", field="certificate")
        try:
            async with self._deps.db.begin() as session:
                shared = await shared_certificates.usable(session, uuid.UUID(shared_id))
                old = await certificates.get(session, renews)
                names = await certificates.served_names(session, old)
            self._check(shared, names)
            await self._lay(holder, shared)
            await say(f"the uploaded certificate {shared.serial} and its key are beside the ones in use")
            async with self._deps.db.begin() as session:
                await shared_certificates.usable(session, shared.id)
                made = await certificates.successor(session, old)
                if made is None or made.shared_id != shared.id:
                    made = _row(session, holder, shared, renews=old.id)
                return made
        except shared_certificates.Withdrawn:
            raise InvalidInput("the uploaded certificate was withdrawn", field="certificate") from None

    async def default_for_site(self, say: Say, holder: Holder, names: Sequence[str]) -> CertificateIssued | None:
        """The house's default certificate for a new site, its key beside the site's own; None where there is none that
        covers the names, or where shared keys are switched off."""
        if not self._deps.config.shared_keys:
            return None
        now = datetime.now(UTC)
        async with self._deps.db.begin() as session:
            shared = await shared_certificates.default_for(session, names, now)
        if shared is None:
            return None
        try:
            await self._lay(holder, shared)
            async with self._deps.db.begin() as session:
                await shared_certificates.usable(session, shared.id)
                made = await self._placed(session, holder, shared, now)
        except shared_certificates.Withdrawn:
            return None  # at this very moment: then a CA is asked
        await say(f"the default certificate {made.serial} covers {', '.join(names)}; no CA is asked")
        return CertificateIssued(certificate_id=str(made.id), serial=made.serial, not_after=made.not_after)

    async def _placed(
        self, session: AsyncSession, holder: Holder, shared: SharedCertificate, now: datetime
    ) -> Certificate:
        made = await shared_certificates.in_place(session, shared.id, holder.id)
        if made is None:
            made = _row(session, holder, shared, renews=None)
            await session.flush()
            await certificates.supersede_others(session, made, now)
            certificates.plan(made, now, rules_of(self._deps), polls=can_be_asked(self._deps, made))
        return made

    async def _lay(self, holder: Holder, shared: SharedCertificate) -> None:
        key = shared_certificates.private_key(shared, self._deps.keys)
        async with enter(self._deps, holder) as place:
            await place.bring_key(key)

    def _check(self, shared: SharedCertificate, names: Sequence[str]) -> None:
        if missing := [name for name in names if not covers(shared.names, name)]:
            raise InvalidInput(f"the uploaded certificate is not for {', '.join(missing)}", field="certificate")
        if datetime.now(UTC) >= shared.not_after:
            raise InvalidInput("the uploaded certificate has ended", field="certificate")


def _row(session: AsyncSession, holder: Holder, shared: SharedCertificate, *, renews: uuid.UUID | None) -> Certificate:
    deployment = holder.kind is HolderKind.DEPLOYMENT
    row = Certificate(
        id=new_id(), deployment_id=holder.id if deployment else None,
        subscription_id=None if deployment else holder.id, shared_id=shared.id, renews_id=renews, names=shared.names,
        serial=shared.serial, issuer=shared.issuer, not_before=shared.not_before, not_after=shared.not_after,
        chain_pem=shared.chain_pem, key_sha256=shared.key_sha256, key_type=shared.key_type, directory_url="",
        certificate_id=certificate_id(leaf_of(shared.chain_pem)) or "",
    )  # fmt: skip
    session.add(row)
    return row
