"""One modelled host: its state, its files, and what happens at birth, boot, shutdown and with each command."""

from __future__ import annotations

import json
import os
import shlex
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncssh
import yaml

from sandbox.hosts.driver import HostPorts, HostSpec
from sandbox.hosts.emulated import application, apt, docker, openssl, system, webserver
from sandbox.hosts.emulated.files import ROOT, Tree, Who
from sandbox.hosts.emulated.shell import NOT_FOUND, Call, execute
from sandbox.hosts.emulated.state import HostState
from sandbox.hosts.emulated.webserver import Site

# Importing these registers their programs.
PROGRAM_MODULES = (apt, docker, openssl, system, webserver)
REMEMBERED = 2000
FIREWALL_UNIT = "slipway-docker-firewall.service"


class Dropped(Exception):
    """The planted fault: the connection goes away now."""


class Machine:
    """`changed` is called after anything that may open or close a port."""

    def __init__(self, folder: Path, state: HostState, tree: Tree, ports: HostPorts) -> None:
        self.folder, self.state, self.tree, self.ports = folder, state, tree, ports
        self.sites: list[Site] = []
        self.commands: deque[tuple[str, str]] = deque(maxlen=REMEMBERED)  # (user, command line)
        self.unknown: list[str] = []
        self.changed: Callable[[], None] = lambda: None

    # ---- keeping -----------------------------------------------------------------------------------------------------

    @classmethod
    def load(cls, folder: Path, ports: HostPorts) -> Machine:
        kept = json.loads((folder / "host.json").read_text())
        return cls(folder, HostState.model_validate(kept["state"]), Tree.load(kept["files"]), ports)

    def save(self) -> None:
        """Whole or not at all: what a command did is on disk before its answer is sent."""
        kept = {"state": self.state.model_dump(), "files": self.tree.dump()}
        draft = self.folder / "host.json.new"
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(json.dumps(kept))
        draft.replace(self.folder / "host.json")

    # ---- life --------------------------------------------------------------------------------------------------------

    def boot(self) -> None:
        state = self.state
        if not state.born:
            self._cloud_init(state.spec)
            state.born = True
            for fault in state.faults:
                fault.until = None if fault.seconds is None else time.time() + fault.seconds
        state.running = True
        state.active = list(state.enabled)
        state.root_may_sign_in = self._sshd_says_root()
        for project in state.projects.values():
            for container in project.values():
                application.start(state, container)
        self.serve()
        self.open_ports()

    def halt(self) -> None:
        self.state.running = False
        self.sites = []
        self.open_ports()

    def _cloud_init(self, spec: HostSpec) -> None:
        """First boot: what the sandbox cloud passes on is done as cloud-init would (the keys the product writes)."""
        config: dict[str, Any] = yaml.safe_load(spec.user_data) or {} if spec.user_data else {}
        self.state.hostname = str(config.get("hostname") or spec.hostname)
        keys = config.get("ssh_keys", {})
        self.state.host_key = keys.get("ed25519_private") or _fresh_host_key()
        may_enter = [*config.get("ssh_authorized_keys", []), *spec.authorized_keys]
        for user in config.get("users", []):
            if isinstance(user, dict) and user.get("name") == "root":
                may_enter += user.get("ssh_authorized_keys", [])
        self.tree.make_directory("/root/.ssh", mode=0o700)
        self.tree.write("/root/.ssh/authorized_keys", "".join(f"{k.strip()}\n" for k in may_enter).encode(), mode=0o600)
        for file in config.get("write_files", []):
            self.tree.write(file["path"], str(file.get("content", "")).encode(), mode=int(file["permissions"], 8))

    def _sshd_says_root(self) -> bool:
        call = Call(self, ROOT, ["sshd"], "", lambda _: None, lambda _: None)
        return system.sshd_setting(call, "permitrootlogin") != "no"

    def serve(self) -> None:
        """nginx reads its sites again; where they are wrong it keeps what it had."""
        if "nginx.service" in self.state.active:
            try:
                self.sites = webserver.load(self.tree)
            except webserver.ConfigError:
                return

    def open_ports(self) -> None:
        self.changed()

    # ---- what is reachable -------------------------------------------------------------------------------------------

    def listening(self) -> dict[int, str]:
        """Ports that answer from outside, as the outside sees them -> what answers: ssh, web, tls or a container."""
        state = self.state
        if not state.running:
            return {}
        own = {22: "ssh"}
        if "nginx.service" in state.active:
            own |= {port: "tls" if tls else "web" for site in self.sites for port, tls in site.ports.items()}
        if state.fault("refuse_ssh") is not None:
            own.pop(22)
        wall = state.firewall
        if wall.active and wall.incoming == "deny":
            own = {port: what for port, what in own.items() if port in wall.ports}
        outside = {22: self.ports.ssh, 80: self.ports.http, 443: self.ports.https}
        found = {outside.get(port, port): what for port, what in own.items()}
        if FIREWALL_UNIT not in state.active:
            # Docker's rules come before ufw's: a port published on every address answers, whatever ufw says.
            for project in state.projects.values():
                for container in project.values():
                    for entry in container.ports:
                        address, _, host_port = entry.rpartition(":")[0].rpartition(":")
                        if container.state == "running" and address in ("", "0.0.0.0", "[::]"):
                            found[int(host_port)] = "container"
        return found

    # ---- commands ----------------------------------------------------------------------------------------------------

    def who(self, user: str) -> Who:
        return Who(user, frozenset(self.state.users.get(user, [])))

    def authorized_keys(self, user: str) -> str:
        """Text of the file sshd would read; empty where sshd would refuse to (StrictModes) or the user may not."""
        if user not in self.state.users or (user == "root" and not self.state.root_may_sign_in):
            return ""
        path = f"{'/root' if user == 'root' else f'/home/{user}'}/.ssh/authorized_keys"
        node = self.tree.find(path)
        if node is None or node.owner != user or node.mode & 0o022:
            return ""
        return node.data.decode()

    async def run(
        self, user: str, line: str, stdin: str, out: Callable[[str], None], err: Callable[[str], None]
    ) -> int:
        """Run one command line as sshd would. Raises Dropped where a fault says so."""
        self.commands.append((user, line))
        try:
            argv = shlex.split(line)
        except ValueError:
            argv = []
        if shlex.join(argv) != line:
            self.unknown.append(line)
            err("bash: this host has no shell: one program with its words, nothing else\n")
            return NOT_FOUND
        self.tree.full = self.state.fault("disk_full") is not None
        call = Call(self, self.who(user), argv, stdin, out, err)
        drop = self.state.fault("drop", line)
        if drop is not None and not drop.after:
            out("working...\n")
            if "apt-get" in argv:
                apt.cut_off(call)
            self.save()
            raise Dropped
        try:
            status = await execute(call)
        finally:
            self.save()
        if drop is not None:
            raise Dropped
        return status


def _fresh_host_key() -> str:
    return asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode()
