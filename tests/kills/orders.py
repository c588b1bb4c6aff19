"""One order's way under kills: placed, watched, decided about as an operator would, judged, and taken away again.

What it must never see: an order that ends neither active nor rolled back with proof, a second server, a server left.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import httpx
import psycopg
from psycopg.rows import dict_row

from tests.e2e.stack import Running
from tests.kills.plan import Kill

LOOK = 0.3  # seconds between two looks at the rows
SETTLED = 1200.0  # an order that is nowhere by then is lost
RETRIES = 3  # decisions to retry before the decision to roll back
MOST_DECISIONS = 30  # about one order
AWAY = 180.0  # a killed API is back by then

_PROGRESS = """
select d.phase, d.status, d.status_message, d.attention, d.parked, d.absence, d.access_url, d.assigned_subdomain,
       d.ended_at, v.vps_name, v.vps_ip, v.provider_instance_id, i.correlation,
       (select count(distinct e.step) from deployment_events e
         where e.deployment_id = d.id and e.kind = 'step' and e.state = 'done') as done
  from instance_deployments d
  left join vps_instances v on v.id = d.vps_id
  left join server_intents i on i.deployment_id = d.id
 where d.id = %s
"""

Ended = Literal["arrived", "rolled back", "lost"]


@dataclass(frozen=True)
class Outcome:
    kill: Kill
    ended: Ended
    told: str  # what was killed, or why it counts as lost
    seconds: float


class Lost(Exception):
    """The sentence says what is wrong; it stands in the report."""


class Order:
    def __init__(self, stack: Running, kill: Kill) -> None:
        self.stack = stack
        self.kill = kill
        self.deployment = ""
        self._known: dict[str, Any] = {}

    # ---- talking to a front door that may be dead at the moment

    def call(self, method: str, path: str, body: dict[str, Any] | None = None, key: str = "") -> httpx.Response:
        """Repeated until it is answered; the key makes the repeats one request."""
        deadline = time.monotonic() + AWAY
        headers = {"Idempotency-Key": key} if key else {}
        while True:
            with contextlib.suppress(httpx.TransportError):
                answer = self.stack.http.request(method, path, json=body, headers=headers)
                if answer.status_code < 500 and answer.status_code != 429:
                    return answer
            if time.monotonic() > deadline:
                raise Lost(f"the API does not answer {method} {path}")
            time.sleep(0.5)

    def place(self) -> None:
        slug = self.kill.slug
        body = {"organizationName": slug.title(), "slug": slug, "tier": "professional", "deploymentModel": "dedicated",
                "vpsId": None, "adminEmail": f"admin@{slug}.com", "adminName": "John Doe",
                "adminPassword": "SecurePassword123!"}  # fmt: skip
        answer = self.call("POST", "/api/portal/instances", body, key=slug)
        if answer.status_code != 202:
            raise Lost(f"the order was refused: {answer.text[:200]}")
        self.deployment = str(answer.json()["deploymentId"])

    # ---- watching

    def look(self) -> dict[str, Any]:
        """The rows themselves: the API may be the part that is dead."""
        url = self.stack.details["database_url"].replace("+psycopg", "")
        with psycopg.connect(url, row_factory=dict_row) as connection:
            row = connection.execute(_PROGRESS, (self.deployment,)).fetchone()
        if row is None:
            raise Lost("its row is gone")
        # A server's names leave the row with the server; they are needed to look for what is left of it.
        self._known |= {name: row[name] for name in ("vps_name", "provider_instance_id", "correlation") if row[name]}
        return row

    def until(self, done: Callable[[dict[str, Any]], bool], patience: float = SETTLED) -> dict[str, Any]:
        deadline = time.monotonic() + patience
        while not done(row := self.look()):
            if time.monotonic() > deadline:
                raise Lost(f"still {row['status']}/{row['phase']} after {patience:.0f} s: {row['status_message']}")
            time.sleep(LOOK)
        return row

    def reached(self) -> None:
        """Until the moment of the kill, or the end, or a park, whichever comes first."""
        self.until(lambda row: row["done"] >= self.kill.after_steps or row["phase"] != "running" or row["parked"])

    # ---- deciding

    def settle(self, wanted: tuple[str, ...]) -> dict[str, Any]:
        """To one of these phases. A park is retried, and rolled back when that does not help."""
        decided = 0
        for asked in range(MOST_DECISIONS):
            row = self.until(lambda row: row["phase"] in wanted or bool(row["parked"]))
            if row["phase"] in wanted:
                return row
            path = f"/api/portal/instances/{self.deployment}"
            key = f"{self.kill.slug}-{wanted[0]}-{asked}"
            rolling = row["phase"] in ("rolling_back", "terminating")
            if decided < RETRIES or rolling:
                answer = self.call("POST", f"{path}/retry", {}, key=key)
            else:
                answer = self.call("POST", f"{path}/rollback", {"reason": "killed"}, key=key)
            decided += answer.status_code < 300  # 409: it went on by itself in the meantime
            time.sleep(2)
        raise Lost(f"parked again and again: {row['parked'][0]['message'][:200] if row['parked'] else row['phase']}")

    # ---- judging

    def servers(self) -> list[dict[str, Any]]:
        """Every server the cloud ever made for this order, also those that are gone."""
        marks = {self._known.get("vps_name"), self._known.get("correlation")} - {None}
        tag = f"slipway-{self._known.get('correlation')}"
        for _ in range(100):  # the cloud may be the part that is dead
            with contextlib.suppress(httpx.HTTPError):
                listed = self.stack.sandbox.get("/_sandbox/state").raise_for_status().json()["vpss"]
                return [vps for vps in listed if vps["description"] in marks or tag in vps.get("tags", [])]
            time.sleep(0.5)
        raise Lost("the cloud does not come back")

    def judge_active(self, row: dict[str, Any]) -> None:
        made = self.servers()
        if len(made) != 1 or made[0]["phase"] == "gone":
            raise Lost(f"{len(made)} servers were made: {[vps['name'] for vps in made]}")
        deadline, told = time.monotonic() + AWAY, ""
        while time.monotonic() < deadline:
            try:
                code, _ = self.stack.get_site(row["vps_ip"], row["assigned_subdomain"], "/api/health")
                if code == 200:
                    return
                told = f"answers {code}"
            except (OSError, TimeoutError, ValueError, IndexError) as error:
                told = type(error).__name__
            time.sleep(1)
        raise Lost(f"it is called active and its site {told}")

    def judge_gone(self, row: dict[str, Any], proofs: int) -> None:
        living = [vps["name"] for vps in self.servers() if vps["phase"] != "gone"]
        if living:
            raise Lost(f"it is called {row['phase']} and {living} still live")
        if len(self.servers()) > 1:
            raise Lost("more than one server was made for it")
        found = (row["absence"] or {}).get("proofs", [])
        if row["ended_at"] is None or len(found) < proofs:
            raise Lost(f"it is called {row['phase']} with {len(found)} proofs")

    def take_away(self) -> None:
        """An active order ends again, so that the machine has room for the next ones."""
        self.call("DELETE", f"/api/portal/instances/{self.deployment}", {"immediately": True})
        self.judge_gone(self.settle(("terminated",)), proofs=3)
