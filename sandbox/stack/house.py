"""A stack's own server, with real hosts: booted, named in DNS, registered with the product and set up by it."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import dataclass
from typing import Any

import httpx

from sandbox.house_server import Keys
from sandbox.stack.layout import PROJECT, Layout, last_lines, write_json
from sandbox.stack.names import Names
from sandbox.stack.supervisor import Service

TYPES = ("web", "mail")  # one machine, two servers as the product sees them
SET_UP_SECONDS = 180.0
STOP_SECONDS = 30.0


@dataclass
class House:
    layout: Layout
    names: Names
    base_domain: str
    address: str = ""

    def hostname(self, kind: str) -> str:
        return f"srv1-{kind}.{self.base_domain}"

    def service(self) -> Service:
        folder = self.layout.root / "house"
        folder.mkdir(exist_ok=True)
        path = self.layout.root / "house.json"
        write_json(path, {"state_dir": str(folder), "hostname": f"srv1.{self.base_domain}"})
        argv = [sys.executable, "-m", "sandbox.house_server", "--config", str(path)]
        return Service("house", "Web and mail server", argv, {"PYTHONPATH": str(PROJECT), "PYTHONUNBUFFERED": "1"},
                       says='"address"', ready_timeout=120, grace=STOP_SECONDS, after_ready=self._learn)  # fmt: skip

    async def _learn(self) -> None:
        for line in reversed(last_lines(self.layout.log("house"), 20)):
            if line.startswith("{") and "address" in (said := json.loads(line)):
                self.address = said["address"]
                return

    async def name(self) -> None:
        """The names of the servers, as an operator would have published them before."""
        for kind in TYPES:
            await self.names.ensure_address(self.base_domain, self.hostname(kind), self.address)

    async def register(self, office: httpx.AsyncClient) -> str:
        """Register what the product does not know yet, and wait until its run has set everything up."""
        known = {server["hostname"] for server in await self._servers(office)}
        keys = Keys.model_validate_json((self.layout.root / "house" / "keys.json").read_text())
        for kind in TYPES:
            if self.hostname(kind) not in known:
                made = await office.post("/api/hosting/servers", json={
                    "hostname": self.hostname(kind), "ipAddress": self.address, "type": kind, "sshUser": "root",
                    "hostKey": keys.host_public, "sshPrivateKey": keys.private})  # fmt: skip
                made.raise_for_status()
        try:
            async with asyncio.timeout(SET_UP_SECONDS):
                while True:
                    if all(server["status"] == "ACTIVE" for server in await self._servers(office)):
                        return f"{self.address}, set up"
                    await asyncio.sleep(0.5)
        except TimeoutError:
            return "its set-up is still under way; see the list of what needs somebody in the portal"

    async def _servers(self, office: httpx.AsyncClient) -> list[dict[str, Any]]:
        answer = await office.get("/api/hosting/servers", params={"limit": 100})
        answer.raise_for_status()
        ours = {self.hostname(kind) for kind in TYPES}
        return [server for server in answer.json()["servers"] if server["hostname"] in ours]
