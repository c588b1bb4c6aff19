"""The audit log: who did what to which thing. Details never hold secrets."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from db.base import new_id
from db.models import AuditEntry


@dataclass(frozen=True)
class Actor:
    """Whoever acts: a user's name, or what was typed at a failed sign-in."""

    name: str
    role: str = ""
    request_id: str = ""
    ip: str = ""


async def record(
    session: AsyncSession,
    actor: Actor,
    action: str,
    target_type: str,
    target_id: str,
    *,
    outcome: str = "ok",
    **details: object,
) -> None:
    """One line in the caller's transaction. `outcome`: ok, refused, or unavailable.

    `target_id` may be what somebody typed into an address: PostgreSQL holds no NUL, and the line must stay.
    """
    target_id = target_id.replace("\0", "")
    session.add(
        AuditEntry(id=new_id(), actor=actor.name[:200], role=actor.role, action=action, target_type=target_type,
                   target_id=target_id[:200], outcome=outcome, request_id=actor.request_id, ip=actor.ip[:64],
                   details=details)
    )  # fmt: skip
    await session.flush()
