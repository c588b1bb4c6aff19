"""Creating Linodes: what is refused, what is written down, and what it costs."""

from __future__ import annotations

import base64
import binascii
import re
import time
from typing import Any

from starlette.types import Scope

from sandbox.clouds import keys
from sandbox.clouds.front import ordered
from sandbox.clouds.store import Store
from sandbox.linode import catalogue, wire
from sandbox.linode.machines import Machines
from sandbox.linode.records import Event, Invoice, Limits, Linode, StackScript, Tag, Timings
from sandbox.linode.wire import Refusal

FIRST_LINODE = 90_000_000
MOST_USER_DATA = 65_535
LABEL = re.compile(r"[a-zA-Z]((?!--|__|\.\.)[a-zA-Z0-9-_.])+")
TAKEN = "Label must be unique among your linodes"
FULL = "Account Limit reached. Please open a support ticket."
NO_ACCESS = "Must provide valid root_pass, authorized_keys, or authorized_users"
MEMBERS = {
    "authorized_keys", "authorized_users", "backup_id", "backups_enabled", "boot_size", "booted", "disk_encryption",
    "firewall_id", "group", "image", "interface_generation", "interfaces", "ipv4", "kernel", "label",
    "maintenance_policy", "metadata", "network_helper", "placement_group", "private_ip", "region", "root_pass",
    "stackscript_data", "stackscript_id", "swap_size", "tags", "type",
}  # fmt: skip


def place(
    store: Store, machines: Machines, timings: Timings, limits: Limits, account: str, body: dict[str, Any], scope: Scope
) -> Linode:
    """Check everything, then write all of it in one transaction: the Linode to be, its event and the invoice."""
    draft = check(store, account, body)
    mine = [linode for linode in store.all(Linode) if linode.account == account and linode.living]
    label = label_of(body.get("label"))
    if label is not None and any(linode.label == label for linode in mine):
        raise Refusal(TAKEN, "label")
    if len(mine) >= limits.linodes:
        raise Refusal(FULL)
    with store.transaction():
        number = FIRST_LINODE + store.next("linode")
        remember_tags(store, account, draft["tags"])
        when = ordered(scope, timings.appear, timings.create + timings.install)
        label = label or f"linode{number}"
        linode = Linode(id=number, name=f"linode-{number}", account=account, label=label,
                        hostname=re.sub("[^a-zA-Z0-9.-]", "-", label), updated_at=when["ordered_at"],
                        **when, **draft)  # fmt: skip
        event: Event = machines.event_of(linode, "linode_create")
        linode.event = event.id
        store.put(linode.name, linode)
        _invoice(store, linode)
    return linode


def withdraw(store: Store, linode: Linode) -> None:
    """There was no room for it after all."""
    with store.transaction():
        store.delete(Linode, linode.name)
        store.delete(Event, str(linode.event))
        for invoice in store.all(Invoice):
            if invoice.server == linode.name:
                store.delete(Invoice, invoice.number)


def check(store: Store, account: str, body: dict[str, Any]) -> dict[str, Any]:
    """The members of a Linode an order decides, or a Refusal with field and reason."""
    for name in ("region", "type"):
        if body.get(name) is None:
            raise Refusal(f"{name} is required", name)
    region = body["region"]
    if region not in catalogue.REGIONS:
        raise Refusal("region is not valid", "region")
    if body["type"] not in catalogue.PLANS:
        raise Refusal("A valid plan type by that ID was not found", "type")
    image = body.get("image")
    if image is not None and image not in catalogue.IMAGES:
        raise Refusal("image is not valid", "image")
    for name in ("booted", "backups_enabled", "private_ip"):
        if not isinstance(body.get(name, False), bool):
            raise Refusal(f"{name} must be a boolean", name)
    script, data = script_of(store, account, body)
    user_data = user_data_of(body.get("metadata"), image, region)
    return {
        "region": region,
        "type": body["type"],
        "image": image,
        "ssh_keys": access_of(body) if image is not None else [],
        # Without an image there is nothing to boot.
        "booted": image is not None and body.get("booted", True),
        "backups": body.get("backups_enabled", False),
        "private_ip": body.get("private_ip", False),
        "group": str(body.get("group") or ""),
        "tags": tags_of(body.get("tags")),
        "user_data": user_data,
        "has_user_data": bool(user_data),
        "stackscript": script,
        "stackscript_data": data,
    }


