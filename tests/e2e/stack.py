"""The product as a newcomer starts it: `slipway up --detach`, the HTTP API, and the processes behind it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import httpx

from tests.postgres import free_port

ROOT = Path(__file__).parent.parent.parent
SLIPWAY = [sys.executable, "-m", "cli"]
PATIENCE = 240  # seconds a provisioning may take here before a test gives up


class SignedIn(httpx.Auth):
    """Signs in anew where the token has run out: a slow machine's tests last longer than a token."""

    requires_response_body = True

    def __init__(self, details: dict[str, Any]) -> None:
        self._details = details
        self.token = ""

    def login(self) -> httpx.Request:
        given = {name: self._details[name] for name in ("username", "password")}
        return httpx.Request("POST", f"{self._details['api']}/api/auth/login", json=given)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if "Authorization" in request.headers or request.url.path.startswith("/api/auth/log"):
            yield request  # as somebody else
            return
        if self.token:
            request.headers["Authorization"] = f"Bearer {self.token}"
        answer = yield request
        if answer.status_code == 401:
            told = yield self.login()
            if not told.is_success:
                return  # the first answer stands
            self.token = told.json()["access_token"]
            request.headers["Authorization"] = f"Bearer {self.token}"
            yield request


class Running:
    """A running stack. Everything is asked of the public API."""

    def __init__(self, state: Path, environment: dict[str, str]) -> None:
        self.state = state
        self.environment = environment
        self.details: dict[str, Any] = json.loads((state / "up.json").read_text())
        self.auth = SignedIn(self.details)
        self.http = httpx.Client(base_url=self.details["api"], trust_env=False, timeout=30, auth=self.auth)
        self.sandbox = httpx.Client(base_url=self.details["sandbox"], trust_env=False, timeout=30)
        self.http.get("/api/auth/me").raise_for_status()

    # ---- the API

    def order(self, slug: str, **more: Any) -> str:
        body = {
            "organizationName": slug.title(), "slug": slug, "tier": "professional", "deploymentModel": "dedicated",
            "vpsId": None, "adminEmail": f"admin@{slug}.com", "adminName": "John Doe",
            "adminPassword": "SecurePassword123!", **more,
        }  # fmt: skip
        answer = self.http.post("/api/portal/instances", json=body)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["deploymentId"])

    def status(self, deployment: str) -> dict[str, Any]:
        for _ in range(60):  # the API itself may just have been killed
            with contextlib.suppress(httpx.TransportError):
                answer = self.http.get(f"/api/portal/instances/{deployment}/status")
                if answer.status_code < 500:
                    answer.raise_for_status()
                    return dict(answer.json())
            time.sleep(0.5)
        raise AssertionError("the API does not come back")

    def until(self, deployment: str, done: Any, patience: float = PATIENCE) -> dict[str, Any]:
        """Poll until `done(status)`; a run that waits for an operator unasked fails the test at once."""
        deadline = time.monotonic() + patience
        while True:
            status = self.status(deployment)
            if done(status):
                return status
            if time.monotonic() > deadline:
                raise AssertionError(f"still {status['status']}/{status['phase']}: {status['status_message']}\n"
                                     + "\n".join(self.messages(deployment)[-30:]))  # fmt: skip
            time.sleep(0.4)

    def until_active(self, deployment: str) -> dict[str, Any]:
        def done(status: dict[str, Any]) -> bool:
            assert not status["parked"], f"parked: {status['parked']}"
            assert status["status"] != "failed", status["error_message"]
            return bool(status["phase"] == "active")

        return self.until(deployment, done)

    def until_parked(self, deployment: str, step: str) -> dict[str, Any]:
        return self.until(deployment, lambda s: any(wait["step"] == step for wait in s["parked"]))

    def until_ended(self, deployment: str) -> dict[str, Any]:
        return self.until(deployment, lambda s: s["phase"] in ("rolled_back", "cancelled", "terminated"))

    def messages(self, deployment: str) -> list[str]:
        answer = self.http.get(f"/api/portal/instances/{deployment}/logs", params={"limit": 1000})
        return [line["message"] for line in answer.json()["logs"]]

    # ---- the sandbox cloud

    def cloud(self) -> dict[str, Any]:
        return dict(self.sandbox.get("/_sandbox/state").json())

    def living(self) -> list[dict[str, Any]]:
        return [vps for vps in self.cloud()["vpss"] if vps["phase"] != "gone"]

    def fault(self, do: str, method: str, path: str, **more: Any) -> None:
        rule = {"match": {"method": method, "path": path}, "do": do, **more}
        self.sandbox.post("/_sandbox/faults", json=rule).raise_for_status()

    # ---- the site

    def get_site(self, address: str, name: str, path: str = "/") -> tuple[int, str]:
        """HTTPS to the host itself, trusting only the sandbox's CA, with the certificate checked for the name."""
        return asyncio.run(self._ask_site(address, name, "GET", path, ""))

    def post_site(self, address: str, name: str, path: str, body: str) -> int:
        return asyncio.run(self._ask_site(address, name, "POST", path, body))[0]

    async def _ask_site(self, address: str, name: str, method: str, path: str, body: str) -> tuple[int, str]:
        port = 443 if self.details["hosts"] == "machine" else 8443
        context = ssl.create_default_context(cafile=self.details["ca_file"])
        reader, writer = await asyncio.open_connection(address, port, ssl=context, server_hostname=name)
        head = f"{method} {path} HTTP/1.0\r\nHost: {name}\r\nContent-Type: application/json\r\n"
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        raw = await asyncio.wait_for(reader.read(), 30)
        writer.close()
        answer, _, text = raw.decode(errors="replace").partition("\r\n\r\n")
        return int(answer.split()[1]), text

    # ---- the processes

    def pid(self, part: str) -> int:
        """The pid its supervisor wrote down; a part that is just being started again is waited for."""
        names = {"dns": ("pdns", "dns"), "acme": ("pebble", "acme")}.get(part, (part,))
        for _ in range(300):
            for name in names:
                with contextlib.suppress(OSError, ValueError):
                    pid = int(json.loads((self.state / "pids" / f"{name}.json").read_text())["pid"])
                    os.kill(pid, 0)
                    return pid
            time.sleep(0.1)
        raise AssertionError(f"{part} does not run")

    def kill(self, part: str) -> None:
        self.send(part, signal.SIGKILL)

    def send(self, part: str, number: int) -> None:
        os.kill(self.pid(part), number)


def environment(state: Path, hosts: str, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "SLIPWAY_LAB_ROOT")}
    return kept | {
        "SLIPWAY_STATE_DIR": str(state), "HOSTS": hosts, "PORT": str(free_port()), "TEMPORAL_PORT": str(free_port()),
        "TEMPORAL_UI_PORT": str(free_port()), "ACTIVITY_MINUTES": "4", **more,
    }  # fmt: skip


@contextlib.contextmanager
def running(state: Path, hosts: str, **more: str) -> Iterator[Running]:
    given = environment(state, hosts, **more)
    run = {"cwd": ROOT, "env": given, "check": False, "capture_output": True, "text": True}
    up = subprocess.run([*SLIPWAY, "up", "--detach"], **run)  # type: ignore[call-overload]
    try:
        assert up.returncode == 0, f"{up.stdout}\n{up.stderr}"
        stack = Running(state, given)
        try:
            yield stack
        finally:
            stack.http.close()
            stack.sandbox.close()
    finally:
        down = subprocess.run([*SLIPWAY, "down", "--forget"], **run)  # type: ignore[call-overload]
    assert down.returncode == 0, f"{down.stdout}\n{down.stderr}"
