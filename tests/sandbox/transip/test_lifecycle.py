"""Servers of the sandbox over time: births that are interrupted, faults that are used up, and what is remembered."""

from __future__ import annotations

import httpx
import pytest

from providers.errors import Transient
from sandbox.clouds.records import Fault, FaultMatch
from sandbox.clouds.store import Store
from sandbox.transip.records import Timings
from tests.sandbox.transip.emulator import LOGIN, QUICK, TOKEN, Emulator, emulator, order, until
from tests.sandbox.transip.memory_driver import MemoryDriver


async def running(cloud: Emulator) -> None:
    async def look() -> bool:
        return {vps["phase"] for vps in (await cloud.state())["vpss"]} == {"active"}

    await until(look)


class TestBirth:
    @pytest.mark.parametrize(("stuck_in", "phase"), [("create", "created"), ("install", "installing")])
    async def test_interrupted_birth_is_finished_by_the_next_process(
        self, tmp_path_factory: pytest.TempPathFactory, stuck_in: str, phase: str
    ) -> None:
        folder = tmp_path_factory.mktemp("birth")
        slow = QUICK.model_copy(update={stuck_in: 3600.0})
        async with emulator(folder, timings=slow) as cloud:
            client = cloud.client()
            await client.order(order())

            async def there() -> bool:
                return (await cloud.state())["vpss"][0]["phase"] == phase

            await until(there)
        async with emulator(folder) as cloud:
            await running(cloud)
            assert [call for call in cloud.driver.calls if call[0] != "destroy"][-1] == ("start", f"{LOGIN}-vps1")
            assert len(cloud.driver.specs) == 1
            assert len((await cloud.state())["invoices"]) == 1

    async def test_failing_host_is_tried_again(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        folder = tmp_path_factory.mktemp("failing")
        driver = MemoryDriver(folder / "hosts")
        driver.broken_calls = 1
        async with emulator(folder, driver=driver) as cloud:
            client = cloud.client()
            await client.order(order())
            await running(cloud)

    async def test_removal_is_finished_by_the_next_process(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        folder = tmp_path_factory.mktemp("removal")
        async with emulator(folder, timings=QUICK.model_copy(update={"destroy": 3600.0})) as cloud:
            client = cloud.client()
            await client.order(order())
            await running(cloud)
            await client.cancel(f"{LOGIN}-vps1", immediately=True)
            assert cloud.driver.specs
        async with emulator(folder) as cloud:

            async def gone() -> bool:
                return (await cloud.state())["vpss"][0]["phase"] == "gone"

            await until(gone)
            assert cloud.driver.specs == {}

    async def test_number_of_a_gone_server_is_not_used_again(self, cloud: Emulator) -> None:
        client = cloud.client()
        await client.order(order())
        await running(cloud)
        await client.cancel(f"{LOGIN}-vps1", immediately=True)
        await until(lambda: nothing_listed(cloud))
        await client.order(order())

        async def second() -> bool:
            return f"{LOGIN}-vps2" in cloud.driver.specs

        await until(second)


async def nothing_listed(cloud: Emulator) -> bool:
    return {vps["phase"] for vps in (await cloud.state())["vpss"]} == {"gone"}


class TestAdmin:
    async def test_host_without_power_is_shown_as_stopped(self, cloud: Emulator) -> None:
        client = cloud.client()
        await client.order(order())
        await running(cloud)
        name = f"{LOGIN}-vps1"
        for verb, status in (("kill", "stopped"), ("start", "running"), ("stop", "stopped")):
            assert (await cloud.admin.post(f"/_sandbox/hosts/{name}/{verb}")).status_code == 204
            assert (await client.get(name)).status == status
        for verb in ("unplug", "plug"):
            assert (await cloud.admin.post(f"/_sandbox/hosts/{name}/{verb}")).status_code == 204
        assert [call for call, _ in cloud.driver.calls][-2:] == ["unplug", "plug"]
        assert (await cloud.admin.post(f"/_sandbox/hosts/{name}/destroy")).status_code == 404
        assert (await cloud.admin.post("/_sandbox/hosts/nobody/kill")).status_code == 404

    async def test_state_never_shows_what_a_host_was_given_at_birth(self, cloud: Emulator) -> None:
        client = cloud.client()
        await client.order(order(user_data="#cloud-config\n# host-key-material\n"))
        text = (await cloud.admin.get("/_sandbox/state")).text
        assert TOKEN in text
        assert "host-key-material" not in text

    async def test_faults_are_counted_listed_and_cleared(self, cloud: Emulator) -> None:
        client = cloud.client()
        await client.verify_credentials()
        await cloud.fault("status", path="^/vps$", method="get", times=2, status=503)
        await cloud.fault("status", path="^/products", times=None, status=500)
        for _ in range(2):
            with pytest.raises(Transient):
                await client.list()
        await client.list()
        assert [fault["do"] for fault in (await cloud.admin.get("/_sandbox/faults")).json()["faults"]] == ["status"]
        await cloud.admin.delete("/_sandbox/faults")
        await client.price("bladevps-x4")
        wrong = await cloud.admin.post("/_sandbox/faults", json={"do": "explode"})
        broken = await cloud.admin.post("/_sandbox/faults", json={"do": "delay", "match": {"path": "("}})
        assert (wrong.status_code, broken.status_code) == (422, 422)

    async def test_cut_connection_is_seen_as_one(self, cloud: Emulator, http: httpx.AsyncClient) -> None:
        for do in ("lose_request", "lose_answer"):
            await cloud.fault(do, path="^/api-test$")
            with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
                await http.get("/api-test")
        assert (await http.get("/api-test")).status_code == 200
        calls = [(call["fault"], call["status"]) for call in (await cloud.state())["calls"]
                 if call["path"] == "/api-test"]  # fmt: skip
        assert calls == [("lose_request", None), ("lose_answer", 200), (None, 200)]

    async def test_given_headers_and_garbage_arrive_as_they_are(self, cloud: Emulator, http: httpx.AsyncClient) -> None:
        await cloud.fault("status", status=429, headers={"X-Rate-Limit-Reset": "7"}, path="^/api-test$")
        answer = await http.get("/api-test")
        assert (answer.status_code, answer.headers["X-Rate-Limit-Reset"], answer.content) == (429, "7", b"")
        await cloud.fault("garbage", path="^/api-test$", body="<html>Login</html>")
        answer = await http.get("/api-test")
        assert (answer.text, answer.headers["Content-Type"]) == ("<html>Login</html>", "text/html")


class TestStore:
    def test_transaction_is_whole_or_nothing(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        path = tmp_path_factory.mktemp("store") / "transip.sqlite3"
        store = Store(path)

        def interrupted() -> None:
            with store.transaction():
                store.put("1", Fault(do="delay", match=FaultMatch()))
                with store.transaction():
                    store.next("vps")
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            interrupted()
        assert store.all(Fault) == []
        assert store.next("vps") == 1
        store.close()
        again = Store(path)
        assert again.next("vps") == 2
        again.close()

    def test_defaults_are_quick_enough_for_a_demonstration(self) -> None:
        assert Timings().appear + Timings().create + Timings().install <= 10
