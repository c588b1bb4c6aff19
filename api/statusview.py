"""The status of one deployment (R002) as JSON text, made once per version of its row and kept for the next poll.

A page polled every few seconds mostly finds nothing new: one statement, then 304 or the kept text.
"""

from __future__ import annotations

import hashlib
import uuid
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from api.envelope import stamp, written
from api.story import is_done, is_visible, line, steps_of
from db.queries.reading import Reader
from db.queries.status import row_of, story_of
from domain.ids import provisioning_workflow_id, termination_workflow_id
from domain.statuses import Phase
from settings import Settings

Row = dict[str, Any]

LOG_LINES = 200  # source 000 embeds the log in the status; the whole of it is at …/logs
KEPT = 512


@dataclass(frozen=True)
class StatusView:
    """`head` is the JSON object without logs; `logs` the JSON array."""

    etag: str
    head: bytes
    logs: bytes

    def full(self) -> bytes:
        return self.head[:-1] + b',"logs":' + self.logs + b"}"


class StatusCache:
    def __init__(self) -> None:
        self._kept: OrderedDict[uuid.UUID, StatusView] = OrderedDict()

    def get(self, deployment_id: uuid.UUID, etag: str) -> StatusView | None:
        view = self._kept.get(deployment_id)
        return view if view is not None and view.etag == etag else None

    def put(self, deployment_id: uuid.UUID, view: StatusView) -> None:
        self._kept[deployment_id] = view
        self._kept.move_to_end(deployment_id)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)


async def view_of(reader: Reader, cache: StatusCache, settings: Settings, row: Row) -> StatusView:
    """The view of a row just read. The story is read only when the row's version is new."""
    etag = etag_of(row, settings)
    found = cache.get(row["id"], etag)
    if found is not None:
        return found
    events = await story_of(reader, row["id"], lines=LOG_LINES)
    # Lines written after the row was read belong to the next version; the position in the reply must cover its logs.
    events = [event for event in events if event["position"] <= row["position"]]
    lines = [line(event) for event in events if is_visible(event)][-LOG_LINES:]
    view = StatusView(etag, written(status_of(row, settings) | {"steps": steps_of(row, events)}), written(lines))
    cache.put(row["id"], view)
    return view


def etag_of(row: Row, settings: Settings) -> str:
    """Weak: it names the version of what is shown, not the bytes, which carry the reply's own time and id."""
    parts = (row["position"], row["run_id"], row["seq"], row["updated_at"], row["vps_updated_at"],
             can_reveal(row, settings))  # fmt: skip
    version = hashlib.blake2s(repr(parts).encode(), digest_size=6).hexdigest()
    return f'W/"{row["position"]}-{row["seq"]}-{version}"'


def can_reveal(row: Row, settings: Settings) -> bool:
    return bool(row["phase"] == Phase.ACTIVE and row["secret_left"] and not _expired(row, settings))


def _expired(row: Row, settings: Settings) -> bool:
    until = reveal_until(row["secret_expires_at"], row["activated_at"], settings.credentials_days)
    return until is not None and until <= datetime.now(UTC)


def reveal_until(expires_at: datetime | None, activated_at: datetime | None, days: int) -> datetime | None:
    """A run may have waited for an operator longer than a fresh order's claim lasts: the days count from hand-over."""
    known = [moment for moment in (expires_at, activated_at and activated_at + timedelta(days=days)) if moment]
    return max(known) if known else None


def temporal_url(settings: Settings, deployment_id: object, phase: str) -> str:
    ending = phase in (Phase.TERMINATING, Phase.TERMINATED)
    workflow_id = (termination_workflow_id if ending else provisioning_workflow_id)(str(deployment_id))
    return workflow_url(settings, workflow_id)


def workflow_url(settings: Settings, workflow_id: str) -> str:
    base = settings.temporal_ui_url.rstrip("/")
    return f"{base}/namespaces/{quote(settings.temporal_namespace)}/workflows/{quote(workflow_id, safe='')}"


def status_of(row: Row, settings: Settings) -> dict[str, object]:
    """R002's keys first; the rest is ours. Pure but for the clock of an expiring claim."""
    return {
        "id": row["id"],
        "organization_id": row["organization_id"],
        "status": row["status"],
        "status_message": row["status_message"],
        "access_url": row["access_url"],
        "created_at": stamp(row["created_at"]),
        "updated_at": stamp(row["updated_at"]),
        "deploymentId": row["id"],
        "organization_name": row["organization_name"],
        "slug": row["slug"],
        "fqdn": row["assigned_subdomain"],
        "deployment_type": row["deployment_type"],
        "tier": row["tier"],
        "phase": row["phase"],
        "attention": row["attention"],
        "done": is_done(row),
        "error_code": row["error_code"],
        "error_message": row["error_message"],
        "parked": row["parked"],
        "absence": row["absence"],
        "admin_email": row["admin_email"],
        "admin_name": row["admin_name"],
        "inputs": row["inputs"],
        "requested_by": row["requested_by"],
        "vps": _server(row),
        "price_cents_month": row["price_cents_month"],
        "currency": row["currency"],
        "temporal_url": temporal_url(settings, row["id"], row["phase"]),
        "credentials_available": can_reveal(row, settings),
        "started_at": stamp(row["started_at"]),
        "activated_at": stamp(row["activated_at"]),
        "ended_at": stamp(row["ended_at"]),
        "position": row["position"],
    }


def _server(row: Row) -> dict[str, object] | None:
    if row["vps_id"] is None:
        return None
    return {
        "id": row["vps_id"],
        "name": row["vps_name"],
        "ip": row["vps_ip"],
        "hostname": row["vps_hostname"],
        "location": row["location"],
        "product_name": row["product_name"],
        "provider_type": row["provider_type"],
        "status": row["vps_lifecycle"],
        "power_state": row["vps_power_state"],
        "is_shared": row["vps_is_shared"],
        "billed_until": stamp(row["vps_billed_until"]),
    }


async def read_view(
    reader: Reader, cache: StatusCache, settings: Settings, deployment_id: uuid.UUID
) -> tuple[Row, StatusView] | None:
    row = await row_of(reader, deployment_id)
    return None if row is None else (row, await view_of(reader, cache, settings, row))
