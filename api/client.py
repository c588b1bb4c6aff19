"""A small client of the public API, for the command line: sign-in, refusals as sentences, and the live stream of a run.

It knows addresses and replies only, nothing of rows or workflows, and no more than any other client could.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import httpx

RECONNECT = 1.0  # seconds before a broken stream is taken up again
Why = Literal["refused", "unreachable", "unauthorized"]


class ApiError(Exception):
    """The API's own sentence, or ours when nobody answered."""

    def __init__(self, sentence: str, why: Why = "refused") -> None:
        super().__init__(sentence)
        self.why = why


class Event(NamedTuple):
    """One server-sent event: its kind (step, log, status, end), its position in the run's journal, and its data."""

    kind: str
    position: str
    data: dict[str, Any]


class Client:
    """`token` wins over name and password; tokens got by signing in are kept in `cache` (0600) between commands."""

    def __init__(
        self, address: str, *, token: str = "", username: str = "", password: str = "", cache: Path | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:  # fmt: skip
        self.address = address
        self._who = (username, password)
        self._fixed = token != ""
        self._cache = cache
        self._token = token or self._cached().get(self._key, "")
        # A proxy of this machine's environment cannot reach its loopback.
        local = httpx.URL(address).host in ("127.0.0.1", "localhost", "::1")
        self._http = httpx.Client(base_url=address, timeout=30, trust_env=not local, transport=transport)

    def call(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        """The reply's JSON. Raises ApiError for every refusal; a token that has run out is renewed once."""
        reply = self._send(method, path, **more)
        if reply.status_code == httpx.codes.UNAUTHORIZED and not self._fixed:
            self._token = ""
            reply = self._send(method, path, **more)
        return _read(reply)

    def find(self, instance: str) -> str:
        """The id of a deployment given by id or by slug; of several runs of one slug, the newest."""
        try:
            return str(uuid.UUID(instance))
        except ValueError:
            found = self.call("GET", "/api/portal/instances", params={"search": instance, "limit": 100})
        for row in found["instances"]:
            if row.get("slug") == instance:
                return str(row["id"])
        raise ApiError(f"There is no instance with the slug {instance}.")

    def events(self, deployment_id: str, after: str = "") -> Iterator[Event]:
        """A run's live stream from a position on, taken up again wherever it breaks, until its `end`."""
        last = after
        while True:
            headers = {"Accept": "text/event-stream", **({"Last-Event-ID": last} if last else {})}
            try:
                for event in self._stream(f"/api/portal/instances/{deployment_id}/events", headers):
                    last = event.position or last
                    yield event
                    if event.kind == "end":
                        return
            except httpx.TransportError:
                pass  # as good as an early end
            time.sleep(RECONNECT)

    def _stream(self, path: str, headers: dict[str, str]) -> Iterator[Event]:
        # Heartbeats come far more often than this; longer silence means that the connection is dead.
        patience = httpx.Timeout(30, read=90)
        with self._http.stream("GET", path, headers={**headers, **self._authorization()}, timeout=patience) as reply:
            if not reply.is_success:
                reply.read()
                _read(reply)
            fields: dict[str, str] = {}
            for line in reply.iter_lines():
                name, _, value = line.partition(":")
                if name:
                    fields[name] = value.removeprefix(" ")
                elif not line and fields:
                    if "data" in fields:
                        data = json.loads(fields["data"])
                        yield Event(fields.get("event", "message"), fields.get("id", ""), data)
                    fields = {}

    def _send(self, method: str, path: str, **more: Any) -> httpx.Response:
        try:
            headers = {**more.pop("headers", {}), **self._authorization()}
            return self._http.request(method, path, headers=headers, **more)
        except httpx.TransportError as error:
            raise ApiError(f"Nobody answers at {self.address} ({error}).", "unreachable") from error

    def _authorization(self) -> dict[str, str]:
        if not self._token:
            username, password = self._who
            if not username or not password:
                raise ApiError("Not signed in: no token, and no name and password, were given.", "unauthorized")
            reply = self._http.post("/api/auth/login", json={"username": username, "password": password})
            self._token = str(_read(reply)["access_token"])
            self._remember()
        return {"Authorization": f"Bearer {self._token}"}

    @property
    def _key(self) -> str:
        return f"{self._who[0]} {self.address}"

    def _cached(self) -> dict[str, str]:
        try:
            return dict(json.loads(self._cache.read_text())) if self._cache else {}
        except (OSError, ValueError):
            return {}

    def _remember(self) -> None:
        if self._cache is not None and self._cache.parent.is_dir():
            known = {**self._cached(), self._key: self._token}
            self._cache.touch(mode=0o600)
            self._cache.write_text(json.dumps(known))


def _read(reply: httpx.Response) -> dict[str, Any]:
    try:
        body = reply.json()
    except ValueError:
        body = {}
    if reply.is_success:
        return dict(body)
    code = f" [{body['code']}]" if body.get("code") else ""
    sentence = f"{body.get('error') or f'The API answered {reply.status_code}.'}{code}"
    raise ApiError(sentence, "unauthorized" if reply.status_code in (401, 403) else "refused")
