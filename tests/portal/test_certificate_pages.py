"""Certificates by expiry and a drill's progress in a real browser, over the real API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.async_api import expect
from sqlalchemy import delete, func, update

from db.models_certificates import CaBucket, Certificate, CertificateDrill, SharedCertificate
from domain.ca_limits import set_key
from domain.statuses import Role
from tests.api.test_certificates import certified
from tests.api.world import PASSWORD, World
from tests.portal.harbour import Harbour, Visitor
from tests.providers.acme.bought import Seller

pytestmark = pytest.mark.browser

DAY = timedelta(days=1)
CA = "https://ca.test/dir"


@pytest.fixture(autouse=True)
async def alone(harbour: Harbour) -> AsyncIterator[None]:
    """Other tests' certificates and drills are over."""
    await forget(harbour.world)
    yield
    await forget(harbour.world)


async def forget(world: World) -> None:
    async with world.db.begin() as session:
        await session.execute(update(Certificate).values(
            superseded_at=func.now(), renew_after=None, next_action="", drill_id=None))  # fmt: skip
        await session.execute(update(CertificateDrill).values(state="stopped", ended_at=func.now()))


async def change(world: World, row: Certificate, **columns: object) -> None:
    async with world.db.begin() as session:
        await session.execute(update(Certificate).where(Certificate.id == row.id).values(**columns))


class TestList:
    async def test_the_next_to_expire_comes_first_with_what_comes_next(
        self, harbour: Harbour, operator: Visitor
    ) -> None:
        later = await certified(harbour.world)
        sooner = await certified(
            harbour.world, left=9 * DAY + timedelta(hours=1), failures=1, failure_kind="ours",
            failure_message="10.0.0.1 is silent", failed_at=datetime.now(UTC), next_action="renew", why="again",
        )  # fmt: skip
        await operator.turn_to("sales", "certificates")
        rows = operator.at("certificates").locator("tbody tr")
        await expect(rows).to_have_count(2)
        await expect(rows.first).to_contain_text(sooner.names[0])
        for text in ("9 days left", "Expires soon", "Renewal", "10.0.0.1 is silent"):
            await expect(rows.first).to_contain_text(text)
        await operator.at("filter-state").select_option("expiring")
        await expect(rows).to_have_count(1)
        await operator.at("filter-state").select_option("")
        await expect(rows).to_have_count(2)
        await operator.at("filter-search").fill(later.names[0][:12])
        await expect(rows).to_have_count(1)
        await expect(rows.first).to_contain_text("Its CA is asked when to renew")

    async def test_one_is_renewed_now_with_a_new_key(self, harbour: Harbour, operator: Visitor) -> None:
        row = await certified(harbour.world)
        await operator.open("/certificates")
        await operator.at(f"renew-{row.names[0]}").click()
        await operator.at("renew-fresh").check()
        await operator.at("renew-dialog-confirm").click()
        await expect(operator.at("renew-dialog")).to_have_count(0)
        _, call, _ = harbour.world.temporal.started[f"certificate/{row.id}/renew"]
        assert (call.forced, call.fresh_key) == (True, True)

    async def test_before_a_renewal_it_is_told_when_the_ca_allows_another(
        self, harbour: Harbour, operator: Visitor
    ) -> None:
        row, directory = await certified(harbour.world), harbour.world.settings.acme_directory_url
        await operator.open("/certificates")
        await operator.at(f"renew-{row.names[0]}").click()
        await expect(operator.at("renew-possible")).to_contain_text("more for these names now")
        await operator.page.keyboard.press("Escape")
        bucket = {"directory_url": directory, "limit": "exact_set", "subject": set_key(row.names)}
        async with harbour.world.db.begin() as session:
            session.add(CaBucket(**bucket, full_at=datetime.now(UTC) + 7 * DAY))
        await operator.at(f"renew-{row.names[0]}").click()
        await expect(operator.at("renew-possible")).to_contain_text("is possible from")
        await expect(operator.at("renew-possible")).to_contain_text("in 7 days")

    async def test_a_customer_sees_the_own_ones_and_no_drill(self, harbour: Harbour, visitor: Visitor) -> None:
        own, foreign = await certified(harbour.world), await certified(harbour.world)
        deployment = await harbour.world.deployment(str(own.deployment_id))
        await harbour.world.sign_in(Role.USER, organization_id=deployment.organization_id)
        await visitor.sign_in(harbour.world.username, PASSWORD)
        await visitor.at("nav-certificates").click()
        await expect(visitor.at(f"certificate-{own.names[0]}")).to_be_visible()
        await expect(visitor.at(f"certificate-{foreign.names[0]}")).to_have_count(0)
        for act in ("begin-drill", "begin-upload", f"renew-{own.names[0]}"):
            await expect(visitor.at(act)).to_have_count(0)


