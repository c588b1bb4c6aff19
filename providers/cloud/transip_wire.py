"""TransIP's JSON shapes and ours, as pure functions. Unknown members and nulls are expected everywhere.

Source: the official OpenAPI 6.53 (schema Vps), and gotransip's vps.Order for the order, which that file lacks.
"""

from __future__ import annotations

import base64
import calendar
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from domain.ids import OWNER_TAG, correlation_tag
from domain.servers import PowerAction
from domain.statuses import Tier
from providers.cloud.base import CloudServer, Image, Region, ServerOrder, Size
from providers.cloud.common import refuse_options
from providers.cloud.http import tag_after, texts, whole
from providers.errors import InvalidInput

PREFIX = "vps-"
PRODUCTS = {
    Tier.STARTER: "bladevps-x2",
    Tier.PROFESSIONAL: "bladevps-x4",
    Tier.ENTERPRISE: "bladevps-x8",
}
CURRENCY = "EUR"
POWER = {
    PowerAction.POWER_ON: "start",
    PowerAction.SHUTDOWN: "stop",
    PowerAction.POWER_OFF: "stop",
    PowerAction.REBOOT: "reset",
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
    check(order)
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


def check(order: ServerOrder) -> None:
    """Every server has IPv6 there, and a root password goes into the cloud-init text, which is the caller's."""
    refuse_options(order, "backups", "monitoring", "private_ip", "vpc", "app", "stackscript", provider="transip",
                   title="TransIP")  # fmt: skip
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
        cpus=whole(vps.get("cpus")),
        memory_mb=whole(vps.get("memorySize"), 1024),
        disk_gb=whole(vps.get("diskSize"), 1024 * 1024),
        tags=tags,
    )


def ipv6_of(addresses: list[dict[str, Any]]) -> str | None:
    """The first IPv6 address out of GET /vps/{name}/ip-addresses; a VPS itself shows IPv4 only."""
    return next((str(item["address"]) for item in addresses if ":" in str(item.get("address"))), None)


def cents_of(product: dict[str, Any]) -> int | None:
    """What each following month costs, else the first."""
    amounts = (product.get("recurringPrice"), product.get("price"))
    return next((round(amount) for amount in amounts if isinstance(amount, int | float)), None)


def size(product: dict[str, Any], elements: list[dict[str, Any]]) -> Size | None:
    """A product as something to buy; None where its price is not told. Sizes of elements are kB, as in a VPS."""
    cents = cents_of(product)
    if cents is None:
        return None

    def amount(word: str, unit: int = 1) -> int:
        found = (whole(item.get("amount"), unit) for item in elements if word in str(item.get("name")).lower())
        return next((number for number in found if number is not None), 0)

    return Size(
        id=short_product(str(product["name"])),
        label=str(product.get("description") or ""),
        vcpus=amount("cpu"),
        memory_mb=amount("memory", 1024),
        disk_gb=amount("disk", 1024 * 1024),
        monthly=Decimal(cents) / 100,
        currency=CURRENCY,
    )


def has_cloud_init(system: dict[str, Any]) -> bool:
    flavours = system.get("installFlavours")
    return flavours is None or "cloudinit" in flavours


def image(system: dict[str, Any]) -> Image:
    """`id` is what an order takes; a VPS later shows the description."""
    name, description = str(system["name"]), str(system.get("description") or "")
    return Image(id=name, slug=name, label=description or name, description=description,
                 distribution=str(system.get("baseName") or ""), cloud_init=has_cloud_init(system))  # fmt: skip


def region(zone: dict[str, Any]) -> Region:
    return Region(id=str(zone["name"]), label=str(zone.get("displayName") or zone["name"]))


def power_body(action: PowerAction) -> dict[str, str]:
    """TransIP has one way to stop, and says not whether the system is asked first. InvalidInput for what it has not."""
    if action not in POWER:
        raise InvalidInput(f"TransIP has no action '{action}'", provider="transip", field="action")
    return {"action": POWER[action]}


def carries(server: CloudServer, correlation: str) -> bool:
    return server.label == correlation or correlation_tag(correlation) in server.tags


def tags_of(vps: dict[str, Any]) -> list[str]:
    return texts(vps.get("tags"))


def claimed(vps: dict[str, Any], *, label: str, correlation: str) -> dict[str, Any]:
    """The same VPS with our label and tags. PUT replaces all tags, so those of others are kept here."""
    ours = [OWNER_TAG, correlation_tag(correlation)]
    tags = ours + [tag for tag in tags_of(vps) if tag not in ours]
    return {**vps, "description": label[:MAX_DESCRIPTION], "tags": tags}


def owner_of(vps: dict[str, Any]) -> str | None:
    """The correlation token in the tags, if any: the proof of an earlier claim."""
    return tag_after(tags_of(vps), _TAG_START)


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
    tagged = tag_after(tags, _TAG_START)
    if tagged is not None:
        return tagged
    return description if _TOKEN.fullmatch(description) else None
