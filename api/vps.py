"""Bare servers by /api/vps (source 001): ordered, listed, read and acted on at whichever cloud they are.

Rows answer; what must be asked of a cloud, a workflow asks. A server that carries an application belongs to its
instance: it can be seen and restarted here, and not deleted.
"""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response

from api.answers import also
from api.auditing import audited
from api.deps import OPERATORS, STAFF, Held, IdempotencyKey, Member, actor, parsed_id
from api.envelope import reply
from api.errors import ApiError, not_found
from api.idempotency import REPLAYED, claimed
from api.provider_accounts import account_for
from api.services import Principal, Services
from api.starting import look, run_handle, start_action, start_ordered, start_termination
from api.temporal_link import answered
from api.vps_examples import BEGUN, CREATED, DELETED, ORDER, READ, REBOOT
from api.vps_schemas import ACTIONS, DELETE, ONLY_AT, AskAction, CreateServer
from api.vps_view import acted, shown
from db import secrets
from db.models import Deployment
from db.models_clouds import ServiceProvider
from db.queries import audit, ordering, servers
from db.queries.ordering import order_of
from db.queries.servers import Owned
from domain.errors import ErrorCode
from domain.provisioning import RunInputs, TerminationOrder
from domain.servers import (
    ROOT_PASSWORD,
    STACKSCRIPT_DATA,
    USER_DATA,
    LookCall,
    PowerAction,
    ProviderType,
    ServerOptions,
)
from domain.starting import RPC_TIMEOUT
from domain.statuses import DeploymentStatus, DeploymentType, Lifecycle, Phase, PowerState, Role, Tier

router = APIRouter(prefix="/api/vps", tags=["servers"])

ROUTE = "POST /api/vps"
FRESH = timedelta(seconds=30)  # a look at the cloud that is younger answers


def _scope(principal: Principal) -> uuid.UUID | None:
    """The organization a caller is bound to; None sees all. A customer without one has no servers."""
    if principal.role in STAFF:
        return None
    return principal.organization_id or uuid.UUID(int=0)


async def _server(held: Services, principal: Principal, ref: str) -> Owned:
    vps_id = parsed_id(ref)
    async with held.db.begin() as session:
        found = await servers.find(session, vps_id, _scope(principal)) if vps_id else None
    if found is None:
        raise not_found("server", ref)
    return found


# ---- ordering


@router.post("", status_code=202, responses={202: CREATED, **also(404, 409)}, openapi_extra=ORDER)
async def create_server(
    request: Request, asked: CreateServer, principal: Member, held: Held, key: IdempotencyKey
) -> Response:
    """R011–R013. The reply comes before the cloud is asked; the server is `provisioning` until it runs."""
    _check_fields(asked)
    if principal.role not in OPERATORS and principal.role is not Role.USER:
        raise ApiError(ErrorCode.FORBIDDEN, f"The role {principal.role} may not do this.")
    made: Deployment | None = None
    async with held.db.begin() as session:
        earlier = await claimed(session, held, principal, key, route=ROUTE, body=_body(asked))
        if earlier is None:
            account = await account_for(session, asked.provider_type, asked.provider_id)
            organization_id = await _organization(session, held, asked, principal)
            made, vps = await servers.order_server(
                session, _deployment(asked, account, organization_id, principal), label=asked.label,
                base_domain=held.settings.base_domain, options=_options(asked))  # fmt: skip
            await _keep_secrets(session, held, asked, vps.id)
            answer: dict[str, object] = {"instance": shown(Owned(vps, made, None), brief=True)}
            if key is not None:
                kept = json.loads(json.dumps(answer, default=str))
                await ordering.keep_answer(session, principal.key, key, 202, kept)
            await audit.record(
                session, actor(request, principal), "server.create", "server", str(vps.id), label=asked.label,
                provider=asked.provider_type, type=asked.type, region=asked.region)  # fmt: skip
            vps_id = str(vps.id)
        else:
            answer = earlier.response
            vps_id = str(answer["instance"]["id"])  # type: ignore[index]
            found = await servers.find(session, uuid.UUID(vps_id), None)
            made = found.deployment if found else None
    headers = {"Location": f"/api/vps/{vps_id}"}
    if earlier is not None:
        headers |= REPLAYED
    start = None
    if made is not None and made.started_at is None and made.ended_at is None:
        start = BackgroundTask(start_ordered, held, order_of(made, held.policy()))
    return reply(request, answer, earlier.status_code if earlier else 202, headers=headers, background=start)


def _check_fields(asked: CreateServer) -> None:
    for name, kinds in ONLY_AT.items():
        if asked.provider_type not in kinds and getattr(asked, name):
            field = CreateServer.model_fields[name].alias or name
            raise ApiError(ErrorCode.VALIDATION_ERROR, f"{asked.provider_type} knows no {field}.", field=field,
                           provider=asked.provider_type)  # fmt: skip


