"""Certificates that come with their private keys (R061, R246): uploaded, put in places, made the default, withdrawn.

The house's rule is a key that never leaves its server (X18). An uploaded one is on several machines, so it is switched
off unless SHARED_KEYS says otherwise, marked wherever it is shown, and encrypted where it is kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import warnings
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated

from cryptography import x509
from cryptography.utils import CryptographyDeprecationWarning
from fastapi import APIRouter, Depends, Query
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response

from api.answers import also, refuses
from api.auditing import audited_change
from api.deps import Held, Operator, parsed_id
from api.envelope import reply
from api.errors import ApiError, not_found
from api.examples import taking
from api.paging import pagination
from api.services import Services, services
from api.starting import start_due_renewals
from api.upload_schemas import UPLOAD_REQUEST, UPLOADED, UPLOADS, WITHDRAWN, Upload, upload_shown
from db.models_certificates import Certificate, SharedCertificate
from db.queries import certificate_view, certificates
from db.queries import shared_certificates as rows
from domain.certificate_pairs import CertificatePair
from domain.certificates import covers
from domain.errors import ErrorCode
from providers.acme.pairs import read_pair
from providers.errors import InvalidInput

router = APIRouter(prefix="/api/ssl", tags=["certificates"])


@refuses(403)
async def _open(request: Request, principal: Operator) -> None:
    """Before the body is looked at: a key that nobody wants is not read."""
    if not services(request).settings.shared_keys:
        raise ApiError(ErrorCode.FORBIDDEN, "Keys do not leave their servers here; SHARED_KEYS in the settings allows "
                       "certificates to be uploaded with theirs.")  # fmt: skip


@router.post(
    "/upload", status_code=201, responses={201: UPLOADED, **also(409)}, openapi_extra=taking(UPLOAD_REQUEST),
    dependencies=[Depends(_open)],
)  # fmt: skip
async def upload(request: Request, asked: Upload, principal: Operator, held: Held) -> Response:
    """Keep it, its key encrypted, and have it put in its places. The same again: the same certificate, more places.

    422 where browsers would refuse it or it does not cover a name; 409 where it was withdrawn.
    """
    now = datetime.now(UTC)
    # Before the audit line, which names the certificate by what it says itself.
    pair = await asyncio.to_thread(_read, asked, held, now)  # the check of a long key takes its time
    target = ("shared_certificate", pair.serial)
    async with audited_change(held, request, principal, "certificate.upload", target, names=pair.names,
                              domains=asked.domains, default=asked.default) as session:  # fmt: skip
        try:
            row = await rows.keep(session, held.keys, pair, principal.username)
        except rows.Withdrawn:
            raise ApiError(ErrorCode.CONFLICT, "This certificate was withdrawn; bring one for another key.",
                           field="certificate") from None  # fmt: skip
        places = await _places(session, asked, row)
        replaced = await _replaced(session, asked, row)
        if asked.default or (replaced is not None and replaced.is_default):
            await rows.make_default(session, row)
        for place in places:
            rows.give(row, place, now)
        await session.flush()
        shown = upload_shown(row, await rows.places(session, row), now)
    starts = BackgroundTask(start_due_renewals, held, [place.id for place in places], principal.username)
    where = {"Location": f"/api/ssl/uploads/{shown['id']}"}
    return reply(request, {"certificate": shown}, 201, headers=where, background=starts)


@router.get("/uploads", responses={200: UPLOADS})
async def uploads(
    request: Request,
    principal: Operator,
    held: Held,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Response:
    """`open`: whether another may be uploaded."""
    now = datetime.now(UTC)
    async with held.db.begin() as session:
        total, found = await rows.page(session, offset=(page - 1) * limit, limit=limit)
    listed = [upload_shown(row, places, now) for row, places in found]
    body = {"uploads": listed, "open": held.settings.shared_keys, "pagination": pagination(page, limit, total)}
    return reply(request, body)


@router.get("/uploads/{upload_id}", responses={200: UPLOADED})
async def single(request: Request, upload_id: str, principal: Operator, held: Held) -> Response:
    async with held.db.begin() as session:
        row = await _found(session, upload_id)
        shown = upload_shown(row, await rows.places(session, row), datetime.now(UTC))
    return reply(request, {"certificate": shown})


@router.post("/uploads/{upload_id}/withdraw", responses={200: WITHDRAWN})
async def withdraw(request: Request, upload_id: str, principal: Operator, held: Held) -> Response:
    """Destroy its key here, and have each place that serves it get a certificate of our CA for a key of its own. It is
    served there until then. A second time changes nothing."""
    now = datetime.now(UTC)
    target = ("shared_certificate", upload_id[:64])
    async with audited_change(held, request, principal, "certificate.withdraw", target) as session:
        row = await _found(session, upload_id, lock=True)
        places = await rows.withdraw(session, row, now)
        await session.flush()
        shown = upload_shown(row, await rows.places(session, row), now)
    starts = BackgroundTask(start_due_renewals, held, [place.id for place in places], principal.username)
    return reply(request, {"certificate": shown}, background=starts)


def _read(asked: Upload, held: Services, now: datetime) -> CertificatePair:
    try:
        trust_file = held.settings.tls_trust_file
        roots = _roots(str(trust_file) if trust_file else None)
        return read_pair(asked.certificate, asked.private_key.get_secret_value(), roots, now)
    except InvalidInput as refused:
        field = {"private_key": "privateKey"}.get(refused.field or "", refused.field)
        raise ApiError(ErrorCode.VALIDATION_ERROR, f"{field}: {refused.message}.", field=field) from None


@lru_cache(maxsize=1)
def _roots(trust_file: str | None) -> Sequence[x509.Certificate]:
    """What the check from outside trusts as well; read once, a restart reads it anew."""
    roots = []
    for one in ssl.create_default_context(cafile=trust_file).get_ca_certs(binary_form=True):
        # An old root of a system's store may be written as no certificate may be by now; nothing is sold below it.
        with warnings.catch_warnings(), contextlib.suppress(ValueError, CryptographyDeprecationWarning):
            warnings.simplefilter("error", CryptographyDeprecationWarning)
            roots.append(x509.load_der_x509_certificate(one))
    return roots


async def _places(session: AsyncSession, asked: Upload, row: SharedCertificate) -> list[Certificate]:
    """What is served for the names, and where the replaced one is: each once, locked. 422 names what does not fit."""
    found: dict[object, Certificate] = {}
    for number, name in enumerate(asked.domains):
        served = await certificate_view.of_domain(session, name, None)
        if served is None:
            raise ApiError(ErrorCode.VALIDATION_ERROR, f"domains: {name!r} has no certificate here; a site or an "
                           "instance gets its first one when it is made.", field=f"domains.{number}")  # fmt: skip
        found[served.id] = await certificates.get(session, served.id, lock=True)
    if asked.replaces is not None:
        found |= {place.id: place for place in await rows.served_by(session, asked.replaces)}
    places = [place for place in found.values() if place.shared_id != row.id]
    for place in places:
        missing = [name for name in await certificates.served_names(session, place) if not covers(row.names, name)]
        if missing:
            raise ApiError(ErrorCode.VALIDATION_ERROR, f"certificate: it is not for {', '.join(missing)}, which "
                           f"{place.names[0]} answers to as well.", field="certificate")  # fmt: skip
    return places


async def _replaced(session: AsyncSession, asked: Upload, row: SharedCertificate) -> SharedCertificate | None:
    if asked.replaces is None:
        return None
    found = await rows.get(session, asked.replaces, lock=True)
    if found is None or found.id == row.id:
        raise ApiError(ErrorCode.VALIDATION_ERROR, "replaces: it names no other uploaded certificate.",
                       field="replaces")  # fmt: skip
    return found


async def _found(session: AsyncSession, ref: str, *, lock: bool = False) -> SharedCertificate:
    shared_id = parsed_id(ref)
    row = await rows.get(session, shared_id, lock=lock) if shared_id is not None else None
    if row is None:
        raise not_found("uploaded certificate", ref)
    return row
