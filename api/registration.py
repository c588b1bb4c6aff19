"""People who make themselves an account (R105), where the settings allow it.

An account opens with the link of a mail together with the password that was chosen: whoever registers somebody else's
address does not get one, and whoever follows a link that they did not ask for does not open a stranger's. No answer
says whether an address is known. An account sees nothing until it belongs to an organization: that of the customer who
has this address.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

from fastapi import APIRouter, Depends
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response

from api.answers import refuses
from api.deps import Held, charge, client_ip
from api.envelope import reply, request_id
from api.errors import ApiError
from api.examples import taking
from api.people_examples import REGISTER_REQUEST, REGISTERED
from api.schemas_people import Register, RegistrationConfirm
from api.services import Services, services
from api.starting import start_queued_mail
from api.users import shown
from db.models import User
from db.queries import audit, mails, people, registrations
from db.queries.audit import Actor
from db.queries.tokens import digest
from db.queries.users import check_password, find_user, hash_password
from domain.errors import ErrorCode
from domain.mails import REGISTRATION, REGISTRATION_KNOWN, MailCall

LIFETIME = timedelta(hours=24)
MAILS_AN_HOUR = 3  # to one address; more would only fill somebody's mailbox
TRIES = 10  # of one network address in a window: each costs a hash and a mail
ANSWER_SECONDS = 0.3  # every answer takes that long after its hash, so that its time does not tell either

_SENT = "If an account can be made with this address, a mail with a link is on its way to it."
_OVER = "This link does not work any more; register again."


@refuses(403, 429)
async def _open(request: Request) -> None:
    """Before the body is looked at: what is closed says nothing else."""
    held = services(request)
    charge(request, f"register:{client_ip(request)}", TRIES)
    if not held.settings.registration_open:
        raise ApiError(ErrorCode.FORBIDDEN, "Nobody can register here; ask an administrator for an invitation.")


router = APIRouter(prefix="/api/auth/register", tags=["auth"], dependencies=[Depends(_open)])


@router.post("", status_code=202, openapi_extra=taking(REGISTER_REQUEST))
async def register(request: Request, asked: Register, held: Held) -> Response:
    """202 and the same sentence for everybody. The link is good for a day, and ends one that was sent before."""
    # Also for an address that is known: what is left away would tell.
    hashed = await hash_password(asked.password.get_secret_value(), held.settings.bcrypt_rounds)
    began = time.monotonic()
    mail = await _ask(request, held, asked, hashed)
    await asyncio.sleep(max(0.0, ANSWER_SECONDS - (time.monotonic() - began)))
    return reply(request, {"message": _SENT}, 202, background=BackgroundTask(start_queued_mail, held, mail))


@router.post("/confirm", status_code=201, responses={201: REGISTERED})
async def confirm(request: Request, asked: RegistrationConfirm, held: Held) -> Response:
    """Open the account. A wrong password leaves the link as it is."""
    token, password = asked.token.get_secret_value(), asked.password.get_secret_value()
    key = f"{digest(token)}|register"
    wait = held.failures.locked_for(key)
    if wait:
        raise ApiError(ErrorCode.RATE_LIMIT_EXCEEDED, f"Too many failed attempts; try again in {wait} seconds.",
                       headers={"Retry-After": str(wait)})  # fmt: skip
    async with held.db.begin() as session:
        waiting = await registrations.find(session, token)
    # Outside the transaction: a slow hash must not hold the lock.
    if waiting is not None and not await check_password(password, waiting.password_hash):
        held.failures.failed(key)
        # 422 and not 401: there is no session that could have ended.
        raise ApiError(ErrorCode.INVALID_CREDENTIALS, "This is not the password that was chosen.", status=422,
                       field="password")  # fmt: skip
    user = await _confirmed(request, held, token)
    held.failures.succeeded(key)
    body: dict[str, object] = {"message": "Account opened; sign in with your password", "user": shown(user)}
    return reply(request, body, 201)


async def _ask(request: Request, held: Services, asked: Register, password_hash: str) -> MailCall | None:
    who = Actor("unknown", "", request_id(request), client_ip(request))
    async with held.db.begin() as session:
        await people.lock(session)  # counts askers who come at once, too
        hour_ago = datetime.now(UTC) - timedelta(hours=1)
        if await registrations.mails_since(session, asked.email, hour_ago) >= MAILS_AN_HOUR:
            await audit.record(session, who, "auth.register", "registration", "", outcome="refused")
            return None
        known = await find_user(session, asked.email)
        if known is not None:
            await audit.record(session, who, "auth.register", "user", str(known.id), outcome="refused")
            return await _tell_known(session, held, known)
        ref, token = await registrations.ask(
            session, email=asked.email, name=asked.name, password_hash=password_hash, lifetime=LIFETIME)  # fmt: skip
        values = {"name": asked.name, "portal": held.settings.portal_url,
                  "hours": str(int(LIFETIME.total_seconds() // 3600))}  # fmt: skip
        await audit.record(session, who, "auth.register", "registration", str(ref))
        return await mails.queue(session, held.keys, asked.email, REGISTRATION, values, token=token)


async def _tell_known(session: AsyncSession, held: Services, known: User) -> MailCall | None:
    """Whoever has an account learns that somebody asked; who was disabled is told nothing."""
    if not known.is_active:
        return None
    values = {"name": known.name or known.username, "portal": held.settings.portal_url}
    return await mails.queue(session, held.keys, known.email, REGISTRATION_KNOWN, values)


async def _confirmed(request: Request, held: Services, token: str) -> User:
    async with held.db.begin() as session:
        await people.lock(session)
        waiting = await registrations.find(session, token, lock=True)
        try:
            user = await registrations.confirm(session, waiting) if waiting is not None else None
        except people.Taken:
            user = None
        if user is None:
            raise ApiError(ErrorCode.VALIDATION_ERROR, _OVER, field="token")
        who = Actor(user.username, user.role, request_id(request), client_ip(request))
        await audit.record(session, who, "auth.register_confirm", "user", str(user.id))
    return user
