"""What clouds offer, from the cache that all replicas share (R022–R029, R229), and the cache itself for administrators.

A list that is fresh is a row. Otherwise the cloud is asked by a run that everybody waits for who wants the same; where
that fails or takes too long, the older list is shown and says so.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from fastapi import APIRouter
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response

from api.answers import also
from api.auditing import audited
from api.deps import Administrator, Held, Member, parsed_id
from api.envelope import reply, stamp
from api.errors import ApiError, unavailable
from api.offer_examples import EXAMPLES
from api.offer_reads import Read
from api.provider_accounts import account_for, provider_not_found
from api.services import Services
from api.starting import read_offers
from db.models_clouds import ProviderCache
from db.queries import offers, providers
from domain.errors import ErrorCode
from domain.offers import ImageKind, Offer, OffersCall
from domain.servers import ProviderType

router = APIRouter(tags=["offers"])

# After a failure the older list is shown at once for that long, instead of letting everybody wait for another one.
PAUSE = timedelta(seconds=30)
# Nothing older is shown then: the account itself is not to be used.
_OF_THE_ACCOUNT = (ErrorCode.PROVIDER_INACTIVE, ErrorCode.PROVIDER_NOT_FOUND, ErrorCode.MISSING_CREDENTIALS)

Item = dict[str, Any]


class Listing(NamedTuple):
    """A list of one kind of cloud: the last word of its address, what is read for it, its key in the reply."""

    kind: ProviderType
    path: str
    resource: Offer
    member: str


LISTINGS = [
    Listing(ProviderType.DIGITALOCEAN, "marketplace", Offer.MARKETPLACE, "apps"),
    Listing(ProviderType.LINODE, "stackscripts", Offer.STACKSCRIPTS, "stackscripts"),
    Listing(ProviderType.LINODE, "types", Offer.PLANS, "types"),
    *(Listing(kind, "sizes", Offer.PLANS, "sizes") for kind in ProviderType if kind is not ProviderType.LINODE),
    *(Listing(kind, "images", Offer.IMAGES, "images") for kind in ProviderType),
    *(Listing(kind, "regions", Offer.REGIONS, "regions") for kind in ProviderType),
]


class Found(NamedTuple):
    row: ProviderCache
    read: Read
    stale_reason: str | None = None


def _handler(listing: Listing) -> Callable[..., Any]:
    """The route of a list; only images can be filtered."""

    async def offered(request: Request, principal: Member, held: Held, provider_id: str | None = None) -> Response:
        return await _reply(request, held, listing, provider_id)

    async def images(
        request: Request, principal: Member, held: Held, provider_id: str | None = None, type: ImageKind | None = None
    ) -> Response:
        return await _reply(request, held, listing, provider_id, type)

    return images if listing.resource is Offer.IMAGES else offered


for _listing in LISTINGS:
    router.add_api_route(
        f"/api/vps/{_listing.kind}/{_listing.path}",
        _handler(_listing),
        name=f"{_listing.kind} {_listing.path}",
        responses={**EXAMPLES.get((_listing.kind, _listing.path), {}), **also(404, 409, 502)},
    )


@router.get("/api/admin/cache")
async def statistics(request: Request, principal: Administrator, held: Held) -> Response:
    """Every key: how it was answered, since when it holds, and why it could not be renewed. Counts of other replicas
    are some seconds late."""
    await held.offer_reads.write(held.db)
    stamps = ("fetched_at", "fresh_until", "failed_at")
    now = datetime.now(UTC)
    rows = [
        {name: stamp(value) if name in stamps else value for name, value in row.items()}
        | {"fresh": row["fresh_until"] > now}
        for row in await offers.statistics(held.reader)
    ]
    return reply(request, {"cache": rows})


@router.delete("/api/admin/providers/{provider_id}/cache")
async def clear(request: Request, provider_id: str, principal: Administrator, held: Held) -> Response:
    """Forget what this account's cloud offered; whoever asks next has it asked again (R338)."""
    ref = parsed_id(provider_id)
    async with audited(held, request, principal, "provider.clear_cache", ("service_provider", str(ref or ""))):
        async with held.db.begin() as session:
            if ref is None or await providers.get(session, ref) is None:
                raise provider_not_found(provider_id)
            cleared = await offers.invalidate(session, ref)
    return reply(request, {"message": "Cache cleared", "cleared": cleared})


