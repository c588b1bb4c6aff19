"""GET /api/operator/attention: every step that waits for somebody, the longest wait first."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.deps import Held, Staff
from api.envelope import reply
from api.statusview import temporal_url
from db.queries.fleet import attention_rows

router = APIRouter(prefix="/api/operator", tags=["operations"])


@router.get("/attention")
async def attention(request: Request, principal: Staff, held: Held) -> Response:
    items: list[dict[str, Any]] = [
        {
            "deployment_id": row["id"],
            "slug": row["slug"],
            "organization_name": row["organization_name"],
            "deployment_type": row["deployment_type"],
            "tier": row["tier"],
            "phase": row["phase"],
            "attention": row["attention"],
            **wait,
            "price_cents_month": row["price_cents_month"],
            "currency": row["currency"],
            "temporal_url": temporal_url(held.settings, row["id"], row["phase"]),
        }
        for row in await attention_rows(held.reader)
        for wait in row["parked"]
    ]
    items.sort(key=lambda item: str(item["since"]))
    return reply(request, {"items": items})
