"""DigitalOcean's JSON shapes and ours, as pure functions. Unknown members and nulls are expected everywhere.

Source: the official OpenAPI (github.com/digitalocean/openapi).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import Any

from domain.ids import OWNER_TAG, correlation_tag
from domain.servers import ActionState
from domain.statuses import Tier
from providers.cloud.base import CloudServer, OrderReceipt, ServerOrder
from providers.cloud.common import refuse_options
from providers.cloud.http import tag_after, texts, whole
from providers.errors import InvalidInput

PROVIDER = "digitalocean"
TIERS = {
    Tier.STARTER: "s-1vcpu-2gb",
    Tier.PROFESSIONAL: "s-2vcpu-4gb",
    Tier.ENTERPRISE: "s-4vcpu-8gb",
}
MAX_USER_DATA = 64 * 1024  # bytes
MAX_NAME = 255
OFF = frozenset({"off", "archive"})  # statuses of a droplet that is powered off

_TAG_START = correlation_tag("")
_TAG = re.compile(r"[A-Za-z0-9_:-]{1,255}")
_NOT_IN_A_NAME = re.compile(r"[^a-zA-Z0-9.-]+")
_KEY_REFERENCE = re.compile(r"\d+|[0-9a-f]{2}(:[0-9a-f]{2}){15}")


# ---- an order


def check(order: ServerOrder) -> None:
    """What can be refused without asking. A root password has no field at this cloud: it is the caller's to put into
    the cloud-init text. A private address is what every droplet has."""
    refuse_options(order, "stackscript", provider=PROVIDER, title="DigitalOcean")
    if not order.correlation:
        raise _invalid("the correlation token must not be empty", "correlation")
    size = len(order.user_data.encode())
    if size > MAX_USER_DATA:
        raise _invalid(f"the cloud-init text has {size} bytes, DigitalOcean takes {MAX_USER_DATA}", "user_data")
    if any(ord(character) > 0xFFFF for character in order.user_data):
        # Such a droplet is accepted with 202 and vanishes.
        raise _invalid("DigitalOcean takes no characters beyond U+FFFF (emoji, for instance) in a cloud-init text",
                       "user_data")  # fmt: skip
    if order.product.startswith("gpu-"):
        raise _invalid("a search by tag leaves GPU droplets out, so one could not be found again", "product")
    for tag in tags_of(order):
        if not _TAG.fullmatch(tag):
            raise _invalid(f"'{tag}' is no tag: letters, digits, colons, dashes and underscores only", "tags")
    for key in order.ssh_keys:
        if not is_key_reference(key):
            fingerprint(key)


def order_body(order: ServerOrder, *, image: str, keys: list[int | str]) -> dict[str, Any]:
    """The body of POST /v2/droplets for one droplet. `image` is a slug or an id, `keys` are ids or fingerprints."""
    body: dict[str, Any] = {
        "name": name_of(order.hostname),
        "region": order.availability_zone,
        "size": order.product,
        "image": int(image) if image.isdigit() else image,
        "ssh_keys": keys,
        "backups": order.backups,
        "ipv6": order.ipv6,
        "monitoring": order.monitoring,
        "tags": tags_of(order),
    }
    if order.user_data:
        body["user_data"] = order.user_data
    if order.vpc:
        body["vpc_uuid"] = order.vpc
    return body


def tags_of(order: ServerOrder) -> list[str]:
    ours = our_tags(order.correlation)
    return ours + [tag for tag in order.tags if tag not in ours]


def our_tags(correlation: str) -> list[str]:
    return [OWNER_TAG, correlation_tag(correlation)]


def name_of(label: str) -> str:
    """A label as a droplet may be named: also its hostname, hence these characters only."""
    return _NOT_IN_A_NAME.sub("-", label)[:MAX_NAME].strip("-.") or "server"


# ---- SSH keys


def is_key_reference(key: str) -> bool:
    """Whether it is the id or the fingerprint of a key the account has, rather than a key."""
    return _KEY_REFERENCE.fullmatch(key) is not None


def key_reference(key: str) -> int | str:
    return int(key) if key.isdigit() else key


def fingerprint(public_key: str) -> str:
    """The MD5 fingerprint by which DigitalOcean knows an OpenSSH public key. InvalidInput where it is none."""
    try:
        blob = base64.b64decode(public_key.split()[1], validate=True)
    except (IndexError, binascii.Error):
        raise _invalid("an SSH key is neither an OpenSSH public key nor the id or fingerprint of one",
                       "ssh_keys") from None  # fmt: skip
    digest = hashlib.md5(blob, usedforsecurity=False).hexdigest()
    return ":".join(digest[i : i + 2] for i in range(0, 32, 2))


# ---- droplets


def server(droplet: dict[str, Any]) -> CloudServer:
    """A droplet in the vocabulary of all clouds. `locked` is DigitalOcean's word for an action under way."""
    status, tags = str(droplet.get("status") or "unknown"), texts(droplet.get("tags"))
    region, size = _part(droplet, "region"), _part(droplet, "size")
    return CloudServer(
        provider_ref=str(droplet["id"]),
        correlation=tag_after(tags, _TAG_START),
        label=str(droplet.get("name") or ""),
        status=status,
        running=status == "active",
        locked=bool(droplet.get("locked")) or status == "new",
        address=_address(droplet, "v4"),
        ipv6_address=_address(droplet, "v6"),
        location=str(region.get("slug") or ""),
        product=str(droplet.get("size_slug") or size.get("slug") or ""),
        cpus=whole(droplet.get("vcpus")),
        memory_mb=whole(droplet.get("memory")),
        disk_gb=whole(droplet.get("disk")),
        transfer_gb=transfer_gb(size),
        tags=tags,
    )


