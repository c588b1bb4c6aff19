"""What Linode sells, in its JSON shapes and ours, as pure functions. Unknown members and nulls are expected.

Source: the official OpenAPI (API v4), and recorded answers.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from providers.cloud.base import Image, Price, Region, Size, StackScript
from providers.cloud.http import money, texts, whole

CURRENCY = "USD"
ANY_IMAGE = "any/all"  # of a StackScript that fits every image


def size(item: dict[str, Any]) -> Size | None:
    """None where no price is told. Memory and disk are MB on the wire, transfer is GB."""
    price = _prices(item.get("price"))
    if price is None:
        return None
    zones = item.get("region_prices")
    listed = [zone for zone in zones if isinstance(zone, dict)] if isinstance(zones, list) else []
    differing = {str(zone.get("id")): found for zone in listed if (found := _prices(zone)) is not None}
    return Size(
        id=str(item["id"]),
        label=str(item.get("label") or ""),
        vcpus=whole(item.get("vcpus")) or 0,
        memory_mb=whole(item.get("memory")) or 0,
        disk_gb=whole(item.get("disk"), 1024) or 0,
        transfer_gb=whole(item.get("transfer")),
        hourly=price[0],
        monthly=price[1],
        currency=CURRENCY,
        region_prices=differing,
    )


def price(size: Size, zone: str) -> Price:
    """Some regions have prices of their own."""
    hourly, monthly = size.region_prices.get(zone, (size.hourly, size.monthly))
    return Price(product=size.id, cents_month=round(monthly * 100), currency=CURRENCY, hourly=hourly)


def _prices(value: object) -> tuple[Decimal | None, Decimal] | None:
    """(hourly, monthly)."""
    monthly = money(value.get("monthly")) if isinstance(value, dict) else None
    return (money(value.get("hourly")), monthly) if isinstance(value, dict) and monthly is not None else None


def region(item: dict[str, Any]) -> Region:
    """`status` is "ok" or "outage"."""
    return Region(
        id=str(item["id"]),
        label=str(item.get("label") or item["id"]),
        available=item.get("status", "ok") == "ok",
        capabilities=texts(item.get("capabilities")),
    )


def image(item: dict[str, Any]) -> Image:
    """`id` is also what an order takes ("linode/debian13"); those of the account begin with "private/"."""
    public, regions = bool(item.get("is_public")), item.get("regions")
    places = [place for place in regions if isinstance(place, dict)] if isinstance(regions, list) else []
    return Image(
        id=str(item["id"]),
        slug=str(item["id"]),
        label=str(item.get("label") or item["id"]),
        description=str(item.get("description") or ""),
        distribution=str(item.get("vendor") or ""),
        kind="distribution" if public else "custom",
        public=public,
        min_disk_gb=_gigabytes(item.get("size")),
        cloud_init="cloud-init" in texts(item.get("capabilities")),
        regions=[str(place.get("region")) for place in places],
    )


def is_usable(item: dict[str, Any]) -> bool:
    """Not one that is still being made. A deprecated one can be ordered."""
    return str(item.get("status", "available")) == "available"


def stackscript(item: dict[str, Any]) -> StackScript:
    """Without its text, which may be long."""
    fields = item.get("user_defined_fields")
    return StackScript(
        id=int(item["id"]),
        label=str(item.get("label") or ""),
        description=str(item.get("description") or ""),
        images=texts(item.get("images")),
        public=bool(item.get("is_public")),
        fields=[field for field in fields if isinstance(field, dict)] if isinstance(fields, list) else [],
    )


def missing_fields(script: StackScript, data: dict[str, str]) -> list[str]:
    """The names of fields without a default that an order leaves out."""
    named = [(str(field.get("name")), field) for field in script.fields if field.get("name")]
    return [name for name, field in named if "default" not in field and not data.get(name)]


def _gigabytes(megabytes: object) -> int | None:
    """Rounded up: a disk must hold all of it."""
    size = whole(megabytes)
    return -(-size // 1024) if size is not None else None
