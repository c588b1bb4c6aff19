"""POST /api/portal/instances: one transaction writes the order, then its run is started (R001, X35, X36).

A request that is refused leaves no row and starts nothing. A crash between the commit and the start leaves a row
without `started_at`, which the sweep starts.
"""

from __future__ import annotations

import secrets
import uuid
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response

from api.answers import also
from api.deps import Caller, Held, IdempotencyKey, Orderer, actor, tenant_of
from api.envelope import reply
from api.errors import ApiError
from api.examples import CREATE_REQUEST, CREATED, taking
from api.idempotency import REPLAYED, claimed
from api.provider_accounts import account_for
from api.schemas import CreateInstance
from api.services import Services
from api.starting import plan, start_ordered
from db.models import Deployment, Organization
from db.queries import audit, ordering
from db.queries.ordering import order_of
from db.secrets import ensure
from domain import ids
from domain.errors import ErrorCode
from domain.provisioning import Placement, Plan, PlanOrder, RunInputs
from domain.servers import ProviderType
from domain.statuses import DeploymentStatus, DeploymentType
from domain.steps import BY_NAME, steps_for

router = APIRouter(prefix="/api/portal/instances", tags=["instances"])

ROUTE = "POST /api/portal/instances"
PASSWORD_PURPOSE = "admin-password"  # noqa: S105 - the name of a purpose
_PLANNED: dict[str, Any] = {"description": "The plan of a dry run", "content": {"application/json": {}}}
_MESSAGES = {
    DeploymentType.DEDICATED: "Dedicated VPS provisioning initiated",
    DeploymentType.SHARED: "Shared VPS provisioning initiated",
}


@router.post("", status_code=202, responses={202: CREATED, 200: _PLANNED, **also(404, 409, 502)},
             openapi_extra=taking(CREATE_REQUEST))  # fmt: skip
async def create_instance(
    request: Request,
    asked: CreateInstance,
    principal: Orderer,
    held: Held,
    key: IdempotencyKey,
    dry_run: Annotated[bool, Query(description="Show what would happen; write and order nothing")] = False,
) -> Response:
    if dry_run or asked.dry_run:
        return reply(request, {"plan": await _planned(held, asked, principal)})
    made: Deployment | None = None
    async with held.db.begin() as session:
        earlier = await claimed(session, held, principal, key, route=ROUTE, body=_body(asked))
        if earlier is None:
            await _check_server(session, asked, lock=True)
            organization = await _organization(session, asked, principal)
            made = await _deployment(session, held, asked, organization, principal)
            answer = _answer(asked, organization, made)
            if key is not None:
                await ordering.keep_answer(session, principal.key, key, 202, answer)
            await audit.record(
                session, actor(request, principal), "instance.create", "deployment", str(made.id), slug=asked.slug,
                tier=asked.tier, deployment_model=asked.deployment_model)  # fmt: skip
        else:
            answer = earlier.response
            made = await session.get(Deployment, uuid.UUID(str(answer["deploymentId"])))
    headers = {"Location": f"/api/portal/instances/{answer['deploymentId']}/status"}
    if earlier is not None:
        headers |= REPLAYED
    start = None
    if made is not None and made.started_at is None and made.ended_at is None:
        start = BackgroundTask(start_ordered, held, order_of(made, held.policy()))
    return reply(request, answer, earlier.status_code if earlier else 202, headers=headers, background=start)


def _body(asked: CreateInstance) -> dict[str, object]:
    password = asked.admin_password.get_secret_value() if asked.admin_password else None
    return asked.model_dump(mode="json", exclude={"admin_password"}) | {"admin_password": password}


async def _check_server(session: AsyncSession, asked: CreateInstance, *, lock: bool) -> None:
    if asked.vps_id is None:
        return
    if asked.deployment_model is DeploymentType.DEDICATED:
        raise ApiError(ErrorCode.VALIDATION_ERROR, "vpsId must be null for a dedicated server.", field="vpsId")
    server = await ordering.shared_server(session, asked.vps_id, lock=lock)
    if server is None:
        raise ApiError(ErrorCode.VALIDATION_ERROR, "vpsId names no known server.", field="vpsId")
    if not server.is_shared:
        raise ApiError(ErrorCode.VALIDATION_ERROR, "vpsId names a server that is not shared.", field="vpsId")
    if not server.active:
        raise ApiError(ErrorCode.CONFLICT, "The server of vpsId is not active.", field="vpsId")
    if server.free < 1:
        raise ApiError(ErrorCode.INSUFFICIENT_RESOURCES, "The server of vpsId has no free place.", field="vpsId")


