"""One account's calls to TransIP's REST API v6, and what can be bought there. Knows nothing of servers and orders.

Nothing is repeated in here but a call whose token was refused.
Source: https://api.transip.nl/rest/docs.html (OpenAPI 6.53), gotransip and transip-api-php for what that file lacks.
"""

from __future__ import annotations

import builtins
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx

from domain.statuses import Tier
from providers.cloud import transip_wire as wire
from providers.cloud.base import App, CallGate, CallLimit, Image, Price, Region, ServerOrder, Size, StackScript
from providers.cloud.http import Line
from providers.cloud.transip_auth import Tokens, load_key
from providers.cloud.transip_errors import (
    PROVIDER,
    RATE_WINDOW,
    READER,
    AlreadyCancelled,
    from_response,
    is_already_cancelled,
    token_is_over,
    wait_of,
)
from providers.errors import InvalidInput, Transient

PAGE_SIZE = 100
MAX_PAGES = 1000  # a guard against a list that never ends
CALL_LIMITS = (CallLimit(calls="requests", count=1000, seconds=RATE_WINDOW),)


class Catalogue:
    name = PROVIDER

    def __init__(
        self,
        *,
        username: str,
        private_key_pem: str,
        base_url: str,
        tiers: Mapping[Tier, str] | None,
        gate: CallGate | None,
        transport: httpx.AsyncBaseTransport | None,
        verify: ssl.SSLContext | bool,
    ) -> None:
        key = load_key(private_key_pem)
        self._products = tiers or wire.PRODUCTS
        self._line = Line(READER, base_url, wait=wait_of, gate=gate, transport=transport, verify=verify)
        self._tokens = Tokens(self._line.http, username=username, key=key)

    def product_for(self, tier: Tier) -> str:
        return self._products[tier]

    async def price(self, product: str, availability_zone: str = "") -> Price:
        """What each following month costs, from GET /products (cents, without VAT). It is the same in every zone."""
        found = await self._product(product)
        cents = wire.cents_of(found)
        if cents is None:
            raise InvalidInput(f"TransIP shows no price for {product}", provider=self.name, field="product")
        return Price(product=wire.short_product(product), cents_month=cents)

    async def check_order(self, order: ServerOrder) -> None:
        """By the cloud's own lists. Its test mode (?test=1) would ask it directly, but an order sent by mistake costs
        money, and a server that does not know the parameter would take it."""
        wire.check(order)
        await self._product(order.product)
        zones = await self._read("/availability-zones")
        names = [str(zone.get("name")) for zone in READER.objects(zones, "availabilityZones")]
        if order.availability_zone not in names:
            raise InvalidInput(f"TransIP has no availability zone '{order.availability_zone}': {', '.join(names)}",
                               provider=self.name, field="availability_zone")  # fmt: skip
        # The order takes the name; a VPS later shows the description.
        systems = await self._read("/operating-systems", productName=wire.wire_product(order.product))
        for system in READER.objects(systems, "operatingSystems"):
            if system.get("name") == order.operating_system and wire.has_cloud_init(system):
                return
        raise InvalidInput(f"TransIP offers no '{order.operating_system}' with cloud-init for {order.product}",
                           provider=self.name, field="operating_system")  # fmt: skip

    async def images(self) -> builtins.list[Image]:
        """The list is asked for by product; all take the same systems, so the smallest tier stands for them."""
        product = wire.wire_product(self.product_for(Tier.STARTER))
        systems = await self._read("/operating-systems", productName=product)
        return [wire.image(system) for system in READER.objects(systems, "operatingSystems") if system.get("name")]

    async def sizes(self) -> builtins.list[Size]:
        """One call for each product: the list of products tells prices, and their elements tell the rest."""
        found: list[Size] = []
        for product in [product for product in await self._sold() if product.get("name")]:
            path = f"/products/{quote(str(product['name']), safe='')}/elements"
            elements = READER.objects(await self._read(path), "productElements")
            size = wire.size(product, elements)
            if size is not None:
                found.append(size)
        return found

    async def regions(self) -> builtins.list[Region]:
        zones = await self._read("/availability-zones")
        return [wire.region(zone) for zone in READER.objects(zones, "availabilityZones") if zone.get("name")]

    async def apps(self) -> builtins.list[App]:
        return []

    async def stackscripts(self) -> builtins.list[StackScript]:
        return []

    async def verify_credentials(self) -> None:
        await self._read("/api-test")

    async def close(self) -> None:
        await self._line.close()

    async def _sold(self) -> builtins.list[dict[str, Any]]:
        groups = (await self._read("/products")).get("products")
        return READER.objects(groups if isinstance(groups, dict) else {}, "vps")

    async def _product(self, product: str) -> dict[str, Any]:
        for found in await self._sold():
            if found.get("name") in {product, wire.wire_product(product)}:
                return found
        raise InvalidInput(f"TransIP does not sell '{product}'", provider=self.name, field="product")

    async def _all(self, path: str, member: str, *, key: str) -> builtins.list[dict[str, Any]]:
        """A list over all its pages. No total is told and a page may be shorter than asked for, so only a page that
        brings nothing new is the end."""
        found: dict[str, dict[str, Any]] = {}
        for page in range(1, MAX_PAGES + 1):
            body = await self._read(path, page=page, pageSize=PAGE_SIZE)
            new = {str(item[key]): item for item in READER.complete(body, member, key=key, path=path)}
            if not new.keys() - found.keys():
                return [*found.values()]
            found |= new
        raise Transient(f"the list {path} of TransIP does not end", provider=self.name)

    async def _read(self, path: str, **params: str | int) -> dict[str, Any]:
        return READER.object_of(await self._call("GET", path, params=params))

    async def _call(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, str | int] | None = None,
        json: dict[str, Any] | None = None,
        ordering: bool = False,
    ) -> httpx.Response:
        """One call, repeated once where the token was refused, which proves that it had no effect."""
        token = await self._tokens.get()
        for last in (False, True):
            response = await self._line.send(
                method, path, calls=("requests",), ordering=ordering, params=params, json=json,
                headers={"Authorization": f"Bearer {token}"},
            )  # fmt: skip
            if response.is_success:
                return response
            if last or not token_is_over(response):
                break
            token = await self._tokens.get(rejected=token)
        if method == "DELETE" and is_already_cancelled(response):
            raise AlreadyCancelled(from_response(response).message, provider=self.name)
        raise from_response(response, ordering=ordering)
