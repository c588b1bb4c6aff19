"""What clouds offer, as documented (R022–R029), from rows; which account is meant; and the cache for administrators."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel
from sqlalchemy import delete, update

from api.envelope import stamp
from api.offer_examples import IMAGES, MARKETPLACE, REGIONS, SIZES
from db.models_clouds import ProviderCache, ServiceProvider
from domain.offers import Offer
from domain.statuses import Role
from providers.cloud.base import App, Image, Region, Size, StackScript
from tests.api.conftest import MakeWorld
from tests.api.test_contract import ENVELOPE
from tests.api.world import World, temporal_is_away
from tests.offering import account, change, keep, kept

MORE = {"cached_at", "stale"} | ENVELOPE
UBUNTU = Image(id="123456", slug="ubuntu-22-04-x64", label="Ubuntu 22.04 x64", description="Ubuntu 22.04 LTS",
               distribution="Ubuntu", min_disk_gb=15)  # fmt: skip
DEBIAN = Image(id="123457", slug="debian-11-x64", label="Debian 11 x64", description="Debian 11",
               distribution="Debian", min_disk_gb=15)  # fmt: skip
BASIC = Size(id="s-1vcpu-1gb", label="Basic - 1GB", vcpus=1, memory_mb=1024, disk_gb=25, transfer_gb=1000,
             hourly=Decimal("0.00893"), monthly=Decimal("6.00"), regions=["nyc1", "nyc3", "sfo3", "ams3"])  # fmt: skip
PLACES = ["droplets", "load_balancers", "volumes"]
NEW_YORK = Region(id="nyc3", label="New York 3", capabilities=PLACES)
SAN_FRANCISCO = Region(id="sfo3", label="San Francisco 3", capabilities=PLACES)
APPS = [App(**app) for app in MARKETPLACE["apps"]]


def away() -> None:
    raise temporal_is_away()


async def ask(world: World, path: str, **query: object) -> tuple[int, dict[str, Any]]:
    answer = await world.client.get(f"/api/vps/{path}", params=query)
    return answer.status_code, answer.json()


@pytest.mark.parametrize(
    ("path", "resource", "items", "documented"),
    [
        ("digitalocean/marketplace", Offer.MARKETPLACE, APPS, MARKETPLACE),
        ("digitalocean/images", Offer.IMAGES, [UBUNTU, DEBIAN], IMAGES),
        ("digitalocean/sizes", Offer.PLANS, [BASIC], SIZES | {"currency": "USD"}),
        ("digitalocean/regions", Offer.REGIONS, [NEW_YORK, SAN_FRANCISCO], REGIONS),
        ("linode/types", Offer.PLANS, [BASIC], {"types": SIZES["sizes"], "currency": "USD"}),
        ("linode/images", Offer.IMAGES, [UBUNTU, DEBIAN], IMAGES),
        ("linode/regions", Offer.REGIONS, [NEW_YORK, SAN_FRANCISCO], REGIONS),
        ("transip/sizes", Offer.PLANS, [BASIC.model_copy(update={"currency": "EUR"})], SIZES | {"currency": "EUR"}),
        ("transip/images", Offer.IMAGES, [UBUNTU, DEBIAN], IMAGES),
        ("transip/regions", Offer.REGIONS, [NEW_YORK, SAN_FRANCISCO], REGIONS),
        (
            "linode/stackscripts", Offer.STACKSCRIPTS,
            [StackScript(id=12345, label="LAMP", images=["linode/debian12"], public=True,
                         fields=[{"name": "hostname"}])],
            {"stackscripts": [{"id": 12345, "label": "LAMP", "description": "", "images": ["linode/debian12"],
                               "public": True, "user_defined_fields": [{"name": "hostname"}]}]},
        ),
    ],
)  # fmt: skip
async def test_a_list_has_the_documented_keys_and_values(
    world: World, path: str, resource: Offer, items: list[BaseModel], documented: dict[str, Any]
) -> None:
    ref = await account(world.db, path.partition("/")[0])
    await keep(world.db, ref, resource, items)
    status, body = await ask(world, path, provider_id=ref)
    row = await kept(world.db, ref, resource)
    assert row is not None
    assert status == 200, body
    assert set(body) == set(documented) | MORE
    assert {name: body[name] for name in documented} == documented
    assert (body["success"], body["stale"], body["cached_at"]) == (True, False, stamp(row.fetched_at))
    assert world.temporal.executed == [], "nobody's cloud was asked"


async def test_images_can_be_filtered_by_the_documented_types(world: World) -> None:
    ref = await account(world.db, "digitalocean")
    kinds = ("distribution", "application", "custom")
    await keep(world.db, ref, Offer.IMAGES, [Image(id=kind, kind=kind) for kind in kinds])
    for kind in kinds:
        _, body = await ask(world, "digitalocean/images", provider_id=ref, type=kind)
        assert [image["id"] for image in body["images"]] == [kind]
    _, body = await ask(world, "digitalocean/images", provider_id=ref)
    assert len(body["images"]) == 3
    status, body = await ask(world, "digitalocean/images", provider_id=ref, type="snapshot")
    assert (status, body["code"], body["field"]) == (422, "VALIDATION_ERROR", "type")


async def test_a_size_tells_where_it_costs_something_else(world: World) -> None:
    ref = await account(world.db, "linode")
    dearer = BASIC.model_copy(update={"region_prices": {"br-gru": (Decimal("0.0126"), Decimal("8.40"))}})
    await keep(world.db, ref, Offer.PLANS, [dearer])
    _, body = await ask(world, "linode/types", provider_id=ref)
    assert body["types"][0]["region_prices"] == {"br-gru": {"hourly": 0.0126, "monthly": 8.4}}


async def test_a_size_that_cannot_be_bought_is_not_listed(world: World) -> None:
    ref = await account(world.db, "digitalocean")
    gone = BASIC.model_copy(update={"id": "s-old", "available": False})
    await keep(world.db, ref, Offer.PLANS, [gone, BASIC.model_copy(update={"hourly": None})])
    _, body = await ask(world, "digitalocean/sizes", provider_id=ref)
    assert [(size["id"], size["price"]["hourly"]) for size in body["sizes"]] == [("s-1vcpu-1gb", None)]


class TestAccounts:
    @pytest.fixture(autouse=True)
    async def nobody(self, world: World) -> None:
        """The accounts of other tests are not meant."""
        async with world.db.begin() as session:
            await session.execute(delete(ServiceProvider))

    async def test_unnamed_it_is_the_oldest_active_account_of_that_kind(self, world: World) -> None:
        days = [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 3, 4)]
        off = await account(world.db, "digitalocean", created_at=days[0], active=False)
        await account(world.db, "linode", created_at=days[0])
        gone = await account(world.db, "digitalocean", created_at=days[1], active=False, deleted_at=days[2])
        younger = await account(world.db, "digitalocean", created_at=days[3])
        older = await account(world.db, "digitalocean", created_at=days[2])
        for ref in (off, gone, younger, older):
            await keep(world.db, ref, Offer.REGIONS, [Region(id=str(ref))])
        _, body = await ask(world, "digitalocean/regions")
        assert [region["id"] for region in body["regions"]] == [str(older)]
        _, body = await ask(world, "digitalocean/regions", provider_id=younger)
        assert [region["id"] for region in body["regions"]] == [str(younger)]
        for ref, code, expected in ((off, "PROVIDER_INACTIVE", 409), (gone, "PROVIDER_NOT_FOUND", 404)):
            status, body = await ask(world, "digitalocean/regions", provider_id=ref)
            assert (status, body["code"], body["field"], body["provider"]) == (
                expected, code, "provider_id", "digitalocean")  # fmt: skip

    async def test_without_any_account_credentials_are_missing(self, world: World) -> None:
        status, body = await ask(world, "linode/regions")
        assert (status, body["code"], body["provider"]) == (409, "MISSING_CREDENTIALS", "linode")

    async def test_an_account_of_another_kind_is_not_found(self, world: World) -> None:
        linode = await account(world.db, "linode")
        for ref in (linode, uuid.uuid4(), "no-id"):
            status, body = await ask(world, "digitalocean/regions", provider_id=ref)
            assert (status, body["code"], body["field"]) == (404, "PROVIDER_NOT_FOUND", "provider_id")

    @pytest.mark.parametrize("kind", ["aws", "gcp"])
    async def test_clouds_without_a_client_are_known_and_inactive(self, world: World, kind: str) -> None:
        ref = await account(world.db, kind)
        for query in ({}, {"provider_id": ref}):
            status, body = await ask(world, f"{kind}/images", **query)
            assert (status, body["code"], body["provider"]) == (409, "PROVIDER_INACTIVE", kind)


class TestWithoutTheCloud:
    async def test_an_older_list_is_shown_and_says_so(self, world: World) -> None:
        ref = await account(world.db, "linode")
        await keep(world.db, ref, Offer.REGIONS, [NEW_YORK], stale=True)
        world.temporal.answer_plan = away
        status, body = await ask(world, "linode/regions", provider_id=ref)
        assert (status, body["stale"], [region["id"] for region in body["regions"]]) == (200, True, ["nyc3"])
        assert "could not be renewed" in body["stale_reason"]
        row = await kept(world.db, ref, Offer.REGIONS)
        assert row is not None
        assert body["cached_at"] == stamp(row.fetched_at)
        assert row.failed_at is not None

    async def test_the_next_ones_do_not_wait_for_the_same_failure(self, world: World) -> None:
        ref = await account(world.db, "linode")
        await keep(world.db, ref, Offer.REGIONS, [NEW_YORK], stale=True)
        world.temporal.answer_plan = away
        answers = [await ask(world, "linode/regions", provider_id=ref) for _ in range(3)]
        assert [body["stale"] for _, body in answers] == [True] * 3
        assert len({body["stale_reason"] for _, body in answers}) == 1
        assert len(world.temporal.executed) == 1
        async with world.db.begin() as session:  # a while later
            await session.execute(update(ProviderCache).values(failed_at=datetime(2026, 1, 1, tzinfo=UTC)))
        await ask(world, "linode/regions", provider_id=ref)
        assert len(world.temporal.executed) == 2

    async def test_without_an_older_list_it_is_said(self, world: World) -> None:
        ref = await account(world.db, "linode")
        world.temporal.answer_plan = away
        status, body = await ask(world, "linode/regions", provider_id=ref)
        assert (status, body["code"]) == (503, "API_ERROR")

    async def test_every_replica_asks_by_the_same_name(self, world: World) -> None:
        ref = await account(world.db, "linode")
        assert (await ask(world, "linode/types", provider_id=ref))[0] == 503, "the stand-in wrote no row"
        ((workflow, call, options),) = world.temporal.executed
        assert (workflow, options["id"]) == ("ReadOffers", f"offers/{ref}/plans")
        assert options["id_conflict_policy"].name == "USE_EXISTING"
        assert (call.provider, call.provider_id, call.resource) == ("linode", str(ref), "plans")


class TestWhoMay:
    async def test_any_signed_in_user_sees_what_is_offered_and_no_more(self, make_world: MakeWorld) -> None:
        world = await make_world()
        ref = await account(world.db, "linode")
        assert (await ask(world, "linode/regions", provider_id=ref))[0] == 401
        await world.sign_in(Role.USER)
        await keep(world.db, ref, Offer.REGIONS, [NEW_YORK])
        assert (await ask(world, "linode/regions", provider_id=ref))[0] == 200
        for role in (Role.USER, Role.SUPPORT, Role.BILLING, Role.OPERATOR):
            await world.sign_in(role)
            assert (await world.client.get("/api/admin/cache")).status_code == 403
            assert (await world.client.delete(f"/api/admin/providers/{ref}/cache")).status_code == 403


class TestTheCache:
    async def test_statistics_count_how_each_key_was_answered(self, world: World) -> None:
        ref = await account(world.db, "digitalocean")
        await keep(world.db, ref, Offer.REGIONS, [NEW_YORK, SAN_FRANCISCO])
        await keep(world.db, ref, Offer.IMAGES, [UBUNTU], stale=True)
        for _ in range(3):
            await ask(world, "digitalocean/regions", provider_id=ref)
        world.temporal.answer_plan = away
        await ask(world, "digitalocean/images", provider_id=ref)
        body = (await world.client.get("/api/admin/cache")).json()
        rows = {row["key"]: row for row in body["cache"]}
        regions, images = rows[f"provider:{ref}:regions"], rows[f"provider:{ref}:images"]
        counts = ("hits", "misses", "stale_hits", "entries", "fresh")
        assert [regions[name] for name in counts] == [3, 0, 0, 2, True]
        assert [images[name] for name in counts] == [0, 0, 1, 1, False]
        assert (regions["provider_id"], regions["provider_type"]) == (str(ref), "digitalocean")
        assert (regions["failed_at"], regions["failure"]) == (None, "")
        assert images["failure"].startswith("Temporal cannot be reached")
        assert images["failed_at"].endswith("Z")
        assert images["fresh_until"] < images["failed_at"]

    async def test_clearing_forgets_one_account_and_is_audited(self, world: World) -> None:
        one, other = await account(world.db, "linode"), await account(world.db, "linode")
        for ref in (one, other):
            await keep(world.db, ref, Offer.REGIONS, [NEW_YORK])
            await keep(world.db, ref, Offer.IMAGES, [UBUNTU])
        answer = await world.client.delete(f"/api/admin/providers/{one}/cache")
        assert (answer.status_code, answer.json()["cleared"]) == (200, 2)
        assert await kept(world.db, one, Offer.REGIONS) is None
        assert await kept(world.db, other, Offer.REGIONS) is not None
        (entry,) = [e for e in await world.audit("provider.clear_cache") if e.target_id == str(one)]
        assert (entry.actor, entry.target_type, entry.outcome) == (world.username, "service_provider", "ok")

    async def test_of_an_account_that_is_not_there_nothing_is_cleared(self, world: World) -> None:
        gone = await account(world.db, "linode")
        await change(world.db, gone, active=False, deleted_at=datetime.now(UTC))
        for ref in (gone, uuid.uuid4(), "no-id"):
            answer = await world.client.delete(f"/api/admin/providers/{ref}/cache")
            assert (answer.status_code, answer.json()["code"]) == (404, "PROVIDER_NOT_FOUND")

    async def test_metrics_are_by_kind_of_cloud(self, world: World) -> None:
        ref = await account(world.db, "digitalocean")
        await keep(world.db, ref, Offer.MARKETPLACE, APPS)
        await ask(world, "digitalocean/marketplace", provider_id=ref)
        await world.client.get("/api/admin/cache")
        text = (await world.client.get("/metrics")).text
        labels = 'provider="digitalocean",resource="marketplace"'
        (hits,) = [line for line in text.splitlines()
                   if line.startswith("slipway_offer_reads{outcome=\"hits\"," + labels)]  # fmt: skip
        assert float(hits.rpartition(" ")[2]) >= 1
        assert f"slipway_offer_age_seconds{{{labels}}}" in text
        assert str(ref) not in text
