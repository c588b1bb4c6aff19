"""What is written down about hosts, so that a driver can be killed at any moment and the next one knows them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from sandbox.hosts.driver import HostSpec, PowerState
from sandbox.hosts.machine_tools import HostError, load, save
from sandbox.hosts.network import FIRST_HOST, LAST_HOST

ImageName = Literal["bare", "baked", "hosting"]


class Record(BaseModel):
    """A host. `wanted` is what it was last told to be; `number` is the last part of its address."""

    spec: HostSpec
    number: int
    image: ImageName
    wanted: PowerState = "stopped"


class Records:
    """The hosts of a state folder: one `host.json` each. Without it a host does not exist."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, name: str) -> Path:
        return self.folder / name / "host.json"

    def find(self, name: str) -> Record | None:
        found = load(self.path(name))
        return None if found is None else Record.model_validate(found)

    def get(self, name: str) -> Record:
        record = self.find(name)
        if record is None:
            raise KeyError(name)
        return record

    def names(self) -> list[str]:
        return sorted(path.parent.name for path in self.folder.glob("[!.]*/host.json"))

    async def put(self, record: Record) -> None:
        await asyncio.to_thread(save, self.path(record.spec.name), record.model_dump())

    async def want(self, name: str, state: PowerState) -> Record:
        record = self.get(name)
        if record.wanted != state:
            record.wanted = state
            await self.put(record)
        return record


class Addresses:
    """Which host numbers are promised; kept until the host that got one is destroyed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = asyncio.Lock()

    async def reserve(self, used: set[int]) -> int:
        async with self._lock:
            book = self._book()
            last, taken = int(book["last"]), used | set(book["held"])
            span = LAST_HOST - FIRST_HOST + 1
            # Onward from the last one given: an address rests as long as it can before another host gets it.
            for step in range(span):
                number = FIRST_HOST + (last - FIRST_HOST + 1 + step) % span
                if number not in taken:
                    await asyncio.to_thread(save, self.path, {"held": [*book["held"], number], "last": number})
                    return number
        raise HostError("no address is left in the network")

    async def free(self, number: int) -> None:
        async with self._lock:
            book = self._book()
            book["held"] = [held for held in book["held"] if held != number]
            await asyncio.to_thread(save, self.path, book)

    def _book(self) -> dict[str, Any]:
        return load(self.path) or {"held": [], "last": FIRST_HOST - 1}
