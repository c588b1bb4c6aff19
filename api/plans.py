"""Plans: what administrators sell from an account, and what everybody who is signed in sees of it (R143)."""

from __future__ import annotations

import uuid
from typing import Any

from fastapi import APIRouter
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import Response

from api.answers import also
from api.auditing import audited_change
from api.deps import Administrator, Held, IdempotencyKey, Member, actor, parsed_id
from api.envelope import reply, stamp
from api.errors import ApiError, not_found
from api.idempotency import REPLAYED, claimed
from api.providers import account
from api.schemas_clouds import PlanChange, PlanCreate
from db.models_clouds import ServiceProvider, VpsPlan
from db.queries import audit, ordering, plans
from domain.errors import ErrorCode

router = APIRouter(tags=["plans"])

WHERE = "/api/admin/providers/{provider_id}/plans"


@router.get("/api/vps/plans", responses=also(404))
async def on_sale(request: Request, principal: Member, held: Held, provider_id: str | None = None) -> Response:
    """What can be ordered: `price` a month is what is charged."""
    ref = (await account(held, provider_id)).id if provider_id is not None else None
    async with held.db.begin() as session:
        found = await plans.on_sale(session, ref)
    return reply(request, {"plans": [_offered(plan, owner) for plan, owner in found]})


@router.get(WHERE)
async def listed(request: Request, provider_id: str, principal: Administrator, held: Held) -> Response:
    owner = await account(held, provider_id)
    async with held.db.begin() as session:
        found = await plans.of_account(session, owner.id)
    return reply(request, {"plans": [_shown(plan) for plan in found]})


@router.post(WHERE, status_code=201, responses=also(409))
async def create(
    request: Request, provider_id: str, asked: PlanCreate, principal: Administrator, held: Held, key: IdempotencyKey
) -> Response:
    owner = await account(held, provider_id)
    body: dict[str, object] = asked.model_dump(mode="json") | {"provider_id": str(owner.id)}
    async with held.db.begin() as session:
        earlier = await claimed(session, held, principal, key, route=f"POST {WHERE}", body=body)
        if earlier is not None:
            return reply(request, earlier.response, earlier.status_code, headers=REPLAYED)
        try:
            row = await plans.create(session, owner.id, asked.model_dump())
        except plans.PlanExists:
            raise _exists(asked.provider_plan_id) from None
        answer: dict[str, object] = {"plan": _shown(row)}
        if key is not None:
            await ordering.keep_answer(session, principal.key, key, 201, answer)
        await audit.record(session, actor(request, principal), "plan.create", "vps_plan", str(row.id),
                           provider_plan_id=row.provider_plan_id, price=str(plans.price_of(row)))  # fmt: skip
    return reply(request, answer, 201)


@router.put(f"{WHERE}/{{plan_id}}", responses=also(409))
async def change(
    request: Request, provider_id: str, plan_id: str, asked: PlanChange, principal: Administrator, held: Held
) -> Response:
    owner = await account(held, provider_id)
    given = {name: value for name, value in asked.model_dump().items() if value is not None}
    told = {name: str(value) for name, value in given.items() if name != "specifications"}
    async with audited_change(held, request, principal, "plan.update", ("vps_plan", plan_id), **told) as session:
        row = await _found(session, owner, plan_id)
        try:
            await plans.change(session, row, given)
        except plans.PlanExists:
            raise _exists(asked.provider_plan_id or "") from None
        answer: dict[str, object] = {"plan": _shown(row)}
    return reply(request, answer)


@router.delete(f"{WHERE}/{{plan_id}}")
async def remove(request: Request, provider_id: str, plan_id: str, principal: Administrator, held: Held) -> Response:
    """Servers that were sold by it stay as they are."""
    owner = await account(held, provider_id)
    async with audited_change(held, request, principal, "plan.delete", ("vps_plan", plan_id)) as session:
        await plans.remove(session, await _found(session, owner, plan_id))
    return reply(request, {"message": "Plan deleted successfully"})


async def _found(session: AsyncSession, owner: ServiceProvider, plan_id: str) -> VpsPlan:
    ref: uuid.UUID | None = parsed_id(plan_id)
    row = await plans.get(session, owner.id, ref) if ref is not None else None
    if row is None:
        raise not_found("plan", plan_id)
    return row


def _exists(size: str) -> ApiError:
    return ApiError(ErrorCode.CONFLICT, f"This provider has a plan for {size!r} already.", field="provider_plan_id")


def _shown(plan: VpsPlan) -> dict[str, Any]:
    return {
        "id": str(plan.id),
        "provider_id": str(plan.provider_id),
        "provider_plan_id": plan.provider_plan_id,
        "base_price": float(plan.base_price),
        "markup_price": float(plan.markup_price),
        "price": float(plans.price_of(plan)),
        "currency": plan.currency,
        "specifications": plan.specifications,
        "active": plan.active,
        "created_at": stamp(plan.created_at),
        "updated_at": stamp(plan.updated_at),
    }


def _offered(plan: VpsPlan, owner: ServiceProvider) -> dict[str, Any]:
    """Without what it costs us."""
    return {
        "id": str(plan.id),
        "provider_id": str(plan.provider_id),
        "provider_type": owner.type,
        "provider_plan_id": plan.provider_plan_id,
        "price": float(plans.price_of(plan)),
        "currency": plan.currency,
        "specifications": plan.specifications,
    }
