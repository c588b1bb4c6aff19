"""A creating request that may be repeated (X36): same key and body, same answer; same key, other body, 409."""

from __future__ import annotations

from pydantic_core import to_json
from sqlalchemy.ext.asyncio import AsyncSession

from api.errors import ApiError
from api.services import Principal, Services
from db.queries import ordering
from db.queries.ordering import Answered
from domain.errors import ErrorCode


async def claimed(
    session: AsyncSession, held: Services, principal: Principal, key: str | None, *, route: str, body: dict[str, object]
) -> Answered | None:
    """The earlier answer, or None: do it, and keep the answer with `ordering.keep_answer`.

    `body` may hold secrets; only its keyed fingerprint is kept.
    """
    if key is None:
        return None
    digest = held.tokens.fingerprint(to_json(body))
    earlier = await ordering.claim_key(session, principal.key, key, route=route, request_hash=digest)
    if earlier is not None and (earlier.route != route or earlier.request_hash != digest):
        raise ApiError(
            ErrorCode.IDEMPOTENCY_MISMATCH,
            "This Idempotency-Key was used with another request; use a new key for a new order.",
            field="Idempotency-Key",
        )
    return earlier
