"""What Linode sells, as our lists and prices, and what of an order is refused by them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import httpx
import pytest

from providers.cloud.base import Image, Region, Size, StackScript
from providers.errors import InvalidInput, Transient
from tests.providers.cloud.script import Script, status
from tests.providers.cloud.test_linode import client, listed, order, recorded, script

TYPES = recorded("GET", "/linode/types")[0]["data"]
REGIONS = recorded("GET", "/regions")[0]["data"]
IMAGES = recorded("GET", "/images")[0]["data"]
SCRIPT = recorded("GET", "/linode/stackscripts/{}")[0]
HOSTNAME = {"name": "hostname", "label": "Hostname"}


def shop(**changes: Any) -> Script:
    """Linode as it was recorded; `changes` are laid over every region, image or script."""
    regions = [{**region, **changes.get("region", {})} for region in REGIONS]
    images = [{**image, **changes.get("image", {})} for image in IMAGES]
    return script(
        {
            "GET /v4/linode/types": listed(*TYPES),
            "GET /v4/regions": listed(*regions),
            "GET /v4/images": listed(*images),
            "GET /v4/linode/stackscripts/12345": status(200, {**SCRIPT, **changes.get("script", {})}),
            "GET /v4/linode/stackscripts": listed({**SCRIPT, "user_defined_fields": [HOSTNAME]}),
        }
    )


class TestPrice:
    @pytest.mark.parametrize(
        ("zone", "cents", "hourly"), [("", 1200, "0.018"), ("nl-ams", 1200, "0.018"), ("id-cgk", 1440, "0.022")]
    )
    async def test_prices_of_a_region_are_its_own(self, zone: str, cents: int, hourly: str) -> None:
        price = await client(shop()).price("g6-standard-1", zone)
        assert (price.product, price.cents_month, price.currency) == ("g6-standard-1", cents, "USD")
        assert price.hourly == Decimal(hourly)

    async def test_what_is_not_sold_has_none(self) -> None:
        with pytest.raises(InvalidInput) as caught:
            await client(shop()).price("g6-standard-3")
        assert caught.value.field == "product"


class TestCheck:
    @pytest.mark.parametrize(
        "changes",
        [
            {},
            {"backups": True, "private_ip": True},
            {"operating_system": "linode/ubuntu20.04"},  # deprecated, and still to be had
            {"operating_system": "linode/slackware15.0", "user_data": ""},
            {"stackscript": 12345, "operating_system": "linode/debian9"},
        ],
    )
    async def test_what_is_sold_passes_and_nothing_is_ordered(self, changes: dict[str, Any]) -> None:
        transport = shop()
        if "debian9" in changes.get("operating_system", ""):
            transport = shop(image={"id": "linode/debian9", "capabilities": ["cloud-init"], "size": 1})
        await client(transport).check_order(order(**changes))
        assert {call.method for call in transport.calls} == {"GET"}

    @pytest.mark.parametrize(
        ("changes", "lists", "field"),
        [
            ({"product": "g6-standard-3"}, {}, "product"),
            ({"availability_zone": "mars"}, {}, "availability_zone"),
            ({}, {"region": {"status": "outage"}}, "availability_zone"),
            ({}, {"region": {"capabilities": ["Linodes"]}}, "availability_zone"),
            ({"operating_system": "linode/debian3"}, {}, "operating_system"),
            ({"operating_system": "linode/slackware15.0"}, {}, "operating_system"),
            ({"operating_system": "private/113322", "user_data": ""}, {}, "operating_system"),
            ({}, {"image": {"size": 60000}}, "product"),
            ({"stackscript": 7}, {}, "stackscript"),
            ({"stackscript": 12345}, {"script": {"images": ["linode/ubuntu24.04"]}}, "stackscript"),
            (
                {"stackscript": 12345, "stackscript_data": {"other": "x"}},
                {"script": {"images": ["any/all"], "user_defined_fields": [HOSTNAME]}},
                "stackscript_data",
            ),
        ],
    )
    async def test_what_the_cloud_would_refuse_is_refused_for_nothing(
        self, changes: dict[str, Any], lists: dict[str, Any], field: str
    ) -> None:
        with pytest.raises(InvalidInput) as caught:
            await client(shop(**lists)).check_order(order(**changes))
        assert caught.value.field == field

    async def test_stackscript_with_its_fields_passes(self) -> None:
        fields = [HOSTNAME, {"name": "size", "default": "1"}]
        transport = shop(script={"images": ["any/all"], "user_defined_fields": fields})
        await client(transport).check_order(order(stackscript=12345, stackscript_data={"hostname": "myserver"}))


class TestLists:
    async def test_size_is_told_in_our_units(self) -> None:
        sizes = {size.id: size for size in await client(shop()).sizes()}
        assert sizes["g6-nanode-1"] == Size(
            id="g6-nanode-1", label="Nanode 1GB", vcpus=1, memory_mb=1024, disk_gb=25, transfer_gb=1000,
            hourly=Decimal("0.0075"), monthly=Decimal(5), currency="USD",
            region_prices={"id-cgk": (Decimal("0.009"), Decimal(6)), "br-gru": (Decimal("0.0105"), Decimal(7))},
        )  # fmt: skip

    async def test_region_tells_what_can_be_made_there(self) -> None:
        regions = {region.id: region for region in await client(shop()).regions()}
        assert regions["nl-ams"] == Region(
            id="nl-ams",
            label="Amsterdam, NL",
            capabilities=next(r for r in REGIONS if r["id"] == "nl-ams")["capabilities"],
        )
        assert "Metadata" in regions["nl-ams"].capabilities

    async def test_images_tell_whether_they_read_a_cloud_config(self) -> None:
        images = {image.id: image for image in await client(shop()).images()}
        assert images["linode/debian13"] == Image(
            id="linode/debian13", slug="linode/debian13", label="Debian 13", distribution="Debian",
            min_disk_gb=images["linode/debian13"].min_disk_gb,
        )  # fmt: skip
        assert not images["linode/slackware15.0"].cloud_init
        assert (images["private/84470"].kind, images["private/84470"].regions) == ("custom", ["pl-labkrk-2"])
        assert "private/113322" not in images  # still being made

    async def test_stackscripts_come_without_their_texts(self) -> None:
        assert await client(shop()).stackscripts() == [
            StackScript(
                id=SCRIPT["id"],
                label=SCRIPT["label"],
                description=SCRIPT["description"],
                images=SCRIPT["images"],
                public=SCRIPT["is_public"],
                fields=[HOSTNAME],
            )
        ]

    async def test_there_are_no_applications(self) -> None:
        transport = shop()
        assert await client(transport).apps() == []
        assert not transport.calls

    async def test_pages_are_as_large_as_the_specification_lets_them_be(self) -> None:
        transport = shop()
        cloud = client(transport)
        await cloud.images()
        await cloud.sizes()
        asked = [dict(call.url.params) for call in transport.calls]
        assert asked == [{"page": "1", "page_size": "500"}, {"page": "1"}]

    @pytest.mark.parametrize("call", ["sizes", "regions", "images", "stackscripts"])
    @pytest.mark.parametrize("answer", [status(200, {}), status(200, {"data": None, "pages": 1}), httpx.Response(200)])
    async def test_garbled_list_proves_nothing(self, call: str, answer: httpx.Response) -> None:
        with pytest.raises(Transient):
            await getattr(client(script(answer)), call)()
