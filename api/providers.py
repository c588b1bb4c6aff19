"""Accounts at clouds, for administrators (R007–R010, R233). A key comes in and never goes out.

Nothing here speaks to a cloud: whether credentials are accepted is asked by a short run in a worker.
"""

from __future__ import annotations

import uuid
from typing import Any

from fastapi import APIRouter
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import Response

from api.answers import also
from api.auditing import audited, audited_change
from api.deps import Administrator, Held, IdempotencyKey, actor, parsed_id
from api.envelope import reply, stamp
from api.errors import ApiError
from api.examples import ACCOUNT_CHANGE, ACCOUNT_CREATED, ACCOUNT_REMOVED, ACCOUNT_REQUEST, ACCOUNTS, taking
from api.idempotency import REPLAYED, claimed
from api.schemas_clouds import AccountChange, AccountCreate, key_problem
from api.services import Services
from api.starting import check_account
from db.models_clouds import ServiceProvider
from db.queries import audit, environment, ordering, providers
from domain.errors import ErrorCode
from domain.servers import SERVED, ProviderType

router = APIRouter(prefix="/api/admin/providers", tags=["providers"])

ROUTE = "POST /api/admin/providers"
# Not 401: the session is good, the account's key is not.
_STATUS = {ErrorCode.INVALID_CREDENTIALS: 422}


@router.get("", responses={200: ACCOUNTS})
async def accounts(request: Request, principal: Administrator, held: Held) -> Response:
    async with held.db.begin() as session:
        found = await providers.listed(session)
    return reply(request, {"providers": [shown(row) | {"servers": count} for row, count in found]})


@router.post("", status_code=201, responses={201: ACCOUNT_CREATED, **also(409)}, openapi_extra=taking(ACCOUNT_REQUEST))
async def create(
    request: Request, asked: AccountCreate, principal: Administrator, held: Held, key: IdempotencyKey
) -> Response:
    """A kind of cloud that is not offered yet is kept, and stays inactive."""
    configuration = asked.configuration.kept()
    _check(asked.type, asked.api_key, configuration)
    body: dict[str, object] = asked.model_dump(mode="json") | {"api_key": asked.api_key.get_secret_value()}
    async with held.db.begin() as session:
        earlier = await claimed(session, held, principal, key, route=ROUTE, body=body)
        if earlier is not None:
            return reply(request, earlier.response, earlier.status_code, headers=REPLAYED | _location(earlier.response))
        try:
            row = await providers.create(
                session, held.keys, name=asked.name, kind=asked.type, api_key=asked.api_key.get_secret_value(),
                configuration=configuration, active=asked.active and asked.type in SERVED)  # fmt: skip
        except providers.NameTaken:
            raise _taken(asked.name) from None
        answer: dict[str, object] = {"provider": shown(row)}
        if key is not None:
            await ordering.keep_answer(session, principal.key, key, 201, answer)
        await audit.record(session, actor(request, principal), "provider.create", "service_provider", str(row.id),
                           name=row.name, type=row.type)  # fmt: skip
    return reply(request, answer, 201, headers=_location(answer))


@router.put("/{provider_id}", responses={200: ACCOUNT_CREATED, **also(409)}, openapi_extra=taking(ACCOUNT_CHANGE))
async def change(
    request: Request, provider_id: str, asked: AccountChange, principal: Administrator, held: Held
) -> Response:
    """What is missing stays as it is; a given configuration replaces the whole. What was cached of it is forgotten."""
    ref = _id(provider_id)
    fields = sorted(asked.model_fields_set)
    async with audited_change(
        held, request, principal, "provider.update", ("service_provider", str(ref)), fields=fields
    ) as session:
        row = await _locked(session, ref)
        configuration = asked.configuration.kept() if asked.configuration is not None else None
        if (asked.api_key is not None or configuration is not None) and environment.is_named(row):
            raise ApiError(ErrorCode.CONFLICT, f"{row.name} is set in the environment of Slipway's processes; change "
                           "its key and configuration there.")  # fmt: skip
        if asked.active and row.type not in SERVED:
            raise _not_offered(row.type)
        _check(row.type, asked.api_key, row.configuration if configuration is None else configuration)
        try:
            await providers.change(
                session, held.keys, row, name=asked.name, active=asked.active, configuration=configuration,
                api_key=asked.api_key.get_secret_value() if asked.api_key is not None else None)  # fmt: skip
        except providers.NameTaken:
            raise _taken(asked.name or "") from None
        answer: dict[str, object] = {"provider": shown(row)}
    return reply(request, answer)


