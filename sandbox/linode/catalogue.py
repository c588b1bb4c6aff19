"""What the sandbox's Linode sells. Names, shapes and prices are Linode's of 2026; the list is a short one.

Every image boots the one plain Debian that the sandbox's hosts have, and no StackScript is run: a Linode's record says
what was asked for.
"""

from __future__ import annotations

from typing import Any, NamedTuple

CREATED = "2026-01-05T05:47:50"


class Plan(NamedTuple):
    id: str
    label: str
    hourly: float
    monthly: float
    memory_mb: int
    disk_mb: int
    transfer_gb: int
    vcpus: int
    backups: tuple[float, float]  # (hourly, monthly)
    kind: str = "standard"


PLANS = {
    plan.id: plan
    for plan in (
        Plan("g6-nanode-1", "Nanode 1GB", 0.0075, 5.0, 1024, 25600, 1000, 1, (0.003, 2.0), "nanode"),
        Plan("g6-standard-1", "Linode 2GB", 0.018, 12.0, 2048, 51200, 2000, 1, (0.004, 2.5)),
        Plan("g6-standard-2", "Linode 4GB", 0.036, 24.0, 4096, 81920, 4000, 2, (0.008, 5.0)),
        Plan("g6-standard-4", "Linode 8GB", 0.072, 48.0, 8192, 163840, 5000, 4, (0.015, 10.0)),
        Plan("g6-standard-6", "Linode 16GB", 0.144, 96.0, 16384, 327680, 8000, 6, (0.03, 20.0)),
        Plan("g6-dedicated-2", "Dedicated 4GB", 0.054, 36.0, 4096, 81920, 4000, 2, (0.008, 5.0), "dedicated"),
        Plan("g6-dedicated-4", "Dedicated 8GB", 0.108, 72.0, 8192, 163840, 5000, 4, (0.015, 10.0), "dedicated"),
    )
}
# Where it is dearer.
FACTORS = {"id-cgk": 1.2, "br-gru": 1.4}

REGIONS = {
    "nl-ams": "Amsterdam, NL",
    "de-fra-2": "Frankfurt 2, DE",
    "gb-lon": "London 2, UK",
    "fr-par": "Paris, FR",
    "us-east": "Newark, NJ",
    "us-ord": "Chicago, IL",
    "id-cgk": "Jakarta, ID",
    "br-gru": "Sao Paulo, BR",
    "ap-west": "Mumbai, IN",
}
COUNTRIES = {"us-east": "us", "us-ord": "us", "gb-lon": "gb", "ap-west": "in"}
WITHOUT_METADATA = {"ap-west"}


class Image(NamedTuple):
    id: str
    label: str
    vendor: str | None
    size_mb: int
    cloud_init: bool = True
    deprecated: bool = False


IMAGES = {
    image.id: image
    for image in (
        Image("linode/debian11", "Debian 11", "Debian", 1500),
        Image("linode/debian12", "Debian 12", "Debian", 1800),
        Image("linode/debian13", "Debian 13", "Debian", 1800),
        Image("linode/ubuntu22.04", "Ubuntu 22.04 LTS", "Ubuntu", 3500),
        Image("linode/ubuntu24.04", "Ubuntu 24.04 LTS", "Ubuntu", 3500),
        Image("linode/ubuntu20.04", "Ubuntu 20.04 LTS", "Ubuntu", 3500, deprecated=True),
        Image("linode/rocky9", "Rocky Linux 9", "Rocky", 2500),
        Image("linode/slackware15.0", "Slackware 15.0", "Slackware", 11600, cloud_init=False),
        Image("private/84470", "golden", None, 1900),
    )
}

# What Linode's own people offer to everybody: (id, label, description, images, script).
STACKSCRIPTS = (
    (
        401697,
        "WordPress One-Click",
        "WordPress with a database beside it",
        ["linode/ubuntu22.04", "linode/ubuntu24.04", "linode/debian13"],
        '#!/bin/bash\n# <UDF name="soa_email_address" label="E-mail address" example="user@example.com">\n'
        '# <UDF name="webserver_stack" label="The stack" oneOf="Apache,NGINX" default="Apache">\n',
    ),
    (
        607433,
        "Docker One-Click",
        "Docker and its compose plugin",
        ["linode/ubuntu24.04", "linode/debian13"],
        "#!/bin/bash\napt-get install -y docker.io\n",
    ),
)


def hourly(plan: Plan, region: str, *, backups: bool = False) -> float:
    return round((plan.hourly + (plan.backups[0] if backups else 0)) * FACTORS.get(region, 1), 5)


def price(terms: tuple[float, float]) -> dict[str, Any]:
    dearer = [
        {"id": region, "hourly": round(terms[0] * factor, 4), "monthly": round(terms[1] * factor, 2)}
        for region, factor in FACTORS.items()
    ]
    return {"price": {"hourly": terms[0], "monthly": terms[1]}, "region_prices": dearer}


def plan(shown: Plan) -> dict[str, Any]:
    return {
        "id": shown.id,
        "label": shown.label,
        **price((shown.hourly, shown.monthly)),
        "addons": {"backups": price(shown.backups)},
        "memory": shown.memory_mb,
        "disk": shown.disk_mb,
        "transfer": shown.transfer_gb,
        "vcpus": shown.vcpus,
        "gpus": 0,
        "accelerated_devices": 0,
        "network_out": shown.transfer_gb,
        "class": shown.kind,
        "successor": None,
    }


def region(slug: str) -> dict[str, Any]:
    capabilities = ["Linodes", "Backups", "NodeBalancers", "Block Storage", "Kubernetes", "Cloud Firewall", "Vlans",
                    "VPCs", "Managed Databases", "Placement Group", "StackScripts"]  # fmt: skip
    return {
        "id": slug,
        "label": REGIONS[slug],
        "country": COUNTRIES.get(slug, slug[:2]),
        "capabilities": capabilities + ([] if slug in WITHOUT_METADATA else ["Metadata"]),
        "monitors": {"alerts": [], "metrics": []},
        "status": "ok",
        "resolvers": {"ipv4": "192.0.2.5,192.0.2.6", "ipv6": "2001:db8::5,2001:db8::6"},
        "placement_group_limits": {
            "maximum_pgs_per_customer": None,
            "maximum_linodes_per_pg": 5,
            "maximum_linodes_per_flexible_pg": 5,
        },
        "site_type": "core",
    }


def image(shown: Image) -> dict[str, Any]:
    public = shown.id.startswith("linode/")
    return {
        "id": shown.id,
        "label": shown.label,
        "description": "",
        "created": CREATED,
        "updated": CREATED,
        "size": shown.size_mb,
        "total_size": shown.size_mb,
        "created_by": "linode" if public else "acme",
        "type": "manual",
        "tags": [],
        "is_public": public,
        "is_shared": False,
        "deprecated": shown.deprecated,
        "vendor": shown.vendor,
        "expiry": None,
        "eol": "2028-06-30T04:00:00" if public else None,
        "status": "available",
        "capabilities": ["cloud-init"] if shown.cloud_init else [],
        "regions": [],
    }