def label_of(label: object) -> str | None:
    if label is None:
        return None
    if not isinstance(label, str) or not 3 <= len(label) <= 64:
        raise Refusal("Length must be 3-64 characters", "label")
    if not LABEL.fullmatch(label):
        raise Refusal("Must only use ASCII letters, numbers, underscores, periods, and dashes.", "label")
    return label


def access_of(body: dict[str, Any]) -> list[str]:
    """The public keys; one way to sign in there must be."""
    password, given = body.get("root_pass"), body.get("authorized_keys") or []
    if not password and not given and not body.get("authorized_users"):
        raise Refusal(NO_ACCESS)
    if password and (not isinstance(password, str) or not 7 <= len(password) <= 128):
        raise Refusal("Length must be 7-128 characters", "root_pass")
    if not isinstance(given, list) or not all(isinstance(key, str) and keys.blob_of(key) for key in given):
        raise Refusal("SSH key is not valid", "authorized_keys")
    return [key.strip() for key in given]


def user_data_of(metadata: object, image: str | None, region: str) -> str:
    encoded = metadata.get("user_data") if isinstance(metadata, dict) else None
    if encoded is None:
        return ""
    try:
        data = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise Refusal("user_data must be valid Base64", "metadata.user_data") from None
    if len(data) > MOST_USER_DATA:
        raise Refusal(f"user_data must be at most {MOST_USER_DATA} bytes", "metadata.user_data")
    if region in catalogue.WITHOUT_METADATA:
        raise Refusal("Metadata is not supported in this region", "region")
    if image is not None and not catalogue.IMAGES[image].cloud_init:
        raise Refusal("The image does not support cloud-init", "image")
    return data.decode(errors="replace")


def tags_of(tags: object) -> list[str]:
    if tags is None:
        return []
    if not isinstance(tags, list) or not all(isinstance(tag, str) and 3 <= len(tag) <= 50 for tag in tags):
        raise Refusal("Length must be 3-50 characters", "tags")
    return [*dict.fromkeys(tags)]


def remember_tags(store: Store, account: str, labels: list[str]) -> None:
    """A tag exists from its first use on."""
    for label in labels:
        store.put(f"{account}/{label}", Tag(account=account, label=label))


def scripts_of(store: Store, account: str) -> list[StackScript]:
    """Everybody's, and the account's own."""
    own = [script for script in store.all(StackScript) if script.account == account or script.is_public]
    public = [
        StackScript(id=number, account="linode", label=label, description=text, images=images, script=script,
                    is_public=True, created_at=0, updated_at=0)
        for number, label, text, images, script in catalogue.STACKSCRIPTS
    ]  # fmt: skip
    return public + own


def script_of(store: Store, account: str, body: dict[str, Any]) -> tuple[int | None, dict[str, Any]]:
    """The StackScript and its data, of which every field without a default must be there."""
    number, data = body.get("stackscript_id"), body.get("stackscript_data") or {}
    if number is None:
        return None, {}
    found = [script for script in scripts_of(store, account) if script.id == number]
    if not found:
        raise Refusal("stackscript_id is not valid", "stackscript_id")
    if not isinstance(data, dict):
        raise Refusal("stackscript_data is not valid", "stackscript_data")
    if body.get("image") not in found[0].images:
        raise Refusal("The image is not one of the StackScript's", "image")
    fields = {field["name"]: field for field in wire.fields_of(found[0].script)}
    for name in data:
        if name not in fields:
            raise Refusal(f"The StackScript has no field {name}", "stackscript_data")
    for name, field in fields.items():
        value = data.get(name, field.get("default"))
        if value is None:
            raise Refusal(f"The StackScript needs the field {name}", "stackscript_data")
        if "oneof" in field and str(value) not in field["oneof"].split(","):
            raise Refusal(f"{name} must be one of {field['oneof']}", "stackscript_data")
    return int(number), data


def _invoice(store: Store, linode: Linode) -> None:
    number = f"L{store.next('invoice'):06d}"
    hourly = catalogue.hourly(catalogue.PLANS[linode.type], linode.region, backups=linode.backups)
    store.put(number, Invoice(number=number, account=linode.account, server=linode.name, product=linode.type,
                              label=linode.label, tags=linode.tags, hourly=hourly, at=time.time()))  # fmt: skip
