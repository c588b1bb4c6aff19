"""People, for administrators (R110–R115): who may sign in, as what, and since when no more.

Whatever is asked, an active administrator remains, and nobody locks himself out. What is changed holds at once: what
this process knew of the person is forgotten, other processes notice within seconds.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response

from api.answers import also
from api.auditing import audited_change
from api.deps import Administrator, Held, actor, parsed_id
from api.envelope import reply, stamp
from api.errors import ApiError, not_found
from api.examples import taking
from api.paging import pagination
from api.people_examples import BULK, BULK_REQUEST, CREATE_REQUEST, CREATED
from api.schemas_people import (
    AccountStatus,
    Bulk,
    BulkAction,
    RoleChange,
    RoleName,
    SearchText,
    StatusChange,
    UserChange,
    UserCreate,
)
from api.services import Principal, Services
from api.starting import start_queued_mail
from db.models import User
from db.queries import audit, links, mails, people
from db.queries.users import NOBODY_KNOWS, hash_password
from domain.errors import ErrorCode
from domain.mails import INVITATION, INVITED, PASSWORD_RESET, MailCall
from domain.statuses import Role

router = APIRouter(prefix="/api/users", tags=["users"])

_LAST = "This is the last active administrator; make somebody else one first."
_TAKEN = {"email": "Somebody else has this e-mail.", "username": "Somebody else has this username."}


@router.get("")
async def users(
    request: Request,
    principal: Administrator,
    held: Held,
    search: Annotated[SearchText | None, Query(description="Part of a username, an e-mail or a name")] = None,
    role: RoleName | None = None,
    status: AccountStatus | None = None,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
    limit: Annotated[int, Query(ge=1, le=100)] = 10,
) -> Response:
    active = None if status is None else status is AccountStatus.ACTIVE
    wanted = people.PeopleFilter((search or "").strip() or None, role, active)
    async with held.db.begin() as session:
        total, found = await people.listed(session, wanted, offset=(page - 1) * limit, limit=limit)
    return reply(request, {"users": [shown(user) for user in found], "pagination": pagination(page, limit, total)})


@router.get("/stats")
async def stats(request: Request, principal: Administrator, held: Held) -> Response:
    async with held.db.begin() as session:
        counted = await people.stats(session)
    body: dict[str, object] = {
        "total": counted.total,
        "active": counted.active,
        "disabled": counted.total - counted.active,
        "by_role": counted.by_role,
        "signed_in_last_30_days": counted.signed_in,
    }
    return reply(request, body)


@router.get("/{user_id}")
async def user(request: Request, user_id: str, principal: Administrator, held: Held) -> Response:
    async with held.db.begin() as session:
        found = await people.get(session, _id(user_id))
    if found is None:
        raise not_found("user", user_id)
    return reply(request, {"user": shown(found)})


@router.post("", status_code=201, responses={201: CREATED, **also(409)}, openapi_extra=taking(CREATE_REQUEST))
async def create(request: Request, asked: UserCreate, principal: Administrator, held: Held) -> Response:
    """The password is the first one only: it opens nothing but the way to change it. Without one the person gets a link
    by mail, which works once within seven days, and chooses it alone."""
    organization = parsed_id(asked.organization_id) if asked.organization_id is not None else None
    if asked.organization_id is not None and organization is None:
        raise _no_organization()
    # Outside the transaction: a slow hash must not hold the lock.
    hashed = NOBODY_KNOWS
    if asked.password is not None:
        hashed = await hash_password(asked.password.get_secret_value(), held.settings.bcrypt_rounds)
    async with held.db.begin() as session:
        await people.lock(session)
        try:
            made = await people.create(
                session, name=asked.name, email=asked.email, password_hash=hashed, role=asked.role,
                username=asked.username, organization_id=organization)  # fmt: skip
        except people.Taken as taken:
            raise ApiError(ErrorCode.CONFLICT, _TAKEN[taken.field], field=taken.field) from None
        except people.NoOrganization:
            raise _no_organization() from None
        mail = await _invite(session, held, principal, made) if asked.password is None else None
        await audit.record(session, actor(request, principal), "user.create", "user", str(made.id),
                           username=made.username, user_role=made.role, invited=mail is not None)  # fmt: skip
    said = "User created" if mail is None else "User created; a mail with a link is on its way"
    answer: dict[str, object] = {"message": said, "user": shown(made)}
    return reply(request, answer, 201, headers={"Location": f"/api/users/{made.id}"},
                 background=BackgroundTask(start_queued_mail, held, mail))  # fmt: skip


@router.put("/{user_id}", responses=also(409))
async def change(request: Request, user_id: str, asked: UserChange, principal: Administrator, held: Held) -> Response:
    """What is missing stays as it is."""
    said: dict[str, object] = {"fields": sorted(asked.model_fields_set)}
    said |= {"user_role": asked.role} if asked.role is not None else {}
    async with _changing(held, request, principal, user_id, "user.update", **said) as (session, found):
        if asked.role is not None:
            await people.set_role(session, found, asked.role)
        if asked.name is not None:
            found.name = asked.name
    return reply(request, {"message": "User updated", "user": shown(found)})


@router.patch("/{user_id}/role", responses=also(409))
async def change_role(
    request: Request, user_id: str, asked: RoleChange, principal: Administrator, held: Held
) -> Response:
    found = await _give_role(held, request, principal, user_id, asked.role)
    return reply(request, {"message": "Role changed", "user": shown(found)})


@router.patch("/{user_id}/status", responses=also(409))
async def change_status(
    request: Request, user_id: str, asked: StatusChange, principal: Administrator, held: Held
) -> Response:
    """Whoever is disabled is signed out everywhere."""
    found = await _set_active(held, request, principal, user_id, asked.status is AccountStatus.ACTIVE)
    return reply(request, {"message": f"User is {asked.status}", "user": shown(found)})


@router.delete("/{user_id}", responses=also(409))
async def remove(request: Request, user_id: str, principal: Administrator, held: Held) -> Response:
    """For good; what the person did stays in the audit log."""
    async with held.db.begin() as session:
        known = await people.get(session, _id(user_id))
    if known is None:
        raise not_found("user", user_id)
    async with _changing(held, request, principal, user_id, "user.delete", username=known.username) as (session, found):
        _not_oneself(principal, found, "delete")
        await people.remove(session, found)
    return reply(request, {"message": "User deleted"})


@router.post("/bulk", responses={200: BULK, **also(409)}, openapi_extra=taking(BULK_REQUEST))
async def bulk(request: Request, asked: Bulk, principal: Administrator, held: Held) -> Response:
    """One after the other, each by itself: what is refused for one changes nothing for the others."""
    if (asked.role is not None) != (asked.action is BulkAction.ROLE):
        message = "role is required." if asked.role is None else "role belongs to the action role only."
        raise ApiError(ErrorCode.VALIDATION_ERROR, message, field="role")
    results: list[dict[str, object]] = []
    for ref in dict.fromkeys(asked.ids):
        try:
            if asked.role is not None:
                found = await _give_role(held, request, principal, ref, asked.role)
            else:
                found = await _set_active(held, request, principal, ref, asked.action is BulkAction.ACTIVATE)
        except ApiError as error:
            results.append({"id": ref, "ok": False, "code": error.code, "error": error.message})
        else:
            results.append({"id": ref, "ok": True, "user": shown(found)})
    done = sum(1 for result in results if result["ok"])
    body: dict[str, object] = {
        "message": f"{done} of {len(results)} changed",
        "results": results,
        "succeeded": done,
        "failed": len(results) - done,
    }
    return reply(request, body)


async def _invite(session: AsyncSession, held: Services, principal: Principal, user: User) -> MailCall:
    """Afterwards "Forgotten password" sends another link."""
    token = await links.issue(session, user.id, PASSWORD_RESET, INVITED)
    values = {"name": user.name, "inviter": principal.name or principal.username, "username": user.username,
              "portal": held.settings.portal_url, "days": str(INVITED.days)}  # fmt: skip
    return await mails.queue(session, held.keys, user.email, INVITATION, values, token=token)


def shown(user: User) -> dict[str, object]:
    return {
        "id": user.id,
        "username": user.username,
        "email": user.email,
        "name": user.name,
        "role": user.role,
        "is_active": user.is_active,
        "must_change_password": user.must_change_password,
        "organization_id": user.organization_id,
        "created_at": stamp(user.created_at),
    }


async def _give_role(held: Services, request: Request, principal: Principal, user_id: str, role: Role) -> User:
    async with _changing(held, request, principal, user_id, "user.role", user_role=role) as (session, found):
        await people.set_role(session, found, role)
    return found


async def _set_active(held: Services, request: Request, principal: Principal, user_id: str, active: bool) -> User:
    action = "user.activate" if active else "user.disable"
    async with _changing(held, request, principal, user_id, action) as (session, found):
        if not active:
            _not_oneself(principal, found, "disable")
        await people.set_active(session, found, active)
    return found


@asynccontextmanager
async def _changing(
    held: Services, request: Request, principal: Principal, user_id: str, action: str, **details: object
) -> AsyncIterator[tuple[AsyncSession, User]]:
    """The user's row behind the lock, the act in the audit log, and afterwards nothing remembered of the user."""
    ref = _id(user_id)
    async with audited_change(held, request, principal, action, ("user", str(ref)), **details) as session:
        await people.lock(session)
        found = await people.get(session, ref, locked=True)
        if found is None:
            raise not_found("user", user_id)
        try:
            yield session, found
        except people.LastAdministrator:
            raise ApiError(ErrorCode.CONFLICT, _LAST) from None
    held.principals.forget(ref)


def _not_oneself(principal: Principal, found: User, act: str) -> None:
    if principal.id == found.id:
        raise ApiError(ErrorCode.CONFLICT, f"You cannot {act} yourself; ask another administrator.")


def _no_organization() -> ApiError:
    return ApiError(ErrorCode.VALIDATION_ERROR, "There is no such organization.", field="organization_id")


def _id(text: str) -> uuid.UUID:
    ref = parsed_id(text)
    if ref is None:
        raise not_found("user", text)
    return ref
