"""One order, one server, one invoice: the client against the sandbox, with answers lost at the worst moments."""

from __future__ import annotations

from typing import Any

import pytest

from providers.cloud.base import ServerOrder
from providers.cloud.transip import TransIP
from providers.errors import (
    Conflict,
    InvalidInput,
    NotFound,
    ProviderError,
    RateLimited,
    Transient,
    Unauthorized,
    Unconfirmed,
)
from sandbox.transip.records import Limits, Timings
from tests.sandbox.transip.emulator import LOGIN, QUICK, TOKEN, Emulator, emulator, order, until


@pytest.fixture
async def client(cloud: Emulator) -> TransIP:
    return cloud.client()


async def running(client: TransIP, correlation: str = TOKEN) -> str:
    async def look() -> str | None:
        found = await client.find(correlation)
        return found[0].provider_ref if found and found[0].running and not found[0].locked else None

    return str(await until(look))


class TestOrdering:
    async def test_server_appears_runs_and_is_claimed(self, cloud: Emulator, client: TransIP) -> None:
        receipt = await client.order(order())
        assert receipt.action_ref
        assert receipt.provider_ref is None
        assert await client.order_in_progress(receipt)
        name = await running(client)
        assert name == f"{LOGIN}-vps1"
        assert not await client.order_in_progress(receipt)
        await client.claim(name, label="acme-vps-1", correlation=TOKEN)
        await client.claim(name, label="acme-vps-1", correlation=TOKEN)
        server = await client.get(name)
        assert (server.label, server.correlation) == ("acme-vps-1", TOKEN)
        assert server.tags == ["slipway", f"slipway-{TOKEN}"]
        assert [found.provider_ref for found in await client.find(TOKEN)] == [name]

    async def test_host_is_born_with_what_was_ordered(self, cloud: Emulator, client: TransIP) -> None:
        await client.order(order())
        spec = cloud.driver.specs[await running(client)]
        assert spec.user_data == order().user_data
        assert spec.authorized_keys == order().ssh_keys
        assert spec.hostname == "acme-vps-1"
        assert (spec.cpus, spec.memory_mb, spec.disk_gb) == (4, 8192, 150)
        assert (await client.get(f"{LOGIN}-vps1")).address == spec.address

    async def test_price_is_what_the_invoice_says(self, cloud: Emulator, client: TransIP) -> None:
        price = await client.price("bladevps-x4")
        await client.order(order())
        (invoice,) = (await cloud.state())["invoices"]
        assert invoice["cents"] == price.cents_month
        assert invoice["description"] == TOKEN

    async def test_server_is_not_listed_before_its_time(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        slow = QUICK.model_copy(update={"appear": 1000})
        async with emulator(tmp_path_factory.mktemp("slow"), timings=slow) as cloud:
            client = cloud.client()
            receipt = await client.order(order())
            assert await client.find(TOKEN) == []
            assert await client.order_in_progress(receipt)
            with pytest.raises(NotFound):
                await client.get(f"{LOGIN}-vps1")

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"product": "bladevps-x3"}, "product"),
            ({"availability_zone": "mars0"}, "availability_zone"),
            ({"operating_system": "debian-3"}, "operating_system"),
            ({"operating_system": "windows-2022-standard"}, "operating_system"),
        ],
    )
    async def test_what_the_cloud_would_refuse_is_refused_for_nothing(
        self, cloud: Emulator, client: TransIP, changes: dict[str, Any], field: str
    ) -> None:
        with pytest.raises(InvalidInput) as checked:
            await client.check_order(order(**changes))
        assert checked.value.field == field
        with pytest.raises(InvalidInput):
            await client.order(order(**changes))
        state = await cloud.state()
        assert state["invoices"] == state["vpss"] == []

    async def test_what_the_cloud_would_take_passes_the_check(self, cloud: Emulator, client: TransIP) -> None:
        await client.check_order(order())
        assert (await cloud.state())["vpss"] == []


