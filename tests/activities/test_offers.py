"""Reading offers from a wire-faithful cloud: kept in one shape, asked once, and never for an account as it was."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities._context import Deps
from activities.offers import OfferActivities
from db.keyring import KeyRing
from db.models_clouds import ProviderCache
from db.session import Database
from domain.config import RunConfig
from domain.offers import Offer, OffersCall
from providers.cloud.base import Image, Region, Size
from tests.clouds import FixedClouds
from tests.offering import account, change, keep, kept
from tests.sandbox.transip.emulator import Emulator, emulator, until

ZONES = "^/availability-zones$"


class Stall:
    """An account, its cloud, and the activity between them."""

    def __init__(self, db: Database, keys: KeyRing, cloud: Emulator, ref: uuid.UUID) -> None:
        self.db, self.cloud, self.ref = db, cloud, ref
        deps = Deps(
            config=RunConfig(base_domain="slipway.test"), db=db, keys=keys, clouds=FixedClouds(transip=cloud.client()),
            dns=None, acme=None, blueprints=None,  # type: ignore[arg-type] - no such calls here
        )  # fmt: skip
        self.read_offers = OfferActivities(deps).read_offers

    async def read(self, resource: Offer = Offer.REGIONS, ref: uuid.UUID | None = None) -> None:
        call = OffersCall(provider="transip", provider_id=str(ref or self.ref), resource=resource)
        await ActivityEnvironment().run(self.read_offers, call)

    async def row(self, resource: Offer = Offer.REGIONS) -> ProviderCache:
        row = await kept(self.db, self.ref, resource)
        assert row is not None
        return row

    async def asked(self, path: str = "/availability-zones") -> int:
        return sum(call["path"].endswith(path) for call in (await self.cloud.state())["calls"])


@pytest.fixture
async def stall(db: Database, keys: KeyRing, tmp_path: Path) -> AsyncIterator[Stall]:
    (tmp_path / "cloud").mkdir()
    async with emulator(tmp_path / "cloud") as cloud:
        yield Stall(db, keys, cloud, await account(db))


async def test_what_a_cloud_says_is_kept_in_the_neutral_shape(stall: Stall) -> None:
    for resource in (Offer.REGIONS, Offer.IMAGES, Offer.PLANS):
        await stall.read(resource)
    regions = [Region.model_validate(item) for item in (await stall.row(Offer.REGIONS)).value]
    assert {region.id: region.label for region in regions} == {"ams0": "Amsterdam", "rtm0": "Rotterdam"}
    images = [Image.model_validate(item) for item in (await stall.row(Offer.IMAGES)).value]
    assert "debian-13" in {image.slug for image in images}
    sizes = {size.id: size for size in map(Size.model_validate, (await stall.row(Offer.PLANS)).value)}
    four = sizes["bladevps-x4"]
    assert (four.vcpus, four.memory_mb, four.disk_gb) == (4, 8192, 150)
    assert (four.monthly, four.currency) == (Decimal(40), "EUR")


async def test_a_fresh_answer_is_not_asked_for_again_and_a_stale_one_is(stall: Stall) -> None:
    for _ in range(3):
        await stall.read()
    assert await stall.asked() == 1
    await keep(stall.db, stall.ref, Offer.REGIONS, [Region(id="old0")], stale=True)
    await stall.read()
    assert await stall.asked() == 2
    assert [item["id"] for item in (await stall.row()).value] == ["ams0", "rtm0"]


@pytest.mark.parametrize(
    ("fault", "trouble", "final"),
    [
        ({"do": "status", "status": 503}, "Transient", False),
        ({"do": "garbage", "body": "<html>Login</html>"}, "Transient", False),
        ({"do": "status", "status": 401, "body": "You are not allowed to use the API"}, "Unauthorized", True),
        ({"do": "rate_limit", "seconds": 120}, "RateLimited", False),
    ],
)
async def test_a_failure_says_what_it_is_and_leaves_the_older_answer(
    stall: Stall, fault: dict[str, Any], trouble: str, final: bool
) -> None:
    await keep(stall.db, stall.ref, Offer.REGIONS, [Region(id="old0")], stale=True)
    await stall.cloud.fault(**fault, path=ZONES, times=None)
    with pytest.raises(ApplicationError) as failed:
        await stall.read()
    assert (failed.value.type, failed.value.non_retryable) == (trouble, final)
    assert failed.value.details[0]["provider"] == "transip"
    assert (failed.value.next_retry_delay is not None) is (trouble == "RateLimited")
    row = await stall.row()
    assert [item["id"] for item in row.value] == ["old0"]
    assert row.failed_at is not None
    assert row.failure == failed.value.message


async def test_an_answer_to_an_account_that_was_changed_meanwhile_is_not_kept(stall: Stall) -> None:
    await stall.cloud.fault("delay", path=ZONES, seconds=0.5)
    reading = asyncio.create_task(stall.read())
    await until(stall.asked)
    await change(stall.db, stall.ref, configuration={"base_url": "https://another.example"})
    with pytest.raises(ApplicationError, match="was changed") as refused:
        await reading
    assert (refused.value.type, refused.value.non_retryable) == ("Transient", False)
    assert await kept(stall.db, stall.ref, Offer.REGIONS) is None
    await stall.read()
    assert (await stall.row()).value


async def test_an_account_that_is_gone_is_not_asked_for(stall: Stall) -> None:
    with pytest.raises(ApplicationError) as refused:
        await stall.read(ref=uuid.uuid4())
    assert (refused.value.type, refused.value.non_retryable) == ("NotFound", True)
    assert await stall.asked() == 0
