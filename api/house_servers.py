"""Servers of the house, for operators (R149, R404): registered, set up by a run, emptied, removed.

A private key comes in and never goes out. What is done on a server, a worker does; here are its row and its job.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response

from api import ssh_keys
from api.answers import also
from api.auditing import audited, audited_change
from api.deps import Held, IdempotencyKey, Operator, ServerReader, actor, parsed_id
from api.envelope import reply, request_id, stamp
from api.errors import ApiError, not_found
from api.examples import taking
from api.house_server_schemas import (
    CHANGE_REQUEST,
    CREATE_REQUEST,
    REGISTERED,
    SERVER,
    SERVERS,
    SETTING_UP,
    ServerChange,
    ServerCreate,
)
from api.idempotency import REPLAYED, claimed
from api.paging import pagination
from api.starting import cancel_set_up, retry_set_up, start_set_up
from db import secrets
from db.models_hosting import Server
from db.models_jobs import Job
from db.queries import audit, house_servers, ordering, set_ups
from domain.errors import ErrorCode
from domain.provisioning import RetryRequest
from domain.sales import ServerStatus, ServerType
from domain.statuses import Attention

router = APIRouter(prefix="/api/hosting/servers", tags=["house servers"])

ROUTE = "POST /api/hosting/servers"


@router.get("", responses={200: SERVERS})
async def servers(
    request: Request,
    principal: ServerReader,
    held: Held,
    type: ServerType | None = None,
    status: ServerStatus | None = None,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Response:
    """Removed ones are listed where they are asked for."""
    async with held.db.begin() as session:
        total, found = await house_servers.page(session, type, status, offset=(page - 1) * limit, limit=limit)
        jobs = await set_ups.newest(session, [server.id for server, _ in found])
    listed = [_shown(server, used, jobs.get(server.id)) for server, used in found]
    return reply(request, {"servers": listed, "pagination": pagination(page, limit, total)})


@router.post("", status_code=201, responses={201: REGISTERED, **also(409)}, openapi_extra=taking(CREATE_REQUEST))
async def register(
    request: Request, asked: ServerCreate, principal: Operator, held: Held, key: IdempotencyKey
) -> Response:
    """Register a server; its set-up begins at once and waits until our key is let in."""
    _check(asked)
    given = asked.ssh_private_key.get_secret_value() if asked.ssh_private_key else None
    body: dict[str, object] = asked.model_dump(mode="json") | {"ssh_private_key": given}
    start = None
    async with held.db.begin() as session:
        earlier = await claimed(session, held, principal, key, route=ROUTE, body=body)
        if earlier is not None:
            return reply(request, earlier.response, earlier.status_code, headers=REPLAYED | _location(earlier.response))
        private = _key_for(asked.type, given)
        try:
            server = await house_servers.register(
                session, held.keys, private, hostname=asked.hostname, ip_address=str(asked.ip_address),
                type=asked.type, ssh_port=asked.ssh_port, ssh_user=asked.ssh_user, host_key=asked.host_key or "",
                max_accounts=asked.max_accounts)  # fmt: skip
        except house_servers.HostnameTaken:
            raise ApiError(ErrorCode.CONFLICT, f"The name {asked.hostname!r} is or was another server's.",
                           field="hostname") from None  # fmt: skip
        job = await set_ups.ask(session, server, principal.username)
        public = ssh_keys.public_line(private) if private else None
        answer: dict[str, object] = {"server": _shown(server, 0, job) | {"public_key": public}}
        if key is not None:
            await ordering.keep_answer(session, principal.key, key, 201, answer)
        await audit.record(session, actor(request, principal), "house_server.create", "house_server", str(server.id),
                           hostname=server.hostname, type=server.type, ip=server.ip_address)  # fmt: skip
        start = BackgroundTask(start_set_up, held, set_ups.order_of(job, server, held.policy()))
    return reply(request, answer, 201, headers=_location(answer), background=start)


@router.get("/{server_id}", responses={200: SERVER})
async def single(request: Request, server_id: str, principal: ServerReader, held: Held) -> Response:
    async with held.db.begin() as session:
        server = await _found(session, server_id)
        private = await secrets.read(session, held.keys, house_servers.key_purpose(server.id))
        public = ssh_keys.public_line(private) if private else None
        answer: dict[str, object] = {"server": await _with_facts(session, server) | {"public_key": public}}
    return reply(request, answer)


@router.patch("/{server_id}", responses={200: SERVER, **also(409)}, openapi_extra=taking(CHANGE_REQUEST))
async def change(request: Request, server_id: str, asked: ServerChange, principal: Operator, held: Held) -> Response:
    """A server that is DRAINING keeps what it has and gets nothing new. A parked set-up sees what is changed here."""
    fields = sorted(asked.model_fields_set)
    async with audited_change(
        held, request, principal, "house_server.update", ("house_server", server_id), fields=fields
    ) as session:
        server = await _living(session, server_id)
        if asked.status is not None:
            _move(server, asked.status)
        given = asked.model_dump(exclude_none=True, exclude={"status", "ip_address"})
        if asked.ip_address is not None:
            given["ip_address"] = str(asked.ip_address)
        for name, value in given.items():
            setattr(server, name, value)
        await session.flush()
        await session.refresh(server)
        answer: dict[str, object] = {"server": await _with_facts(session, server)}
    return reply(request, answer)


@router.delete("/{server_id}", responses=also(409))
async def remove(request: Request, server_id: str, principal: Operator, held: Held) -> Response:
    """409 while anything lives there or a set-up is under way. Its row is kept, its key is destroyed."""
    async with audited_change(held, request, principal, "house_server.delete", ("house_server", server_id)) as session:
        server = await _found(session, server_id, lock=True)
        if await set_ups.living(session, server.id) is not None:
            raise ApiError(ErrorCode.CONFLICT, "Its set-up is under way; end that first (DELETE …/set-up).")
        try:
            await house_servers.remove(session, server)
        except house_servers.GuestsLive as living:
            lives = "1 account lives" if living.count == 1 else f"{living.count} accounts live"
            raise ApiError(ErrorCode.CONFLICT, f"{lives} on {server.hostname}; end or move what lives there "
                           "first.") from None  # fmt: skip
        except house_servers.BackupsKept as kept:
            raise ApiError(ErrorCode.CONFLICT, f"Last backups lie on {server.hostname} ({kept.count}), and their time "
                           "is not over; leave it DRAINING until then.") from None  # fmt: skip
    return reply(request, {"message": "Server removed"})


@router.post("/{server_id}/set-up", status_code=202, responses={202: SETTING_UP, **also(409, 502)})
async def set_up(request: Request, server_id: str, principal: Operator, held: Held) -> Response:
    """Begin a set-up, or go on with the one that is under way: a step of it that waits for an operator is retried."""
    async with audited(held, request, principal, "house_server.set_up", ("house_server", server_id)):
        async with held.db.begin() as session:
            server = await _living(session, server_id)
            job = await set_ups.ask(session, server, principal.username)
            answer: dict[str, object] = {"message": "Set-up initiated", "server": await _with_facts(session, server)}
        if job.attention != Attention.NONE:
            await retry_set_up(held, job.id, RetryRequest(operator=principal.username, request_id=request_id(request)))
    start = None
    if job.started_at is None:
        start = BackgroundTask(start_set_up, held, set_ups.order_of(job, server, held.policy()))
    return reply(request, answer, 202, headers=_location(answer), background=start)


@router.delete("/{server_id}/set-up", status_code=202, responses=also(409))
async def give_up(request: Request, server_id: str, principal: Operator, held: Held) -> Response:
    """End the set-up that is under way. Nothing is removed from the server; it is PENDING until the next one."""
    async with audited(held, request, principal, "house_server.give_up", ("house_server", server_id)):
        async with held.db.begin() as session:
            server = await _found(session, server_id)
            job = await set_ups.living(session, server.id)
        if job is None:
            raise ApiError(ErrorCode.CONFLICT, "No set-up of this server is under way.")
        await cancel_set_up(held, job.id)
    return reply(request, {"message": "The set-up is being ended"}, 202)


def _check(asked: ServerCreate) -> None:
    if asked.type is ServerType.DNS:
        return
    if asked.host_key is None:
        raise ApiError(ErrorCode.VALIDATION_ERROR, f"hostKey is required for a {asked.type} server: it is entered "
                       "only where it shows that key.", field="hostKey")  # fmt: skip
    if asked.ssh_user != "root":
        raise ApiError(ErrorCode.VALIDATION_ERROR, f"sshUser must be root for a {asked.type} server: its accounts are "
                       "made as root.", field="sshUser")  # fmt: skip


def _key_for(kind: ServerType, given: str | None) -> str | None:
    if given is not None:
        return ssh_keys.private_key(given)
    return None if kind is ServerType.DNS else ssh_keys.new_private_key()


def _move(server: Server, wanted: ServerStatus) -> None:
    if wanted not in (ServerStatus.ACTIVE, ServerStatus.DRAINING):
        raise ApiError(ErrorCode.VALIDATION_ERROR, "status may become ACTIVE or DRAINING.", field="status")
    if server.status == ServerStatus.PENDING:
        raise ApiError(ErrorCode.CONFLICT, "A server that is PENDING is opened by its set-up.", field="status")
    server.status = wanted


async def _found(session: AsyncSession, text: str, *, lock: bool = False) -> Server:
    ref = parsed_id(text)
    try:
        if ref is not None:
            return await house_servers.get(session, ref, lock=lock)
    except house_servers.ServerMissing:
        pass
    raise not_found("server", text)


async def _living(session: AsyncSession, text: str) -> Server:
    server = await _found(session, text, lock=True)
    if server.status == ServerStatus.REMOVED:
        raise ApiError(ErrorCode.CONFLICT, f"{server.hostname} was removed.")
    return server


async def _with_facts(session: AsyncSession, server: Server) -> dict[str, Any]:
    jobs = await set_ups.newest(session, [server.id])
    return _shown(server, await house_servers.used(session, server.id), jobs.get(server.id))


def _location(answer: dict[str, Any]) -> dict[str, str]:
    return {"Location": f"/api/hosting/servers/{answer['server']['id']}"}


def _shown(server: Server, used: int, job: Job | None) -> dict[str, Any]:
    return {
        "id": str(server.id),
        "hostname": server.hostname,
        "ip_address": server.ip_address,
        "type": server.type,
        "status": server.status,
        "ssh_port": server.ssh_port,
        "ssh_user": server.ssh_user,
        "host_key": server.host_key,
        "set_up_version": server.set_up_version,
        "max_accounts": server.max_accounts,
        "accounts": used,
        "set_up": _set_up(job) if job is not None else None,
        "created_at": stamp(server.created_at),
        "updated_at": stamp(server.updated_at),
    }


def _set_up(job: Job) -> dict[str, Any]:
    return {
        "id": str(job.id),
        "status": job.status,
        "attention": job.attention,
        "status_message": job.status_message,
        "error_code": job.error_code,
        "error_message": job.error_message,
        "parked": job.parked,
        "requested_by": job.requested_by,
        "created_at": stamp(job.created_at),
        "ended_at": stamp(job.ended_at),
    }
