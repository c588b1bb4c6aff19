"""Creating droplets: what is refused, what is written down, and what it costs."""

from __future__ import annotations

import re
import time
import uuid
from typing import Any

from starlette.types import Scope

from sandbox.clouds.front import ordered
from sandbox.clouds.store import Store
from sandbox.digitalocean import catalogue
from sandbox.digitalocean.machines import Machines
from sandbox.digitalocean.records import Action, Droplet, Invoice, Limits, SshKey, Tag, Timings
from sandbox.digitalocean.wire import Refusal

FIRST_DROPLET = 500_000_000
MOST_AT_ONCE = 10
MOST_USER_DATA = 64 * 1024
DEFAULT_REGION = "nyc3"
HOSTNAME = re.compile(r"(?=.{1,255}$)[a-zA-Z0-9]?[a-z0-9A-Z.\-]*[a-z0-9A-Z]")
TAG = re.compile(r"[a-zA-Z0-9_\-:]{1,255}")
FULL = "creating this/these droplet(s) will exceed your droplet limit"


def place(
    store: Store, machines: Machines, timings: Timings, limits: Limits, account: str, body: dict[str, Any], scope: Scope
) -> list[tuple[Droplet, Action]]:
    """Check everything, then write all of it in one transaction: droplets to be, their actions and the invoices."""
    names = names_of(body)
    draft = check(store, account, body)
    droplets = [droplet for droplet in store.all(Droplet) if droplet.account == account and droplet.living]
    if len(droplets) + len(names) > limits.droplets:
        raise Refusal(422, FULL)
    made = []
    with store.transaction():
        remember_tags(store, account, draft["tags"])
        for label in names:
            number = FIRST_DROPLET + store.next("droplet")
            when = ordered(scope, timings.appear, timings.create + timings.install)
            droplet = Droplet(id=number, name=f"droplet-{number}", account=account, label=label, hostname=label,
                              **when, **draft)  # fmt: skip
            action = machines.action_of(droplet, "create")
            droplet.action = action.id
            store.put(droplet.name, droplet)
            _invoice(store, droplet)
            made.append((droplet, action))
    return made


def names_of(body: dict[str, Any]) -> list[str]:
    names = body["names"] if "names" in body else [body.get("name")]
    if not isinstance(names, list) or not 0 < len(names) <= MOST_AT_ONCE:
        raise Refusal(422, f"names must be a list of 1 to {MOST_AT_ONCE} names.")
    for name in names:
        if not isinstance(name, str) or not HOSTNAME.fullmatch(name):
            raise Refusal(422, "Only valid hostname characters are allowed. (a-z, A-Z, 0-9, . and -)")
    return names


def check(store: Store, account: str, body: dict[str, Any]) -> dict[str, Any]:
    """The members of a Droplet an order decides, or a Refusal with the sentence."""
    size = catalogue.SIZES.get(str(body.get("size")))
    if size is None:
        raise Refusal(422, "You specified an invalid size for Droplet creation.")
    region = body.get("region") or DEFAULT_REGION
    if region in catalogue.CLOSED:
        raise Refusal(422, "Region is not available")
    if region not in catalogue.REGIONS:
        raise Refusal(422, "You specified an invalid region for Droplet creation.")
    if region not in (size.regions or catalogue.REGIONS):
        raise Refusal(422, "Size is not available in this region.")
    image = catalogue.image_of(body.get("image"))
    if image is None or (image.kind == "private" and region not in catalogue.image(image)["regions"]):
        raise Refusal(422, "You specified an invalid image for Droplet creation.")
    if image.min_disk_gb > size.disk_gb:
        raise Refusal(422, "The image needs a larger disk than this size has.")
    switches = {name: body.get(name) for name in ("backups", "ipv6", "monitoring")}
    for name, value in switches.items():
        if value is not None and not isinstance(value, bool):
            raise Refusal(422, f"{name} must be true or false.")
    user_data = body.get("user_data") or ""
    if not isinstance(user_data, str) or len(user_data.encode()) > MOST_USER_DATA:
        raise Refusal(422, "User data must be a text of at most 64 KiB.")
    backups = switches["backups"] is True
    return {
        "size": size.slug,
        "region": region,
        "image": str(image.slug or image.id),
        "tags": tags_of(body.get("tags")),
        "ssh_keys": keys_of(store, account, body.get("ssh_keys")),
        "user_data": user_data,
        "backups": backups,
        "ipv6": switches["ipv6"] is True,
        "monitoring": switches["monitoring"] is True,
        "vpc": str(body.get("vpc_uuid") or uuid.uuid5(uuid.NAMESPACE_DNS, f"{account}.{region}")),
        "paid_by_hour": round(size.hourly * (1.2 if backups else 1), 5),  # weekly backups cost a fifth
    }


def tags_of(given: object) -> list[str]:
    if given is None:
        return []
    if not isinstance(given, list) or not all(isinstance(tag, str) and TAG.fullmatch(tag) for tag in given):
        raise Refusal(422, "Tags may contain letters, numbers, colons, dashes, and underscores.")
    return [*dict.fromkeys(given)]


def remember_tags(store: Store, account: str, names: list[str]) -> None:
    """A tag exists from its first use on, whatever becomes of what carried it."""
    for name in names:
        store.put(f"{account}/{name}", Tag(account=account, name=name))


def keys_of(store: Store, account: str, given: object) -> list[str]:
    """The public keys behind ids and fingerprints of the account's keys."""
    known = {wanted: key.public_key for key in store.all(SshKey) if key.account == account
             for wanted in (str(key.id), key.fingerprint)}  # fmt: skip
    wanted = [str(one) for one in given] if isinstance(given, list) else []
    unknown = [one for one in wanted if one not in known]
    if unknown:
        raise Refusal(422, f"{', '.join(unknown)} are invalid key identifiers for Droplet creation.")
    return [*dict.fromkeys(known[one] for one in wanted)]


def _invoice(store: Store, droplet: Droplet) -> None:
    number = f"D{store.next('invoice'):06d}"
    store.put(number, Invoice(number=number, account=droplet.account, server=droplet.name, product=droplet.size,
                              label=droplet.label, tags=droplet.tags, hourly=droplet.paid_by_hour,
                              at=time.time()))  # fmt: skip
