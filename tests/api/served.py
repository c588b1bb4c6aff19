"""The front door behind real HTTP, in a thread of its own with its own loop: for tools that speak HTTP and know no
loop. Temporal is the stand-in of world.py."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import uvicorn
from temporalio.client import Client

from api.app import create_app
from db.session import Database
from domain.accounts import AccountChecked
from domain.provisioning import Plan, PlanOrder
from domain.servers import Seen
from tests.api.world import StandInTemporal, make_settings

T = TypeVar("T")


class Obliging(StandInTemporal):
    """Its runs say what they do where nothing is amiss."""

    async def execute_workflow(self, workflow: str, arg: Any, **options: Any) -> Any:
        match workflow:
            case "AccountCheck":
                return AccountChecked(valid=True, message="the cloud accepts these credentials")
            case "LookAtServer":
                return Seen(power_state="running")
            case "Planning":
                assert isinstance(arg, PlanOrder)
                return Plan(slug=arg.slug, fqdn=arg.fqdn, access_url=f"https://{arg.fqdn}", vps_name=arg.slug,
                            new_server=True, provider=arg.inputs.provider, steps=["reserve", "activate"])  # fmt: skip
        return None


UNLIMITED = 1_000_000_000


@dataclass(frozen=True)
class Served:
    url: str
    app: Any
    db: Database
    temporal: StandInTemporal
    loop: asyncio.AbstractEventLoop

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Waits for work on the server's own loop, whose database connections are."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)


@contextlib.contextmanager
def serving(pg_url: str) -> Iterator[Served]:
    loop = asyncio.new_event_loop()
    temporal = Obliging()
    settings = make_settings(pg_url, rate_limit_max_requests=UNLIMITED, rate_limit_max_reads=UNLIMITED)
    db = Database(pg_url, pool_min=2, pool_max=10)
    app = create_app(settings, db=db, temporal=cast(Client, temporal))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, timeout_graceful_shutdown=5))
    thread = threading.Thread(target=loop.run_until_complete, args=(_serve(server, db),), daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        thread.join(0.05)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield Served(f"http://127.0.0.1:{port}", app, db, temporal, loop)
    finally:
        loop.call_soon_threadsafe(app.state.services.feed.stop_streams)
        server.should_exit = True
        thread.join(30)
        loop.close()


async def _serve(server: uvicorn.Server, db: Database) -> None:
    await server.serve()
    await db.close()
