"""TransIP's JSON shapes and ours, as pure functions. Unknown members and nulls are expected everywhere.

Source: the official OpenAPI 6.53 (schema Vps), and gotransip's vps.Order for the order, which that file lacks.
"""

from __future__ import annotations

import base64
import calendar
import re
from datetime import UTC, datetime
from typing import Any

from domain.ids import OWNER_TAG, correlation_tag
from domain.statuses import Tier
from providers.cloud.base import CloudServer, ServerOrder
from providers.errors import InvalidInput

PREFIX = "vps-"
PRODUCTS = {
    Tier.STARTER: "bladevps-x2",
    Tier.PROFESSIONAL: "bladevps-x4",
    Tier.ENTERPRISE: "bladevps-x8",
}
MAX_DESCRIPTION = 32  # characters; longer is answered with 406
MAX_INSTALL_TEXT = 48 * 1024  # bytes before base64

_TAG_START = correlation_tag("")
_TOKEN = re.compile(r"[0-9a-f]{32}")


def wire_product(product: str) -> str:
    return product if product.startswith(PREFIX) else PREFIX + product


def short_product(name: str) -> str:
    return name.removeprefix(PREFIX)


def order_body(order: ServerOrder) -> dict[str, Any]:
    """The body of POST /vps. Tags cannot be given here, so the description carries the correlation token."""
    check_lengths(order)
    body: dict[str, Any] = {
        "productName": wire_product(order.product),
        "operatingSystem": order.operating_system,
        "availabilityZone": order.availability_zone,
        "description": order.correlation,
        "installFlavour": "cloudinit",
        "hostname": order.hostname,
        "sshKeys": order.ssh_keys,
    }
    if order.user_data:
        body["base64InstallText"] = base64.b64encode(order.user_data.encode()).decode()
    return body


def check_lengths(order: ServerOrder) -> None:
    if not 0 < len(order.correlation) <= MAX_DESCRIPTION:
        raise InvalidInput(f"the correlation token must have 1 to {MAX_DESCRIPTION} characters", provider="transip",
                           field="correlation")  # fmt: skip
    size = len(order.user_data.encode())
    if size > MAX_INSTALL_TEXT:
        raise InvalidInput(f"the cloud-init text has {size} bytes, TransIP takes {MAX_INSTALL_TEXT}",
                           provider="transip", field="user_data")  # fmt: skip


def server(vps: dict[str, Any]) -> CloudServer:
    """A `Vps` of the API in the vocabulary of all clouds. memorySize and diskSize are kB on the wire."""
    description, tags = str(vps.get("description") or ""), tags_of(vps)
    status = str(vps.get("status") or "unknown")
    return CloudServer(
        provider_ref=str(vps["name"]),
        correlation=_correlation(description, tags),
        label=description,
        status=status,
        running=status == "running",
        locked=bool(vps.get("isLocked")),  # a process runs; a customer's lock does not end by waiting
        blocked=bool(vps.get("isBlocked")),
        address=str(vps.get("ipAddress") or "") or None,
        location=str(vps.get("availabilityZone") or ""),
        product=short_product(str(vps.get("productName") or "")),
        cpus=_whole(vps.get("cpus")),
        memory_mb=_whole(vps.get("memorySize"), 1024),
        disk_gb=_whole(vps.get("diskSize"), 1024 * 1024),
        tags=tags,
    )


def carries(server: CloudServer, correlation: str) -> bool:
    return server.label == correlation or correlation_tag(correlation) in server.tags


def tags_of(vps: dict[str, Any]) -> list[str]:
    tags = vps.get("tags")
    return [str(tag) for tag in tags] if isinstance(tags, list) else []


def claimed(vps: dict[str, Any], *, label: str, correlation: str) -> dict[str, Any]:
    """The same VPS with our label and tags. PUT replaces all tags, so those of others are kept here."""
    ours = [OWNER_TAG, correlation_tag(correlation)]
    tags = ours + [tag for tag in tags_of(vps) if tag not in ours]
    return {**vps, "description": label[:MAX_DESCRIPTION], "tags": tags}


def owner_of(vps: dict[str, Any]) -> str | None:
    """The correlation token in the tags, if any: the proof of an earlier claim."""
    return next((tag.removeprefix(_TAG_START) for tag in tags_of(vps) if tag.startswith(_TAG_START)), None)


def period_end(created_at: object, now: datetime) -> datetime:
    """The next monthly anniversary of a creation time ("YYYY-MM-DD HH:MM:SS", UTC), or of now where none is told.

    The API tells no contract end. A month is the shortest contract there is, so this is the earliest end of billing.
    """
    try:
        created = datetime.strptime(str(created_at), "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        created = now
    months = max(0, (now.year - created.year) * 12 + now.month - created.month)
    end = _add_months(created, months)
    return end if end > now else _add_months(created, months + 1)


def _add_months(start: datetime, months: int) -> datetime:
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    return start.replace(year=year, month=month + 1, day=min(start.day, calendar.monthrange(year, month + 1)[1]))


def _correlation(description: str, tags: list[str]) -> str | None:
    tagged = next((tag.removeprefix(_TAG_START) for tag in tags if tag.startswith(_TAG_START)), None)
    if tagged is not None:
        return tagged
    return description if _TOKEN.fullmatch(description) else None


def _whole(value: object, unit: int = 1) -> int | None:
    return int(value) // unit if isinstance(value, int | float) else None
