"""What may go wrong at the sandbox's Linode, and what is remembered through all of it."""

from __future__ import annotations

import httpx
import pytest

from sandbox.faults.effects import Effect
from sandbox.faults.machine import STORMY_CALLS, Call, Machine, weather
from tests.faults.test_machine import Chosen
from tests.sandbox.linode.emulator import QUICK, LinodeCloud, emulator, linode
from tests.sandbox.linode.test_wire import created, labels, settled
from tests.sandbox.transip.emulator import until

LOST = (httpx.RemoteProtocolError, httpx.ReadError)
STORM = next(seed for seed in range(1000) if weather(seed) > 0.4)
LABEL = linode()["label"]


class TestRules:
    @pytest.mark.parametrize(("do", "bought"), [("lose_request", 0), ("lose_answer", 1)])
    async def test_connection_is_cut_before_or_after_the_creation(
        self, cloud: LinodeCloud, http: httpx.AsyncClient, do: str, bought: int
    ) -> None:
        await cloud.fault(do, method="POST", path="^/linode/instances$")
        with pytest.raises(LOST):
            await http.post("/linode/instances", json=linode())
        assert len(cloud.app.invoices()) == bought
        assert await labels(http, label=LABEL) == [LABEL] * bought

    async def test_doubled_creation_is_heard_as_a_taken_label(
        self, cloud: LinodeCloud, http: httpx.AsyncClient
    ) -> None:
        await cloud.fault("duplicate", method="POST", path="^/linode/instances$")
        answer = await http.post("/linode/instances", json=linode())
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "label")
        assert await labels(http, label=LABEL) == [LABEL]

    async def test_errors_are_in_linode_s_shape(self, cloud: LinodeCloud, http: httpx.AsyncClient) -> None:
        await cloud.fault("status", path="^/profile$", status=408, body="Please try again")
        answer = await http.get("/profile")
        assert (answer.status_code, answer.json()) == (408, {"errors": [{"reason": "Please try again"}]})
        await cloud.fault("rate_limit", path="^/v4/profile$", seconds=3)
        answer = await http.get("/profile")
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "3")
        await cloud.fault("status", path="^/profile$", status=400, body="<html>400</html>", headers={"Server": "nginx"})
        assert (await http.get("/profile")).headers["Content-Type"] == "text/html"
        cloud.judge.answers.clear()  # the last one is no JSON, and was not meant to be

    async def test_list_lacks_what_lives(self, cloud: LinodeCloud, http: httpx.AsyncClient) -> None:
        await created(http)
        await cloud.fault("hide", path="^/linode/instances$")
        assert await labels(http) == []
        assert await labels(http) == [LABEL]


class TestSeeds:
    async def test_lost_creation_appears_late_and_its_label_is_taken_meanwhile(
        self, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        machine = Chosen()
        async with emulator(tmp_path_factory.mktemp("late"), machine=machine) as cloud:
            cloud.http.headers["X-Sandbox-Run"] = "ours"
            machine.chosen[Call.ORDER] = Effect(do="lose_answer", appear=3600)
            with pytest.raises(LOST):
                await cloud.http.post("/linode/instances", json=linode())
            assert await labels(cloud.http) == []
            (record,) = cloud.app.servers_of("ours")
            assert (await cloud.http.get(f"/linode/instances/{record.id}")).status_code == 404
            assert (await cloud.http.post("/linode/instances", json=linode())).json()["errors"][0]["field"] == "label"

    async def test_list_is_behind_while_the_linode_answers_by_its_id(
        self, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        machine = Chosen()
        async with emulator(tmp_path_factory.mktemp("behind"), machine=machine) as cloud:
            cloud.http.headers["X-Sandbox-Run"] = "ours"
            machine.chosen[Call.ORDER] = Effect(do="late", unlisted=3600)
            number = await created(cloud.http)
            assert await labels(cloud.http) == []
            assert await settled(cloud.http, number) == "running"

    async def test_seed_draws_bad_weather_that_ends(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        machine = Machine("linode")
        machine.follow("ours", STORM)
        async with emulator(tmp_path_factory.mktemp("storm"), machine=machine) as cloud:
            headers = {"X-Sandbox-Run": "ours"}
            outcomes = []
            for _ in range(STORMY_CALLS + 5):
                try:
                    answer = await cloud.http.get("/linode/instances", headers=headers)
                    outcomes.append(answer.status_code == 200 and answer.text.startswith('{"data": ['))
                except LOST:
                    outcomes.append(False)
            assert not all(outcomes)
            assert all(outcomes[STORMY_CALLS:])
            assert machine.drawn[STORM]

    async def test_what_a_run_made_is_forgotten(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        async with emulator(tmp_path_factory.mktemp("forgotten")) as cloud:
            other = await created(cloud.http, label="other")
            cloud.http.headers["X-Sandbox-Run"] = "ours"
            await created(cloud.http)
            await cloud.app.forget("ours")
            assert [one.id for one in cloud.app.living()] == [other]
            assert {event["linode"] for event in (await cloud.state())["events"]} == {other}
            assert len(cloud.app.invoices()) == 1
            assert list(cloud.driver.specs) == [f"linode-{other}"]

    @pytest.mark.parametrize(
        ("method", "path", "call"),
        [
            ("POST", "/linode/instances", Call.ORDER),
            ("GET", "/linode/instances", Call.LIST),
            ("GET", "/linode/instances/5", Call.SHOW),
            ("PUT", "/linode/instances/5", Call.CHANGE),
            ("DELETE", "/linode/instances/5", Call.CANCEL),
            ("POST", "/linode/instances/5/boot", Call.CHANGE),
            ("GET", "/account/events", Call.READ),
        ],
    )
    def test_kind_of_a_call(self, cloud: LinodeCloud, method: str, path: str, call: Call) -> None:
        assert cloud.app.call_of(method, path) is call


class TestMemory:
    async def test_interrupted_birth_is_finished_by_the_next_process(
        self, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        folder = tmp_path_factory.mktemp("birth")
        async with emulator(folder, timings=QUICK.model_copy(update={"create": 3600.0})) as cloud:
            new = (await cloud.http.post("/linode/instances", json=linode())).json()
        async with emulator(folder) as cloud:

            async def runs() -> bool:
                found = (await cloud.http.get(f"/linode/instances/{new['id']}")).json()
                return found["status"] == "running" and found["ipv4"] == new["ipv4"]

            await until(runs)
            assert [call for call, _ in cloud.driver.calls] == ["create", "start"]

    async def test_state_never_shows_what_a_host_was_given_at_birth(
        self, cloud: LinodeCloud, http: httpx.AsyncClient
    ) -> None:
        await http.post("/linode/instances", json=linode())
        text = (await cloud.admin.get("/_sandbox/state")).text
        assert LABEL in text
        assert "#cloud-config" not in text
