"""What the sandbox's DigitalOcean sells. Slugs, shapes and monthly prices are DigitalOcean's; the list is a short one.

Every image and every 1-Click application boots the one plain Debian that the sandbox's hosts have; a droplet's record
says what was asked for.
"""

from __future__ import annotations

from typing import Any, NamedTuple

HOURS = 672  # of a month, as DigitalOcean's bill caps it
FEATURES = ["backups", "ipv6", "metadata", "install_agent", "storage", "image_transfer"]


class Size(NamedTuple):
    slug: str
    memory_mb: int
    vcpus: int
    disk_gb: int
    transfer_tb: float
    monthly: float
    kind: str = "Basic"
    regions: tuple[str, ...] = ()  # empty means all

    @property
    def hourly(self) -> float:
        return round(self.monthly / HOURS, 5)


class Image(NamedTuple):
    id: int
    slug: str | None
    name: str
    distribution: str
    kind: str  # distribution, application or private
    min_disk_gb: int = 10


REGIONS = {
    "ams3": "Amsterdam 3",
    "fra1": "Frankfurt 1",
    "lon1": "London 1",
    "nyc1": "New York 1",
    "nyc3": "New York 3",
    "sfo3": "San Francisco 3",
    "sgp1": "Singapore 1",
    "tor1": "Toronto 1",
}
CLOSED = {"nyc2": "New York 2"}  # listed, and nothing can be made there

SIZES = {
    size.slug: size
    for size in (
        Size("s-1vcpu-512mb-10gb", 512, 1, 10, 0.5, 4, regions=("ams3", "fra1", "nyc1", "nyc3", "sfo3", "sgp1")),
        Size("s-1vcpu-1gb", 1024, 1, 25, 1, 6),
        Size("s-1vcpu-2gb", 2048, 1, 50, 2, 12),
        Size("s-2vcpu-2gb", 2048, 2, 60, 3, 18),
        Size("s-2vcpu-4gb", 4096, 2, 80, 4, 24),
        Size("s-4vcpu-8gb", 8192, 4, 160, 5, 48),
        Size("s-8vcpu-16gb", 16384, 8, 320, 6, 96),
        Size("c-2", 4096, 2, 25, 4, 42, "CPU-Optimized"),
    )
}

IMAGES = (
    Image(159651797, "debian-12-x64", "12 x64", "Debian", "distribution"),
    Image(196151280, "debian-13-x64", "13 x64", "Debian", "distribution"),
    Image(129211873, "ubuntu-22-04-x64", "22.04 (LTS) x64", "Ubuntu", "distribution"),
    Image(155133621, "ubuntu-24-04-x64", "24.04 (LTS) x64", "Ubuntu", "distribution"),
    Image(161181061, "rockylinux-9-x64", "9 x64", "Rocky Linux", "distribution"),
    Image(161230519, "docker-20-04", "Docker on Ubuntu 22.04", "Ubuntu", "application", 25),
    Image(148914063, "wordpress-20-04", "WordPress on Ubuntu 22.04", "Ubuntu", "application", 25),
    Image(148914080, "lamp-20-04", "LAMP on Ubuntu 22.04", "Ubuntu", "application", 25),
    Image(148914101, "nodejs-20-04", "NodeJS on Ubuntu 22.04", "Ubuntu", "application", 25),
    Image(178230451, None, "golden", "Debian", "private", 25),
)
KUBERNETES_CLICKS = ("monitoring", "loki")

CREATED = "2026-01-05T05:47:50Z"


def image_of(wanted: object) -> Image | None:
    """By id or by slug."""
    for image in IMAGES:
        if wanted == image.id or (image.slug is not None and wanted == image.slug) or wanted == str(image.id):
            return image
    return None


def image(shown: Image) -> dict[str, Any]:
    public = shown.kind != "private"
    return {
        "id": shown.id,
        "name": shown.name,
        "distribution": shown.distribution,
        "slug": shown.slug,
        "public": public,
        "regions": [*REGIONS] if public else ["ams3"],
        "created_at": CREATED,
        "min_disk_size": shown.min_disk_gb,
        "type": "base" if shown.kind == "distribution" else "snapshot",
        "size_gigabytes": 2.36,
        "description": f"{shown.distribution} {shown.name}",
        "tags": [],
        "status": "available",
        "error_message": "",
    }


def size(shown: Size) -> dict[str, Any]:
    return {
        "slug": shown.slug,
        "memory": shown.memory_mb,
        "vcpus": shown.vcpus,
        "disk": shown.disk_gb,
        "transfer": shown.transfer_tb,
        "price_monthly": shown.monthly,
        "price_hourly": shown.hourly,
        "regions": [*(shown.regions or REGIONS)],
        "available": True,
        "description": shown.kind,
        "disk_info": disks(shown),
    }


def disks(shown: Size) -> list[dict[str, Any]]:
    return [{"type": "local", "size": {"amount": shown.disk_gb, "unit": "gib"}}]


def region(slug: str) -> dict[str, Any]:
    sizes = [shown.slug for shown in SIZES.values() if slug in (shown.regions or REGIONS)]
    return {
        "name": {**REGIONS, **CLOSED}[slug],
        "slug": slug,
        "features": FEATURES,
        "available": slug in REGIONS,
        "sizes": sizes,
    }


def one_clicks(kind: str | None) -> list[dict[str, str]]:
    droplets = [{"slug": str(shown.slug), "type": "droplet"} for shown in IMAGES if shown.kind == "application"]
    clusters = [{"slug": slug, "type": "kubernetes"} for slug in KUBERNETES_CLICKS]
    return [click for click in droplets + clusters if kind in {None, click["type"]}]
