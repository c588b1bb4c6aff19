"""GET …/credentials: the first administrator's password of an application, shown once and then destroyed (X21)."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter
from sqlalchemy import func
from starlette.requests import Request
from starlette.responses import Response

from api.answers import also
from api.create_instance import PASSWORD_PURPOSE
from api.deps import Held, Operator, actor, parsed_id
from api.envelope import reply
from api.errors import ApiError, not_found
from api.statusview import reveal_until
from db.models import Deployment
from db.queries import audit
from db.secrets import context_of, row_of
from domain.errors import ErrorCode
from domain.statuses import Phase

router = APIRouter(prefix="/api/portal/instances", tags=["instances"])


def _gone(message: str) -> ApiError:
    return ApiError(ErrorCode.CONFLICT, message, status=410)


@router.get("/{deployment_id}/credentials", responses={410: {"description": "Shown before, or expired"}, **also(409)})
async def credentials(request: Request, deployment_id: str, principal: Operator, held: Held) -> Response:
    """Two simultaneous calls: one gets the values, the other 410."""
    ref = parsed_id(deployment_id)
    shown: dict[str, object] | None = None
    refusal: ApiError | None = None
    async with held.db.begin() as session:
        row = await session.get(Deployment, ref) if ref else None
        if row is None:
            raise not_found("deployment", deployment_id)
        if row.phase != Phase.ACTIVE:
            raise ApiError(ErrorCode.CONFLICT, "The credentials are handed over once the deployment is active.")
        secret = await row_of(session, PASSWORD_PURPOSE, deployment_id=row.id, lock=True)
        until = reveal_until(secret.expires_at if secret else None, row.activated_at, held.settings.credentials_days)
        if secret is None or secret.revealed_at is not None or secret.ciphertext is None:
            refusal = _gone("The credentials have been shown before; they are not kept.")
        elif until is not None and until <= datetime.now(UTC):
            # Nobody may ever read it again, so nothing is left to be stolen.
            secret.ciphertext = None
            refusal = _gone("The time to see the credentials has passed; reset the password in the application.")
        else:
            password = held.keys.decrypt(secret.key_id, secret.ciphertext, context=context_of(secret.id)).decode()
            shown = {"url": row.access_url, "email": row.admin_email, "password": password, "must_change": True}
            secret.ciphertext = None
            secret.revealed_at = func.now()
        await audit.record(
            session, actor(request, principal), "credentials.reveal", "deployment", str(row.id),
            outcome="refused" if refusal else "ok")  # fmt: skip
    if refusal is not None:
        raise refusal
    return reply(request, {"credentials": shown}, headers={"Cache-Control": "no-store"})