async def _reply(
    request: Request, held: Services, listing: Listing, provider_id: str | None, kind: ImageKind | None = None
) -> Response:
    found = await _find(held, listing, provider_id)
    held.offer_reads.add(found.row.key, found.read)
    items = found.row.value
    if kind is not None:
        items = [item for item in items if item["kind"] == kind]
    if listing.resource is Offer.PLANS:
        items = [item for item in items if item["available"]]
    body: dict[str, object] = {listing.member: [_SHOWN[listing.resource](item) for item in items]}
    if listing.resource is Offer.PLANS:
        # One cloud sells in one currency; the documented items have no room for it.
        body["currency"] = items[0]["currency"] if items else None
    body |= {"cached_at": stamp(found.row.fetched_at), "stale": found.read is Read.STALE_HIT}
    if found.stale_reason is not None:
        body["stale_reason"] = found.stale_reason
    return reply(request, body, background=BackgroundTask(held.offer_reads.write_if_due, held.db))


async def _find(held: Services, listing: Listing, provider_id: str | None) -> Found:
    async with held.db.begin() as session:
        account = await account_for(session, listing.kind, provider_id)
        row = await offers.read(session, account.id, listing.resource)
    now = datetime.now(UTC)
    if row is not None and row.fresh_until > now:
        return Found(row, Read.HIT)
    if row is not None and row.failed_at is not None and now - row.failed_at < PAUSE:
        return _stale(row, row.failure)
    try:
        await read_offers(
            held, OffersCall(provider=listing.kind, provider_id=str(account.id), resource=listing.resource)
        )
    except ApiError as error:
        if row is None or error.code in _OF_THE_ACCOUNT:
            raise
        async with held.db.begin() as session:
            await offers.note_failure(session, account.id, listing.resource, error.message, datetime.now(UTC))
        return _stale(row, error.message)
    async with held.db.begin() as session:
        row = await offers.read(session, account.id, listing.resource)
    if row is None:
        raise unavailable("The account was changed at this moment; try again shortly.")
    return Found(row, Read.MISS)


def _stale(row: ProviderCache, why: str) -> Found:
    return Found(row, Read.STALE_HIT, f"This list could not be renewed: {why}")


def _image(item: Item) -> Item:
    plain = ("id", "slug", "label", "description", "distribution", "public")
    return {**{name: item[name] for name in plain}, "minDiskSize": item["min_disk_gb"]}


def _size(item: Item) -> Item:
    hourly, monthly = item["hourly"], item["monthly"]
    return {
        "id": item["id"],
        "label": item["label"],
        "vcpus": item["vcpus"],
        "memory": item["memory_mb"],
        "disk": item["disk_gb"],
        "transfer": item["transfer_gb"],
        "price": {"hourly": float(hourly) if hourly is not None else None, "monthly": float(monthly)},
        "regions": item["regions"],
    } | _dearer(item)


def _dearer(item: Item) -> Item:
    """Where a region has a price of its own; left out of what the source documents where none has."""
    prices = {
        region: {"hourly": float(hourly) if hourly is not None else None, "monthly": float(monthly)}
        for region, (hourly, monthly) in item["region_prices"].items()
    }
    return {"region_prices": prices} if prices else {}


def _region(item: Item) -> Item:
    return {name: item[name] for name in ("id", "label", "available", "capabilities")}


def _app(item: Item) -> Item:
    names = ("slug", "name", "description", "category", "image_slug", "compatible_images")
    return {name: item[name] for name in names}


def _stackscript(item: Item) -> Item:
    plain = ("id", "label", "description", "images", "public")
    return {**{name: item[name] for name in plain}, "user_defined_fields": item["fields"]}


_SHOWN: dict[Offer, Callable[[Item], Item]] = {
    Offer.IMAGES: _image,
    Offer.PLANS: _size,
    Offer.REGIONS: _region,
    Offer.MARKETPLACE: _app,
    Offer.STACKSCRIPTS: _stackscript,
}
