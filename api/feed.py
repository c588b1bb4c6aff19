"""News of deployments: one listening connection per process, fanned out to every open event stream.

A wake-up says only "look again"; what is new is read from the rows, so a lost or doubled notification loses or repeats
nothing. A periodic look at the rows' versions is the net under it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from db.queries.journal import CHANNEL
from db.queries.reading import Reader
from db.queries.status import versions_of

log = logging.getLogger("slipway.api")

CATCH_UP_SECONDS = 5.0
RECONNECT_SECONDS = 1.0


class Feed:
    def __init__(self, dsn: str, reader: Reader, *, catch_up_seconds: float = CATCH_UP_SECONDS) -> None:
        self._dsn = dsn
        self._reader = reader
        self._catch_up = catch_up_seconds
        self._waiting: dict[uuid.UUID, set[asyncio.Event]] = {}
        self._versions: dict[uuid.UUID, tuple[object, ...]] = {}
        self._task: asyncio.Task[None] | None = None
        self._connected: bool | None = None  # None before the first try; an outage is logged once
        self.closing = asyncio.Event()

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="deployment-feed")

    def stop_streams(self) -> None:
        """Every open stream ends at its next turn: a server that stops must not wait for browsers."""
        self.closing.set()
        self._wake_all()

    async def close(self) -> None:
        self.stop_streams()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    @contextmanager
    def subscribed(self, deployment_id: uuid.UUID) -> Iterator[asyncio.Event]:
        """An event that is set whenever the deployment may have news; the subscriber clears it before looking."""
        news = asyncio.Event()
        self._waiting.setdefault(deployment_id, set()).add(news)
        try:
            yield news
        finally:
            self._waiting[deployment_id].discard(news)
            if not self._waiting[deployment_id]:
                del self._waiting[deployment_id]
                self._versions.pop(deployment_id, None)

    async def _run(self) -> None:
        while True:
            try:
                await self._listen()
            except (psycopg.Error, OSError) as error:
                if self._connected is not False:
                    log.warning("event feed has no connection", extra={"error_type": type(error).__name__})
                self._connected = False
                await asyncio.sleep(RECONNECT_SECONDS)

    async def _listen(self) -> None:
        async with await psycopg.AsyncConnection.connect(
            self._dsn, autocommit=True, application_name="slipway-feed", connect_timeout=5
        ) as connection:
            await connection.execute(f"LISTEN {CHANNEL}")
            self._connected = True
            # Whatever happened while nobody listened.
            self._wake_all()
            while True:
                async for notice in connection.notifies(timeout=self._catch_up):
                    self._wake(notice.payload)
                await self._look_at_versions()

    def _wake(self, payload: str) -> None:
        with contextlib.suppress(ValueError):
            for news in self._waiting.get(uuid.UUID(payload), ()):
                news.set()

    def _wake_all(self) -> None:
        for waiting in self._waiting.values():
            for news in waiting:
                news.set()

    async def _look_at_versions(self) -> None:
        if not self._waiting:
            return
        for deployment_id, version in (await versions_of(self._reader, list(self._waiting))).items():
            if self._versions.get(deployment_id) != version and deployment_id in self._waiting:
                self._versions[deployment_id] = version
                self._wake(str(deployment_id))
