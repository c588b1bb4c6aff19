"""Linode's JSON shapes and ours, as pure functions. Unknown members and nulls are expected everywhere.

Source: the official OpenAPI (API v4), and recorded answers for what that file has wrong.
"""

from __future__ import annotations

import base64
import re
from typing import Any

from domain.ids import OWNER_TAG, correlation_tag
from domain.servers import PowerAction
from domain.statuses import Tier
from providers.cloud.base import CloudServer, ServerOrder
from providers.cloud.common import refuse_options
from providers.cloud.http import tag_after, texts, whole
from providers.errors import InvalidInput

PROVIDER = "linode"
TIERS = {
    Tier.STARTER: "g6-standard-1",
    Tier.PROFESSIONAL: "g6-standard-2",
    Tier.ENTERPRISE: "g6-standard-4",
}
# There is no call that unplugs a Linode: the one that stops it stands for both ways.
POWER = {
    PowerAction.POWER_ON: "boot",
    PowerAction.SHUTDOWN: "shutdown",
    PowerAction.POWER_OFF: "shutdown",
    PowerAction.REBOOT: "reboot",
}
OFF = frozenset({"offline", "stopped"})
# A process runs, and the next call is answered "Linode busy."
WORKING = frozenset(
    {"booting", "busy", "rebooting", "shutting_down", "provisioning", "deleting", "migrating", "rebuilding", "cloning",
     "restoring"}
)  # fmt: skip
MAX_USER_DATA = 65535  # bytes before base64
MAX_LABEL = 64
MIN_LABEL = 3
MAX_TAG = 50

_TAG_START = correlation_tag("")
_TOKEN = re.compile(r"[0-9a-f]{32}")
_NOT_IN_A_LABEL = re.compile(r"[^a-zA-Z0-9._-]+")
_REPEATED = re.compile(r"([._-])\1+")
_PRIVATE = "192.168."  # Linode's own range of private addresses is in here


# ---- an order


def check(order: ServerOrder) -> None:
    """What can be refused without asking. Every Linode has an IPv6 address."""
    refuse_options(order, "app", "monitoring", "vpc", provider=PROVIDER, title="Linode")
    if not order.correlation:
        raise _invalid("the correlation token must not be empty", "correlation")
    size = len(order.user_data.encode())
    if size > MAX_USER_DATA:
        raise _invalid(f"the cloud-init text has {size} bytes, Linode takes {MAX_USER_DATA}", "user_data")
    for tag in order.tags:
        if not MIN_LABEL <= len(tag) <= MAX_TAG:
            raise _invalid(f"the tag '{tag}' must have {MIN_LABEL} to {MAX_TAG} characters", "tags")
    if any(len(key.split()) < 2 for key in order.ssh_keys):
        raise _invalid("Linode takes OpenSSH public keys, not references to keys", "ssh_keys")
    if order.stackscript_data and order.stackscript is None:
        raise _invalid("data for a StackScript needs a StackScript", "stackscript_data")


def order_body(order: ServerOrder) -> dict[str, Any]:
    """The body of POST /linode/instances. The label is the token's, since labels are unique in an account: an order
    that is sent twice makes one server. `claim` gives it the label that people see."""
    if not order.ssh_keys and order.root_password is None:
        raise _invalid("Linode makes no server without an SSH key or a root password", "ssh_keys")
    body: dict[str, Any] = {
        "label": correlation_tag(order.correlation),
        "region": order.availability_zone,
        "type": order.product,
        "image": order.operating_system,
        "authorized_keys": [key.strip() for key in order.ssh_keys],
        "backups_enabled": order.backups,
        "private_ip": order.private_ip,
        "booted": True,
        "tags": tags_of(order),
    }
    if order.user_data:
        body["metadata"] = {"user_data": base64.b64encode(order.user_data.encode()).decode()}
    if order.root_password is not None:
        body["root_pass"] = order.root_password.get_secret_value()
    if order.stackscript is not None:
        body["stackscript_id"] = order.stackscript
        body["stackscript_data"] = order.stackscript_data
    return body


def tags_of(order: ServerOrder) -> list[str]:
    ours = our_tags(order.correlation)
    return ours + [tag for tag in order.tags if tag not in ours]


def our_tags(correlation: str) -> list[str]:
    return [OWNER_TAG, correlation_tag(correlation)]


def label_of(label: str) -> str:
    """A label as Linode takes one: 3 to 64 of its characters, none of its marks twice in a row, beginning with a letter
    and ending with a letter or a digit."""
    clean = _REPEATED.sub(r"\1", _NOT_IN_A_LABEL.sub("-", label)).strip("._-")
    if not clean[:1].isalpha():
        clean = f"server-{clean}" if clean else "server"
    clean = clean[:MAX_LABEL].rstrip("._-")
    return clean if len(clean) >= MIN_LABEL else f"server-{clean}"


def other_label(label: str, correlation: str) -> str:
    """A label that is free where the wanted one is not."""
    return f"{label_of(label)[: MAX_LABEL - 9].rstrip('._-')}-{correlation[:8]}"


# ---- instances


def server(instance: dict[str, Any]) -> CloudServer:
    """An instance in the vocabulary of all clouds. Memory and disk are MB on the wire, transfer is GB."""
    label, status = str(instance.get("label") or ""), str(instance.get("status") or "unknown")
    tags, specs = texts(instance.get("tags")), instance.get("specs")
    specs = specs if isinstance(specs, dict) else {}
    addresses = texts(instance.get("ipv4"))
    return CloudServer(
        provider_ref=str(instance["id"]),
        correlation=tag_after(tags, _TAG_START) or _of_label(label),
        label=label,
        status=status,
        running=status == "running",
        locked=status in WORKING,
        blocked=status == "billing_suspension",
        address=next((address for address in addresses if not address.startswith(_PRIVATE)), None),
        ipv6_address=str(instance.get("ipv6") or "").partition("/")[0] or None,
        location=str(instance.get("region") or ""),
        product=str(instance.get("type") or ""),
        cpus=whole(specs.get("vcpus")),
        memory_mb=whole(specs.get("memory")),
        disk_gb=whole(specs.get("disk"), 1024),
        transfer_gb=whole(specs.get("transfer")),
        tags=tags,
    )


def _of_label(label: str) -> str | None:
    """The token in a label that an order gave; a customer's label may begin alike."""
    token = label.removeprefix(_TAG_START)
    return token if token != label and _TOKEN.fullmatch(token) else None


def carries(server: CloudServer, correlation: str) -> bool:
    tag = correlation_tag(correlation)
    return server.label == tag or tag in server.tags


def power_path(action: PowerAction) -> str:
    """InvalidInput for what Linode cannot do."""
    if action not in POWER:
        raise _invalid(f"Linode has no action '{action}'", "action")
    return POWER[action]


def _invalid(message: str, field: str) -> InvalidInput:
    return InvalidInput(message, provider=PROVIDER, field=field)
