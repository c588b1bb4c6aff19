"""Reading instances: the list, the status that portals poll, and the log (R002, R003)."""

from __future__ import annotations

import uuid
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from api.deps import Caller, Held, InstanceReader, parsed_id, tenant_of
from api.envelope import rendered, reply, stamp
from api.errors import ApiError, not_found
from api.examples import LOGS, STATUS
from api.services import Services
from api.statusview import Row, etag_of, view_of
from api.story import is_done, line
from db.queries.fleet import InstanceFilter, ListedInstance, list_instances
from db.queries.status import lines_after, row_of
from domain.errors import ErrorCode
from domain.statuses import Attention, DeploymentStatus, DeploymentType, Phase, Role, Tier

router = APIRouter(prefix="/api/portal/instances", tags=["instances"])

MAX_LINES = 5_000


async def visible_row(held: Services, principal: Caller, ref: str) -> tuple[uuid.UUID, Row]:
    """The deployment's row; 404 also where it belongs to somebody else's organization or tenant."""
    deployment_id = parsed_id(ref)
    row = await row_of(held.reader, deployment_id) if deployment_id else None
    if row is None or deployment_id is None or not may_see(principal, row):
        raise not_found("deployment", ref)
    return deployment_id, row


def may_see(principal: Caller, row: Row) -> bool:
    tenant = tenant_of(principal)
    if tenant is not None:
        return bool(tenant == row["tenant_id"])
    return principal.role is not Role.USER or principal.organization_id == row["organization_id"]


@router.get("/{deployment_id}/status", responses={200: STATUS, 304: {"description": "Unchanged"}})
async def status(request: Request, deployment_id: str, principal: InstanceReader, held: Held) -> Response:
    """Poll every 5 seconds with If-None-Match until `done` is true, or follow …/events."""
    _, row = await visible_row(held, principal, deployment_id)
    etag = etag_of(row, held.settings)
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    if etag in [tag.strip() for tag in request.headers.get("if-none-match", "").split(",")]:
        return Response(status_code=304, headers=headers)
    view = await view_of(held.reader, held.statuses, held.settings, row)
    return rendered(request, view.full(), headers=headers)


@router.get("/{deployment_id}/logs", responses={200: LOGS})
async def logs(
    request: Request,
    deployment_id: str,
    principal: InstanceReader,
    held: Held,
    after: Annotated[int, Query(ge=0, description="Only lines behind this position")] = 0,
    limit: Annotated[int, Query(ge=1, le=MAX_LINES)] = 1_000,
) -> Response:
    ref, _ = await visible_row(held, principal, deployment_id)
    events = await lines_after(held.reader, ref, after, limit=limit + 1)
    lines = [line(event) for event in events[:limit]]
    body: dict[str, object] = {
        "deploymentId": ref,
        "logs": lines,
        "position": lines[-1]["position"] if lines else after,
        "has_more": len(events) > limit,
    }
    return reply(request, body)


@router.get("")
async def instances(
    request: Request,
    principal: InstanceReader,
    held: Held,
    status: DeploymentStatus | None = None,
    phase: Phase | None = None,
    attention: Attention | None = None,
    deployment_type: DeploymentType | None = None,
    tier: Tier | None = None,
    search: Annotated[str | None, Query(max_length=200)] = None,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Response:
    if search is not None and not search.isprintable():
        raise ApiError(ErrorCode.VALIDATION_ERROR, "search must be printable text.", field="search")
    total, rows = 0, list[ListedInstance]()
    if principal.role is not Role.USER or principal.organization_id is not None:
        own = principal.organization_id if principal.role is Role.USER else None
        wanted = InstanceFilter(status, phase, attention, deployment_type, tier, (search or "").strip() or None, own,
                                tenant_of(principal))  # fmt: skip
        async with held.db.begin() as session:
            total, rows = await list_instances(session, wanted, offset=(page - 1) * limit, limit=limit)
    pages = -(-total // limit)
    pagination = {
        "page": page,
        "limit": limit,
        "total": total,
        "totalPages": pages,
        "hasNext": page < pages,
        "hasPrev": page > 1,
    }
    return reply(request, {"instances": [_listed(row) for row in rows], "pagination": pagination})


def _listed(row: ListedInstance) -> dict[str, object]:
    deployment = row.deployment
    return {
        "id": deployment.id,
        "deploymentId": deployment.id,
        "organization_id": deployment.organization_id,
        "organization_name": row.organization_name,
        "slug": deployment.slug,
        "fqdn": deployment.assigned_subdomain,
        "deployment_type": deployment.deployment_type,
        "tier": deployment.tier,
        "status": deployment.status,
        "phase": deployment.phase,
        "attention": deployment.attention,
        "done": is_done(vars(deployment)),
        "status_message": deployment.status_message,
        "error_code": deployment.error_code,
        "error_message": deployment.error_message,
        "parked": deployment.parked,
        "access_url": deployment.access_url,
        "vps_id": deployment.vps_id,
        "vps_name": row.vps_name,
        "vps_ip": row.vps_ip,
        "price_cents_month": deployment.price_cents_month,
        "currency": deployment.currency,
        "requested_by": deployment.requested_by,
        "created_at": stamp(deployment.created_at),
        "updated_at": stamp(deployment.updated_at),
        "activated_at": stamp(deployment.activated_at),
        "ended_at": stamp(deployment.ended_at),
    }
