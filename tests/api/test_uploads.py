"""Certificates that come with their keys: off by default, checked as browsers would, put in places, taken back."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, func, select, text, update

from db.models_certificates import Certificate, SharedCertificate
from domain.statuses import Role
from tests.api.conftest import MakeWorld
from tests.api.test_certificates import certified, forget
from tests.api.world import World, temporal_is_away
from tests.providers.acme.bought import Bought, Seller


@dataclass
class Shop:
    """Where keys may be uploaded, and somebody who sells certificates that are trusted here."""

    world: World
    seller: Seller

    async def upload(self, bought: Bought, status: int = 201, **more: Any) -> dict[str, Any]:
        body = {"certificate": bought.chain_pem, "privateKey": bought.key_pem} | more
        answer = await self.world.client.post("/api/ssl/upload", json=body)
        assert answer.status_code == status, answer.text
        assert bought.key_body not in answer.text
        return dict(answer.json())

    async def place(self, row: Certificate) -> Certificate:
        async with self.world.db.begin() as session:
            return await session.get_one(Certificate, row.id)

    async def single(self, ref: str) -> dict[str, Any]:
        answer = await self.world.client.get(f"/api/ssl/uploads/{ref}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json()["certificate"])


@pytest.fixture
async def shop(make_world: MakeWorld, tmp_path: Path) -> AsyncIterator[Shop]:
    seller, trust = Seller(), tmp_path / "roots.pem"
    trust.write_text(seller.root_pem)
    world = await make_world(shared_keys=True, tls_trust_file=trust)
    await world.sign_in()
    await forget(world)
    yield Shop(world, seller)
    async with world.db.begin() as session:
        await session.execute(update(Certificate).values(awaits_id=None))
        await session.execute(delete(Certificate).where(Certificate.shared_id.is_not(None)))
        await session.execute(delete(SharedCertificate))


def wild(row: Certificate) -> str:
    return f"*.{row.names[0].partition('.')[2]}"


async def test_by_default_no_key_is_taken_whatever_is_sent(world: World) -> None:
    for body in ({}, {"certificate": "x", "privateKey": "y"}):
        answer = await world.client.post("/api/ssl/upload", json=body)
        assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN")
    listed = (await world.client.get("/api/ssl/uploads")).json()
    assert (listed["uploads"], listed["open"]) == ([], False)


class TestUploading:
    async def test_it_is_put_in_the_place_of_what_is_served_for_the_name(self, shop: Shop) -> None:
        row, other = await certified(shop.world), await certified(shop.world)
        bought = shop.seller.sell(row.names[0])
        answer = await shop.upload(bought, domains=[row.names[0].upper()])
        shown = answer["certificate"]
        assert (shown["names"], shown["shared_key"], shown["state"]) == (row.names, True, "valid")
        assert (shown["serving"], shown["waiting"], shown["uploaded_by"]) == (0, 1, shop.world.username)
        place = await shop.place(row)
        assert (str(place.awaits_id), place.next_action) == (shown["id"], "renew")
        assert (await shop.place(other)).awaits_id is None
        name, call, _ = shop.world.temporal.started[f"certificate/{row.id}/renew"]
        assert (name, call.forced, call.requested_by) == ("RenewCertificate", False, shop.world.username)
        (entry,) = [one for one in await shop.world.audit("certificate.upload") if one.target_id == shown["serial"]]
        assert (entry.outcome, entry.details["domains"]) == ("ok", row.names)
        assert bought.key_body not in json.dumps(entry.details)
        listed = (await shop.world.client.get("/api/ssl/uploads")).json()
        assert [one["id"] for one in listed["uploads"]] == [shown["id"]]

    async def test_the_same_again_is_the_same_one_in_more_places(self, shop: Shop) -> None:
        first, second = await certified(shop.world), await certified(shop.world)
        bought = shop.seller.sell(wild(first))
        one = (await shop.upload(bought, domains=first.names))["certificate"]
        two = (await shop.upload(bought, domains=second.names))["certificate"]
        assert (one["id"], two["waiting"]) == (two["id"], 2)

    async def test_its_successor_takes_its_places_and_its_mark(self, shop: Shop) -> None:
        row = await certified(shop.world)
        old = (await shop.upload(shop.seller.sell(wild(row)), default=True))["certificate"]
        async with shop.world.db.begin() as session:
            await session.execute(update(Certificate).where(Certificate.id == row.id).values(shared_id=old["id"]))
        new = (await shop.upload(shop.seller.sell(wild(row)), replaces=old["id"]))["certificate"]
        assert (new["default"], new["waiting"]) == (True, 1)
        assert (await shop.single(old["id"]))["default"] is False
        assert str((await shop.place(row)).awaits_id) == new["id"]

    async def test_with_temporal_away_it_is_kept_and_the_sweep_puts_it_there(self, shop: Shop) -> None:
        row = await certified(shop.world)
        shop.world.temporal.trouble = temporal_is_away()
        await shop.upload(shop.seller.sell(row.names[0]), domains=row.names)
        async with shop.world.db.begin() as session:
            due = select(Certificate.id).where(
                Certificate.next_action == "renew", Certificate.renew_after <= func.now()
            )
            assert row.id in (await session.execute(due)).scalars().all()


class TestRefusals:
    async def refused(self, shop: Shop, field: str, bought: Bought, **more: Any) -> str:
        answer = await shop.upload(bought, 422, **more)
        assert (answer["code"], answer["field"]) == ("VALIDATION_ERROR", field)
        async with shop.world.db.begin() as session:
            assert (await session.execute(select(func.count()).select_from(SharedCertificate))).scalar_one() == 0
        return str(answer["message"])

    async def test_what_browsers_refuse_is_refused_by_field(self, shop: Shop) -> None:
        strange, bought = Seller().sell("a.example.nl"), shop.seller.sell("a.example.nl")
        assert "trusted" in await self.refused(shop, "certificate", strange)
        assert "not the certificate's key" in await self.refused(shop, "privateKey", bought, privateKey=strange.key_pem)

    async def test_a_name_that_nobody_has_ordered_is_named_by_its_place(self, shop: Shop) -> None:
        row = await certified(shop.world)
        names = [row.names[0], "nobody.example.nl"]
        said = await self.refused(shop, "domains.1", shop.seller.sell(*names), domains=names)
        assert "nobody.example.nl" in said
        assert (await shop.place(row)).awaits_id is None

    async def test_one_that_is_not_for_the_names_is_refused_and_nothing_is_half_done(self, shop: Shop) -> None:
        row = await certified(shop.world)
        said = await self.refused(shop, "certificate", shop.seller.sell("a.example.nl"), domains=row.names)
        assert row.names[0] in said
        assert (await shop.place(row)).awaits_id is None
        assert shop.world.temporal.started.get(f"certificate/{row.id}/renew") is None
        assert (await shop.world.audit("certificate.upload"))[-1].outcome == "refused"

    async def test_a_successor_of_nothing_is_refused(self, shop: Shop) -> None:
        await self.refused(shop, "replaces", shop.seller.sell("a.example.nl"), replaces=str(uuid.uuid4()))

    @pytest.mark.parametrize("body", [{"certificate": ""}, {"privateKey": ""}, {"domains": ["\x00"]}, {"more": 1}])
    async def test_what_is_no_upload_is_refused_without_a_word_of_the_key(
        self, shop: Shop, body: dict[str, Any], caplog: pytest.LogCaptureFixture
    ) -> None:
        bought = shop.seller.sell("a.example.nl")
        with caplog.at_level(logging.DEBUG):
            await shop.upload(bought, 422, **body)
        assert bought.key_body not in caplog.text

    @pytest.mark.parametrize("role", [Role.USER, Role.SUPPORT, Role.BILLING])
    async def test_it_is_for_operators(self, shop: Shop, role: Role) -> None:
        await shop.world.sign_in(role)
        await shop.upload(shop.seller.sell("a.example.nl"), 403)


class TestWithdrawing:
    async def test_its_key_is_destroyed_and_its_places_begin_to_get_their_own(self, shop: Shop) -> None:
        row, bought = await certified(shop.world), shop.seller.sell("a.example.nl")
        ref = (await shop.upload(bought, default=True))["certificate"]["id"]
        async with shop.world.db.begin() as session:
            await session.execute(update(Certificate).where(Certificate.id == row.id).values(shared_id=ref))
        for _ in range(2):
            answer = await shop.world.client.post(f"/api/ssl/uploads/{ref}/withdraw")
            assert (answer.status_code, answer.json()["certificate"]["state"]) == (200, "withdrawn")
        place = await shop.place(row)
        assert (place.next_action, place.replace_key) == ("renew", True)
        assert f"certificate/{row.id}/renew" in shop.world.temporal.started
        async with shop.world.db.begin() as session:
            assert (await session.execute(text("select ciphertext from shared_certificates"))).scalar_one() is None
        assert (await shop.upload(bought, 409))["field"] == "certificate"

    async def test_what_is_served_by_an_uploaded_key_says_so(self, shop: Shop) -> None:
        row = await certified(shop.world)
        ref = (await shop.upload(shop.seller.sell("a.example.nl")))["certificate"]["id"]
        where = f"/api/ssl/certificate/{row.names[0]}"
        assert (await shop.world.client.get(where)).json()["certificate"]["shared_key"] is False
        async with shop.world.db.begin() as session:
            await session.execute(update(Certificate).where(Certificate.id == row.id).values(shared_id=ref))
        assert (await shop.world.client.get(where)).json()["certificate"]["shared_key"] is True

    async def test_what_was_never_uploaded_is_not_found(self, shop: Shop) -> None:
        for ref in (str(uuid.uuid4()), "nothing"):
            assert (await shop.world.client.get(f"/api/ssl/uploads/{ref}")).status_code == 404
            assert (await shop.world.client.post(f"/api/ssl/uploads/{ref}/withdraw")).status_code == 404
