"""The front door: builds the application, its services, and the order in which a request meets them.

Routers are thin: authenticate, validate, write a row, start or message a workflow, read rows. Never a provider, never
an activity.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import FrameType
from typing import Any

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from starlette.middleware.cors import CORSMiddleware
from starlette.staticfiles import StaticFiles
from temporalio.client import Client

import temporal as engine
from api import (
    aliases,
    api_keys,
    attention,
    audit,
    auth,
    certificates,
    commands,
    create_instance,
    credentials,
    drills,
    errors,
    events,
    health,
    house_servers,
    instances,
    inventory,
    jobs,
    offers,
    options,
    order_reads,
    orders,
    pages,
    password_reset,
    payments,
    plans,
    products,
    providers,
    registration,
    servers,
    site_access,
    subscription_changes,
    tenants,
    uploads,
    users,
    vps,
    zone_change_routes,
    zone_records,
    zones,
)
from api.answers import Documented
from api.failing import Failing
from api.feed import Feed
from api.frame import Frame
from api.guard import BodyGuard
from api.metrics import Metrics
from api.probe import Probe
from api.ratelimit import Buckets
from api.security import Tokens
from api.services import Services
from api.temporal_link import TemporalLink
from db.keyring import KeyRing
from db.queries import environment
from db.queries.reading import Reader
from db.session import Database
from settings import Settings, get_settings

log = logging.getLogger("slipway.api")

SEED_SECONDS = 5  # a start does not wait longer for a database

_EXPOSED = [
    "ETag", "Idempotent-Replay", "Location", "Retry-After", "X-RateLimit-Limit", "X-RateLimit-Remaining",
    "X-RateLimit-Reset", "X-Request-ID",
]  # fmt: skip


# In this order; `pages` last, because it answers what nobody else does.
ROUTED = (
    auth,
    registration,
    password_reset,
    create_instance,
    instances,
    events,
    credentials,
    commands,
    servers,
    plans,
    offers,
    vps,
    attention,
    inventory,
    providers,
    products,
    orders,
    order_reads,
    subscription_changes,
    site_access,
    payments,
    jobs,
    tenants,
    house_servers,
    certificates,
    uploads,
    drills,
    api_keys,
    users,
    audit,
    zones,
    zone_change_routes,
    zone_records,
    options,
    health,
    pages,
)


def create_app(
    settings: Settings | None = None, *, db: Database | None = None, temporal: Client | None = None
) -> Documented:
    """The application. A given `db` stays the caller's to close; a given `temporal` is used instead of connecting.

    ValueError names the variable that is missing (DATABASE_URL, SECRET_KEYS).
    """
    settings = settings or get_settings()
    held = _services(settings, db, temporal)
    app = Documented(
        title="Slipway",
        version=health.VERSION,
        summary="Durable VPS provisioning",
        description="Sign in at POST /api/auth/login and send the access token as `Authorization: Bearer …`. "
        "Every error has the body `ErrorBody`, a 500 too, which is never meant.",
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan(owns_database=db is None),
        redirect_slashes=False,
        # Frame makes the span of a request; FastAPI's own would stand beside it and show the query, token and all.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.state.services = held
    errors.install(app)
    for module in ROUTED:
        app.include_router(module.router)
    app.include_router(aliases.router_for([auth.router, registration.router, users.router, audit.router]))
    app.mount("/assets/docs", StaticFiles(directory=pages.API_STATIC), name="docs-assets")
    app.mount("/assets", _Assets(directory=pages.PORTAL_STATIC, check_dir=False), name="assets")
    # The last one added is met first.
    app.add_middleware(BodyGuard)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "Last-Event-ID",
                           "X-Request-ID"],
            expose_headers=_EXPOSED,
        )  # fmt: skip
    app.add_middleware(
        Frame,
        metrics=held.metrics,
        timeout=settings.request_timeout_seconds,
        secure=settings.portal_url.startswith("https://"),
    )
    return app


class _Assets(StaticFiles):
    """The portal's files: kept by browsers, but asked about each time, so that a new version is seen at once."""

    def file_response(self, *args: Any, **kwargs: Any) -> Any:
        response = super().file_response(*args, **kwargs)
        response.headers["cache-control"] = "no-cache"
        return response


def _services(settings: Settings, db: Database | None, client: Client | None) -> Services:
    if settings.secret_keys is None:
        raise ValueError("SECRET_KEYS must be set: id:base64key, 32 bytes each")
    if db is None:
        db = Database(settings.sqlalchemy_url, pool_min=settings.database_pool_min, pool_max=settings.database_pool_max)
    # The given database decides, so that both ways of reading look at the same one.
    dsn = db.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    reader = Reader(dsn, size=max(2, settings.database_pool_max // 2))
    link = TemporalLink(lambda: engine.connect(settings), client)
    return Services(
        settings=settings,
        db=db,
        reader=reader,
        keys=KeyRing.parse(settings.secret_keys.get_secret_value()),
        temporal=link,
        tokens=Tokens(settings),
        buckets=Buckets(settings.rate_limit_window_ms / 1000),
        feed=Feed(dsn, reader),
        metrics=Metrics(),
        probe=Probe(reader, link),
        failing=Failing(link),
    )


def _lifespan(*, owns_database: bool) -> Any:
    @asynccontextmanager
    async def lifespan(app: Documented) -> AsyncIterator[None]:
        held: Services = app.state.services
        await held.open()
        await _seed_accounts(held)
        try:
            with _streams_end_on_signals(held.feed):
                yield
        finally:
            await held.close()
            if owns_database:
                await held.db.close()

    return lifespan


async def _seed_accounts(held: Services) -> None:
    """The accounts that our environment names; workers do the same, so nothing is lost where it cannot be done."""
    try:
        accounts = held.settings.cloud_accounts()
        if accounts:
            async with asyncio.timeout(SEED_SECONDS):
                await environment.seed(held.db, held.keys, accounts, retire=False)
    except (OSError, TimeoutError, DBAPIError, PoolExhausted) as error:
        log.warning("the environment's accounts are left to the workers: %s", type(error).__name__)


@contextlib.contextmanager
def _streams_end_on_signals(feed: Feed) -> Any:
    """A server waits for open answers before it ends the lifespan; event streams must therefore hear the signal."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def heard(number: int, frame: FrameType | None) -> None:
        feed.stop_streams()
        handler = before[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)
        else:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    for number in before:
        signal.signal(number, heard)
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is heard:
                signal.signal(number, handler)
