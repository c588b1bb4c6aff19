"""What a modelled host remembers besides its files: packages, users, services, firewall, containers, faults."""

from __future__ import annotations

import time

from pydantic import BaseModel, Field

from sandbox.hosts.driver import HostSpec


class Container(BaseModel):
    id: str
    service: str
    image: str
    environment: dict[str, str] = {}
    ports: list[str] = []  # as in the compose file: [address:]host:container
    volumes: dict[str, str] = {}  # mount point -> volume
    state: str = "running"
    exit_code: int = 0
    log: list[str] = []

    def publishes(self, port: int) -> bool:
        return self.state == "running" and any(p.split(":")[-2] == str(port) for p in self.ports if ":" in p)


class Volume(BaseModel):
    """A database's files: what was true when they were first made, and what was done to them since."""

    password: str = ""
    user: str = ""
    name: str = ""
    applied: list[str] = []
    admin: dict[str, str] = {}


class Firewall(BaseModel):
    active: bool = False
    incoming: str = "deny"
    outgoing: str = "allow"
    ports: list[int] = []


class Fault(BaseModel):
    """A planted fault. `times` counts down with each use; `until` ends it by the clock. Both empty: until cleared.

    `seconds` is of one planted before birth: it lasts that long from the first boot on.
    """

    kind: str
    times: int | None = None
    seconds: float | None = None
    until: float | None = None
    match: str = ""
    after: bool = False  # drop: the effect happened, only the answer is lost

    @property
    def over(self) -> bool:
        return self.times == 0 or (self.until is not None and time.time() >= self.until)


class HostState(BaseModel):
    spec: HostSpec
    running: bool = False
    born: bool = False  # cloud-init has run
    host_key: str = ""
    hostname: str = ""
    users: dict[str, list[str]] = Field(default_factory=lambda: {"root": ["root"]})
    installed: list[str] = Field(
        default_factory=lambda: ["openssh-server", "sudo", "curl", "ca-certificates", "openssl", "cloud-init"]
    )
    half_installed: list[str] = []
    lists_known: bool = False
    enabled: list[str] = ["ssh.service", "cron.service"]
    active: list[str] = ["ssh.service", "cron.service"]
    root_may_sign_in: bool = True  # as the running sshd sees it
    firewall: Firewall = Field(default_factory=Firewall)
    images: list[str] = []
    logins: dict[str, str] = {}
    projects: dict[str, dict[str, Container]] = {}
    volumes: dict[str, Volume] = {}
    faults: list[Fault] = []

    def fault(self, kind: str, about: str = "") -> Fault | None:
        """The planted fault of this kind that applies, if any; one of limited use is used up by this."""
        self.faults = [f for f in self.faults if not f.over]
        for fault in self.faults:
            if fault.kind == kind and fault.match in about:
                if fault.times is not None:
                    fault.times -= 1
                return fault
        return None
