"""What may go wrong at the sandbox's DigitalOcean, and what is remembered through all of it."""

from __future__ import annotations

import httpx
import pytest

from sandbox.faults.effects import Effect
from sandbox.faults.machine import STORMY_CALLS, Call, Machine, weather
from tests.faults.test_machine import Chosen
from tests.sandbox.clouds.serving import SSH_KEY
from tests.sandbox.digitalocean.emulator import QUICK, DigitalOcean, droplet, emulator
from tests.sandbox.digitalocean.test_wire import TAG, created
from tests.sandbox.transip.emulator import until

LOST = (httpx.RemoteProtocolError, httpx.ReadError)
STORM = next(seed for seed in range(1000) if weather(seed) > 0.4)


class TestRules:
    @pytest.mark.parametrize(("do", "bought"), [("lose_request", 0), ("lose_answer", 1)])
    async def test_connection_is_cut_before_or_after_the_creation(
        self, cloud: DigitalOcean, http: httpx.AsyncClient, do: str, bought: int
    ) -> None:
        await cloud.fault(do, method="POST", path="^/droplets$")
        with pytest.raises(LOST):
            await http.post("/droplets", json=droplet())
        assert len(cloud.app.invoices()) == bought
        assert (await http.get(f"/droplets?tag_name={TAG}")).json()["meta"]["total"] == bought

    async def test_doubled_creation_makes_two_of_one_tag(self, cloud: DigitalOcean, http: httpx.AsyncClient) -> None:
        await cloud.fault("duplicate", method="POST", path="^/droplets$", seconds=0.05)
        assert (await http.post("/droplets", json=droplet())).status_code == 202

        async def both() -> bool:
            return (await http.get(f"/droplets?tag_name={TAG}")).json()["meta"]["total"] == 2

        await until(both)

    async def test_errors_are_in_digitalocean_s_shape(self, cloud: DigitalOcean, http: httpx.AsyncClient) -> None:
        await cloud.fault("status", path="^/account$", status=503, body="Something broke")
        answer = await http.get("/account")
        assert answer.json()["id"] == "server_error"
        assert answer.json()["message"] == "Something broke"
        await cloud.fault("rate_limit", path="^/v2/account$", seconds=3)
        answer = await http.get("/account")
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "3")

    async def test_creation_is_refused_as_full_though_there_is_room(
        self, cloud: DigitalOcean, http: httpx.AsyncClient
    ) -> None:
        await cloud.fault("status", path="^/droplets$", status=422, body="creating this/these …", handled=False)
        answer = await http.post("/droplets", json=droplet())
        assert (answer.status_code, answer.json()["id"]) == (422, "unprocessable_entity")
        assert cloud.app.invoices() == []

    async def test_list_lacks_what_lives(self, cloud: DigitalOcean, http: httpx.AsyncClient) -> None:
        await created(http)
        await cloud.fault("hide", path="^/droplets$")
        assert (await http.get("/droplets")).json()["droplets"] == []
        assert len((await http.get("/droplets")).json()["droplets"]) == 1


class TestSeeds:
    @pytest.mark.parametrize("late", [{"appear": 3600.0}, {"unlisted": 3600.0}])
    async def test_created_droplet_is_not_found_for_a_while(
        self, tmp_path_factory: pytest.TempPathFactory, late: dict[str, float]
    ) -> None:
        machine = Chosen()
        async with emulator(tmp_path_factory.mktemp("late"), machine=machine) as cloud:
            cloud.http.headers["X-Sandbox-Run"] = "ours"
            machine.chosen[Call.ORDER] = Effect(do="late", **late)
            number = (await cloud.http.post("/droplets", json=droplet())).json()["droplet"]["id"]
            assert (await cloud.http.get(f"/droplets/{number}")).status_code == 404
            assert (await cloud.http.get("/droplets")).json()["droplets"] == []
            assert [one.id for one in cloud.app.servers_of("ours")] == [number]

    async def test_seed_draws_bad_weather_that_ends(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        machine = Machine("digitalocean")
        machine.follow("ours", STORM)
        async with emulator(tmp_path_factory.mktemp("storm"), machine=machine) as cloud:
            headers = {"X-Sandbox-Run": "ours"}
            outcomes = []
            for _ in range(STORMY_CALLS + 5):
                try:
                    answer = await cloud.http.get("/droplets", headers=headers)
                    outcomes.append(answer.status_code == 200 and answer.text.startswith('{"droplets": ['))
                except LOST:
                    outcomes.append(False)
            assert not all(outcomes)
            assert all(outcomes[STORMY_CALLS:])
            assert machine.drawn[STORM]

    async def test_what_a_run_made_is_forgotten(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        async with emulator(tmp_path_factory.mktemp("forgotten")) as cloud:
            other = await created(cloud.http)
            cloud.http.headers["X-Sandbox-Run"] = "ours"
            await created(cloud.http)
            await cloud.app.forget("ours")
            assert [one.id for one in cloud.app.living()] == [other]
            assert {action["droplet"] for action in (await cloud.state())["actions"]} == {other}
            assert len(cloud.app.invoices()) == 1
            assert list(cloud.driver.specs) == [f"droplet-{other}"]

    @pytest.mark.parametrize(
        ("method", "path", "call"),
        [
            ("POST", "/droplets", Call.ORDER),
            ("GET", "/droplets", Call.LIST),
            ("GET", "/droplets/5", Call.SHOW),
            ("DELETE", "/droplets/5", Call.CANCEL),
            ("POST", "/droplets/5/actions", Call.CHANGE),
            ("POST", "/tags/a/resources", Call.CHANGE),
            ("GET", "/actions/5", Call.READ),
            ("GET", "/sizes", Call.READ),
        ],
    )
    def test_kind_of_a_call(self, cloud: DigitalOcean, method: str, path: str, call: Call) -> None:
        assert cloud.app.call_of(method, path) is call


class TestMemory:
    async def test_interrupted_birth_is_finished_by_the_next_process(
        self, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        folder = tmp_path_factory.mktemp("birth")
        async with emulator(folder, timings=QUICK.model_copy(update={"install": 3600.0})) as cloud:
            key = (await cloud.http.post("/account/keys", json={"name": "a", "public_key": SSH_KEY})).json()["ssh_key"]
            number = (await cloud.http.post("/droplets", json=droplet(ssh_keys=[key["id"]]))).json()["droplet"]["id"]

            async def made() -> bool:
                return bool(cloud.driver.specs)

            await until(made)
        async with emulator(folder) as cloud:

            async def active() -> bool:
                found = (await cloud.http.get(f"/droplets/{number}")).json()["droplet"]
                return found["status"] == "active" and not found["locked"]

            await until(active)
            assert (await cloud.http.get("/account/keys")).json()["ssh_keys"] == [key]
            assert [call for call, _ in cloud.driver.calls] == ["start"]

    async def test_state_never_shows_what_a_host_was_given_at_birth(
        self, cloud: DigitalOcean, http: httpx.AsyncClient
    ) -> None:
        await http.post("/droplets", json=droplet(user_data="#cloud-config\n# host-key-material\n"))
        text = (await cloud.admin.get("/_sandbox/state")).text
        assert TAG in text
        assert "host-key-material" not in text
