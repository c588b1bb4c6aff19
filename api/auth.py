"""Signing in and out (X04, X05): one handler for every dialect of the source documents."""

from __future__ import annotations

import uuid

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from api.answers import also
from api.auditing import audited_change
from api.deps import Held, Member, SignedIn, actor, anonymous, client_ip, unauthenticated
from api.envelope import reply, request_id
from api.errors import ApiError
from api.schemas import Login, Logout, PasswordChange, Refresh
from api.schemas_people import ProfileChange
from api.services import Principal, Services
from db.models import User
from db.queries import audit, links, people, tokens
from db.queries.audit import Actor
from db.queries.users import NOBODY_KNOWS, check_password, find_user, set_password
from domain.errors import ErrorCode
from domain.mails import PASSWORD_RESET

router = APIRouter(prefix="/api/auth", tags=["auth"])

_REFUSED = "The refresh token is not valid any more; sign in again."


def _shown(user: User | Principal) -> dict[str, object]:
    return {
        "id": user.id,
        "username": user.username,
        "email": user.email,
        "name": user.name,
        "role": user.role,
        "must_change_password": user.must_change_password,
    }


def _granted(held: Services, user: User, family_id: uuid.UUID, refresh: str) -> dict[str, object]:
    access = held.tokens.sign(user.id, family_id)
    return {
        "access_token": access,
        "accessToken": access,
        "refresh_token": refresh,
        "refreshToken": refresh,
        "token_type": "bearer",
        "expires_in": int(held.tokens.access.total_seconds()),
        "user": _shown(user),
    }


@router.post("/login", dependencies=[Depends(anonymous)], responses=also(401))
async def login(request: Request, asked: Login, held: Held) -> Response:
    """Access token for 15 minutes, refresh token for 7 days. The same answer for a wrong name and a wrong password."""
    name = asked.username or asked.email
    if name is None:
        raise ApiError(ErrorCode.VALIDATION_ERROR, "username or email is required.", field="username")
    address = client_ip(request)
    account = f"{name.casefold()}|{address}"
    wait = max(held.failures.locked_for(account), held.address_failures.locked_for(address))
    if wait:
        raise ApiError(
            ErrorCode.RATE_LIMIT_EXCEEDED,
            f"Too many failed attempts; try again in {wait} seconds.",
            headers={"Retry-After": str(wait)},
        )
    async with held.db.begin() as session:
        user = await find_user(session, name.strip()) if name.isprintable() else None
    # Outside the transaction: a slow hash must not hold a connection. An unknown account costs the same, and one whose
    # password nobody has chosen yet.
    chosen = user.password_hash if user is not None and user.password_hash != NOBODY_KNOWS else held.decoy_hash
    matches = await check_password(asked.password.get_secret_value(), chosen)
    if user is None or not matches or not user.is_active:
        held.failures.failed(account)
        held.address_failures.failed(address)
        async with held.db.begin() as session:
            who = Actor(name if name.isprintable() else "?", "", request_id(request), address)
            await audit.record(session, who, "auth.login", "user", str(user.id) if user else "", outcome="refused")
        raise ApiError(
            ErrorCode.INVALID_CREDENTIALS, "Username or password is wrong.", headers={"WWW-Authenticate": "Bearer"}
        )
    held.failures.succeeded(account)
    family = uuid.uuid4()
    async with held.db.begin() as session:
        await tokens.forget_expired(session, user.id)
        refresh = await tokens.issue(session, user.id, family, held.tokens.refresh)
        who = Actor(user.username, user.role, request_id(request), address)
        await audit.record(session, who, "auth.login", "user", str(user.id))
    return reply(request, _granted(held, user, family, refresh))


