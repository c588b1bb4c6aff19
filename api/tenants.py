"""Tenants (R147): the brands that sell here, for administrators. One that is inactive takes no new orders; what it has
sold goes on."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from api import sales_view
from api.answers import also
from api.auditing import audited_change
from api.deps import Administrator, Held, actor, parsed_id
from api.envelope import reply
from api.errors import ApiError, not_found
from api.examples import taking
from api.paging import pagination
from api.sales_schemas import TENANT, TENANT_CHANGE, TENANT_REQUEST, TenantChange, TenantCreate
from db.queries import audit
from db.queries import tenants as rows
from domain.errors import ErrorCode

router = APIRouter(prefix="/api/tenants", tags=["tenants"])


@router.get("")
async def tenants(
    request: Request,
    principal: Administrator,
    held: Held,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Response:
    async with held.db.begin() as session:
        total, found = await rows.page(session, offset=(page - 1) * limit, limit=limit)
    shown = [sales_view.tenant(row) for row in found]
    return reply(request, {"tenants": shown, "pagination": pagination(page, limit, total)})


@router.post("", status_code=201, responses={201: TENANT, **also(409)}, openapi_extra=taking(TENANT_REQUEST))
async def create(request: Request, asked: TenantCreate, principal: Administrator, held: Held) -> Response:
    """The slug is what orders name it by, for ever."""
    async with held.db.begin() as session:
        row = await rows.create(session, asked.slug, asked.name)
        if row is None:
            raise ApiError(ErrorCode.CONFLICT, f"The slug {asked.slug!r} is another tenant's; choose another one.",
                           field="slug")  # fmt: skip
        await audit.record(session, actor(request, principal), "tenant.create", "tenant", str(row.id), slug=row.slug)
    headers = {"Location": f"/api/tenants/{row.id}"}
    return reply(request, {"tenant": sales_view.tenant(row)}, 201, headers=headers)


@router.get("/{tenant_id}", responses={200: TENANT})
async def tenant(request: Request, tenant_id: str, principal: Administrator, held: Held) -> Response:
    ref = parsed_id(tenant_id)
    async with held.db.begin() as session:
        row = await rows.get(session, ref) if ref else None
    if row is None:
        raise not_found("tenant", tenant_id)
    return reply(request, {"tenant": sales_view.tenant(row)})


@router.patch("/{tenant_id}", responses={200: TENANT}, openapi_extra=taking(TENANT_CHANGE))
async def change(
    request: Request, tenant_id: str, asked: TenantChange, principal: Administrator, held: Held
) -> Response:
    """What is missing stays as it is."""
    ref = parsed_id(tenant_id)
    fields = sorted(asked.model_fields_set)
    target = ("tenant", tenant_id)
    async with audited_change(held, request, principal, "tenant.update", target, fields=fields) as session:
        row = await rows.get(session, ref, lock=True) if ref else None
        if row is None:
            raise not_found("tenant", tenant_id)
        fields[:] = rows.change(row, asked.model_dump(exclude_none=True))
    return reply(request, {"tenant": sales_view.tenant(row)})
