"""What DigitalOcean sells, as our lists and prices, and what of an order is refused by them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import httpx
import pytest

from providers.cloud.base import App, Image, Region, Size
from providers.errors import InvalidInput, Transient
from tests.providers.cloud.script import Script, status
from tests.providers.cloud.test_digitalocean import client, example, listed, order, script

SIZE = example("GET", "/v2/sizes")["sizes"][0]
REGION = example("GET", "/v2/regions")["regions"][0]
UBUNTU = {
    "id": 63663980,
    "name": "20.04 (LTS) x64",
    "distribution": "Ubuntu",
    "slug": "ubuntu-20-04-x64",
    "public": True,
    "regions": ["nyc3", "ams3"],
    "type": "snapshot",
    "min_disk_size": 15,
    "description": "Ubuntu 20.04",
}
BLOG = "WordPress 6 on Ubuntu 20.04"
WORDPRESS = {**UBUNTU, "id": 8, "name": BLOG, "slug": "wordpress-20-04", "description": "A blog"}
CLICKS = [{"slug": "monitoring", "type": "kubernetes"}, {"slug": "wordpress-18-04", "type": "droplet"},
          {"slug": "wordpress-20-04", "type": "droplet"}, {"slug": "docker", "type": "droplet"}]  # fmt: skip


def shop(**changes: Any) -> Script:
    def images(request: httpx.Request) -> httpx.Response:
        kind = request.url.params.get("type") or f"private={request.url.params['private']}"
        own = {**UBUNTU, "id": 9, "name": "mine", "slug": None, "public": False}
        found = {"distribution": UBUNTU, "application": WORDPRESS, "private=true": own}
        return listed("images", [found[kind]])

    return script(
        {
            "GET /v2/sizes": listed("sizes", [{**SIZE, **changes.get("size", {})}]),
            "GET /v2/regions": listed("regions", [{**REGION, **changes.get("region", {})}]),
            "GET /v2/images": images,
            "GET /v2/images/ubuntu-20-04-x64": status(200, {"image": {**UBUNTU, **changes.get("image", {})}}),
            "GET /v2/images/wordpress-20-04": status(200, {"image": WORDPRESS}),
            "GET /v2/1-clicks": status(200, {"1_clicks": CLICKS}),
        }
    )


class TestPrice:
    async def test_it_comes_from_the_list_of_sizes(self) -> None:
        price = await client(shop(size={"price_monthly": 6.0, "price_hourly": 0.00893000000715256})).price(
            "s-1vcpu-1gb"
        )
        assert (price.product, price.cents_month, price.currency) == ("s-1vcpu-1gb", 600, "USD")
        assert price.hourly == Decimal("0.00893")

    @pytest.mark.parametrize(
        ("product", "zone", "size"),
        [
            ("s-2vcpu-2gb", "", {}),
            ("s-1vcpu-1gb", "ams9", {}),
            ("s-1vcpu-1gb", "nyc3", {"available": False}),
            ("s-1vcpu-1gb", "nyc3", {"regions": []}),
            ("s-1vcpu-1gb", "nyc3", {"price_monthly": None}),
        ],
    )
    async def test_what_is_not_sold_there_has_none(self, product: str, zone: str, size: dict[str, Any]) -> None:
        with pytest.raises(InvalidInput) as caught:
            await client(shop(size=size)).price(product, zone)
        assert caught.value.field == "product"


class TestCheck:
    @pytest.mark.parametrize("changes", [{}, {"app": "wordpress"}, {"backups": True, "monitoring": True}])
    async def test_what_is_sold_passes_and_nothing_is_ordered(self, changes: dict[str, Any]) -> None:
        transport = shop()
        await client(transport).check_order(order(**changes))
        assert {call.method for call in transport.calls} == {"GET"}

    @pytest.mark.parametrize(
        ("changes", "lists", "field"),
        [
            ({"product": "s-9vcpu-9gb"}, {}, "product"),
            ({"availability_zone": "mars1"}, {"size": {"regions": ["mars1"]}}, "availability_zone"),
            ({}, {"region": {"available": False}}, "availability_zone"),
            ({"operating_system": "debian-3-x64"}, {}, "operating_system"),
            ({}, {"image": {"regions": ["ams3"]}}, "operating_system"),
            ({}, {"image": {"min_disk_size": 26}}, "product"),
            ({"app": "no-such-app"}, {}, "app"),
        ],
    )
    async def test_what_the_cloud_would_refuse_is_refused_for_nothing(
        self, changes: dict[str, Any], lists: dict[str, Any], field: str
    ) -> None:
        with pytest.raises(InvalidInput) as caught:
            await client(shop(**lists)).check_order(order(**changes))
        assert caught.value.field == field


class TestLists:
    async def test_size_is_told_in_our_units(self) -> None:
        (size,) = await client(shop()).sizes()
        assert size == Size(
            id="s-1vcpu-1gb", label="Basic - 1GB", vcpus=1, memory_mb=1024, disk_gb=25, transfer_gb=1000,
            hourly=Decimal("0.00744"), monthly=Decimal(5), currency="USD", regions=SIZE["regions"],
        )  # fmt: skip

    async def test_region_tells_what_can_be_made_there(self) -> None:
        (region,) = await client(shop()).regions()
        assert region == Region(
            id="nyc3", label="New York 3", capabilities=["droplets", "volumes", *REGION["features"]]
        )

    async def test_images_are_of_three_kinds(self) -> None:
        images = await client(shop()).images()
        assert [(image.kind, image.id, image.slug, image.public) for image in images] == [
            ("distribution", "63663980", "ubuntu-20-04-x64", True),
            ("application", "8", "wordpress-20-04", True),
            ("custom", "9", None, False),
        ]
        assert images[0] == Image(
            id="63663980", slug="ubuntu-20-04-x64", label="Ubuntu 20.04 (LTS) x64", description="Ubuntu 20.04",
            distribution="Ubuntu", min_disk_gb=15, regions=["nyc3", "ams3"],
        )  # fmt: skip

    async def test_applications_are_named_by_their_images(self) -> None:
        assert await client(shop()).apps() == [
            App(slug="docker", name="Docker", image_slug="docker"),
            App(slug="wordpress-18-04", name="Wordpress", image_slug="wordpress-18-04"),
            App(slug="wordpress", name=BLOG, description="A blog", image_slug="wordpress-20-04",
                compatible_images=["ubuntu-20-04-x64"]),
        ]  # fmt: skip

    async def test_there_are_no_stackscripts(self) -> None:
        transport = shop()
        assert await client(transport).stackscripts() == []
        assert not transport.calls

    @pytest.mark.parametrize("call", ["sizes", "regions", "images", "apps"])
    @pytest.mark.parametrize("body", [{}, [], {"sizes": None, "regions": 1, "images": {}, "1_clicks": "x"}])
    async def test_garbled_list_proves_nothing(self, call: str, body: object) -> None:
        with pytest.raises(Transient):
            await getattr(client(script(status(200, body))), call)()
