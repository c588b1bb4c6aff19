"""Who is asking, and may they: the dependencies every route begins with.

Order: the token, the caller's bucket (X15), the duty to change a first password, the role. A machine's key stands for
no person: it passes where a route names a scope, and the key holds it.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Header
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer
from starlette.requests import HTTPConnection, Request

from api.answers import refuses
from api.envelope import request_id
from api.errors import ApiError
from api.machines import HEADER, Machine, key_in, machine_of
from api.ratelimit import Taken
from api.security import TokenRefused
from api.services import Principal, Services, services
from db.queries.audit import Actor
from db.queries.users import principal_row
from domain.api_keys import Scope
from domain.errors import ErrorCode
from domain.statuses import Role

bearer = HTTPBearer(auto_error=False, description="The access_token of POST /api/auth/login")
api_key = APIKeyHeader(name=HEADER, auto_error=False, description="A machine's key; as a bearer token it is taken too")

Caller = Principal | Machine

OPERATORS = frozenset({Role.ADMINISTRATOR, Role.OPERATOR})
NOBODY = uuid.UUID(int=0)  # no organization has this id
OF_THE_HOUSE = frozenset({Scope.SERVERS_READ, Scope.METRICS_READ})  # what they open belongs to no tenant
STAFF = OPERATORS | {Role.BILLING, Role.SUPPORT}


def client_ip(connection: HTTPConnection) -> str:
    return connection.client.host if connection.client else "unknown"


def actor(request: Request, principal: Caller) -> Actor:
    return Actor(principal.username, principal.role, request_id(request), client_ip(request))


def charge(request: HTTPConnection, key: str, limit: int) -> None:
    """Take a place in a bucket; the frame adds the headers of the last one taken."""
    taken = services(request).buckets.take(key, limit)
    request.scope["rate"] = taken
    if taken.retry_after is not None:
        raise _too_many(taken)


def _too_many(taken: Taken) -> ApiError:
    return ApiError(
        ErrorCode.RATE_LIMIT_EXCEEDED,
        f"Too many requests; try again in {taken.retry_after} seconds.",
        headers=taken.headers(),
    )


@refuses(429)
async def anonymous(request: Request) -> None:
    """For routes without a token: counted per address."""
    charge(request, f"ip:{client_ip(request)}", services(request).settings.rate_limit_max_requests)


def unauthenticated(request: HTTPConnection, message: str) -> ApiError:
    """401, counted against the address: guessing tokens is not free."""
    charge(request, f"ip:{client_ip(request)}", services(request).settings.rate_limit_max_requests)
    return ApiError(ErrorCode.UNAUTHENTICATED, message, headers={"WWW-Authenticate": "Bearer"})


async def principal_of(request: HTTPConnection, token: str, *, fresh: bool = False) -> Principal:
    """The living principal of an access token. 401 when the token, its session or its user has ended."""
    held = services(request)
    try:
        bearer = held.tokens.read(token)
    except TokenRefused:
        raise unauthenticated(request, "The access token is not valid or has expired; sign in again.") from None
    known = None if fresh else held.principals.get(bearer.user_id, bearer.family_id)
    if known is not None:
        return known
    row = await principal_row(held.reader, bearer.user_id, bearer.family_id)
    if row is None or not row["alive"]:
        raise unauthenticated(request, "This session has ended; sign in again.")
    principal = Principal(
        id=row["id"],
        family_id=bearer.family_id,
        username=row["username"],
        email=row["email"],
        name=row["name"],
        role=Role(row["role"]),
        organization_id=row["organization_id"],
        must_change_password=row["must_change_password"],
    )
    held.principals.put(principal)
    return principal


@refuses(401, 403, 429)
async def signed_in(
    request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
) -> Principal:
    """Anybody with a living session, also one who must change the password first."""
    await people_only(request)
    if given is None:
        raise unauthenticated(request, "Sign in first: send the access token as Authorization: Bearer …")
    principal = await principal_of(request, given.credentials)
    charge_principal(request, principal)
    return principal


def charge_principal(request: HTTPConnection, principal: Caller) -> None:
    """Reads have a bucket of their own, wide enough for a page that polls every 5 seconds (R314, X15)."""
    settings = services(request).settings
    if request.scope["method"] in ("GET", "HEAD"):
        charge(request, f"reads:{principal.key}", settings.rate_limit_max_reads)
    else:
        charge(request, principal.key, settings.rate_limit_max_requests)


async def member(request: Request, principal: Annotated[Principal, Depends(signed_in)]) -> Principal:
    if principal.must_change_password:
        # Another process may have changed it a moment ago.
        services(request).principals.forget(principal.id)
        token = request.headers["authorization"].partition(" ")[2].strip()
        principal = await principal_of(request, token, fresh=True)
    return settled(principal)


def settled(principal: Principal) -> Principal:
    if principal.must_change_password:
        raise ApiError(
            ErrorCode.FORBIDDEN, "Change your first password before anything else (POST /api/auth/password)."
        )
    return principal


def bound(principal: Principal) -> uuid.UUID | None:
    """The organization whose rows alone a principal sees; None for staff, who see all."""
    return None if principal.role is not Role.USER else principal.organization_id or NOBODY


def tenant_of(caller: Caller) -> uuid.UUID | None:
    """The tenant whose rows alone a machine's key reaches; None for people, and for keys of the house."""
    return caller.tenant_id if isinstance(caller, Machine) else None


