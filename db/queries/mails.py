"""Mail that goes out, as rows: queued with what it is about, sent or given up. Its token is an encrypted secret."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from db import secrets
from db.base import new_id
from db.keyring import KeyRing
from db.models_mail import OutgoingMail
from domain.errors import clip
from domain.mails import MailCall


def _purpose(mail_id: uuid.UUID) -> str:
    return f"mail:{mail_id}"


def call_of(mail: OutgoingMail) -> MailCall:
    return MailCall(mail_id=str(mail.id), template=mail.template)


async def queue(
    session: AsyncSession,
    keys: KeyRing,
    recipient: str,
    template: str,
    values: dict[str, str],
    *,
    token: str | None = None,
) -> MailCall:
    """In the caller's transaction: a mail is there with what it tells of, or neither is. `values` holds no secret."""
    mail = OutgoingMail(id=new_id(), recipient=recipient, template=template, values=values)
    session.add(mail)
    await session.flush()
    if token is not None:
        await secrets.ensure(session, keys, _purpose(mail.id), lambda: token)
    return call_of(mail)


async def token_of(session: AsyncSession, keys: KeyRing, mail_id: uuid.UUID) -> str | None:
    return await secrets.read(session, keys, _purpose(mail_id))


async def started(session: AsyncSession, mail_id: uuid.UUID) -> None:
    await session.execute(
        update(OutgoingMail)
        .where(OutgoingMail.id == mail_id, OutgoingMail.started_at.is_(None))
        .values(started_at=func.now())
    )


async def unstarted(session: AsyncSession, before: datetime, limit: int) -> list[MailCall]:
    query = (
        select(OutgoingMail)
        .where(OutgoingMail.started_at.is_(None), OutgoingMail.created_at < before)
        .order_by(OutgoingMail.created_at)
        .limit(limit)
    )
    return [call_of(mail) for mail in (await session.execute(query)).scalars()]


async def begin_try(session: AsyncSession, mail_id: uuid.UUID) -> OutgoingMail | None:
    """Count a try. None where nothing is left to send."""
    mail = await session.get(OutgoingMail, mail_id, with_for_update=True)
    if mail is None or mail.state != "waiting":
        return None
    mail.attempts += 1
    await session.flush()
    return mail


async def sent(session: AsyncSession, mail_id: uuid.UUID) -> None:
    """Taken by the mail server, also where it was given up a moment ago; its token is destroyed here."""
    await session.execute(
        update(OutgoingMail)
        .where(OutgoingMail.id == mail_id, OutgoingMail.state != "sent")
        .values(state="sent", sent_at=func.now(), last_error="")
    )
    await secrets.destroy_global(session, _purpose(mail_id))


async def failed(session: AsyncSession, mail_id: uuid.UUID, message: str) -> None:
    """Given up for good; nobody needs its token any more."""
    await session.execute(
        update(OutgoingMail)
        .where(OutgoingMail.id == mail_id, OutgoingMail.state == "waiting")
        .values(state="failed", last_error=clip(message))
    )
    await secrets.destroy_global(session, _purpose(mail_id))
