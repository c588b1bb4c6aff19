"""The driver of emulated hosts: thousands of them in one process, on addresses of 127.77.0.0/16, without root.

Each is a small honest model of a Debian host behind a real SSH port and a real TLS port. Everything is kept on disk
after each command, so a killed process finds its hosts again.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import shutil
import socket
import time
from pathlib import Path
from typing import Literal

from sandbox.hosts.driver import FaultKind, HostPorts, HostSpec, PowerState
from sandbox.hosts.emulated.files import Tree
from sandbox.hosts.emulated.machine import Machine
from sandbox.hosts.emulated.network import Network
from sandbox.hosts.emulated.state import Fault, HostState

NEXT = "next"  # in place of a name: the host that is made next
DEFAULT_PORTS = HostPorts(ssh=2222, http=8080, https=8443)


class EmulatedDriver:
    kind: Literal["machine", "emulated"] = "emulated"

    def __init__(
        self, state_dir: Path, *, address_pool: str = "127.77.0.0/16", ports: HostPorts = DEFAULT_PORTS
    ) -> None:
        self.ports = ports
        self._folder = state_dir
        self._pool = ipaddress.IPv4Network(address_pool)
        self._hosts: dict[str, Network] = {}
        self._reserved: set[str] = set()
        self._next = 2
        self._faults_of_next: list[Fault] = []

    # ---- the driver --------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        (self._folder / "hosts").mkdir(parents=True, exist_ok=True)
        kept = self._folder / "addresses.json"
        if kept.exists():
            found = json.loads(kept.read_text())
            self._reserved, self._next = set(found["reserved"]), found["next"]
        for folder in sorted((self._folder / "hosts").iterdir()):
            if not (folder / "host.json").exists():
                shutil.rmtree(folder)  # its creation was cut off before it counted
                continue
            network = Network(Machine.load(folder, self.ports))
            self._hosts[folder.name] = network
            if network.machine.state.running:
                network.machine.boot()
            await asyncio.sleep(0)

    async def close(self) -> None:
        """Hosts that run are shut down, and boot again with the next open()."""
        for network in self._hosts.values():
            was_running = network.machine.state.running
            self._down(network)
            network.machine.state.running = was_running
            network.machine.save()
        self._hosts = {}
        await asyncio.sleep(0)

    async def reserve_address(self) -> str:
        size = self._pool.num_addresses
        for _ in range(size):
            address = str(self._pool[self._next])
            self._next = self._next % (size - 2) + 1
            if address not in self._reserved and self._is_free(address):
                self._reserved.add(address)
                self._keep_addresses()
                return address
        raise RuntimeError("every address of the pool is taken")

    async def create(self, spec: HostSpec) -> None:
        if spec.name in self._hosts:
            return
        folder = self._folder / "hosts" / spec.name
        folder.mkdir(parents=True, exist_ok=True)
        machine = Machine(folder, HostState(spec=spec, faults=self._faults_of_next), Tree(), self.ports)
        machine.save()
        self._faults_of_next = []
        self._reserved.add(spec.address)
        self._keep_addresses()
        self._hosts[spec.name] = Network(machine)

    async def start(self, name: str) -> None:
        machine = self._hosts[name].machine
        if not machine.state.running:
            machine.boot()
            machine.save()

    async def stop(self, name: str) -> None:
        self._down(self._hosts[name])
        self._hosts[name].machine.save()

    async def kill(self, name: str) -> None:
        await self.stop(name)  # every answered command is on disk already: there is nothing left to lose

    async def destroy(self, name: str) -> None:
        network = self._hosts.pop(name, None)
        if network is None:
            return
        self._down(network)
        self._reserved.discard(network.machine.state.spec.address)
        self._keep_addresses()
        shutil.rmtree(network.machine.folder, ignore_errors=True)

    async def power(self, name: str) -> PowerState:
        return "running" if self._hosts[name].machine.state.running else "stopped"

    async def names(self) -> list[str]:
        return sorted(self._hosts)

    async def unplug(self, name: str) -> None:
        network = self._hosts[name]
        network.plugged = False
        network.refresh()
        network.cut()

    async def plug(self, name: str) -> None:
        self._hosts[name].plugged = True
        self._hosts[name].refresh()

    # ---- faults, for tests and the sandbox's own controls ------------------------------------------------------------

    def fault(
        self,
        name: str,
        kind: FaultKind,
        *,
        times: int | None = None,
        seconds: float | None = None,
        match: str = "",
        after: bool = False,
    ) -> None:
        """Plant a fault: for `times` uses, for `seconds`, or until cleared. With NEXT for a name, in the host that is
        made next, whose `seconds` count from its first boot (kept in memory only).

        `match` narrows `drop` to command lines and the registry's faults to registries that contain it. `drop` ends the
        connection before the command's effect (apt: in the middle), or with `after` once it is complete.
        """
        planted = Fault(kind=kind, times=times, seconds=seconds, match=match, after=after)
        if name == NEXT:
            self._faults_of_next.append(planted)
            return
        machine = self._hosts[name].machine
        planted.until = None if seconds is None else time.time() + seconds
        machine.state.faults.append(planted)
        machine.save()
        machine.open_ports()

    def clear(self, name: str, kind: FaultKind | None = None) -> None:
        if name == NEXT:
            self._faults_of_next = [f for f in self._faults_of_next if kind is not None and f.kind != kind]
            return
        machine = self._hosts[name].machine
        machine.state.faults = [f for f in machine.state.faults if kind is not None and f.kind != kind]
        machine.save()
        machine.open_ports()

    def look(self, name: str) -> dict[str, object]:
        """What a test may want to know of a host that its own programs do not say from outside."""
        machine = self._hosts[name].machine
        state = machine.state
        return {
            "faults": [fault.model_dump() for fault in state.faults if not fault.over],
            "installed": state.installed,
            "half_installed": state.half_installed,
            "commands": [line for _, line in machine.commands],
            "unknown": machine.unknown,
        }

    def machine(self, name: str) -> Machine:
        return self._hosts[name].machine

    def _down(self, network: Network) -> None:
        network.machine.halt()
        network.refresh()
        network.cut()

    def _is_free(self, address: str) -> bool:
        """Several sandboxes on one machine share the pool; who listens on an address has it."""
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, self.ports.ssh))
            except OSError:
                return False
        return True

    def _keep_addresses(self) -> None:
        draft = self._folder / "addresses.json.new"
        draft.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps({"reserved": sorted(self._reserved), "next": self._next}))
        draft.replace(self._folder / "addresses.json")
