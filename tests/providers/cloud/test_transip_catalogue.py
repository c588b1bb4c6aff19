"""What TransIP sells, how its servers are switched, and how an account becomes a client."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from domain.servers import ActionState, PowerAction
from domain.statuses import Tier
from providers.cloud.base import Account, CallLimit, Image, OrderReceipt, Region
from providers.cloud.transip import TransIP, from_account
from providers.errors import InvalidInput, RateLimited, Transient, Unconfirmed
from tests.providers.cloud.gates import ClosedGate, OpenGate
from tests.providers.cloud.judge import Judge
from tests.providers.cloud.replay import Replay, fixture, status
from tests.sandbox.transip.emulator import TOKEN, Emulator, order, until

VPS = {"name": "acme-vps1", "status": "running", "isLocked": False, "ipAddress": "192.0.2.7"}


async def born(cloud: Emulator, client: TransIP) -> str:
    await client.order(order())

    async def running() -> str | None:
        found = await client.find(TOKEN)
        return found[0].provider_ref if found and found[0].running and not found[0].locked else None

    return str(await until(running))


class TestPower:
    @pytest.mark.parametrize(
        ("action", "word"),
        [
            (PowerAction.POWER_ON, "start"),
            (PowerAction.SHUTDOWN, "stop"),
            (PowerAction.POWER_OFF, "stop"),
            (PowerAction.REBOOT, "reset"),
        ],
    )
    async def test_each_action_is_sent_in_transips_words(self, action: PowerAction, word: str) -> None:
        replay = Replay(lambda request: status(204, headers={"Content-Location": "/v6/actions/a1"}))
        assert await replay.client().power("acme-vps1", action) == "a1"
        (call,) = replay.calls
        assert (call.method, call.url.path, json.loads(call.content)) == (
            "PATCH",
            "/v6/vps/acme-vps1",
            {"action": word},
        )

    async def test_power_cycle_is_refused_before_anything_is_sent(self) -> None:
        replay = Replay(lambda request: status(204))
        client = replay.client()
        with pytest.raises(InvalidInput) as caught:
            await client.power("acme-vps1", PowerAction.POWER_CYCLE)
        assert caught.value.field == "action"
        assert not replay.calls
        assert client.power_actions == set(PowerAction) - {PowerAction.POWER_CYCLE}

    async def test_lost_answer_is_unconfirmed(self) -> None:
        def lose(request: httpx.Request) -> httpx.Response:
            raise httpx.ReadTimeout("", request=request)

        with pytest.raises(Unconfirmed):
            await Replay(lose).client().power("acme-vps1", PowerAction.REBOOT)

    async def test_busy_server_is_asked_again_later(self) -> None:
        busy = status(409, {"error": "VPS 'acme-vps1' has an action running, no modification is allowed"})
        with pytest.raises(Transient):
            await Replay(lambda request: busy).client().power("acme-vps1", PowerAction.REBOOT)

    async def test_server_is_switched_off_and_on_within_the_specification(self, cloud: Emulator) -> None:
        judge = Judge()
        client = cloud.client(transport=judge)
        name = await born(cloud, client)
        for action, word in ((PowerAction.SHUTDOWN, "stopped"), (PowerAction.POWER_ON, "running")):
            ref = await client.power(name, action)
            assert ref

            async def done(action: PowerAction = action, ref: str | None = ref) -> bool:
                return await client.action_state(name, action, ref) is ActionState.DONE

            await until(done)
            assert (await client.get(name)).status == word
        assert judge.violations == []


class TestActionState:
    async def ask(self, vps: dict[str, Any], action: PowerAction, ref: str | None = None, state: str = "") -> str:
        def answer(request: httpx.Request) -> httpx.Response:
            if request.url.path == f"/v6/actions/{ref}" and state:
                return status(200, {"action": {"uuid": ref, "status": state}})
            if "/actions/" in request.url.path:
                return status(404)
            return status(200, {"vps": {**VPS, **vps}})

        return await Replay(answer).client().action_state("acme-vps1", action, ref)

    async def test_process_that_runs_decides(self) -> None:
        assert await self.ask({}, PowerAction.REBOOT, "a1", "running") is ActionState.RUNNING

    @pytest.mark.parametrize("state", ["finished", ""])
    async def test_process_that_is_over_or_forgotten_leaves_it_to_the_server(self, state: str) -> None:
        assert await self.ask({}, PowerAction.REBOOT, "a1", state) is ActionState.DONE

    @pytest.mark.parametrize(
        ("vps", "action", "expected"),
        [
            ({"status": "stopped"}, PowerAction.POWER_OFF, ActionState.DONE),
            ({"status": "running"}, PowerAction.POWER_OFF, ActionState.RUNNING),
            ({"status": "stopped"}, PowerAction.POWER_ON, ActionState.RUNNING),
            ({"status": "stopped", "isLocked": True}, PowerAction.SHUTDOWN, ActionState.RUNNING),
        ],
    )
    async def test_without_a_process_the_server_decides(
        self, vps: dict[str, Any], action: PowerAction, expected: ActionState
    ) -> None:
        assert await self.ask(vps, action) is expected


class TestAddresses:
    async def test_running_server_shows_its_ipv6_address_too(self) -> None:
        listed = [{"address": "192.0.2.7"}, {"address": "2001:db8::7", "subnetMask": "/48"}]
        replay = Replay(
            lambda request: status(
                200, {"ipAddresses": listed} if request.url.path.endswith("addresses") else {"vps": VPS}
            )
        )
        server = await replay.client().get("acme-vps1")
        assert (server.address, server.ipv6_address) == ("192.0.2.7", "2001:db8::7")

    @pytest.mark.parametrize("vps", [{"status": "installing"}, {"isLocked": True}])
    async def test_server_in_the_making_costs_one_call(self, vps: dict[str, Any]) -> None:
        replay = Replay(lambda request: status(200, {"vps": {**VPS, **vps}}))
        assert (await replay.client().get("acme-vps1")).ipv6_address is None
        assert len(replay.calls) == 1

    @pytest.mark.parametrize("code", [403, 404, 500])
    async def test_server_is_shown_where_its_addresses_are_not(self, code: int) -> None:
        replay = Replay(
            lambda request: status(code) if request.url.path.endswith("addresses") else status(200, {"vps": VPS})
        )
        assert (await replay.client().get("acme-vps1")).address == "192.0.2.7"


class TestLists:
    async def test_sandbox_lists_what_can_be_ordered(self, cloud: Emulator) -> None:
        judge = Judge()
        client = cloud.client(transport=judge)
        sizes = {size.id: size for size in await client.sizes()}
        assert (sizes["bladevps-x4"].vcpus, sizes["bladevps-x4"].memory_mb, sizes["bladevps-x4"].disk_gb) == (
            4,
            8192,
            150,
        )
        assert (sizes["bladevps-x4"].monthly, sizes["bladevps-x4"].currency) == (Decimal(40), "EUR")
        assert [region.id for region in await client.regions()] == ["ams0", "rtm0"]
        images = {image.id: image.cloud_init for image in await client.images()}
        assert images["debian-13"] is True
        assert images["windows-2022-standard"] is False
        assert (await client.apps(), await client.stackscripts()) == ([], [])
        assert judge.violations == []

    async def test_documented_examples_become_ours(self) -> None:
        documented = {
            item["request"]["path"]: item["response"]["body"]
            for item in fixture("spec_general.json")["interactions"]
            if item["response"]["status"] == 200
        }
        client = Replay(lambda request: status(200, documented[request.url.path.removeprefix("/v6")])).client()
        assert await client.regions() == [Region(id="ams0", label="Amsterdam")]
        assert await client.images() == [
            Image(id="CPanel-alma8-latest", slug="CPanel-alma8-latest", label="cPanel 90.0.5 + AlmaLinux 8",
                  description="cPanel 90.0.5 + AlmaLinux 8", distribution="AlmaLinux")
        ]  # fmt: skip

    @pytest.mark.parametrize("call", ["sizes", "images", "regions"])
    @pytest.mark.parametrize("body", [{}, {"products": {}}, {"availabilityZones": None}, []])
    async def test_answer_without_the_list_proves_nothing(self, call: str, body: object) -> None:
        with pytest.raises(Transient):
            await getattr(Replay(lambda request: status(200, body)).client(), call)()

    @pytest.mark.parametrize(
        ("option", "value"),
        [("backups", True), ("monitoring", True), ("private_ip", True), ("vpc", "v"), ("app", "a"), ("stackscript", 1)],
    )
    async def test_option_it_has_not_is_refused_and_not_left_out(self, option: str, value: object) -> None:
        replay = Replay(lambda request: status(201, []))
        for call in (replay.client().check_order, replay.client().order):
            with pytest.raises(InvalidInput) as caught:
                await call(order(**{option: value}))
            assert caught.value.field == option
        assert not replay.calls


class TestGate:
    async def test_every_call_is_counted_but_the_one_for_a_token(self) -> None:
        gate = OpenGate()
        replay = Replay(lambda request: status(200, {"ping": "pong"}))
        await replay.client(gate=gate).verify_credentials()
        assert gate.entered == [("requests",)]
        assert len(replay.auths) == 1

    async def test_closed_gate_proves_that_nothing_was_ordered(self) -> None:
        replay = Replay(lambda request: status(201, []))
        with pytest.raises(RateLimited):
            await replay.client(gate=ClosedGate()).order(order())
        assert not replay.calls

    async def test_refusal_of_the_cloud_is_told_to_everybody(self) -> None:
        gate = OpenGate()
        limited = status(429, headers={"X-Rate-Limit-Reset": "1642373790", "Date": "Sun, 16 Jan 2022 22:54:50 GMT"})
        with pytest.raises(RateLimited):
            await Replay(lambda request: limited).client(gate=gate).list()
        assert gate.told == [("requests", 100.0)]


class TestAccount:
    KEY = SecretStr(fixture("auth_signature_vector.json")["private_key_pem"])

    async def test_configuration_decides(self) -> None:
        replay = Replay(lambda request: status(404))
        client = from_account(
            Account(
                api_key=self.KEY,
                configuration={
                    "username": "acme", "base_url": "https://transip.example/v6", "default_region": "rtm0",
                    "default_image": "debian-12", "tiers": {"starter": "bladevps-x1"}, "late_accept_seconds": 30,
                    "poll_seconds": 2.5, "limits": {"requests": 500}, "unknown": 1,
                },
            ),
            transport=replay,
        )  # fmt: skip
        assert (client.default_availability_zone, client.default_operating_system) == ("rtm0", "debian-12")
        assert [client.product_for(tier) for tier in Tier] == ["bladevps-x1", "bladevps-x4", "bladevps-x8"]
        assert (client.late_accept_window, client.poll_interval) == (30.0, 2.5)
        assert client.call_limits == (CallLimit(calls="requests", count=500, seconds=900),)
        assert not await client.order_in_progress(OrderReceipt(action_ref="a1"))
        assert replay.calls[0].url.host == "transip.example"

    async def test_defaults_are_transips(self) -> None:
        client = from_account(Account(api_key=self.KEY, configuration={"username": "acme"}))
        assert client.call_limits == (CallLimit(calls="requests", count=1000, seconds=900),)
        assert (client.default_availability_zone, client.late_accept_window) == ("ams0", 600)
        await client.close()

    @pytest.mark.parametrize(
        ("key", "configuration"), [(KEY, {}), (KEY, {"username": 7}), (SecretStr("no key"), {"username": "acme"})]
    )
    async def test_malformed_account_is_a_value_error(self, key: SecretStr, configuration: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match="TransIP"):
            from_account(Account(api_key=key, configuration=configuration))