def _address(droplet: dict[str, Any], version: str) -> str | None:
    """The public one; a droplet has private ones of its VPC as well, and none at all in its first seconds."""
    networks = _part(droplet, "networks").get(version)
    for network in networks if isinstance(networks, list) else []:
        if isinstance(network, dict) and network.get("type") == "public" and network.get("ip_address"):
            return str(network["ip_address"])
    return None


def _part(body: dict[str, Any], name: str) -> dict[str, Any]:
    part = body.get(name)
    return part if isinstance(part, dict) else {}


def transfer_gb(size: dict[str, Any]) -> int | None:
    """TB on the wire, GB here."""
    terabytes = size.get("transfer")
    return round(terabytes * 1000) if isinstance(terabytes, int | float) else None


# ---- answers to calls


def receipt(body: object) -> OrderReceipt | None:
    """Of an accepted create; None where the answer names no droplet."""
    if not isinstance(body, dict):
        return None
    several = body.get("droplets")  # how a create of several is answered, which may hold one
    droplet = several[0] if isinstance(several, list) and len(several) == 1 else body.get("droplet")
    if not isinstance(droplet, dict) or not droplet.get("id"):
        return None
    actions = _part(body, "links").get("actions")
    created = [a for a in actions if isinstance(a, dict) and a.get("id")] if isinstance(actions, list) else []
    return OrderReceipt(provider_ref=str(droplet["id"]), action_ref=str(created[0]["id"]) if created else None)


def action_of(body: object) -> str | None:
    """The process that an accepted action began."""
    ref = _part(body, "action").get("id") if isinstance(body, dict) else None
    return str(ref) if ref else None


def action_state(action: dict[str, Any]) -> ActionState:
    return {"completed": ActionState.DONE, "errored": ActionState.FAILED}.get(
        str(action["status"]), ActionState.RUNNING
    )


def is_create_running(action: dict[str, Any]) -> bool:
    return action.get("type") == "create" and action.get("status") == "in-progress"


def resources(provider_ref: str) -> dict[str, Any]:
    return {"resources": [{"resource_id": provider_ref, "resource_type": "droplet"}]}


def _invalid(message: str, field: str) -> InvalidInput:
    return InvalidInput(message, provider=PROVIDER, field=field)
