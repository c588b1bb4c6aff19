"""Keys of machines, for administrators (X06): made, listed, revoked. A key is shown once, when it is made."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, Field
from starlette.requests import Request
from starlette.responses import Response

from api.answers import also
from api.auditing import audited_change
from api.deps import Administrator, Held, actor, parsed_id
from api.envelope import reply, stamp
from api.errors import ApiError, not_found
from api.examples import described, taking
from api.paging import pagination
from api.schemas import Asked, Text200
from db.models_jobs import ApiKey
from db.queries import api_keys, audit
from domain.api_keys import OF_A_TENANT, KeyKind, Scope
from domain.errors import ErrorCode

router = APIRouter(prefix="/api/admin/api-keys", tags=["api keys"])


class KeyCreate(Asked):
    """`tenant_id` binds the key to one tenant; `expires_at` needs a time zone, and none means: until it is revoked."""

    name: Text200
    kind: KeyKind
    scopes: Annotated[set[Scope], Field(min_length=1)]
    tenant_id: uuid.UUID | None = None
    expires_at: AwareDatetime | None = None


_REQUEST: dict[str, Any] = {
    "name": "shop.example.com", "kind": "webhook", "scopes": ["orders:write"], "tenantId": None,
    "expiresAt": "2035-01-01T00:00:00Z",
}  # fmt: skip
_SHOWN: dict[str, Any] = {
    "id": "key-uuid", "name": "shop.example.com", "kind": "webhook", "scopes": ["orders:write"], "hint": "slw_Vq3n8Zk1",
    "tenant_id": None, "status": "active", "created_by": "ada", "created_at": "2025-01-19T10:30:00Z",
    "expires_at": "2035-01-01T00:00:00Z", "revoked_at": None, "last_used_at": None,
}  # fmt: skip
_PAGE = {"page": 1, "limit": 20, "total": 1, "totalPages": 1, "hasNext": False, "hasPrev": False}
KEYS = described("Keys, the newest first; never a key itself", {"api_keys": [_SHOWN], "pagination": _PAGE})
MADE = described("The key, shown this once", {"api_key": _SHOWN, "key": "slw_…"})
REVOKED = described("It is refused from now on", {"message": "API key revoked", "api_key": _SHOWN})


@router.get("", responses={200: KEYS})
async def keys(
    request: Request,
    principal: Administrator,
    held: Held,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Response:
    async with held.db.begin() as session:
        total, found = await api_keys.page(session, offset=(page - 1) * limit, limit=limit)
    return reply(request, {"api_keys": [_shown(row) for row in found], "pagination": pagination(page, limit, total)})


@router.post("", status_code=201, responses={201: MADE, **also(409)}, openapi_extra=taking(_REQUEST))
async def create(request: Request, asked: KeyCreate, principal: Administrator, held: Held) -> Response:
    """Takes no Idempotency-Key: its answer would have to be kept, and with it the key."""
    if asked.expires_at is not None and asked.expires_at <= datetime.now(UTC):
        raise ApiError(ErrorCode.VALIDATION_ERROR, "expiresAt must be in the future.", field="expiresAt")
    if asked.tenant_id is not None and (wider := sorted(asked.scopes - OF_A_TENANT)):
        raise ApiError(ErrorCode.VALIDATION_ERROR, f"A key that is bound to a tenant cannot hold {', '.join(wider)}.",
                       field="scopes")  # fmt: skip
    async with held.db.begin() as session:
        try:
            row, key = await api_keys.create(
                session, name=asked.name, kind=asked.kind, scopes=sorted(asked.scopes), tenant_id=asked.tenant_id,
                expires_at=asked.expires_at, created_by=principal.username)  # fmt: skip
        except api_keys.NameTaken:
            raise ApiError(ErrorCode.CONFLICT, f"Another key is called {asked.name!r}; revoke it, or choose another "
                           "name.", field="name") from None  # fmt: skip
        except api_keys.NoTenant:
            raise ApiError(ErrorCode.VALIDATION_ERROR, "tenantId names no tenant.", field="tenantId") from None
        await audit.record(session, actor(request, principal), "api_key.create", "api_key", str(row.id), name=row.name,
                           kind=row.kind, scopes=row.scopes, tenant=str(row.tenant_id or ""))  # fmt: skip
    return reply(request, {"api_key": _shown(row), "key": key}, 201, headers={"Cache-Control": "no-store"})


@router.delete("/{key_id}", responses={200: REVOKED})
async def revoke(request: Request, key_id: str, principal: Administrator, held: Held) -> Response:
    """At once, on every process. Its row stays: what it did is known by its name."""
    ref = parsed_id(key_id)
    async with audited_change(held, request, principal, "api_key.revoke", ("api_key", key_id)) as session:
        row = await api_keys.revoke(session, ref) if ref else None
        if row is None:
            raise not_found("API key", key_id)
    return reply(request, {"message": "API key revoked", "api_key": _shown(row)})


def _shown(row: ApiKey) -> dict[str, Any]:
    over = row.expires_at is not None and row.expires_at <= datetime.now(UTC)
    return {
        "id": str(row.id),
        "name": row.name,
        "kind": row.kind,
        "scopes": row.scopes,
        "hint": row.hint,
        "tenant_id": str(row.tenant_id) if row.tenant_id else None,
        "status": "revoked" if row.revoked_at is not None else "expired" if over else "active",
        "created_by": row.created_by,
        "created_at": stamp(row.created_at),
        "expires_at": stamp(row.expires_at),
        "revoked_at": stamp(row.revoked_at),
        "last_used_at": stamp(row.last_used_at),
    }