def _body(asked: CreateServer) -> dict[str, object]:
    hidden = {name: value.get_secret_value() if value else None
              for name, value in (("root_password", asked.root_password), ("user_data", asked.user_data))}  # fmt: skip
    return asked.model_dump(mode="json", exclude={"root_password", "user_data"}) | hidden


async def _organization(session: AsyncSession, held: Services, asked: CreateServer, principal: Principal) -> uuid.UUID:
    if principal.role is Role.USER:
        if principal.organization_id is None:
            raise ApiError(ErrorCode.FORBIDDEN, "You belong to no organization that could own a server.")
        if asked.organization_id not in (None, principal.organization_id):
            raise ApiError(ErrorCode.FORBIDDEN, "You order for your own organization only.", field="organization_id")
        limit = held.settings.servers_per_organization
        if await servers.living_of(session, principal.organization_id) >= limit:
            raise ApiError(ErrorCode.QUOTA_EXCEEDED, f"Your organization may have {limit} servers; ask us for more.",
                           status=409)  # fmt: skip
        return principal.organization_id
    wanted = asked.organization_id or principal.organization_id
    if wanted is None:
        house = await ordering.organization_for(session, *servers.HOUSE)
        if house is None:
            raise ApiError(ErrorCode.CONFLICT, "organization_id is required here.", field="organization_id")
        return house.id
    if not await ordering.organization_exists(session, wanted):
        raise ApiError(ErrorCode.VALIDATION_ERROR, "organization_id names no organization.", field="organization_id")
    return wanted


def _deployment(
    asked: CreateServer, account: ServiceProvider, organization_id: uuid.UUID, principal: Principal
) -> dict[str, object]:
    inputs = RunInputs(
        provider=account.type, provider_id=str(account.id), product=asked.type, availability_zone=asked.region,
        operating_system=asked.image or "")  # fmt: skip
    slug = f"{asked.label.lower().replace('.', '-')[:40]}-{uuid.uuid4().hex[:12]}"
    return {
        "organization_id": organization_id, "deployment_type": DeploymentType.SERVER, "tier": Tier.STARTER,
        "slug": slug, "assigned_subdomain": "", "status": DeploymentStatus.PROVISIONING,
        "status_message": "Server ordered", "inputs": inputs.model_dump(mode="json"), "admin_email": principal.email,
        "admin_name": principal.name, "requested_by": principal.username,
    }  # fmt: skip


def _options(asked: CreateServer) -> ServerOptions:
    return ServerOptions(
        ssh_keys=asked.ssh_keys, backups=asked.backups, monitoring=asked.monitoring, ipv6=asked.ipv6,
        private_ip=asked.private_ip, vpc=str(asked.vpc_uuid) if asked.vpc_uuid else None, app=asked.app_slug,
        stackscript=asked.stackscript_id, tags=asked.tags)  # fmt: skip


async def _keep_secrets(session: AsyncSession, held: Services, asked: CreateServer, vps_id: uuid.UUID) -> None:
    """What must not stand in a row or a history in clear; destroyed once the server runs (X21)."""
    given = {
        ROOT_PASSWORD: asked.root_password.get_secret_value() if asked.root_password else None,
        USER_DATA: asked.user_data.get_secret_value() if asked.user_data else None,
        STACKSCRIPT_DATA: json.dumps(asked.stackscript_data) if asked.stackscript_data else None,
    }
    for purpose, value in given.items():
        if value is not None:
            await secrets.ensure(session, held.keys, purpose, lambda value=value: value, vps_id=vps_id)  # type: ignore[misc]


# ---- reading


