"""The page of accounts at clouds in a real browser: set up, checked, disabled, refused with a reason, deleted."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import pytest
from playwright.async_api import expect
from sqlalchemy import delete, select, text, update

from db.keyring import KeyRing
from db.models import Placement, VpsInstance
from db.models_clouds import ServiceProvider
from db.queries import providers
from domain.accounts import AccountChecked
from domain.errors import ErrorCode
from domain.statuses import Role
from tests.api.world import PASSWORD, SECRET_KEYS
from tests.portal.harbour import Harbour, Visitor
from tests.sandbox.transip.emulator import key_pair

pytestmark = pytest.mark.browser


@pytest.fixture(autouse=True)
async def empty(harbour: Harbour) -> None:
    async with harbour.world.db.begin() as session:
        await session.execute(delete(Placement))
        await session.execute(text("update instance_deployments set vps_id = null"))
        for table in (VpsInstance, ServiceProvider):
            await session.execute(delete(table))


async def account(harbour: Harbour, name: str = "Ocean", **changes: object) -> uuid.UUID:
    values = {"kind": "digitalocean", "api_key": "t0ken", "configuration": {"default_region": "ams3"}} | changes
    async with harbour.world.db.begin() as session:
        return (await providers.create(session, KeyRing.parse(SECRET_KEYS), name=name, **values)).id  # type: ignore[arg-type]


async def stored(harbour: Harbour) -> list[ServiceProvider]:
    async with harbour.world.db.begin() as session:
        return list((await session.execute(select(ServiceProvider).order_by(ServiceProvider.created_at))).scalars())


async def test_an_account_is_added_and_its_key_is_not_shown_again(harbour: Harbour, operator: Visitor) -> None:
    await operator.turn_to("servers", "providers")
    await expect(operator.at("providers")).to_contain_text("No account at any cloud")
    await operator.at("add-provider").click()
    await operator.at("provider-name").fill("Ocean")
    await operator.at("provider-token").fill("two words")
    await operator.at("provider-region").fill("ams3")
    await operator.at("provider-dialog-confirm").click()
    await expect(operator.at("provider-dialog")).to_contain_text("one line of printable ASCII characters")
    await operator.at("provider-token").fill("dop_v1_canary")
    await operator.at("provider-dialog-confirm").click()
    await expect(operator.at("provider-Ocean")).to_contain_text("DigitalOcean · ams3")
    await operator.at("edit-Ocean").click()
    await expect(operator.at("provider-token")).to_have_value("")
    assert "canary" not in await operator.page.content()
    (row,) = await stored(harbour)
    assert providers.read_key(KeyRing.parse(SECRET_KEYS), row) == "dop_v1_canary"


async def test_transip_takes_the_text_of_a_key_and_a_login(harbour: Harbour, operator: Visitor) -> None:
    await operator.open("/providers")
    await operator.at("add-provider").click()
    await expect(operator.at("provider-pem")).to_have_count(0)
    await operator.at("provider-type").select_option("transip")
    await expect(operator.at("provider-token")).to_have_count(0)
    await operator.at("provider-name").fill("Amsterdam")
    await operator.at("provider-username").fill("acme")
    await operator.at("provider-pem").fill(key_pair()[0])
    await operator.at("provider-dialog-confirm").click()
    await expect(operator.at("provider-Amsterdam")).to_contain_text("TransIP · acme")
    (row,) = await stored(harbour)
    assert (providers.read_key(KeyRing.parse(SECRET_KEYS), row) or "").strip() == key_pair()[0].strip()


async def test_an_edit_keeps_the_key_and_what_the_form_does_not_show(harbour: Harbour, operator: Visitor) -> None:
    await account(harbour, configuration={"default_region": "ams3", "default_image": "debian", "poll_seconds": 7})
    await operator.open("/providers")
    await operator.at("edit-Ocean").click()
    await operator.at("provider-region").fill("nyc3")
    await operator.at("provider-image").fill("")
    await operator.at("provider-dialog-confirm").click()
    await expect(operator.at("provider-Ocean")).to_contain_text("nyc3")
    (row,) = await stored(harbour)
    assert row.configuration == {"default_region": "nyc3", "poll_seconds": 7}
    assert providers.read_key(KeyRing.parse(SECRET_KEYS), row) == "t0ken"


async def test_credentials_are_checked_and_the_answer_is_shown(harbour: Harbour, operator: Visitor) -> None:
    await account(harbour)
    answer = AccountChecked(valid=True, message="The cloud accepts these credentials.")
    harbour.world.temporal.answer_plan = lambda: answer
    await operator.open("/providers")
    await operator.at("validate-Ocean").click()
    await expect(operator.at("toast").last).to_contain_text("Ocean: The cloud accepts these credentials.")
    harbour.world.temporal.answer_plan = lambda: AccountChecked(
        valid=False, message="unable to authenticate you", code=ErrorCode.INVALID_CREDENTIALS)  # fmt: skip
    await operator.at("validate-Ocean").click()
    await expect(operator.at("toast").last).to_contain_text("Unable to authenticate you")


async def test_an_account_is_disabled_and_enabled(harbour: Harbour, operator: Visitor) -> None:
    await account(harbour)
    await operator.open("/providers")
    for label, active in (("Disabled", False), ("Active", True)):
        await operator.at("switch-Ocean").click()
        await expect(operator.at("provider-Ocean")).to_contain_text(label)
        assert [row.active for row in await stored(harbour)] == [active]


async def test_a_deletion_is_refused_with_the_number_of_servers_and_then_done(
    harbour: Harbour, operator: Visitor
) -> None:
    ref = await account(harbour)
    for _ in range(2):
        await harbour.world.server(provider_type="digitalocean", provider_id=ref)
    await operator.open("/providers")
    await operator.at("delete-Ocean").click()
    await operator.at("delete-dialog-confirm").click()
    await expect(operator.at("delete-dialog")).to_contain_text("2 servers live at Ocean")
    async with harbour.world.db.begin() as session:
        await session.execute(update(VpsInstance).values(lifecycle="terminated"))
    await operator.at("delete-dialog-confirm").click()
    await expect(operator.at("providers")).to_contain_text("No account at any cloud")


async def test_what_the_environment_names_is_not_edited_here(harbour: Harbour, operator: Visitor) -> None:
    await account(harbour, origin="environment")
    await operator.open("/providers")
    await expect(operator.at("provider-Ocean")).to_contain_text("set in the environment")
    await operator.at("edit-Ocean").click()
    await expect(operator.at("provider-token")).to_have_count(0)
    await operator.at("provider-name").fill("Ours")
    await operator.at("provider-dialog-confirm").click()
    await expect(operator.at("provider-Ours")).to_be_visible()


async def test_is_no_wider_than_its_window(harbour: Harbour, sized: Visitor) -> None:
    await account(harbour, "<b>Ocean</b>" * 6)
    await account(harbour, "Second", active=False)
    await sized.open("/providers")
    await expect(sized.at("provider-Second")).to_be_visible()
    if folder := os.environ.get("SLIPWAY_SCREENSHOTS"):
        width = (sized.page.viewport_size or {})["width"]
        await sized.page.screenshot(path=Path(folder) / f"providers-{width}.png", full_page=True)
    assert await sized.overflow() <= 0


async def test_is_not_offered_to_others(harbour: Harbour, visitor: Visitor) -> None:
    await harbour.world.sign_in(Role.OPERATOR)
    await visitor.sign_in(harbour.world.username, PASSWORD)
    await expect(visitor.at("new-instance")).to_be_visible()
    await expect(visitor.at("nav-providers")).to_have_count(0)
    await visitor.open("/providers")
    await expect(visitor.page.get_by_text("shown to administrators")).to_be_visible()
