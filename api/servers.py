"""Servers, as the portal lists them (R004, R005)."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.deps import Held, Staff, parsed_id
from api.envelope import reply, stamp
from api.errors import not_found
from db.models import VpsInstance
from db.queries.fleet import list_servers, organizations_on
from domain.statuses import Lifecycle

router = APIRouter(prefix="/api/portal/vps", tags=["servers"])


@router.get("")
async def servers(
    request: Request, principal: Staff, held: Held, shared: bool | None = None, available: bool | None = None
) -> Response:
    """`?available=true` feeds the drop-down: shared, active, and with a free place."""
    async with held.db.begin() as session:
        found = await list_servers(session, shared=shared, available=available)
    return reply(request, {"vps": [_shown(row) for row in found]})


@router.get("/{vps_id}/organizations")
async def organizations(request: Request, vps_id: str, principal: Staff, held: Held) -> Response:
    ref = parsed_id(vps_id)
    async with held.db.begin() as session:
        found = await organizations_on(session, ref) if ref else None
    if found is None:
        raise not_found("server", vps_id)
    living = [
        {
            "id": organization.id,
            "name": organization.name,
            "slug": organization.slug,
            "deployment_id": deployment.id,
            "status": deployment.status,
            "phase": deployment.phase,
            "tier": deployment.tier,
            "access_url": deployment.access_url,
        }
        for organization, deployment in found
    ]
    return reply(request, {"organizations": living})


def _shown(row: VpsInstance) -> dict[str, object]:
    specs = row.specs
    return {
        "id": row.id,
        "vps_name": row.vps_name,
        "label": row.label or row.vps_name,
        "vps_ip": row.vps_ip,
        "vps_hostname": row.vps_hostname,
        "location": row.location,
        "product_name": row.product_name,
        # R136 names the parts without units; the units are the second spelling (X33).
        "specs": {"cpu": specs.get("cpu"), "ram": specs.get("ram_mb"), "disk": specs.get("disk_gb"),
                  "bandwidth": specs.get("bandwidth")} | specs,
        "status": row.lifecycle,
        "power_state": row.power_state,
        "is_shared": row.is_shared,
        "available": row.is_shared
        and row.lifecycle == Lifecycle.ACTIVE
        and row.current_organizations < row.max_organizations,
        "current_organizations": row.current_organizations,
        "max_organizations": row.max_organizations,
        "provider_type": row.provider_type,
        "provider_instance_id": row.provider_instance_id,
        "price_cents_month": row.price_cents_month,
        "currency": row.currency,
        "billed_until": stamp(row.billed_until),
        "created_at": stamp(row.created_at),
        "updated_at": stamp(row.updated_at),
    }  # fmt: skip
