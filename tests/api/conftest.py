"""An application per test, with its lifespan, over the module's database, held to its own documentation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, cast

import httpx
import pytest
import uvicorn
from temporalio.client import Client

from api.app import create_app
from db.session import Database
from tests.api.documented import HeldToItsWord
from tests.api.world import StandInTemporal, World, make_settings

MakeWorld = Callable[..., Awaitable[World]]


@pytest.fixture
async def make_world(db: Database, pg_url: str) -> AsyncIterator[MakeWorld]:
    held: list[HeldToItsWord] = []
    async with AsyncExitStack() as stack:

        async def make(client_ip: str = "127.0.0.1", **changes: Any) -> World:
            engine = StandInTemporal()
            settings = make_settings(pg_url, **changes)
            app = create_app(settings, db=db, temporal=cast(Client, engine))
            await stack.enter_async_context(app.router.lifespan_context(app))
            watched = HeldToItsWord(app)
            held.append(watched)
            transport = httpx.ASGITransport(app=watched, client=(client_ip, 50000))
            client = await stack.enter_async_context(
                httpx.AsyncClient(transport=transport, base_url="http://slipway.test")
            )
            return World(app, client, db, engine, settings)

        yield make
    assert [watched.undocumented for watched in held if watched.undocumented] == []


@pytest.fixture
async def world(make_world: MakeWorld) -> World:
    """Signed in as an administrator."""
    made = await make_world()
    await made.sign_in()
    return made


@pytest.fixture
async def live(make_world: MakeWorld) -> AsyncIterator[World]:
    """The application behind uvicorn: streams need a server that sends while the answer goes on."""
    world = await make_world()
    server = uvicorn.Server(uvicorn.Config(world.app, port=0, lifespan="off", log_config=None))
    with server.capture_signals():
        task = asyncio.create_task(server._serve())
        while not server.started:
            await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
        world.client = client
        await world.sign_in()
        yield world
    world.app.state.services.feed.stop_streams()
    server.should_exit = True
    await task
