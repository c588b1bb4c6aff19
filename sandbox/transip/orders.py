"""Taking orders: what is refused, what is written down, and what it costs."""

from __future__ import annotations

import base64
import binascii
import re
import time
from typing import Any

from starlette.types import Scope

from sandbox.clouds.front import ordered
from sandbox.clouds.store import Store
from sandbox.transip import catalogue
from sandbox.transip.records import Action, Invoice, Timings, Vps
from sandbox.transip.wire import Refusal, text_of, texts_of

MAX_INSTALL_TEXT = 48 * 1024
_HOSTNAME = re.compile(r"(?=.{1,253}$)([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.?)+")


def place(
    store: Store, timings: Timings, login: str, entries: list[dict[str, Any]], scope: Scope, *, test: bool
) -> tuple[str, list[str]]:
    """Check all entries, then write all of it in one transaction: servers to be, the action, and the invoices.

    Returns the action's id and the names, which the customer is not told. In test mode nothing is written.
    """
    drafts = [check(entry) for entry in entries]
    if test:
        return "", []
    now, names = time.time(), []
    when = ordered(scope, timings.appear, timings.create + timings.install)
    with store.transaction():
        action = Action(login=login, name="Vps.order", started_at=now)
        store.put(action.uuid, action)
        for draft in drafts:
            name = f"{login}-vps{store.next(f'vps {login}')}"
            names.append(name)
            vps = Vps(name=name, login=login, order=action.uuid, action=action.uuid,
                      **{**when, **draft, "hostname": draft["hostname"] or name})  # fmt: skip
            store.put(name, vps)
            _invoice(store, vps, now)
    return action.uuid, names


def check(entry: dict[str, Any]) -> dict[str, Any]:
    """The members of a Vps an order decides, or a Refusal with the sentence."""
    product = text_of(entry, "productName")
    if product not in catalogue.BY_NAME:
        raise Refusal(406, f"The provided parameter 'productName' is not a valid VPS product: '{product}'")
    system = text_of(entry, "operatingSystem")
    if system not in catalogue.FLAVOURS:
        raise Refusal(406, f"The provided parameter 'operatingSystem' is not a valid operating system: '{system}'")
    zone = text_of(entry, "availabilityZone", default=catalogue.ZONES[0])
    if zone not in catalogue.ZONES:
        raise Refusal(406, f"The provided parameter 'availabilityZone' is not a valid availability zone: '{zone}'")
    flavour = text_of(entry, "installFlavour", default=catalogue.FLAVOURS[system][0])
    if flavour not in catalogue.FLAVOURS[system]:
        raise Refusal(406, f"The provided parameter 'installFlavour' is not available for '{system}': '{flavour}'")
    hostname = text_of(entry, "hostname")
    if hostname and not _HOSTNAME.fullmatch(hostname):
        raise Refusal(406, f"The provided parameter 'hostname' is not a valid hostname: '{hostname}'")
    addons = texts_of(entry, "addons")
    for addon in addons:
        if addon not in catalogue.ADDONS:
            raise Refusal(406, f"The provided parameter 'addons' holds an unknown addon: '{addon}'")
    text_of(entry, "username", longest=32)
    keys = texts_of(entry, "sshKeys")
    for key in keys:
        if len(key.split()) < 2:
            raise Refusal(406, "The provided parameter 'sshKeys' holds a key that is not valid")
    if keys and flavour != "cloudinit":
        raise Refusal(406, "The provided parameter 'sshKeys' is only supported with the cloudinit flavour")
    return {
        "product": product,
        "operating_system": system,
        "availability_zone": zone,
        "description": text_of(entry, "description", longest=32) or None,
        "addons": addons,
        "hostname": hostname,
        "user_data": install_text(text_of(entry, "base64InstallText")),
        "ssh_keys": keys,
    }


def install_text(encoded: str) -> str:
    """base64 as PHP reads it: without complaint about padding."""
    try:
        text = base64.b64decode(encoded + "=" * (-len(encoded) % 4))
    except (binascii.Error, ValueError):
        raise Refusal(406, "The provided parameter 'base64InstallText' is not valid base64") from None
    if len(text) > MAX_INSTALL_TEXT:
        raise Refusal(406, f"The provided parameter 'base64InstallText' can be {MAX_INSTALL_TEXT} bytes maximum")
    return text.decode(errors="replace")


def _invoice(store: Store, vps: Vps, now: float) -> None:
    cents = catalogue.BY_NAME[vps.product].cents + sum(catalogue.ADDONS[addon][1] for addon in vps.addons)
    number = f"F{store.next('invoice'):06d}"
    store.put(number, Invoice(number=number, login=vps.login, order=vps.order, vps=vps.name, product=vps.product,
                              description=vps.description, cents=cents, at=now))  # fmt: skip
