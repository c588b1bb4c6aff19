"""What has happened, in order, and what of it is still on its way to the endpoint."""

from __future__ import annotations

import asyncio
import random
import time
from fnmatch import fnmatch
from typing import Any

from sandbox.clouds.store import Store
from sandbox.stripe.records import Delivery, Endpoint, Options, StoredEvent
from sandbox.stripe.wire import Json, Wire

ENDPOINT = "endpoint"


class Journal:
    """Writes events and their deliveries within the caller's transaction."""

    def __init__(self, store: Store, options: Options) -> None:
        self.store = store
        self.options = options
        self.wire = Wire(options.api_version, livemode=options.livemode)
        self.news = asyncio.Event()  # set when something may be due
        self.cause: str | None = None  # the Idempotency-Key of the request that is at work
        # Held here too: thousands are looked through for each one that is sent.
        self._pending = {one.id: one for one in store.all(Delivery) if one.state == "pending"}

    def id(self, prefix: str) -> str:
        """Looks like Stripe's, and is never given twice."""
        return f"{prefix}_{'cs' if prefix.startswith('cs') else '1S'}andbox{self.store.next(prefix):012d}"

    def emit(self, type_: str, shown: Json, previous: dict[str, Any] | None = None) -> StoredEvent:
        event = StoredEvent(
            id=self.id("evt"), type=type_, created=int(time.time()), api_version=self.options.api_version,
            object=shown, previous=previous, request=self.cause,
        )  # fmt: skip
        self.store.put(event.id, event)
        endpoint = self.endpoint()
        if endpoint and endpoint.enabled and any(fnmatch(type_, wanted) for wanted in endpoint.types):
            self.send(event.id, endpoint.copies)
        return event

    def send(self, event: str, copies: int) -> None:
        """Put copies of an event on their way."""
        endpoint = self.endpoint()
        jitter = endpoint.jitter if endpoint else 0
        for _ in range(copies):
            due_at = time.time() + random.uniform(0, jitter)
            self.keep(Delivery(id=self.store.next("delivery"), event=event, due_at=due_at))
        self.news.set()

    def keep(self, delivery: Delivery) -> None:
        self.store.put(str(delivery.id), delivery)
        if delivery.state == "pending":
            self._pending[delivery.id] = delivery
        else:
            self._pending.pop(delivery.id, None)

    def events(self) -> list[StoredEvent]:
        """Oldest first."""
        return self.store.all(StoredEvent)

    def endpoint(self) -> Endpoint | None:
        return self.store.get(Endpoint, ENDPOINT)

    def set_endpoint(self, endpoint: Endpoint) -> None:
        self.store.put(ENDPOINT, endpoint)
        self.news.set()

    def deliveries(self) -> list[Delivery]:
        return self.store.all(Delivery)

    def pending(self) -> list[Delivery]:
        return [*self._pending.values()]

    def pending_of(self, event: str) -> int:
        return sum(delivery.event == event for delivery in self._pending.values())
