"""Things that go wrong on the way: rules kept in the store, what a seed drew, and the real cutting of a connection."""

from __future__ import annotations

import re
from typing import Any

from starlette.types import Message, Receive, Scope, Send

from sandbox.clouds.records import Fault
from sandbox.clouds.store import Store


class Faults:
    """Rules are used in the order in which they were added; a spent one is removed."""

    def __init__(self, store: Store, prefix: str) -> None:
        """`prefix` is the version in the paths, with which a rule may be written or without."""
        self._store = store
        self._prefix = prefix

    def add(self, fault: Fault) -> Fault:
        re.compile(fault.match.method)
        re.compile(fault.match.path)
        with self._store.transaction():
            added = fault.model_copy(update={"id": self._store.next("fault")})
            self._store.put(str(added.id), added)
        return added

    def all(self) -> list[Fault]:
        return self._store.all(Fault)

    def clear(self) -> None:
        with self._store.transaction():
            for fault in self.all():
                self._store.delete(Fault, str(fault.id))

    def take(self, method: str, path: str) -> Fault | None:
        """The rule for this call, counted down."""
        for fault in self.all():
            same_path = any(re.search(fault.match.path, form) for form in (path, f"{self._prefix}{path}"))
            if same_path and re.fullmatch(fault.match.method, method, re.IGNORECASE):
                if fault.times is not None and fault.times <= 1:
                    self._store.delete(Fault, str(fault.id))
                elif fault.times is not None:
                    self._store.put(str(fault.id), fault.model_copy(update={"times": fault.times - 1}))
                return fault
        return None


def again(body: bytes, receive: Receive) -> Receive:
    """A body that was read already, to be read once more; after it comes what the client still sends."""
    parts: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return parts.pop() if parts else await receive()

    return replay


async def cut(receive: Receive) -> None:
    """Drop the connection without a byte of an answer: the client sees it end in the middle of nothing.

    The server hands its transport to nobody, but `receive` is a method of its request cycle, which holds it.
    """
    transport = getattr(getattr(receive, "__self__", None), "transport", None)
    if transport is None:
        raise ConnectionResetError("the sandbox cut this connection")
    transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass


async def send_text(send: Send, status: int, text: str, *, headers: dict[str, str], kind: str) -> None:
    body = text.encode()
    fields = {"content-type": kind, "content-length": str(len(body)), **headers}
    raw = [(name.lower().encode(), value.encode()) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


async def handled_unheard(app: Any, scope: Scope, receive: Receive) -> int:
    """Let the call be handled and throw its answer away; returns the status nobody will see."""
    status = 0

    async def forget(message: Message) -> None:
        nonlocal status
        status = message.get("status", status)

    await app(scope, receive, forget)
    return status
