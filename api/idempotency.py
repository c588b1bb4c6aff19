"""Idempotency-Key (X36): a repeat of a creating request gets the first one's answer, and creates nothing."""

from __future__ import annotations

from pydantic_core import to_json
from sqlalchemy.ext.asyncio import AsyncSession

from api.deps import Caller
from api.errors import ApiError
from api.services import Services
from db.queries import ordering
from db.queries.ordering import Answered
from domain.errors import ErrorCode

REPLAYED = {"Idempotent-Replay": "true"}


async def claimed(
    session: AsyncSession, held: Services, principal: Caller, key: str | None, *, route: str,
    body: dict[str, object],
) -> Answered | None:  # fmt: skip
    """None: go on, and keep the answer with `ordering.keep_answer`. Else what the key was answered with before.

    `body` holds secrets in clear: only a keyed fingerprint of it is kept.
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
