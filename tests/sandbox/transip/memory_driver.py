"""Hosts that exist by name only, remembered in a file: enough for everything above the SSH port."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from sandbox.hosts.driver import HostPorts, HostSpec, PowerState


class MemoryDriver:
    kind: Literal["machine", "emulated"] = "emulated"
    gateway = "127.77.0.1"

    def __init__(self, state_dir: Path, ports: HostPorts | None = None) -> None:
        self.ports = ports or HostPorts()
        self.specs: dict[str, HostSpec] = {}
        self.powers: dict[str, PowerState] = {}
        self.calls: list[tuple[str, str]] = []
        self.closed = False
        self.broken_calls = 0  # how many of the next create() fail
        self._file = state_dir / "memory.json"
        self._reserved = 0

    async def open(self) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        if self._file.exists():
            kept = json.loads(self._file.read_text())
            self.specs = {name: HostSpec.model_validate(spec) for name, spec in kept["specs"].items()}
            self.powers = kept["powers"]
            self._reserved = kept["reserved"]

    async def close(self) -> None:
        self.closed = True

    async def reserve_address(self) -> str:
        self._reserved += 1
        self._keep()
        return f"127.77.0.{self._reserved + 1}"

    async def create(self, spec: HostSpec) -> None:
        if self.broken_calls:
            self.broken_calls -= 1
            raise OSError("no room for another host")
        if spec.name not in self.specs:
            self.calls.append(("create", spec.name))
            self.specs[spec.name] = spec
            self.powers[spec.name] = "stopped"
            self._keep()

    async def start(self, name: str) -> None:
        self._set(name, "running", "start")

    async def stop(self, name: str) -> None:
        self._set(name, "stopped", "stop")

    async def kill(self, name: str) -> None:
        self._set(name, "stopped", "kill")

    async def destroy(self, name: str) -> None:
        self.calls.append(("destroy", name))
        self.specs.pop(name, None)
        self.powers.pop(name, None)
        self._keep()

    async def power(self, name: str) -> PowerState:
        return self.powers[name]

    async def names(self) -> list[str]:
        return [*self.specs]

    async def unplug(self, name: str) -> None:
        self.calls.append(("unplug", self.specs[name].name))

    async def plug(self, name: str) -> None:
        self.calls.append(("plug", self.specs[name].name))

    def _set(self, name: str, state: PowerState, call: str) -> None:
        _ = self.specs[name]
        self.calls.append((call, name))
        self.powers[name] = state
        self._keep()

    def _keep(self) -> None:
        draft = self._file.with_suffix(".new")
        draft.write_text(
            json.dumps(
                {
                    "specs": {name: spec.model_dump() for name, spec in self.specs.items()},
                    "powers": self.powers,
                    "reserved": self._reserved,
                }
            )
        )
        draft.replace(self._file)