class TestLostAnswers:
    async def test_lost_after_acceptance_leaves_exactly_one_server(self, cloud: Emulator, client: TransIP) -> None:
        await cloud.fault("lose_answer", method="POST", path="^/vps$")
        with pytest.raises(Unconfirmed):
            await client.order(order())
        await running(client)
        assert len(await client.find(TOKEN)) == 1
        assert len((await cloud.state())["invoices"]) == 1

    async def test_lost_before_acceptance_leaves_none(self, cloud: Emulator, client: TransIP) -> None:
        await cloud.fault("lose_request", method="POST", path="^/vps$")
        with pytest.raises(Unconfirmed):
            await client.order(order())
        assert await client.find(TOKEN) == []
        assert (await cloud.state())["invoices"] == []

    @pytest.mark.parametrize("status", [500, 502, 503, 504])
    async def test_server_error_says_nothing_about_an_order(
        self, cloud: Emulator, client: TransIP, status: int
    ) -> None:
        await cloud.fault("status", method="POST", path="^/vps$", status=status, body="<html>Bad gateway</html>")
        with pytest.raises(Unconfirmed):
            await client.order(order())

    async def test_refused_order_is_certain(self, cloud: Emulator, client: TransIP) -> None:
        await cloud.fault("rate_limit", method="POST", path="^/vps$", seconds=90)
        with pytest.raises(RateLimited) as caught:
            await client.order(order())
        assert caught.value.retry_after is not None
        assert 60 < caught.value.retry_after <= 95
        assert (await cloud.state())["vpss"] == []

    async def test_lost_token_request_proves_that_nothing_was_ordered(self, cloud: Emulator, client: TransIP) -> None:
        await cloud.fault("lose_answer", path="^/auth$")
        with pytest.raises(Transient):
            await client.order(order())
        await client.order(order())
        assert len((await cloud.state())["invoices"]) == 1

    @pytest.mark.parametrize("do", ["lose_request", "lose_answer", "garbage"])
    async def test_read_may_be_repeated(self, cloud: Emulator, client: TransIP, do: str) -> None:
        await cloud.fault(do, method="GET", path="^/vps")
        with pytest.raises(Transient):
            await client.find(TOKEN)
        assert await client.find(TOKEN) == []

    async def test_claim_whose_answer_was_lost_is_repeated(self, cloud: Emulator, client: TransIP) -> None:
        await client.order(order())
        name = await running(client)
        await cloud.fault("lose_answer", method="PUT")
        with pytest.raises(Transient):
            await client.claim(name, label="acme-vps-1", correlation=TOKEN)
        await client.claim(name, label="acme-vps-1", correlation=TOKEN)
        assert (await client.get(name)).label == "acme-vps-1"

    async def test_late_answer_is_still_an_answer(self, cloud: Emulator, client: TransIP) -> None:
        await cloud.fault("delay", method="POST", path="^/vps$", seconds=0.2)
        assert (await client.order(order())).action_ref