def requires(roles: frozenset[Role]) -> Callable[..., Awaitable[Principal]]:
    async def check(principal: Annotated[Principal, Depends(member)]) -> Principal:
        if principal.role not in roles:
            raise ApiError(ErrorCode.FORBIDDEN, f"The role {principal.role} may not do this.")
        return principal

    return check


async def machine_at(request: HTTPConnection) -> Machine | None:
    """The machine whose key was sent; None where none was. 401 for one that is not, or no longer, good."""
    key = key_in(request.headers)
    if key is None:
        return None
    machine = await machine_of(services(request).db, key)
    if machine is None:
        raise unauthenticated(request, "The API key is not valid, has expired or was revoked.")
    charge_principal(request, machine)
    return machine


async def people_only(request: HTTPConnection) -> None:
    if await machine_at(request) is not None:
        raise ApiError(ErrorCode.FORBIDDEN, "This is for people who sign in; no scope of an API key opens it.")


def keyed(scope: Scope) -> Callable[..., Awaitable[Machine | None]]:
    """For routes that know callers of other kinds, too: None where no key was sent. 403 names the scope it lacks."""

    @refuses(401, 403, 429)
    async def check(request: Request, sent: Annotated[str | None, Depends(api_key)] = None) -> Machine | None:
        machine = await machine_at(request)
        if machine is not None and scope not in machine.scopes:
            raise ApiError(ErrorCode.FORBIDDEN, f"This API key lacks the scope {scope}.")
        if machine is not None and machine.tenant_id is not None and scope in OF_THE_HOUSE:
            raise ApiError(ErrorCode.FORBIDDEN, "This API key is bound to a tenant; this is about the whole house.")
        return machine

    return check


def either(roles: frozenset[Role], scope: Scope) -> Callable[..., Awaitable[Caller]]:
    """A person with one of the roles, or a machine whose key holds the scope."""

    by_key = Depends(keyed(scope))  # not in the annotation: it is evaluated where `scope` is not known

    @refuses(401, 403, 429)
    async def check(
        request: Request,
        given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
        machine: Machine | None = by_key,
    ) -> Caller:
        return machine or await requires(roles)(await member(request, await signed_in(request, given)))

    return check


def orders_for(machine: Machine, tenant_id: uuid.UUID) -> None:
    """403 where the key is bound to another tenant."""
    if machine.tenant_id not in (None, tenant_id):
        raise ApiError(ErrorCode.FORBIDDEN, "This API key may order for its own tenant only.")


@refuses(409)
async def idempotency_key(
    key: Annotated[
        str | None, Header(alias="Idempotency-Key", description="Makes a repeat of this request safe")
    ] = None,
) -> str | None:
    if key is not None and not (0 < len(key) <= 200 and key.isascii() and key.isprintable()):
        raise ApiError(
            ErrorCode.VALIDATION_ERROR,
            "Idempotency-Key must have 1 to 200 printable ASCII characters.",
            field="Idempotency-Key",
        )
    return key


def parsed_id(text: str) -> uuid.UUID | None:
    """None where it cannot be an id of ours; callers answer 404, because ids are opaque to clients."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


async def _held(request: Request) -> Services:
    # A coroutine, because FastAPI sends plain functions through a thread: a quarter of a status read's time.
    return services(request)


Held = Annotated[Services, Depends(_held)]
SignedIn = Annotated[Principal, Depends(signed_in)]
Member = Annotated[Principal, Depends(member)]
Staff = Annotated[Principal, Depends(requires(STAFF))]
Operator = Annotated[Principal, Depends(requires(OPERATORS))]
Administrator = Annotated[Principal, Depends(requires(frozenset({Role.ADMINISTRATOR})))]
# Of POST /api/orders: a machine, or None where the caller proves itself otherwise.
OrderMachine = Annotated[Machine | None, Depends(keyed(Scope.ORDERS_WRITE))]
Orderer = Annotated[Caller, Depends(either(OPERATORS, Scope.INSTANCES_WRITE))]
InstanceReader = Annotated[Caller, Depends(either(frozenset(Role), Scope.INSTANCES_READ))]
ServerReader = Annotated[Caller, Depends(either(OPERATORS, Scope.SERVERS_READ))]
Biller = Annotated[Principal, Depends(requires(OPERATORS | {Role.BILLING}))]
# A customer too, for what is the own organization's.
Owner = Annotated[Principal, Depends(requires(OPERATORS | {Role.USER}))]
OwnerOrBiller = Annotated[Principal, Depends(requires(OPERATORS | {Role.BILLING, Role.USER}))]
IdempotencyKey = Annotated[str | None, Depends(idempotency_key)]