@router.get("")
async def list_servers(
    request: Request,
    principal: Member,
    held: Held,
    provider_type: ProviderType | None = None,
    provider_id: uuid.UUID | None = None,
    lifecycle: Lifecycle | None = None,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Response:
    wanted = {"provider_type": provider_type, "provider_id": provider_id, "lifecycle": lifecycle}
    async with held.db.begin() as session:
        total, found = await servers.page(session, _scope(principal), wanted, offset=(page - 1) * limit, limit=limit)
        newest = await servers.newest_action_of(session, [row.vps.id for row in found])
    pages = -(-total // limit)
    pagination = {"page": page, "limit": limit, "total": total, "totalPages": pages, "hasNext": page < pages,
                  "hasPrev": page > 1}  # fmt: skip
    listed = [shown(row) | {"newest_action": acted(newest[row.vps.id]) if row.vps.id in newest else None}
              for row in found]  # fmt: skip
    return reply(request, {"instances": listed, "pagination": pagination})


@router.get("/{vps_id}", responses={200: READ})
async def read_server(request: Request, vps_id: str, principal: Member, held: Held) -> Response:
    """R014. The cloud is asked where the newest look is older than half a minute; where it is silent, rows answer."""
    found = await _server(held, principal, vps_id)
    stale = missing = None
    if _worth_a_look(found):
        try:
            account = str(found.vps.provider_id or "")
            call = LookCall(vps_id=str(found.vps.id), provider=found.vps.provider_type, provider_id=account)
            seen = await look(held, call)
            missing = seen.missing
        except ApiError as error:
            stale = error.message
        found = await _server(held, principal, vps_id)
    async with held.db.begin() as session:
        actions = await servers.newest_actions(session, found.vps.id)
    body: dict[str, object] = {
        "instance": shown(found) | {"missing": bool(missing)},
        "actions": [acted(action) for action in actions],
    }
    if stale is not None:
        body |= {"stale": True, "stale_reason": stale}
    return reply(request, body)


def _worth_a_look(found: Owned) -> bool:
    """Also where the newest look has not found it: no column says that it is missing, so each look says it anew."""
    vps = found.vps
    old = vps.seen_at is None or datetime.now(UTC) - vps.seen_at > FRESH or vps.power_state == PowerState.UNKNOWN
    return old and vps.lifecycle == Lifecycle.ACTIVE and vps.provider_instance_id is not None


# ---- acting


@router.post("/{vps_id}/action", status_code=202, responses={202: BEGUN, **also(404, 409)}, openapi_extra=REBOOT)
async def act(request: Request, vps_id: str, principal: Member, held: Held, asked: AskAction) -> Response:
    """R015–R021. `boot` is another word for power_on; power_cycle is DigitalOcean's alone."""
    found = await _server(held, principal, vps_id)
    if principal.role not in OPERATORS and principal.role is not Role.USER:
        raise ApiError(ErrorCode.FORBIDDEN, f"The role {principal.role} may not do this.")
    target = ("server", str(found.vps.id))
    async with audited(held, request, principal, "server.action", target, asked=asked.action):
        if asked.action == DELETE:
            await _delete(held, principal, found)
        else:
            await _power(held, principal, found, asked.action)
    return reply(request, {"message": f"Action {asked.action} initiated successfully"}, 202)


@router.delete("/{vps_id}", status_code=202, responses={202: DELETED, **also(409)})
async def delete_server(request: Request, vps_id: str, principal: Member, held: Held) -> Response:
    return await act(request, vps_id, principal, held, AskAction(action=DELETE))


async def _power(held: Services, principal: Principal, found: Owned, wanted: str) -> None:
    vps = found.vps
    action = ACTIONS.get(wanted)
    if action is None or (action is PowerAction.POWER_CYCLE and vps.provider_type != ProviderType.DIGITALOCEAN):
        offered = sorted({*ACTIONS, DELETE} - ({"power_cycle"} if vps.provider_type != "digitalocean" else set()))
        raise ApiError(ErrorCode.INVALID_ACTION, f"{vps.provider_type} offers: {', '.join(offered)}.", field="action",
                       provider=vps.provider_type)  # fmt: skip
    if vps.lifecycle != Lifecycle.ACTIVE:
        raise ApiError(ErrorCode.CONFLICT, f"The server is {vps.lifecycle}; it takes no actions now.")
    async with held.db.begin() as session:
        made = await servers.ask(session, vps.id, action, principal.username)
        if made is None:
            running = await servers.under_way(session, vps.id)
            what = running.action if running else "another action"
            raise ApiError(ErrorCode.CONFLICT, f"The server is busy with {what}; try again when it is done.")
    await start_action(held, made, vps)


async def _delete(held: Services, principal: Principal, found: Owned) -> None:
    async with held.db.begin() as session:
        carried = await servers.carries(session, found.vps.id)
    if carried or found.deployment is None:
        raise ApiError(ErrorCode.CONFLICT, "The server carries an application; terminate its instance instead: "
                       + (", ".join(carried) or found.vps.vps_name) + ".")  # fmt: skip
    run = found.deployment
    if found.vps.lifecycle == Lifecycle.TERMINATED:
        raise ApiError(ErrorCode.CONFLICT, "The server is deleted already.")
    if run.phase == Phase.RUNNING:  # also where its run waits for somebody: what was ordered is taken back
        async with answered():
            await (await run_handle(held, run.id, terminating=False)).cancel(rpc_timeout=RPC_TIMEOUT)
        return
    if run.phase not in (Phase.ACTIVE, Phase.TERMINATING):
        raise ApiError(ErrorCode.CONFLICT, "The server is being taken back already.")
    await start_termination(held, TerminationOrder(
        deployment_id=str(run.id), slug=run.slug, fqdn="", reason="deleted by request",
        requested_by=principal.username, inputs=RunInputs.model_validate(run.inputs),
        deployment_type=DeploymentType.SERVER, policy=held.policy()))  # fmt: skip
