"""Sends events to the endpoint: signed, at least once, in whatever order, again until somebody says 2xx."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
import random
import time

import httpx

from sandbox.stripe.journal import Journal
from sandbox.stripe.records import Delivery, Endpoint, StoredEvent

AT_ONCE = 8
AGENT = "Stripe/1.0 (+https://stripe.com/docs/webhooks)"


def signed_header(body: bytes, secrets: list[str], at: int) -> str:
    """`Stripe-Signature`, with one v1 for each secret, and a v0 that means nothing to anybody."""
    signatures = [hmac.new(secret.encode(), b"%d.%s" % (at, body), hashlib.sha256).hexdigest() for secret in secrets]
    return ",".join([f"t={at}", *(f"v1={one}" for one in signatures), f"v0={'0' * 64}"])


class Sender:
    """`async with Sender(journal):` what is due is sent. What is pending at the end is sent by the next one."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._at_work: dict[int, asyncio.Task[None]] = {}
        self._quiet = asyncio.Event()

    async def __aenter__(self) -> Sender:
        self._http = httpx.AsyncClient(trust_env=False, headers={"User-Agent": AGENT})
        self._loop = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = [self._loop, *self._at_work.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._http.aclose()

    async def idle(self) -> None:
        """Wait until nothing is pending. The caller sets the end: an endpoint that refuses may take long."""
        while self._journal.pending():
            self._quiet.clear()
            await self._quiet.wait()

    async def _run(self) -> None:
        while True:
            self._journal.news.clear()
            endpoint = self._journal.endpoint()
            waiting = [one for one in self._journal.pending() if one.id not in self._at_work]
            now = time.time()
            due = [one for one in waiting if one.due_at <= now]
            if endpoint is not None:
                free = min(AT_ONCE - len(self._at_work), len(due))
                for delivery in random.sample(due, free) if endpoint.shuffle else due[:free]:
                    self._at_work[delivery.id] = asyncio.create_task(self._send(delivery, endpoint))
            later = [one.due_at - now for one in waiting if one.due_at > now]
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._journal.news.wait(), min(later, default=None))

    async def _send(self, delivery: Delivery, endpoint: Endpoint) -> None:
        try:
            answer = await self._post(delivery, endpoint)
            delivery = delivery.model_copy(update={"answers": [*delivery.answers, answer]})
            if 200 <= answer < 300:
                delivery = delivery.model_copy(update={"state": "delivered"})
            elif delivery.attempts < len(endpoint.retries):
                wait = endpoint.retries[delivery.attempts]
                delivery = delivery.model_copy(update={"due_at": time.time() + wait})
            else:
                delivery = delivery.model_copy(update={"state": "failed"})
            delivery = delivery.model_copy(update={"attempts": delivery.attempts + 1})
            self._journal.keep(delivery)
        finally:
            del self._at_work[delivery.id]
            self._quiet.set()
            self._journal.news.set()

    async def _post(self, delivery: Delivery, endpoint: Endpoint) -> int:
        """The status; 0 where no answer came, which may be of an event that has arrived."""
        event = self._journal.store.get(StoredEvent, delivery.event)
        if event is None:
            raise LookupError(f"there is no event {delivery.event}")
        shown = self._journal.wire.event(event, self._journal.pending_of(event.id))
        body = json.dumps(shown, indent=2).encode()
        headers = {"Content-Type": "application/json; charset=utf-8",
                   "Stripe-Signature": signed_header(body, endpoint.secrets, int(time.time()))}  # fmt: skip
        try:
            answer = await self._http.post(endpoint.url, content=body, headers=headers, timeout=endpoint.timeout)
        except httpx.HTTPError:
            return 0
        return answer.status_code