def _taken(slug: str) -> ApiError:
    return ApiError(ErrorCode.CONFLICT, f"The slug {slug!r} is taken by a living deployment.", field="slug")


def _foreign(slug: str) -> ApiError:
    return ApiError(ErrorCode.CONFLICT, f"The slug {slug!r} belongs to another organization.", field="slug")


async def _organization(session: AsyncSession, asked: CreateInstance, principal: Caller) -> Organization:
    organization = await ordering.organization_for(
        session, asked.organization_name, asked.slug, within=tenant_of(principal)
    )
    if organization is None:
        raise _foreign(asked.slug)
    return organization


async def _inputs(session: AsyncSession, asked: CreateInstance) -> RunInputs:
    """Every place the order names must be one that can be ordered from; the usual one is not asked for here, because
    its account may be seeded by workers that are starting just now."""
    fallbacks = [
        Placement(provider=place.provider, provider_id=str((await account_for(session, place.provider,
                  place.provider_id)).id), availability_zone=place.region or "")
        for place in asked.fallbacks
    ]  # fmt: skip
    provider_id = ""
    if asked.provider_id is not None or asked.provider is not ProviderType.TRANSIP:
        provider_id = str((await account_for(session, asked.provider, asked.provider_id)).id)
    return RunInputs(provider=asked.provider, provider_id=provider_id, availability_zone=asked.region or "",
                     environment=asked.environment, fallbacks=fallbacks)  # fmt: skip


async def _deployment(
    session: AsyncSession, held: Services, asked: CreateInstance, organization: Organization, principal: Caller
) -> Deployment:
    settings = held.settings
    made = await ordering.insert_deployment(
        session,
        {
            "organization_id": organization.id,
            "deployment_type": asked.deployment_model,
            "tier": asked.tier,
            "slug": asked.slug,
            "assigned_subdomain": ids.fqdn(asked.slug, settings.base_domain),
            "status": DeploymentStatus.PROVISIONING,
            "status_message": _MESSAGES[asked.deployment_model],
            "requested_vps_id": asked.vps_id,
            "inputs": (await _inputs(session, asked)).model_dump(mode="json"),
            "admin_email": asked.admin_email,
            "admin_name": asked.admin_name,
            "requested_by": principal.username,
        },
    )
    if made is None:
        raise _taken(asked.slug)
    given = asked.admin_password.get_secret_value() if asked.admin_password else None
    await ensure(
        session,
        held.keys,
        PASSWORD_PURPOSE,
        lambda: given or secrets.token_urlsafe(18),
        deployment_id=made.id,
        expires_at=datetime.now(UTC) + timedelta(days=settings.credentials_days),
    )
    return made


def _answer(asked: CreateInstance, organization: Organization, made: Deployment) -> dict[str, object]:
    """R001, as documented."""
    return {
        "message": _MESSAGES[asked.deployment_model],
        "organization": {"id": str(organization.id), "name": organization.name, "slug": organization.slug},
        "deployment": {"id": str(made.id), "status": made.status, "tier": made.tier},
        "deploymentId": str(made.id),
    }


async def _planned(held: Services, asked: CreateInstance, principal: Caller) -> dict[str, object]:
    """The same refusals as a real order, then the plan of the code that would carry it out."""
    async with held.db.begin() as session:
        await _check_server(session, asked, lock=False)
        within = tenant_of(principal)
        if await ordering.slug_belongs_to_other(session, asked.organization_name, asked.slug, within=within):
            raise _foreign(asked.slug)
        if await ordering.slug_is_taken(session, asked.slug):
            raise _taken(asked.slug)
        inputs = await _inputs(session, asked)
    settings = held.settings
    made = await plan(
        held,
        PlanOrder(
            slug=asked.slug,
            fqdn=ids.fqdn(asked.slug, settings.base_domain),
            deployment_type=asked.deployment_model,
            tier=asked.tier,
            vps_id=str(asked.vps_id) if asked.vps_id else None,
            https_port=settings.host_https_port,
            inputs=inputs,
        ),
    )
    return made.model_dump(mode="json") | {"steps": _plan_steps(asked.deployment_model, made)}


def _plan_steps(deployment_type: DeploymentType, made: Plan) -> list[dict[str, object]]:
    edges = {step.name: step for step in steps_for(deployment_type, new_server=made.new_server)}
    steps = [edges.get(name, BY_NAME[name]) for name in made.steps]
    return [step.model_dump(include={"name", "title", "message", "number", "after"}) for step in steps]
