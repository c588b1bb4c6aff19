"""Event streams over a real server: nothing skipped, nothing repeated, resumed by position, ended in order."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg
import pytest

from domain.statuses import Role
from tests.api.world import World


@dataclass
class Event:
    kind: str
    data: dict[str, Any]
    id: int | None


async def parsed(response: httpx.Response) -> AsyncIterator[Event]:
    kind, ref, data = "", None, {}
    async for text in response.aiter_lines():
        name, _, value = text.partition(": ")
        if name == "event":
            kind = value
        elif name == "id":
            ref = int(value)
        elif name == "data":
            data = json.loads(value)
        elif not text and kind:
            yield Event(kind, data, ref)
            kind, ref, data = "", None, {}


@contextlib.asynccontextmanager
async def opened(world: World, ref: str, query: str = "", **headers: str) -> AsyncIterator[AsyncIterator[Event]]:
    async with world.client.stream("GET", f"/api/portal/instances/{ref}/events{query}", headers=headers) as response:
        assert response.status_code == 200, await response.aread()
        assert response.headers["content-type"].startswith("text/event-stream")
        yield parsed(response)


async def tell(world: World, ref: str) -> None:
    url = world.db.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute("select pg_notify('deployment_events', %s)", (ref,))


async def finish(world: World, ref: str) -> None:
    await world.set_row(ref, phase="active", status="active", seq=10_000)
    await tell(world, ref)


async def until_end(events: AsyncIterator[Event]) -> list[Event]:
    seen = []
    async for event in events:
        seen.append(event)
        if event.kind == "end":
            break
    return seen


async def test_replays_then_follows_then_ends(live: World) -> None:
    ref = (await live.create())["deploymentId"]
    await live.write_events(ref, ("step", "reserve", "started", "Reserving"), ("log", "reserve", "out", "hello"))
    async with opened(live, ref) as events:
        seen = [await anext(events) for _ in range(3)]
        assert [event.kind for event in seen] == ["step", "log", "status"]
        assert [event.id for event in seen] == [1, 2, None]
        assert seen[0].data["state"] == "started"
        assert seen[1].data["message"] == "hello"
        assert "logs" not in seen[2].data
        assert seen[2].data["steps"][0]["state"] == "running"
        await live.write_events(ref, ("step", "reserve", "done", ""))
        await tell(live, ref)
        step, status = await anext(events), await anext(events)
        assert (step.kind, step.id, status.kind) == ("step", 3, "status")
        await finish(live, ref)
        rest = await until_end(events)
        assert [event.kind for event in rest] == ["status", "end"]
        assert rest[-1].data["phase"] == "active"


async def test_a_busy_writer_loses_and_repeats_nothing(live: World) -> None:
    ref = (await live.create())["deploymentId"]

    async def write() -> None:
        for number in range(60):
            await live.write_events(
                ref, ("log", "reserve", "out", f"{number}a"), ("log", "reserve", "out", f"{number}b")
            )
            await tell(live, ref)
        await finish(live, ref)

    async def read(start: str) -> list[int]:
        async with opened(live, ref, start) as events:
            return [event.id for event in await until_end(events) if event.id is not None]

    first, second, late, _ = await asyncio.gather(read(""), read("?after=0"), read("?after=50"), write())
    assert first == second == list(range(1, 121))
    assert late == list(range(51, 121))


async def test_resumes_behind_the_last_event_id(live: World) -> None:
    ref = (await live.create())["deploymentId"]
    await live.write_events(ref, *[("log", "reserve", "out", str(n)) for n in range(5)])
    await finish(live, ref)
    async with opened(live, ref, "?after=1", **{"Last-Event-ID": "3"}) as events:
        assert [event.id for event in await until_end(events)][:2] == [4, 5]


async def test_news_without_a_notification_are_found_by_looking(live: World) -> None:
    live.app.state.services.feed._catch_up = 0.1
    await tell(live, str(uuid.uuid4()))
    ref = (await live.create())["deploymentId"]
    async with opened(live, ref) as events:
        assert (await anext(events)).kind == "status"
        await live.write_events(ref, ("log", "reserve", "out", "quiet"))
        assert (await anext(events)).data["message"] == "quiet"


async def test_survives_the_loss_of_the_listening_connection(live: World) -> None:
    ref = (await live.create())["deploymentId"]
    async with opened(live, ref) as events:
        assert (await anext(events)).kind == "status"
        url = live.db.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            await connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where application_name in ('slipway-feed', 'slipway-reader') and datname = current_database()"
            )
        await live.write_events(ref, ("log", "reserve", "out", "still here"))
        assert (await anext(events)).data["message"] == "still here"


async def test_log_lines_alone_repeat_no_status(live: World) -> None:
    ref = (await live.create())["deploymentId"]
    async with opened(live, ref) as events:
        assert (await anext(events)).kind == "status"
        await live.set_row(ref, seq=1)
        await live.write_events(ref, ("log", "reserve", "out", "a"))
        await live.set_row(ref, seq=1)
        await tell(live, ref)
        await finish(live, ref)
        kinds = [event.kind for event in await until_end(events)]
        assert kinds[0] == "log"
        assert kinds[-2:] == ["status", "end"]


async def test_the_token_may_come_in_the_address(live: World) -> None:
    ref = (await live.create())["deploymentId"]
    await finish(live, ref)
    del live.client.headers["Authorization"]
    async with opened(live, ref, f"?access_token={live.token}") as events:
        assert (await until_end(events))[-1].kind == "end"
    refused = await live.client.get(f"/api/portal/instances/{ref}/events?access_token=nonsense")
    assert refused.status_code == 401


async def test_open_streams_are_counted_and_capped(live: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.events.MAX_STREAMS", 1)
    ref = (await live.create())["deploymentId"]
    held = live.app.state.services
    async with opened(live, ref) as events:
        await anext(events)
        refused = await live.client.get(f"/api/portal/instances/{ref}/events")
        assert (refused.status_code, refused.json()["code"]) == (429, "RATE_LIMIT_EXCEEDED")
        assert held.metrics.registry.get_sample_value("slipway_event_streams") == 1
    while held.streams:
        held.feed._wake_all()
        await asyncio.sleep(0.02)
    assert held.metrics.registry.get_sample_value("slipway_event_streams") == 0


async def test_heartbeats_keep_silence_apart_from_death(live: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.events.HEARTBEAT_SECONDS", 0.05)
    ref = (await live.create())["deploymentId"]
    async with live.client.stream("GET", f"/api/portal/instances/{ref}/events") as response:
        beats = 0
        async for text in response.aiter_lines():
            beats += text.startswith(":")
            if beats == 3:
                break


async def test_an_ended_session_ends_its_streams(live: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.events.HEARTBEAT_SECONDS", 0.05)
    ref = (await live.create())["deploymentId"]
    async with opened(live, ref) as events:
        await anext(events)
        await live.client.post("/api/auth/logout")
        assert [event.kind async for event in events] == []


async def test_a_stopping_server_ends_its_streams(live: World) -> None:
    ref = (await live.create())["deploymentId"]
    async with opened(live, ref) as events:
        await anext(events)
        live.app.state.services.feed.stop_streams()
        assert [event.kind async for event in events] == []


async def test_unknown_deployments_and_strangers(live: World) -> None:
    ref = (await live.create())["deploymentId"]
    assert (await live.client.get(f"/api/portal/instances/{uuid.uuid4()}/events")).status_code == 404
    await live.sign_in(Role.USER)
    assert (await live.client.get(f"/api/portal/instances/{ref}/events")).status_code == 404
