"""Certificates (R058 to R060, R062, R063): by expiry, with what is next for each; their chains; renewal now.

Keys are made on their servers and stay there (X18), so the content is the chain. The control plane alone renews (X40).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, NamedTuple

from fastapi import APIRouter, Query
from pydantic import AfterValidator, Field, StringConstraints
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import Response

from api import certificate_view as view
from api.answers import also
from api.auditing import audited
from api.certificate_view import CERTIFICATE, CERTIFICATES, CONTENT, DOMAINS, RENEWING, REQUESTED
from api.deps import Held, Member, Operator, bound
from api.envelope import reply
from api.errors import not_found
from api.paging import pagination
from api.schemas import Asked, printable
from api.services import Services
from api.starting import start_renewal
from db.models_certificates import Certificate
from db.queries import ca_ledger
from db.queries import certificate_view as rows
from db.queries.certificate_view import CertificateFilter, CertificateState
from domain.ca_catalogue import limits_of, order_for
from domain.ca_limits import Possible
from domain.certificates import RenewalCall
from domain.challenges import Challenge
from domain.statuses import Role

router = APIRouter(prefix="/api/ssl", tags=["certificates"])

Text = Annotated[str, StringConstraints(max_length=253), AfterValidator(printable)]
Page = Annotated[int, Query(ge=1, le=100_000)]
Limit = Annotated[int, Query(ge=1, le=100)]


class CertificateWish(Asked):
    """Body of a request for a certificate. What is not said is as it was."""

    domain: Annotated[Text, StringConstraints(min_length=1)] = Field(examples=["acme.recruitiq.nl"])
    wildcard: bool | None = Field(None, description="With all names below it, or without")
    challenge: Challenge | None = Field(None, description="How its names are proven; a wildcard always in DNS")
    fresh_key: bool = Field(False, description="Where the key in use may be known")


@router.get("/certificates", responses={200: CERTIFICATES})
async def certificates(
    request: Request,
    principal: Member,
    held: Held,
    state: CertificateState = CertificateState.LIVING,
    name: Annotated[Text, Query(description="A part of one of its names")] = "",
    page: Page = 1,
    limit: Limit = 20,
) -> Response:
    now, wanted = datetime.now(UTC), CertificateFilter(state, name.strip(), bound(principal))
    async with held.db.begin() as session:
        total, found = await rows.page(session, wanted, now, offset=(page - 1) * limit, limit=limit)
    staff = principal.role is not Role.USER
    listed = [view.shown(row, now, staff=staff) for row in found]
    return reply(request, {"certificates": listed, "pagination": pagination(page, limit, total)})


@router.get("/domains", responses={200: DOMAINS})
async def domains(request: Request, principal: Member, held: Held, page: Page = 1, limit: Limit = 20) -> Response:
    now = datetime.now(UTC)
    async with held.db.begin() as session:
        total, found = await rows.domains(session, bound(principal), offset=(page - 1) * limit, limit=limit)
    listed = [view.domain(name, row, now) for name, row in found]
    return reply(request, {"domains": listed, "pagination": pagination(page, limit, total)})


@router.get("/certificate/{domain}", responses={200: CERTIFICATE})
async def certificate(request: Request, domain: str, principal: Member, held: Held) -> Response:
    """With what the CA that renews it would still issue for these names, by our ledger of its limits."""
    now = datetime.now(UTC)
    async with held.db.begin() as session:
        row = await _served(session, domain, principal)
        found = await _possible(session, held, row, now)
    shown = view.shown(row, now, staff=principal.role is not Role.USER)
    return reply(request, {"certificate": shown, "next_issuance": view.possible(found, now)})


@router.get("/certificate/{domain}/content", responses={200: CONTENT})
async def content(request: Request, domain: str, principal: Member, held: Held) -> Response:
    """The chain, never a key."""
    async with held.db.begin() as session:
        row = await _served(session, domain, principal)
    return reply(request, {"domain": domain.lower(), "content": row.chain_pem})


@router.post("/renew/{domain}", status_code=202, responses={202: RENEWING})
async def renew(
    request: Request,
    domain: str,
    principal: Operator,
    held: Held,
    fresh_key: Annotated[bool, Query(alias="freshKey", description="Where the key in use may be known")] = False,
    challenge: Annotated[
        Challenge | None, Query(description="How its names are proven; as before where not said")
    ] = None,
    wildcard: Annotated[
        bool | None, Query(description="With all names below it, or without; as before where not said")
    ] = None,
) -> Response:
    """Renew now, whatever the plan says; one renewal of a certificate at a time. Its state says how that ended.

    What is chosen here is remembered by the new certificate and kept by its renewals. A wildcard is always proven in
    DNS.
    """
    wanted = Wish(fresh_key=fresh_key, challenge=challenge, wildcard=wildcard)
    return await _begin(request, principal, held, domain, wanted, "Renewal initiated")


@router.post("/request-letsencrypt", status_code=202, responses={202: REQUESTED, **also(404)})
async def request_certificate(request: Request, body: CertificateWish, principal: Operator, held: Held) -> Response:
    """Another certificate from the CA for a name that we serve (R059): the same as its renewal, said in a body.

    The first one of a name comes with its instance or site, so a name that nobody has ordered is not found.
    """
    wanted = Wish(fresh_key=body.fresh_key, challenge=body.challenge, wildcard=body.wildcard)
    return await _begin(request, principal, held, body.domain, wanted, "Certificate requested")


class Wish(NamedTuple):
    """How the new certificate is to differ; None is as before."""

    fresh_key: bool
    challenge: Challenge | None
    wildcard: bool | None


async def _begin(request: Request, principal: Operator, held: Held, domain: str, wish: Wish, message: str) -> Response:
    async with held.db.begin() as session:
        row = await _served(session, domain, principal)
    target, chosen = ("certificate", str(row.id)), wish.challenge.value if wish.challenge else ""
    async with audited(held, request, principal, "certificate.renew", target, domain=domain, fresh_key=wish.fresh_key,
                       challenge=chosen, wildcard=wish.wildcard):  # fmt: skip
        call = RenewalCall(certificate_id=str(row.id), forced=True, fresh_key=wish.fresh_key, challenge=chosen,
                           wildcard=wish.wildcard, policy=held.policy(), requested_by=principal.username)  # fmt: skip
        await start_renewal(held, call)
    answer: dict[str, object] = {"message": message, "certificate_id": str(row.id)}
    return reply(request, answer, 202, headers={"Location": f"/api/ssl/certificate/{row.names[0]}"})


async def _served(session: AsyncSession, domain: str, principal: Member) -> Certificate:
    known = len(domain) <= 253 and domain.isprintable()
    row = await rows.of_domain(session, domain, bound(principal)) if known else None
    if row is None:
        raise not_found("certificate", domain)
    return row


async def _possible(session: AsyncSession, held: Services, row: Certificate, now: datetime) -> Possible:
    directory = held.settings.acme_directory_url  # whoever issued it, or nobody of ours where it was uploaded
    return await ca_ledger.possible(session, directory, order_for(row.names), now, limits_of(directory))
