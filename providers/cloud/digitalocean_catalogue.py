"""One account's calls to DigitalOcean's API v2, and what can be bought there. Knows nothing of droplets and orders.

Nothing is repeated in here. Source: the official OpenAPI (github.com/digitalocean/openapi).
"""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx

from domain.statuses import Tier
from providers.cloud import digitalocean_offers as offers
from providers.cloud import digitalocean_wire as wire
from providers.cloud.base import App, CallGate, CallLimit, Image, Price, Region, ServerOrder, Size, StackScript
from providers.cloud.digitalocean_errors import PROVIDER, RATE_WINDOW, READER, from_response, wait_of
from providers.cloud.http import Line
from providers.errors import InvalidInput, NotFound, Transient

PAGE_SIZE = 200  # the most there is
MAX_PAGES = 1000  # a guard against a list that never ends
CALL_LIMITS = (
    CallLimit(calls="requests", count=5000, seconds=RATE_WINDOW),
    CallLimit(calls="burst", count=250, seconds=60.0),
    CallLimit(calls="keys", count=10, seconds=60.0),  # reading the account's SSH keys
)
Params = dict[str, str | int | bool]


class Catalogue:
    name = PROVIDER

    def __init__(
        self,
        *,
        token: str,
        base_url: str,
        tiers: Mapping[Tier, str] | None,
        gate: CallGate | None,
        transport: httpx.AsyncBaseTransport | None,
    ) -> None:
        self._sizes = tiers or wire.TIERS
        self._line = Line(READER, base_url, wait=wait_of, token=token, gate=gate, transport=transport)

    def product_for(self, tier: Tier) -> str:
        return self._sizes[tier]

    async def price(self, product: str, availability_zone: str = "") -> Price:
        """From GET /v2/sizes, without VAT; the same in every region that has the size."""
        return offers.price(await self._size(product, availability_zone))

    async def check_order(self, order: ServerOrder) -> None:
        """By the cloud's own lists: there is no trial of an order. Keys and a VPC named by their ids are judged by the
        create itself, which refuses for nothing too."""
        wire.check(order)
        size = await self._size(order.product, order.availability_zone)
        zone = order.availability_zone
        if not any(region.id == zone and region.available for region in await self.regions()):
            raise InvalidInput(f"DigitalOcean has no region '{zone}' that takes orders", provider=self.name,
                               field="availability_zone")  # fmt: skip
        field = "app" if order.app else "operating_system"
        image = await self._image(await self._image_of(order), field=field)
        if image.regions and zone not in image.regions:
            raise InvalidInput(f"DigitalOcean has no image '{image.slug or image.id}' in {zone}", provider=self.name,
                               field=field)  # fmt: skip
        if image.min_disk_gb is not None and image.min_disk_gb > size.disk_gb:
            raise InvalidInput(f"the image '{image.slug or image.id}' needs {image.min_disk_gb} GB of disk, "
                               f"{size.id} has {size.disk_gb}", provider=self.name, field="product")  # fmt: skip

    async def images(self) -> builtins.list[Image]:
        """Distributions, 1-Click applications, and the account's own images and snapshots (`custom`)."""
        kinds: dict[str, Params] = {
            "distribution": {"type": "distribution"},
            "application": {"type": "application"},
            "custom": {"private": "true"},
        }
        return [image for kind, filters in kinds.items() for image in await self._images(kind, filters)]

    async def sizes(self) -> builtins.list[Size]:
        listed = [offers.size(item) for item in await self._all("/v2/sizes", "sizes", key="slug")]
        return [size for size in listed if size is not None]

    async def regions(self) -> builtins.list[Region]:
        return [offers.region(item) for item in await self._all("/v2/regions", "regions", key="slug")]

    async def apps(self) -> builtins.list[App]:
        one_clicks, images, systems = await asyncio.gather(
            self._one_clicks(),
            self._images("application", {"type": "application"}),
            self._images("distribution", {"type": "distribution"}),
        )
        return offers.apps(one_clicks, images, systems)

    async def stackscripts(self) -> builtins.list[StackScript]:
        return []

    async def verify_credentials(self) -> None:
        """Needs the scope account:read."""
        await self._read("/v2/account")

    async def close(self) -> None:
        await self._line.close()

    async def _image_of(self, order: ServerOrder) -> str:
        """The image an order means: an application's replaces the operating system's."""
        if order.app is None:
            return order.operating_system
        return offers.app_images(await self._one_clicks()).get(order.app, order.app)

    async def _one_clicks(self) -> builtins.list[dict[str, Any]]:
        return READER.objects(await self._read("/v2/1-clicks", type="droplet"), "1_clicks")

    async def _images(self, kind: str, filters: Params) -> builtins.list[Image]:
        return [offers.image(item, kind) for item in await self._all("/v2/images", "images", key="id", **filters)]

    async def _image(self, image: str, *, field: str) -> Image:
        try:
            body = await self._read(f"/v2/images/{quote(image, safe='')}")
        except NotFound:
            raise InvalidInput(f"DigitalOcean has no image '{image}'", provider=self.name, field=field) from None
        return offers.image(READER.member(body, "image", key="id"), "distribution")

    async def _size(self, product: str, zone: str) -> Size:
        found = next((size for size in await self.sizes() if size.id == product), None)
        if found is None or not found.available or (zone and zone not in found.regions):
            where = f" in {zone}" if zone else ""
            raise InvalidInput(f"DigitalOcean does not sell '{product}'{where}", provider=self.name, field="product")
        return found

    # ---- calls

    async def _all(self, path: str, member: str, *, key: str, **filters: Any) -> builtins.list[dict[str, Any]]:
        """A list over all its pages. A full page without a next one is looked behind, and a page that brings nothing
        new is the end."""
        found: dict[str, dict[str, Any]] = {}
        for page in range(1, MAX_PAGES + 1):
            body = await self._read(path, **filters, page=page, per_page=PAGE_SIZE)
            items = READER.complete(body, member, key=key, path=path)
            new = {str(item[key]): item for item in items}
            more = bool(new.keys() - found.keys())
            found |= new
            if not more or not (_has_next(body) or len(items) >= PAGE_SIZE):
                return [*found.values()]
        raise Transient(f"the list {path} of DigitalOcean does not end", provider=self.name)

    async def _read(self, path: str, **params: str | int | bool) -> dict[str, Any]:
        return READER.object_of(await self._call("GET", path, params=params))

    async def _call(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        json: dict[str, Any] | None = None,
        ordering: bool = False,
    ) -> httpx.Response:
        response = await self._send(method, path, params=params, json=json, ordering=ordering)
        if response.is_success:
            return response
        raise from_response(response, ordering=ordering)

    async def _send(self, method: str, path: str, *, ordering: bool = False, **request: Any) -> httpx.Response:
        reads_keys = method == "GET" and path.startswith("/v2/account/keys")
        calls = ("requests", "burst", "keys") if reads_keys else ("requests", "burst")
        return await self._line.send(method, path, calls=calls, ordering=ordering, **request)


def _has_next(body: dict[str, Any]) -> bool:
    """`links` may be empty, and `links.pages` missing. The address itself is not followed: it could lead elsewhere."""
    links = body.get("links")
    pages = links.get("pages") if isinstance(links, dict) else None
    return isinstance(pages, dict) and bool(pages.get("next"))
