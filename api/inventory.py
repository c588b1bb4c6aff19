"""The inventory, for administrators: what runs at the clouds, for whom, what it costs, and what nobody can explain.

Decisions are written down here and carried out by the next sweep; nothing here speaks to a cloud.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.answers import also
from api.auditing import audited, audited_change
from api.deps import Administrator, Held, parsed_id
from api.envelope import reply, stamp
from api.errors import ApiError, not_found
from api.examples import INVENTORY
from api.schemas import Decision, SweepRequest
from api.services import Principal, Services
from api.starting import start_inventory
from db.base import new_id
from db.queries import inventory_view
from db.queries.reading import Row
from domain.errors import ErrorCode
from domain.inventory import ResourceState, SweepCall

router = APIRouter(prefix="/api/admin/inventory", tags=["inventory"])

_SETTLED = (ResourceState.EXPLAINED, ResourceState.ADOPTED)
_STAMPS = ("first_seen", "last_seen", "unexplained_since", "quarantined_at", "delete_after", "deleted_at", "decided_at")
_PLAIN = ("id", "provider", "provider_ref", "label", "product", "status", "address", "state", "verdict", "note",
          "sightings", "price_cents_month", "currency", "decided_by")  # fmt: skip


@router.get("", responses={200: INVENTORY})
async def inventory(
    request: Request, principal: Administrator, held: Held, state: ResourceState | None = None
) -> Response:
    """Everything that is at a cloud or should be, what needs somebody first; `totals` are of all of it."""
    rows = await inventory_view.resources(held.reader)
    shown = [_shown(row) for row in rows if state is None or row["state"] == state]
    body: dict[str, object] = {
        "resources": shown,
        "totals": _totals(rows),
        "attention": sum(row["state"] not in _SETTLED for row in rows),
        "sweeps": [_sweep(row) for row in await inventory_view.sweeps(held.reader)],
        "rules": {
            "sweep_minutes": held.settings.inventory_sweep_minutes,
            "grace_hours": held.settings.inventory_grace_hours,
            "acts_per_hour": held.settings.inventory_acts_per_hour,
        },
    }
    return reply(request, body)


@router.post("/sweep", status_code=202, responses=also(409))
async def sweep(request: Request, principal: Administrator, held: Held, asked: SweepRequest | None = None) -> Response:
    """Look now. 409 while a sweep that somebody asked for is under way."""
    asked = asked or SweepRequest()
    call = SweepCall(
        sweep_id=str(new_id()), provider=asked.provider, requested_by=principal.username, vouched=asked.vouch
    )
    target = ("inventory_sweep", call.sweep_id)
    async with audited(held, request, principal, "inventory.sweep", target, provider=asked.provider, vouch=asked.vouch):
        await start_inventory(held, call)
    return reply(request, {"message": "Sweep started", "sweep_id": call.sweep_id}, 202,
                 headers={"Location": "/api/admin/inventory"})  # fmt: skip


@router.post("/{resource_id}/adopt", responses=also(409))
async def adopt(
    request: Request, resource_id: str, principal: Administrator, held: Held, asked: Decision | None = None
) -> Response:
    """Leave it alone: it is never powered off or deleted, and one that is powered off is started by the next sweep."""
    return await _decided(request, resource_id, principal, held, ResourceState.ADOPTED, asked or Decision())


@router.post("/{resource_id}/release", responses=also(409))
async def release(
    request: Request, resource_id: str, principal: Administrator, held: Held, asked: Decision | None = None
) -> Response:
    """Delete it: the next sweep does, without a grace period, within the hourly cap. Until then it can be adopted.

    409 for whatever a row of ours names, and for servers that Slipway did not order.
    """
    return await _decided(request, resource_id, principal, held, ResourceState.RELEASED, asked or Decision())


_MESSAGES = {
    ResourceState.ADOPTED: "Adopted: it is left alone from now on",
    ResourceState.RELEASED: "Released: the next sweep deletes it",
}
_ACTIONS = {ResourceState.ADOPTED: "inventory.adopt", ResourceState.RELEASED: "inventory.release"}


async def _decided(
    request: Request, ref: str, principal: Principal, held: Services, state: ResourceState, asked: Decision
) -> Response:
    resource_id: uuid.UUID | None = parsed_id(ref)
    if resource_id is None:
        raise not_found("resource", ref)
    target = ("cloud_resource", str(resource_id))
    async with audited_change(held, request, principal, _ACTIONS[state], target, note=asked.note) as session:
        try:
            row = await inventory_view.decide(
                session, resource_id, state, by=principal.username, note=asked.note, now=datetime.now(UTC)
            )
        except inventory_view.NotAllowed as refused:
            raise ApiError(ErrorCode.CONFLICT, str(refused)) from None
        if row is None:
            raise not_found("resource", ref)
    body: dict[str, object] = {"message": _MESSAGES[state], "id": row.id, "provider_ref": row.provider_ref,
                               "state": row.state}  # fmt: skip
    return reply(request, body)


def _shown(row: Row) -> dict[str, Any]:
    ours = row["state"] not in (ResourceState.EXPLAINED, ResourceState.MISSING)
    vps = {"id": row["vps_id"], "vps_name": row["vps_name"], "status": row["lifecycle"]} if row["vps_id"] else None
    return {
        **{name: row[name] for name in _PLAIN},
        **{name: stamp(row[name]) for name in _STAMPS},
        "vps": vps,
        "intent": row["intent_state"],
        "ordered_for": row["ordered_for"],
        "deployments": row["deployments"],
        "may_adopt": ours and row["state"] != ResourceState.ADOPTED and row["deleted_at"] is None,
        "may_release": ours and row["state"] != ResourceState.RELEASED and row["verdict"] != "foreign",
    }


def _totals(rows: list[Row]) -> list[dict[str, Any]]:
    """A month's bill by currency; what is missing at the cloud is not billed."""
    sums: dict[str, dict[str, int]] = defaultdict(lambda: {"cents_month": 0, "unexplained_cents_month": 0})
    counts: dict[str, dict[str, int]] = defaultdict(lambda: {"resources": 0, "unpriced": 0})
    for row in rows:
        if row["state"] == ResourceState.MISSING:
            continue
        currency, cents = row["currency"], row["price_cents_month"]
        counts[currency]["resources"] += 1
        counts[currency]["unpriced"] += cents is None
        sums[currency]["cents_month"] += cents or 0
        if row["state"] not in _SETTLED:
            sums[currency]["unexplained_cents_month"] += cents or 0
    return [{"currency": currency, **sums[currency], **counts[currency]} for currency in sorted(counts)]


def _sweep(row: Row) -> dict[str, Any]:
    stamps = ("began_at", "ended_at", "last_complete_at")
    return {name: stamp(value) if name in stamps else value for name, value in row.items()}
