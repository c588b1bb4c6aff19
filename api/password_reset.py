"""A forgotten password: a link by mail that works once (X21). Who asks learns nothing about who has an account."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

from fastapi import APIRouter, Depends
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response

from api.deps import Held, anonymous, client_ip
from api.envelope import reply, request_id
from api.errors import ApiError
from api.schemas import PasswordForgotten, PasswordReset
from api.services import Services
from api.starting import start_queued_mail
from db.models import User
from db.queries import audit, links, mails, tokens
from db.queries.audit import Actor
from db.queries.users import find_by_email, set_password
from domain.errors import ErrorCode
from domain.mails import PASSWORD_CHANGED, PASSWORD_RESET, MailCall

router = APIRouter(prefix="/api/auth/password", tags=["auth"])

LIFETIME = timedelta(minutes=60)
LINKS_AN_HOUR = 3  # of one account; more would only fill somebody's mailbox
ANSWER_SECONDS = 0.3  # every answer takes that long, so that its time does not tell either

_SENT = "If an account has this address, a mail with a link is on its way to it."
_REFUSED = "This link does not work any more; ask for a new one."


@router.post("/forgot", status_code=202, dependencies=[Depends(anonymous)])
async def forgot(request: Request, asked: PasswordForgotten, held: Held) -> Response:
    """202 and the same sentence for everybody. The link is good for an hour, and ends those sent before."""
    began = time.monotonic()
    mail = await _ask(request, held, asked.email.strip())
    await asyncio.sleep(max(0.0, ANSWER_SECONDS - (time.monotonic() - began)))
    return reply(request, {"message": _SENT}, 202, background=BackgroundTask(start_queued_mail, held, mail))


async def _ask(request: Request, held: Services, email: str) -> MailCall | None:
    who = Actor("unknown", "", request_id(request), client_ip(request))
    async with held.db.begin() as session:
        # The lock counts askers who come at once, too.
        user = await find_by_email(session, email, lock=True) if email.isprintable() else None
        if user is None or not user.is_active:
            await audit.record(session, who, "auth.password_forgot", "user", "", outcome="refused")
            return None
        hour_ago = datetime.now(UTC) - timedelta(hours=1)
        if await links.issued_since(session, user.id, PASSWORD_RESET, hour_ago) >= LINKS_AN_HOUR:
            await audit.record(session, who, "auth.password_forgot", "user", str(user.id), outcome="refused")
            return None
        token = await links.issue(session, user.id, PASSWORD_RESET, LIFETIME)
        values = {"name": user.name or user.username, "portal": held.settings.portal_url,
                  "minutes": str(int(LIFETIME.total_seconds() // 60))}  # fmt: skip
        mail = await mails.queue(session, held.keys, user.email, PASSWORD_RESET, values, token=token)
        await audit.record(session, who, "auth.password_forgot", "user", str(user.id))
        return mail


@router.post("/reset", dependencies=[Depends(anonymous)])
async def reset(request: Request, asked: PasswordReset, held: Held) -> Response:
    """A new password for whoever has the link. Every session of the account ends."""
    async with held.db.begin() as session:
        user_id = await links.use(session, asked.token.get_secret_value(), PASSWORD_RESET)
        user = await session.get(User, user_id, with_for_update=True) if user_id else None
        if user is None or not user.is_active:
            raise ApiError(ErrorCode.VALIDATION_ERROR, _REFUSED, field="token")
        await set_password(session, user, asked.new_password.get_secret_value(), held.settings.bcrypt_rounds)
        await tokens.revoke_all(session, user.id)
        values = {"name": user.name or user.username, "portal": held.settings.portal_url}
        mail = await mails.queue(session, held.keys, user.email, PASSWORD_CHANGED, values)
        who = Actor(user.username, user.role, request_id(request), client_ip(request))
        await audit.record(session, who, "auth.password_reset", "user", str(user.id))
    held.principals.forget(user.id)
    body: dict[str, object] = {"message": "Password changed; sign in with it."}
    return reply(request, body, background=BackgroundTask(start_queued_mail, held, mail))
