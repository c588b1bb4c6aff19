"""One account's calls to Linode's API v4, and what can be bought there. Knows nothing of instances and orders.

Nothing is repeated in here. Source: the official OpenAPI and recorded answers.
"""

from __future__ import annotations

import builtins
import json
from collections.abc import Mapping
from typing import Any

import httpx

from domain.statuses import Tier
from providers.cloud import linode_offers as offers
from providers.cloud import linode_wire as wire
from providers.cloud.base import App, CallGate, CallLimit, Image, Price, Region, ServerOrder, Size, StackScript
from providers.cloud.http import Line
from providers.cloud.linode_errors import PROVIDER, READER, from_response, wait_of
from providers.errors import InvalidInput, NotFound, Transient

PAGE_SIZE = 500  # the most there is
MAX_PAGES = 1000  # a guard against a list that never ends
# The first is an old number of Linode's, kept since it is the lowest ever told; the others are documented and lower
# than what was seen. All of them can be configured.
CALL_LIMITS = (
    CallLimit(calls="requests", count=1600, seconds=3600.0),
    CallLimit(calls="lists", count=200, seconds=60.0),
    CallLimit(calls="creates", count=10, seconds=30.0),
)


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
        self._types = tiers or wire.TIERS
        self._line = Line(READER, base_url, wait=wait_of, token=token, gate=gate, transport=transport)

    def product_for(self, tier: Tier) -> str:
        return self._types[tier]

    async def price(self, product: str, availability_zone: str = "") -> Price:
        """From GET /linode/types, without VAT, of that region where it has a price of its own."""
        return offers.price(await self._type(product), availability_zone)

    async def check_order(self, order: ServerOrder) -> None:
        """By the cloud's own lists: there is no trial of an order. A cloud-init text needs an image that reads it and a
        region that hands it out."""
        wire.check(order)
        size = await self._type(order.product)
        zone = next((region for region in await self.regions() if region.id == order.availability_zone), None)
        needed = {"Linodes", "Metadata"} if order.user_data else {"Linodes"}
        if zone is None or not zone.available or not needed <= set(zone.capabilities):
            raise _invalid(f"Linode has no region '{order.availability_zone}' that offers "
                           f"{' and '.join(sorted(needed))}", "availability_zone")  # fmt: skip
        image = next((image for image in await self.images() if image.id == order.operating_system), None)
        if image is None or (order.user_data and not image.cloud_init):
            raise _invalid(f"Linode has no image '{order.operating_system}'"
                           f"{' with cloud-init' if order.user_data else ''}", "operating_system")  # fmt: skip
        if image.min_disk_gb is not None and image.min_disk_gb > size.disk_gb:
            raise _invalid(f"the image '{image.id}' needs {image.min_disk_gb} GB of disk, {size.id} has {size.disk_gb}",
                           "product")  # fmt: skip
        if order.stackscript is not None:
            await self._check_stackscript(order.stackscript, order)

    async def images(self) -> builtins.list[Image]:
        """Linode's own and the account's; not those that are still being made."""
        return [offers.image(item) for item in await self._all("/images") if offers.is_usable(item)]

    async def sizes(self) -> builtins.list[Size]:
        listed = [offers.size(item) for item in await self._all("/linode/types", page_size=None)]
        return [size for size in listed if size is not None]

    async def regions(self) -> builtins.list[Region]:
        return [offers.region(item) for item in await self._all("/regions", page_size=None)]

    async def apps(self) -> builtins.list[App]:
        return []

    async def stackscripts(self) -> builtins.list[StackScript]:
        """The account's and all public ones: thousands, hence several pages, without the texts of the scripts."""
        return [offers.stackscript(item) for item in await self._all("/linode/stackscripts")]

    async def verify_credentials(self) -> None:
        await self._read("/profile")

    async def close(self) -> None:
        await self._line.close()

    async def _type(self, product: str) -> Size:
        found = next((size for size in await self.sizes() if size.id == product), None)
        if found is None:
            raise _invalid(f"Linode does not sell '{product}'", "product")
        return found

    async def _check_stackscript(self, number: int, order: ServerOrder) -> None:
        try:
            body = await self._read(f"/linode/stackscripts/{number}")
        except NotFound:
            raise _invalid(f"Linode has no StackScript {number}", "stackscript") from None
        script = offers.stackscript({**body, "id": number})
        if not {order.operating_system, offers.ANY_IMAGE} & set(script.images):
            raise _invalid(f"the StackScript {number} does not fit '{order.operating_system}'", "stackscript")
        missing = offers.missing_fields(script, order.stackscript_data)
        if missing:
            raise _invalid(f"the StackScript {number} needs {', '.join(missing)}", "stackscript_data")

    # ---- calls

    async def _all(
        self, path: str, *, filters: dict[str, Any] | None = None, page_size: int | None = PAGE_SIZE
    ) -> builtins.list[dict[str, Any]]:
        """A list over all its pages, whose number every page tells. Types and regions take no size of a page."""
        found: dict[str, dict[str, Any]] = {}
        headers = {"X-Filter": json.dumps(filters)} if filters else None
        sized = {"page_size": page_size} if page_size else {}
        for page in range(1, MAX_PAGES + 1):
            response = await self._call("GET", path, calls=("requests", "lists"), headers=headers,
                                        params={"page": page, **sized})  # fmt: skip
            body = READER.object_of(response)
            found |= {str(item["id"]): item for item in READER.complete(body, "data", key="id", path=path)}
            pages = body.get("pages")
            if not isinstance(pages, int):
                raise READER.garbled(f"answered {path} without the number of its pages")
            if page >= pages:
                return [*found.values()]
        raise Transient(f"the list {path} of Linode does not end", provider=self.name)

    async def _read(self, path: str) -> dict[str, Any]:
        return READER.object_of(await self._call("GET", path))

    async def _call(self, method: str, path: str, *, ordering: bool = False, **request: Any) -> httpx.Response:
        response = await self._send(method, path, ordering=ordering, **request)
        if response.is_success:
            return response
        raise from_response(response, ordering=ordering)

    async def _send(
        self, method: str, path: str, *, calls: tuple[str, ...] = ("requests",), ordering: bool = False, **request: Any
    ) -> httpx.Response:
        return await self._line.send(method, path, calls=calls, ordering=ordering, **request)


def _invalid(message: str, field: str) -> InvalidInput:
    return InvalidInput(message, provider=PROVIDER, field=field)
