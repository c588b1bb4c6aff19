"""What DigitalOcean sells, in its JSON shapes and ours, as pure functions. Unknown members and nulls are expected.

Source: the official OpenAPI (github.com/digitalocean/openapi).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from providers.cloud.base import App, Image, Price, Region, Size
from providers.cloud.digitalocean_wire import transfer_gb
from providers.cloud.http import money, texts, whole

CURRENCY = "USD"
_VERSION = re.compile(r"-(\d+)-(\d+)$")
_SYSTEM = re.compile(r" on (\w+) (\d+)(?:\.(\d+))?")  # in the name of an application's image


def size(item: dict[str, Any]) -> Size | None:
    """None where something that matters is not told."""
    monthly, memory = money(item.get("price_monthly")), whole(item.get("memory"))
    if monthly is None or memory is None:
        return None
    name = str(item.get("description") or "")
    return Size(
        id=str(item["slug"]),
        label=f"{name} - {memory / 1024:g}GB" if name else str(item["slug"]),
        vcpus=whole(item.get("vcpus")) or 0,
        memory_mb=memory,
        disk_gb=whole(item.get("disk")) or 0,
        transfer_gb=transfer_gb(item),
        hourly=money(item.get("price_hourly")),
        monthly=monthly,
        currency=CURRENCY,
        regions=texts(item.get("regions")),
        available=bool(item.get("available", True)),
    )


def price(size: Size) -> Price:
    return Price(product=size.id, cents_month=round(size.monthly * Decimal(100)), currency=CURRENCY,
                 hourly=size.hourly)  # fmt: skip


def region(item: dict[str, Any]) -> Region:
    """`features` are DigitalOcean's words; droplets and volumes are what those say in words of all clouds."""
    features = texts(item.get("features"))
    said = [("droplets", bool(item.get("sizes"))), ("volumes", "storage" in features)]
    return Region(
        id=str(item["slug"]),
        label=str(item.get("name") or item["slug"]),
        available=bool(item.get("available", True)),
        capabilities=[name for name, true in said if true] + features,
    )


def image(item: dict[str, Any], kind: str) -> Image:
    name, distribution = str(item.get("name") or ""), str(item.get("distribution") or "")
    return Image(
        id=str(item["id"]),
        slug=str(item.get("slug") or "") or None,
        label=f"{distribution} {name}".strip() if kind == "distribution" else name,
        description=str(item.get("description") or ""),
        distribution=distribution,
        kind=kind,
        public=bool(item.get("public")),
        min_disk_gb=whole(item.get("min_disk_size")),
        regions=texts(item.get("regions")),
    )


def app_images(one_clicks: Iterable[dict[str, Any]]) -> dict[str, str]:
    """What an order may call an application -> the image that is it: the full slug, and the name before its version
    ("wordpress" for "wordpress-20-04"), which means the newest."""
    slugs = [str(item["slug"]) for item in one_clicks if item.get("slug") and item.get("type") in {"droplet", None}]
    short = {_VERSION.sub("", slug): slug for slug in sorted(slugs, key=_version)}
    return {**short, **{slug: slug for slug in slugs}}


def apps(one_clicks: list[dict[str, Any]], images: list[Image], systems: list[Image]) -> list[App]:
    """The list of 1-Clicks tells slugs only; names come from their images. DigitalOcean tells no category."""
    known = {image.slug: image for image in images}
    systems_by_slug = {system.slug for system in systems}
    names = app_images(one_clicks)
    found = []
    for slug in sorted(set(names.values())):
        short, image = _VERSION.sub("", slug), known.get(slug)
        base = _system_of(image) if image else ""
        found.append(
            App(
                slug=short if names[short] == slug else slug,
                name=(image.label if image else "") or short.replace("-", " ").title(),
                description=image.description if image else "",
                image_slug=slug,
                compatible_images=[base] if base in systems_by_slug else [],
            )
        )
    return found


def _system_of(image: Image) -> str:
    """The slug of the system an application's image was made from, as its name tells it; empty where it does not."""
    told = _SYSTEM.search(image.label)
    return "-".join(part.lower() for part in (*told.groups(), "x64") if part) if told else ""


def _version(slug: str) -> tuple[int, int]:
    version = _VERSION.search(slug)
    return (int(version.group(1)), int(version.group(2))) if version else (0, 0)