class TestAccess:
    async def test_wrong_key_is_unauthorized(self, cloud: Emulator) -> None:
        from tests.providers.cloud.replay import fixture

        client = cloud.client(private_key_pem=fixture("auth_signature_vector.json")["private_key_pem"])
        with pytest.raises(Unauthorized):
            await client.verify_credentials()

    async def test_revoked_token_is_renewed_unseen(self, cloud: Emulator, client: TransIP) -> None:
        await client.verify_credentials()
        await cloud.admin.post("/_sandbox/tokens/revoke")
        await client.order(order())
        state = await cloud.state()
        assert [call["status"] for call in state["calls"] if call["path"] == "/vps"] == [401, 201]
        assert len(state["invoices"]) == 1

    async def test_full_window_says_when_it_opens(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        limits = Limits(requests=3, window=120)
        async with emulator(tmp_path_factory.mktemp("limited"), limits=limits) as cloud:
            client = cloud.client()
            for _ in range(3):
                await client.verify_credentials()
            with pytest.raises(RateLimited) as caught:
                await client.verify_credentials()
            assert caught.value.retry_after is not None
            assert 60 < caught.value.retry_after <= 125


class TestCancelling:
    async def test_immediate_end_removes_the_host(self, cloud: Emulator, client: TransIP) -> None:
        await client.order(order())
        name = await running(client)
        first = await client.cancel(name, immediately=True)
        again = await client.cancel(name, immediately=True)
        assert (first.billed_until, again.billed_until) == (None, None)

        async def gone() -> bool:
            return name not in cloud.driver.specs and await client.list() == []

        await until(gone)
        assert (await client.cancel(name, immediately=True)).note == "already gone"

    async def test_lost_answer_of_a_cancellation_is_repeated(self, cloud: Emulator, client: TransIP) -> None:
        await client.order(order())
        name = await running(client)
        await cloud.fault("lose_answer", method="DELETE")
        with pytest.raises(Transient):
            await client.cancel(name, immediately=True)
        assert (await client.cancel(name, immediately=True)).accepted

    async def test_end_of_the_contract_keeps_it_running_and_billed(self, cloud: Emulator, client: TransIP) -> None:
        await client.order(order())
        name = await running(client)
        for _ in range(2):
            cancellation = await client.cancel(name, immediately=False)
            assert cancellation.billed_until is not None
        assert (await client.cancel(name, immediately=True)).billed_until is not None
        assert (await client.get(name)).running

    async def test_end_of_the_contract_comes(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        short = QUICK.model_copy(update={"contract": 1.0})
        async with emulator(tmp_path_factory.mktemp("short"), timings=short) as cloud:
            client = cloud.client()
            await client.order(order())
            name = await running(client)
            await client.cancel(name, immediately=False)

            async def gone() -> bool:
                return await client.list() == [] and cloud.driver.specs == {}

            await until(gone)

    async def test_server_in_birth_is_asked_again_later(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        slow = QUICK.model_copy(update={"create": 1000.0})
        async with emulator(tmp_path_factory.mktemp("birth"), timings=slow) as cloud:
            client = cloud.client()
            await client.order(order())
            (server,) = await until(lambda: client.find(TOKEN))
            assert (server.status, server.running, server.locked, server.address) == ("created", False, True, None)
            for call in (
                client.cancel(server.provider_ref, immediately=True),
                client.claim(server.provider_ref, label="acme-vps-1", correlation=TOKEN),
            ):
                with pytest.raises(Transient, match="action running"):
                    await call

    async def test_customer_lock_is_not_waited_for(self, cloud: Emulator, client: TransIP) -> None:
        await client.order(order())
        name = await running(client)
        vps = await client._vps(name)
        await client._call("PUT", f"/vps/{name}", json={"vps": {**vps, "isCustomerLocked": True}})
        with pytest.raises(Conflict, match="customer locked"):
            await client.cancel(name, immediately=True)


class TestManyServers:
    async def test_each_order_finds_its_own(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        async with emulator(tmp_path_factory.mktemp("many"), timings=Timings(appear=0, create=0, install=0)) as cloud:
            client = cloud.client()
            tokens = [f"{n:032x}" for n in range(130)]
            for token in tokens:
                await client.order(order(correlation=token))

            async def all_there() -> bool:
                return len(await client.list()) == len(tokens)

            await until(all_there)
            for token in (tokens[0], tokens[99], tokens[100], tokens[-1]):
                (server,) = await client.find(token)
                assert server.correlation == token
            assert len({server.provider_ref for server in await client.list()}) == len(tokens)

    async def test_errors_never_show_the_token_or_the_order(self, cloud: Emulator, client: TransIP) -> None:
        secret: ServerOrder = order(user_data="#cloud-config\n# host-key-material\n")
        for do in ("lose_answer", "lose_request", "garbage", "status"):
            await cloud.fault(do, method="POST", path="^/vps$")
            with pytest.raises(ProviderError) as caught:
                await client.order(secret)
            text = f"{caught.value!r} {caught.value.__cause__!r} {secret!r}"
            assert "Bearer" not in text
            assert "eyJ" not in text
            assert "host-key-material" not in text
