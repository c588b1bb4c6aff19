"""GET /api/portal/options: what an order may say, for the portal's form. Public; the same for everybody."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.security import HTTPAuthorizationCredentials
from starlette.requests import Request
from starlette.responses import Response

from api.answers import refuses
from api.deps import Held, anonymous, bearer, machine_at, signed_in
from api.envelope import reply
from api.services import Services
from db.queries import offers, providers
from domain.ids import RESERVED_SLUGS, SLUG_PATTERN
from domain.offers import Offer
from domain.servers import SERVED, ProviderType
from domain.statuses import DeploymentType, Tier

router = APIRouter(prefix="/api/portal", tags=["instances"])

# R262. Which product a tier becomes is settled by the cloud's client; this is what people are shown.
_PRODUCTS = {Tier.STARTER: "bladevps-x2", Tier.PROFESSIONAL: "bladevps-x4", Tier.ENTERPRISE: "bladevps-x8"}


@refuses(401, 403, 429)
async def _charged(request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> None:
    """Signed in, or with a key, it is a read like any other; else it is counted per address."""
    if await machine_at(request) is not None:
        return
    if given is None:
        await anonymous(request)
    else:
        await signed_in(request, given)


async def _providers(held: Services) -> list[dict[str, object]]:
    """Clouds an order may name: those with an active account, with the regions they were last seen to offer."""
    shown: list[dict[str, object]] = []
    async with held.db.begin() as session:
        for kind in SERVED:
            account = await providers.standing_for(session, kind)
            if account is None:
                continue
            usual = account.configuration.get("default_region")
            cached = await offers.read(session, account.id, Offer.REGIONS)
            seen = [str(region["id"]) for region in cached.value if region.get("available", True)] if cached else []
            regions = [usual, *(name for name in seen if name != usual)] if usual else seen
            shown.append({"name": kind, "regions": regions})
    return shown or [{"name": ProviderType.TRANSIP, "regions": [held.settings.transip_availability_zone]}]


@router.get("/options", dependencies=[Depends(_charged)])
async def options(request: Request, held: Held) -> Response:
    settings = held.settings
    body: dict[str, object] = {
        "tiers": [{"name": tier, "product": product, "title": tier.title()} for tier, product in _PRODUCTS.items()],
        "deployment_models": [DeploymentType.SHARED, DeploymentType.DEDICATED],
        "providers": await _providers(held),
        "base_domain": settings.base_domain,
        "slug_pattern": SLUG_PATTERN,
        "reserved_slugs": sorted(RESERVED_SLUGS),
        "temporal_ui_url": settings.temporal_ui_url,
        "registration_open": settings.registration_open,
        "https_port": settings.host_https_port,
        "credentials_days": settings.credentials_days,
    }
    return reply(request, body, headers={"Cache-Control": "private, max-age=60"})
