"""What the sandbox's TransIP sells. Names and shapes are TransIP's; prices are made up, since the real ones move."""

from __future__ import annotations

from typing import Any, NamedTuple


class Product(NamedTuple):
    name: str
    description: str
    cents: int  # a month
    cpus: int
    memory_mb: int
    disk_gb: int


PRODUCTS = (
    Product("vps-bladevps-x1", "BladeVPS X1", 1000, 1, 2048, 50),
    Product("vps-bladevps-x2", "BladeVPS X2", 2000, 2, 4096, 100),
    Product("vps-bladevps-x4", "BladeVPS X4", 4000, 4, 8192, 150),
    Product("vps-bladevps-x8", "BladeVPS X8", 8000, 8, 16384, 300),
)
BY_NAME = {product.name: product for product in PRODUCTS}

ADDONS = {
    "vpsAddon-1-extra-cpu-core": ("1 extra CPU core", 1000),
    "vps-addon-1-extra-ip-address": ("1 extra IP address", 250),
}

ZONES = ("ams0", "rtm0")

CLOUD_IMAGES = {
    "debian-12": ("Debian", "12", "Debian 12 (bookworm)"),
    "debian-13": ("Debian", "13", "Debian 13 (trixie)"),
    "ubuntu-22.04": ("Ubuntu", "22.04 LTS", "Ubuntu 22.04 LTS"),
    "ubuntu-24.04": ("Ubuntu", "24.04 LTS", "Ubuntu 24.04 LTS"),
}
INSTALLERS = {"windows-2022-standard": ("Windows", "2022", "Windows Server 2022 Standard")}
FLAVOURS = {name: ["installer", "preinstallable", "cloudinit"] for name in CLOUD_IMAGES}
FLAVOURS |= {name: ["preinstallable"] for name in INSTALLERS}


def products() -> dict[str, list[dict[str, Any]]]:
    return {
        "vps": [priced(p.name, p.description, p.cents) for p in PRODUCTS],
        "vpsAddon": [priced(name, text, cents) for name, (text, cents) in ADDONS.items()],
        "haip": [],
        "bigStorage": [],
        "privateNetworks": [],
    }


def priced(name: str, description: str, cents: int) -> dict[str, Any]:
    return {"name": name, "description": description, "price": cents, "recurringPrice": cents}


def elements(product: Product) -> list[dict[str, Any]]:
    return [
        {"name": "ipv4Addresses", "description": "amount of ipv4Addresses for a vps", "amount": 1},
        {"name": "cpuCores", "description": "amount of cpu cores for a vps", "amount": product.cpus},
        {"name": "memorySize", "description": "memory of a vps in kB", "amount": product.memory_mb * 1024},
        {"name": "diskSize", "description": "disk of a vps in kB", "amount": product.disk_gb * 1024 * 1024},
    ]


def zones() -> list[dict[str, Any]]:
    shown = {"ams0": "Amsterdam", "rtm0": "Rotterdam"}
    return [
        {"name": name, "country": "nl", "displayName": shown[name], "isDefault": name == ZONES[0]} for name in ZONES
    ]


def operating_systems() -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "baseName": base,
            "description": description,
            "version": version,
            "isDefault": name == "debian-13",
            "isPreinstallableImage": False,
            "installFlavours": FLAVOURS[name],
            "installFields": ["hostname", "username", "sshKeys"],
            "licenses": [],
            "price": 0,
        }
        for name, (base, version, description) in {**CLOUD_IMAGES, **INSTALLERS}.items()
    ]
