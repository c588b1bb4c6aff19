"""The fault machine draws the same every time, and what it draws happens on the wire."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from providers.cloud.transip import TransIP
from providers.errors import RateLimited, Transient, Unconfirmed
from sandbox.faults.effects import Effect
from sandbox.faults.machine import MANNERS, STORMY_CALLS, TABLE, Call, Machine, decide, weather, without_room
from sandbox.transip.app import RUN_HEADER
from tests.faults.story import CLOUDS, decision, story
from tests.sandbox.transip.emulator import TOKEN, Emulator, emulator, order, until

SEEDS = range(400)


def draws(seed: int) -> dict[str, str]:
    found = {f"{call} {n}": decide(seed, "transip", call, n) for call in Call for n in range(1, STORMY_CALLS + 5)}
    return {where: effect.model_dump_json() for where, effect in found.items() if effect is not None}


class TestDrawing:
    def test_the_same_seed_draws_the_same(self) -> None:
        assert [draws(seed) for seed in SEEDS] == [draws(seed) for seed in SEEDS]
        assert [story(seed) for seed in SEEDS] == [story(seed) for seed in SEEDS]
        answers = [decision(seed, n, reversible=True) for seed in SEEDS for n in range(1, 5)]
        assert answers == [decision(seed, n, reversible=True) for seed in SEEDS for n in range(1, 5)]

    def test_it_is_known_what_a_seed_draws(self) -> None:
        """A seed means the same on another machine and in another year, or a number in a report says nothing."""
        assert draws(2) == {}
        assert decide(4, "transip", Call.ORDER, 1) == Effect(do="duplicate", seconds=0.08, appear=2.38, unlisted=2.04)

    def test_other_clouds_have_other_weather(self) -> None:
        assert any(decide(seed, "transip", Call.LIST, 1) != decide(seed, "linode", Call.LIST, 1) for seed in SEEDS)

    def test_each_cloud_refuses_in_its_own_manner(self) -> None:
        for cloud, manner in MANNERS.items():
            drawn = [decide(seed, cloud, Call.CANCEL, n) for seed in SEEDS for n in range(1, STORMY_CALLS)]
            told = {(effect.status, effect.body) for effect in drawn if effect and effect.do == "status"}
            assert {manner.locked, manner.token_over} <= told
            others = {other.locked for name, other in MANNERS.items() if name != cloud}
            assert not others & told

    def test_everything_in_the_table_is_drawn_and_some_seeds_are_calm(self) -> None:
        for call, table in TABLE.items():
            drawn = [decide(seed, "transip", call, n) for seed in SEEDS for n in range(1, STORMY_CALLS)]
            assert len({effect.told().split(",")[0] for effect in drawn if effect}) >= len(table) / 2, call
        assert {weather(seed) for seed in SEEDS} == {0.0, 0.08, 0.22, 0.45}

    def test_a_cloud_without_room_refuses_the_first_orders_of_a_run_in_its_own_words(self) -> None:
        for cloud, manner in MANNERS.items():
            full = {seed: count for seed in SEEDS if (count := without_room(seed, cloud))}
            assert 0.05 < len(full) / len(SEEDS) < 0.3
            for seed, count in full.items():
                for ordinal in range(1, count + 1):
                    drawn = decide(seed, cloud, Call.ORDER, ordinal)
                    assert drawn is not None
                    assert (drawn.status, drawn.body, drawn.handled) == (*manner.full, False)

    def test_orders_go_to_each_cloud_and_some_name_other_places(self) -> None:
        stories = [story(seed) for seed in SEEDS]
        for cloud in CLOUDS:
            there = [told for told in stories if told.cloud == cloud]
            assert len(there) > len(stories) / 4
            assert any(told.bare for told in there)
            assert {len(told.fallbacks) for told in there} == {0, 1, 2}
            assert all(told.fallbacks[0].provider != cloud for told in there if told.fallbacks)
            assert any(told.fallbacks[-1].provider == cloud for told in there if told.fallbacks), "it may come back"

    def test_bad_weather_ends(self) -> None:
        assert not any(decide(seed, "transip", call, STORMY_CALLS + 1) for seed in SEEDS for call in Call)

    def test_no_two_lists_in_a_row_lack_a_server(self) -> None:
        for seed in SEEDS:
            hidden = [n for n in range(1, STORMY_CALLS + 1) if is_hidden(seed, n)]
            assert not any(n + 1 in hidden for n in hidden)

    def test_runs_without_a_seed_are_left_alone(self) -> None:
        machine = Machine("transip")
        assert not any(machine.take("", call) for call in Call for _ in range(20))

    def test_what_was_drawn_is_remembered_for_the_report(self) -> None:
        machine = Machine("transip")
        machine.follow("run", 4)
        machine.take("run", Call.ORDER)
        assert machine.drawn[4] == ["order 1: duplicate, appear 2.4 s, unlisted 2.0 s"]


def is_hidden(seed: int, ordinal: int) -> bool:
    effect = decide(seed, "transip", Call.LIST, ordinal)
    return effect is not None and effect.do == "hide"


class Chosen(Machine):
    """Draws what the test chose, for the first call of that kind."""

    def __init__(self) -> None:
        super().__init__("transip")
        self.chosen: dict[Call, Effect] = {}

    def take(self, run: str, call: Call) -> Effect | None:
        return self.chosen.pop(call, None) if run == "ours" else None


class Ours(httpx.AsyncHTTPTransport):
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.headers[RUN_HEADER.decode()] = "ours"
        return await super().handle_async_request(request)


class Wire:
    def __init__(self, cloud: Emulator, machine: Chosen) -> None:
        self.cloud, self.machine = cloud, machine
        self.client: TransIP = cloud.client(transport=Ours())

    def choose(self, call: Call, **effect: Any) -> None:
        self.machine.chosen[call] = Effect(**effect)

    @property
    def bought(self) -> int:
        return len(self.cloud.app.invoices())


@pytest.fixture
async def wire(tmp_path: Path) -> AsyncIterator[Wire]:
    machine = Chosen()
    (tmp_path / "cloud").mkdir()
    async with emulator(tmp_path / "cloud", machine=machine) as cloud:
        yield Wire(cloud, machine)


class TestOnTheWire:
    async def test_a_request_is_lost(self, wire: Wire) -> None:
        wire.choose(Call.ORDER, do="lose_request")
        with pytest.raises(Unconfirmed):
            await wire.client.order(order())
        assert wire.bought == 0

    async def test_an_answer_is_lost(self, wire: Wire) -> None:
        wire.choose(Call.ORDER, do="lose_answer")
        with pytest.raises(Unconfirmed):
            await wire.client.order(order())
        assert wire.bought == 1

    async def test_an_order_is_doubled_and_answered_once(self, wire: Wire) -> None:
        wire.choose(Call.ORDER, do="duplicate")
        assert (await wire.client.order(order())).action_ref
        assert wire.bought == 2
        assert await until(lambda: listed(wire, 2))

    @pytest.mark.parametrize(("handled", "bought"), [(False, 0), (True, 1)])
    async def test_a_server_error_tells_nothing_of_what_was_done(self, wire: Wire, handled: bool, bought: int) -> None:
        wire.choose(Call.ORDER, do="status", status=502, handled=handled)
        with pytest.raises(Unconfirmed):
            await wire.client.order(order())
        assert wire.bought == bought

    @pytest.mark.parametrize("body", ["", "<html></html>", "{}"])
    async def test_an_answer_is_malformed(self, wire: Wire, body: str) -> None:
        wire.choose(Call.ORDER, do="garbage", body=body, handled=True)
        with pytest.raises(Unconfirmed):
            await wire.client.order(order())
        assert wire.bought == 1

    async def test_a_rate_limit_says_when_it_ends(self, wire: Wire) -> None:
        wire.choose(Call.LIST, do="rate_limit", seconds=30)
        with pytest.raises(RateLimited) as limited:
            await wire.client.list()
        assert limited.value.retry_after is not None
        assert limited.value.retry_after > 1

    async def test_a_call_is_handled_late(self, wire: Wire) -> None:
        wire.choose(Call.ORDER, do="delay", seconds=0.05)
        await wire.client.order(order())
        assert wire.bought == 1

    async def test_a_list_lacks_what_lives_once(self, wire: Wire) -> None:
        await wire.client.order(order())
        await until(lambda: listed(wire, 1))
        wire.choose(Call.LIST, do="hide")
        assert await wire.client.list() == []
        assert len(await wire.client.list()) == 1

    async def test_a_list_is_behind_while_the_server_answers_by_name(self, wire: Wire) -> None:
        wire.choose(Call.ORDER, do="late", unlisted=3600)
        await wire.client.order(order())
        (vps,) = wire.cloud.app.servers_of("ours")
        assert await until(lambda: runs(wire, vps.name))
        assert await wire.client.list() == []

    async def test_a_server_appears_late(self, wire: Wire) -> None:
        wire.choose(Call.ORDER, do="late", appear=3600)
        await wire.client.order(order())
        (vps,) = wire.cloud.app.servers_of("ours")
        assert vps.phase == "ordered"
        assert vps.appears_at - vps.ordered_at >= 3600

    async def test_a_server_stays_locked(self, wire: Wire) -> None:
        wire.choose(Call.ORDER, do="late", locked=3600)
        await wire.client.order(order())
        (server,) = await until(lambda: listed(wire, 1))
        assert server.locked
        with pytest.raises(Transient):
            await wire.client.claim(server.provider_ref, label="mine", correlation=TOKEN)

    async def test_what_is_forgotten_is_gone_for_good(self, wire: Wire) -> None:
        await wire.client.order(order())
        await until(lambda: listed(wire, 1))
        await wire.cloud.app.forget("ours")
        assert await wire.client.list() == []
        assert wire.bought == 0


async def listed(wire: Wire, count: int) -> Any:
    found = await wire.client.list()
    return found if len(found) == count else None


async def runs(wire: Wire, name: str) -> bool:
    (vps,) = [vps for vps in wire.cloud.app.servers_of("ours") if vps.name == name]
    return vps.phase == "active" and (await wire.client.get(name)).running
