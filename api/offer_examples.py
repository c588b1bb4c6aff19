"""The documented replies of the lists (source 001), shown by the API's own page and checked by tests."""

from __future__ import annotations

from typing import Any

from domain.servers import ProviderType

MARKETPLACE: dict[str, Any] = {
    "apps": [
        {
            "slug": "wordpress",
            "name": "WordPress",
            "description": "WordPress is a popular content management system",
            "category": "CMS",
            "image_slug": "wordpress-20-04",
            "compatible_images": ["ubuntu-20-04-x64", "ubuntu-22-04-x64"],
        },
        {
            "slug": "docker",
            "name": "Docker",
            "description": "Docker container platform",
            "category": "Development",
            "image_slug": "docker-20-04",
            "compatible_images": ["ubuntu-20-04-x64", "ubuntu-22-04-x64"],
        },
    ]
}
IMAGES: dict[str, Any] = {
    "images": [
        {
            "id": "123456",
            "slug": "ubuntu-22-04-x64",
            "label": "Ubuntu 22.04 x64",
            "description": "Ubuntu 22.04 LTS",
            "distribution": "Ubuntu",
            "public": True,
            "minDiskSize": 15,
        },
        {
            "id": "123457",
            "slug": "debian-11-x64",
            "label": "Debian 11 x64",
            "description": "Debian 11",
            "distribution": "Debian",
            "public": True,
            "minDiskSize": 15,
        },
    ]
}
SIZES: dict[str, Any] = {
    "sizes": [
        {
            "id": "s-1vcpu-1gb",
            "label": "Basic - 1GB",
            "vcpus": 1,
            "memory": 1024,
            "disk": 25,
            "transfer": 1000,
            "price": {"hourly": 0.00893, "monthly": 6.00},
            "regions": ["nyc1", "nyc3", "sfo3", "ams3"],
        }
    ]
}
REGIONS: dict[str, Any] = {
    "regions": [
        {
            "id": "nyc3",
            "label": "New York 3",
            "available": True,
            "capabilities": ["droplets", "load_balancers", "volumes"],
        },
        {
            "id": "sfo3",
            "label": "San Francisco 3",
            "available": True,
            "capabilities": ["droplets", "load_balancers", "volumes"],
        },
    ]
}


def _example(body: dict[str, Any]) -> dict[int | str, dict[str, Any]]:
    return {200: {"content": {"application/json": {"example": body}}, "description": "The list, from the cache"}}


EXAMPLES = {
    (ProviderType.DIGITALOCEAN, "marketplace"): _example(MARKETPLACE),
    (ProviderType.DIGITALOCEAN, "images"): _example(IMAGES),
    (ProviderType.DIGITALOCEAN, "sizes"): _example(SIZES),
    (ProviderType.DIGITALOCEAN, "regions"): _example(REGIONS),
}