class TestDrill:
    async def test_it_is_begun_watched_paused_and_stopped(self, harbour: Harbour, operator: Visitor) -> None:
        done, fails, *_ = [await certified(harbour.world, directory_url=CA) for _ in range(4)]
        await operator.open("/certificates")
        await operator.at("begin-drill").click()
        await operator.at("drill-which").select_option(f"ca {CA}")
        await operator.at("drill-pace").fill("40")
        await operator.at("drill-reason").fill("They withdraw them")
        await operator.at("drill-dialog-confirm").click()
        await expect(operator.at("drill")).to_contain_text("issued by ca.test, 40 an hour. They withdraw them")
        await expect(operator.at("drill-text")).to_have_text("0 of 4 replaced, 4 waiting")
        await change(harbour.world, done, renew_after=None, next_action="", superseded_at=func.now())
        await change(harbour.world, fails, replace_after=func.now(), failures=1, failure_kind="ours",
                     failed_at=func.now())  # fmt: skip
        await expect(operator.at("drill-text")).to_have_text(
            "1 of 4 replaced, 1 under way, 1 failing, 2 waiting", timeout=20_000
        )
        await expect(operator.at("drill-bar")).to_have_attribute("aria-valuenow", "1")
        await operator.at("drill-pause").click()
        await expect(operator.at("drill-state")).to_have_text("Paused")
        await operator.at("drill-resume").click()
        await expect(operator.at("drill-state")).to_have_text("Running")
        await operator.at("drill-stop").click()
        await operator.at("drill-stop-dialog-confirm").click()
        await expect(operator.at("drill-state")).to_have_text("Stopped")
        await expect(operator.at("drill-pause")).to_have_count(0)

    async def test_a_pace_that_is_none_is_told_at_its_field(self, harbour: Harbour, operator: Visitor) -> None:
        await certified(harbour.world, directory_url=CA)
        await operator.open("/certificates")
        await operator.at("begin-drill").click()
        await operator.at("drill-pace").fill("0")
        await operator.at("drill-dialog-confirm").click()
        await expect(operator.at("drill-dialog").locator(".error:visible").first).to_be_visible()
        await expect(operator.at("drill-pace")).to_be_focused()


class TestUploads:
    @pytest.fixture
    async def seller(self, harbour: Harbour, tmp_path: Path) -> AsyncIterator[Seller]:
        """Keys may be uploaded here, and this one's certificates are trusted."""
        made, trust, services = Seller(), tmp_path / "roots.pem", harbour.world.app.state.services
        trust.write_text(made.root_pem)
        before = services.settings
        services.settings = before.model_copy(update={"shared_keys": True, "tls_trust_file": trust})
        yield made
        services.settings = before
        async with harbour.world.db.begin() as session:
            await session.execute(update(Certificate).values(awaits_id=None, shared_id=None))
            await session.execute(delete(SharedCertificate))

    async def test_one_is_uploaded_with_its_key_for_a_name_and_withdrawn(
        self, harbour: Harbour, operator: Visitor, seller: Seller
    ) -> None:
        row = await certified(harbour.world)
        name, bought = row.names[0], seller.sell(row.names[0])
        await operator.open("/certificates")
        await operator.at("begin-upload").click()
        await operator.at("upload-certificate").fill(bought.chain_pem)
        await operator.at("upload-key").fill(seller.sell(name).key_pem)
        await operator.at("upload-domains").fill(f"{name}, nobody.example.nl")
        await operator.at("upload-dialog-confirm").click()
        await expect(operator.at("upload-dialog").locator(".error:visible").first).to_contain_text("certificate's key")
        await expect(operator.at("upload-key")).to_be_focused()
        await operator.at("upload-key").fill(bought.key_pem)
        await operator.at("upload-dialog-confirm").click()
        await expect(operator.at("upload-domains")).to_be_focused()
        await operator.at("upload-domains").fill(name)
        await operator.at("upload-default").check()
        await operator.at("upload-dialog-confirm").click()
        shown = operator.at(f"upload-{name}")
        for text in ("CN=Seller", "Valid", "default of new sites", "on its way to 1"):
            await expect(shown).to_contain_text(text)
        assert f"certificate/{row.id}/renew" in harbour.world.temporal.started
        await operator.at(f"withdraw-{name}").click()
        await operator.at("withdraw-dialog-confirm").click()
        await expect(shown).to_contain_text("Withdrawn")
        await expect(operator.at(f"withdraw-{name}")).to_have_count(0)
        assert bought.key_body not in await operator.page.content()

    async def test_what_is_served_by_such_a_key_says_so(
        self, harbour: Harbour, operator: Visitor, seller: Seller
    ) -> None:
        row = await certified(harbour.world)
        bought = seller.sell(row.names[0])
        body = {"certificate": bought.chain_pem, "privateKey": bought.key_pem}
        answer = await harbour.world.client.post("/api/ssl/upload", json=body)
        await change(harbour.world, row, shared_id=answer.json()["certificate"]["id"])
        await operator.open("/certificates")
        await expect(operator.at(f"certificate-{row.names[0]}")).to_contain_text("Shared key")
        await expect(operator.at(f"upload-{row.names[0]}")).to_contain_text("serves 1")

    async def test_where_keys_stay_on_their_servers_none_is_asked_for(
        self, harbour: Harbour, operator: Visitor
    ) -> None:
        row = await certified(harbour.world)
        await operator.open("/certificates")
        await expect(operator.at(f"certificate-{row.names[0]}")).to_be_visible()
        await expect(operator.at("begin-upload")).to_be_hidden()
