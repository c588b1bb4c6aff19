"""Idempotency keys (https://docs.stripe.com/api/idempotent_requests): the first answer of a key is its only one.

Kept is what came of a request that was begun, its refusal and even its 500 too; not kept is a request that was not
understood. The effect and the answer are one transaction.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sandbox.clouds.store import Store
from sandbox.faults.effects import Effect
from sandbox.stripe.journal import Journal
from sandbox.stripe.records import KeptAnswer
from sandbox.stripe.wire import Json, Refusal

LONGEST = 255
HEADER = "Idempotency-Key"
OTHER = (
    "Keys for idempotent requests can only be used with the same parameters they were first used with. "
    "Try using a key other than '{key}' if you meant to execute a different request."
)
INTERNAL = json.dumps({"error": {"message": "An unknown error occurred", "type": "api_error"}})


class Idempotency:
    def __init__(self, store: Store, journal: Journal) -> None:
        self._store = store
        self._journal = journal

    def answer(self, request: Request, form: dict[str, Any], effect: Callable[[], Json]) -> Response:
        """Only a POST has a key; everything else is repeatable by itself."""
        key = request.headers.get(HEADER, "") if request.method == "POST" else ""
        if not key:
            with self._store.transaction():
                return said(200, json.dumps(effect()))
        if len(key) > LONGEST:
            raise Refusal(400, f"Idempotency keys must be at most {LONGEST} characters", type_="idempotency_error")
        mark = json.dumps([request.method, request.url.path, form], sort_keys=True)
        asked = hashlib.sha256(mark.encode()).hexdigest()
        kept = self._kept(key)
        if kept is None:
            return self._first(key, asked, request.scope.get("fault"), effect)
        if kept.request != asked:
            raise Refusal(400, OTHER.format(key=key), type_="idempotency_error")
        return said(kept.status, kept.body, **{HEADER: key, "Idempotent-Replayed": "true"})

    def _kept(self, key: str) -> KeptAnswer | None:
        kept = self._store.get(KeptAnswer, key)
        return kept if kept and kept.created > time.time() - self._journal.options.keep_keys else None

    def _first(self, key: str, asked: str, fault: Effect | None, effect: Callable[[], Json]) -> Response:
        with self._store.transaction():
            self._journal.cause = key
            try:
                status, body = 200, json.dumps(effect())
            except Refusal as refusal:
                if not refusal.kept:
                    raise
                status, body = refusal.status, json.dumps(refusal.body)
            finally:
                self._journal.cause = None
            if fault is not None and fault.do == "status" and fault.handled and fault.status == 500:
                status, body = 500, INTERNAL  # Stripe's own failure after the effect; a proxy's 502 is not Stripe's
            self._store.put(key, KeptAnswer(key=key, request=asked, status=status, body=body, created=time.time()))
        return said(status, body, **{HEADER: key})


def said(status: int, body: str, **headers: str) -> Response:
    return Response(body, status, headers=headers, media_type="application/json")