@router.post("/refresh", dependencies=[Depends(anonymous)], responses=also(401))
async def refresh(request: Request, asked: Refresh, held: Held) -> Response:
    """A refresh token works once. One that comes back after it was spent ends the whole session."""
    async with held.db.begin() as session:
        renewed = await tokens.renew(session, asked.refresh_token.get_secret_value(), held.tokens.refresh)
        if not isinstance(renewed, tokens.Renewed):
            refusal, user_id = renewed
            if refusal is tokens.Refusal.REUSED and user_id is not None:
                held.principals.forget(user_id)
                who = Actor("unknown", "", request_id(request), client_ip(request))
                await audit.record(session, who, "auth.token_reuse", "user", str(user_id), outcome="refused")
    if not isinstance(renewed, tokens.Renewed):
        raise ApiError(ErrorCode.UNAUTHENTICATED, _REFUSED, headers={"WWW-Authenticate": "Bearer"})
    return reply(request, _granted(held, renewed.user, renewed.family_id, renewed.token))


@router.post("/logout")
async def logout(request: Request, principal: SignedIn, held: Held, asked: Logout | None = None) -> Response:
    """End this session: its refresh tokens at once, its access token within seconds on every process."""
    async with held.db.begin() as session:
        await tokens.revoke_family(session, principal.family_id)
        await audit.record(session, actor(request, principal), "auth.logout", "user", str(principal.id))
    held.principals.forget(principal.id)
    return reply(request, {"message": "Signed out"})


@router.get("/me")
@router.get("/profile", include_in_schema=False)
async def me(request: Request, principal: SignedIn) -> Response:
    return reply(request, {"user": _shown(principal)})


@router.put("/profile", responses=also(409))
async def change_profile(request: Request, asked: ProfileChange, principal: Member, held: Held) -> Response:
    """One's own name and e-mail; what is missing stays as it is."""
    fields = sorted(asked.model_fields_set)
    async with audited_change(
        held, request, principal, "auth.profile", ("user", str(principal.id)), fields=fields
    ) as session:
        await people.lock(session)
        user = await people.get(session, principal.id, locked=True)
        if user is None:
            raise unauthenticated(request, "This session has ended; sign in again.")
        try:
            await people.change_profile(session, user, name=asked.name, email=asked.email)
        except people.Taken as taken:
            raise ApiError(ErrorCode.CONFLICT, "Somebody else has this e-mail.", field=taken.field) from None
    held.principals.forget(principal.id)
    return reply(request, {"message": "Profile updated", "user": _shown(user)})


@router.post("/password")
async def change_password(request: Request, asked: PasswordChange, principal: SignedIn, held: Held) -> Response:
    """Every other session of the user ends."""
    account = f"{principal.id}|password"
    wait = held.failures.locked_for(account)
    if wait:
        raise ApiError(
            ErrorCode.RATE_LIMIT_EXCEEDED,
            f"Too many failed attempts; try again in {wait} seconds.",
            headers={"Retry-After": str(wait)},
        )
    new = asked.new_password.get_secret_value()
    async with held.db.begin() as session:
        user = await session.get(User, principal.id)
        if user is None:
            raise unauthenticated(request, "This session has ended; sign in again.")
        if not await check_password(asked.current_password.get_secret_value(), user.password_hash):
            held.failures.failed(account)
            # 422 and not 401: the session is good, the field is wrong.
            raise ApiError(
                ErrorCode.INVALID_CREDENTIALS, "The current password is wrong.", status=422, field="current_password"
            )
        if await check_password(new, user.password_hash):
            raise ApiError(
                ErrorCode.VALIDATION_ERROR, "new_password must differ from the current one.", field="new_password"
            )
        await set_password(session, user, new, held.settings.bcrypt_rounds)
        await tokens.revoke_other_families(session, user.id, principal.family_id)
        await links.end(session, user.id, PASSWORD_RESET)
        await audit.record(session, actor(request, principal), "auth.password", "user", str(user.id))
    held.failures.succeeded(account)
    held.principals.forget(principal.id)
    return reply(request, {"message": "Password changed", "user": _shown(user)})