@router.delete("/{provider_id}", responses={200: ACCOUNT_REMOVED, **also(409)})
async def remove(request: Request, provider_id: str, principal: Administrator, held: Held) -> Response:
    """409 while servers live there: without the account nobody could delete them."""
    ref = _id(provider_id)
    async with audited_change(held, request, principal, "provider.delete", ("service_provider", str(ref))) as session:
        row = await _locked(session, ref)
        if environment.is_named(row):
            raise ApiError(ErrorCode.CONFLICT, f"{row.name} is set in the environment of Slipway's processes; take it "
                           "out there, or disable it here.")  # fmt: skip
        try:
            await providers.remove(session, row)
        except providers.ServersLive as living:
            servers = "1 server lives" if living.count == 1 else f"{living.count} servers live"
            raise ApiError(ErrorCode.CONFLICT, f"{servers} at {row.name}; terminate first what lives there, or disable "
                           "the account.") from None  # fmt: skip
    return reply(request, {"message": "Provider deleted successfully"})


@router.post("/{provider_id}/validate", responses=also(409, 502))
async def validate(request: Request, provider_id: str, principal: Administrator, held: Held) -> Response:
    """Whether the cloud accepts the credentials, asked now."""
    ref = _id(provider_id)
    async with audited(held, request, principal, "provider.validate", ("service_provider", str(ref))):
        async with held.db.begin() as session:
            row = await providers.get(session, ref)
        if row is None:
            raise _missing()
        if row.type not in SERVED:
            raise _not_offered(row.type)
        checked = await check_account(held, row)
        if not checked.valid:
            code = checked.code or ErrorCode.API_ERROR
            wait = {"Retry-After": str(max(1, round(checked.retry_after)))} if checked.retry_after else None
            message = checked.message[:1].upper() + checked.message[1:]
            raise ApiError(code, message, status=_STATUS.get(code), provider=row.type, headers=wait,
                           field="api_key" if code is ErrorCode.INVALID_CREDENTIALS else None)  # fmt: skip
    return reply(request, {"valid": True, "message": checked.message})


def shown(row: ServiceProvider) -> dict[str, Any]:
    """As documented, and how its newest check ended."""
    return {
        "id": str(row.id),
        "name": row.name,
        "type": row.type,
        "active": row.active,
        "configuration": row.configuration,
        "origin": row.origin,
        "validated_at": stamp(row.validated_at),
        "validation": row.validation,
        "created_at": stamp(row.created_at),
        "updated_at": stamp(row.updated_at),
    }


def _check(kind: str, api_key: Any, configuration: dict[str, Any]) -> None:
    problem = key_problem(kind, api_key) if api_key is not None else None
    if problem is not None:
        raise ApiError(ErrorCode.VALIDATION_ERROR, problem, field="api_key")
    if kind == ProviderType.TRANSIP and not configuration.get("username"):
        raise ApiError(ErrorCode.VALIDATION_ERROR, "configuration.username is required: the login at TransIP.",
                       field="configuration.username")  # fmt: skip


def _id(text: str) -> uuid.UUID:
    ref = parsed_id(text)
    if ref is None:
        raise _missing()
    return ref


async def _locked(session: AsyncSession, ref: uuid.UUID) -> ServiceProvider:
    row = await providers.get(session, ref, lock=True)
    if row is None:
        raise _missing()
    return row


async def account(held: Services, provider_id: str) -> ServiceProvider:
    """404 where there is no such account, or it was removed."""
    async with held.db.begin() as session:
        row = await providers.get(session, _id(provider_id))
    if row is None:
        raise _missing()
    return row


def _location(answer: dict[str, Any]) -> dict[str, str]:
    return {"Location": f"/api/admin/providers/{answer['provider']['id']}"}


def _missing() -> ApiError:
    return ApiError(ErrorCode.PROVIDER_NOT_FOUND, "There is no such provider.")


def _taken(name: str) -> ApiError:
    return ApiError(ErrorCode.CONFLICT, f"Another provider is called {name!r}.", field="name")


def _not_offered(kind: str) -> ApiError:
    return ApiError(ErrorCode.PROVIDER_INACTIVE, f"{kind} is not offered yet.", provider=kind)
