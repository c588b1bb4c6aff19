"""The sandbox's clouds: their configuration, the accounts they know, and `slipway sandbox`, which runs them alone."""

from __future__ import annotations

import asyncio
import fcntl
from pathlib import Path
from typing import Any
from zlib import crc32

from sandbox.cloud_server import Config, serve
from sandbox.stack import keys
from sandbox.stack.hosts import Kind
from sandbox.stack.layout import Layout, StackError

NAMES = ("transip", "digitalocean", "linode")
# Every account of this machine has one name, which at TransIP is its login.
ACCOUNT = "slipway"
# Polls here are twenty times as quick as the ones the real limits go with.
QUICK = 20
QUICK_LIMITS: dict[str, dict[str, Any]] = {
    "transip": {"requests": QUICK * 1_000},
    "digitalocean": {
        "hour": {"count": QUICK * 5_000, "seconds": 3600},
        "burst": {"count": QUICK * 250, "seconds": 60},
        "key_lists": {"count": QUICK * 10, "seconds": 60},
        "droplets": 1_000,
    },
    "linode": {
        "creates": {"count": QUICK * 20, "seconds": 15},
        "lists": {"count": QUICK * 200, "seconds": 60},
        "others": {"count": QUICK * 1_600, "seconds": 60},
        "linodes": 1_000,
    },
}


def configuration(
    folder: Path, kind: Kind, layout: Layout, secrets: keys.Secrets, ports: dict[str, int], *, quick: bool
) -> dict[str, Any]:
    """What sandbox.cloud_server is given; it holds the tokens. `quick` is without the real limits."""
    accounts = {
        "transip": keys.transip_key(layout)[1],
        "digitalocean": secrets.digitalocean_token,
        "linode": secrets.linode_token,
    }
    config: dict[str, Any] = {"state_dir": str(folder), "driver": kind}
    for name in NAMES:
        config[name] = {"listen": f"127.0.0.1:{ports[name]}", "accounts": {ACCOUNT: accounts[name]}}
        if quick:
            config[name]["limits"] = QUICK_LIMITS[name]
    if kind == "emulated":
        # Stacks side by side on one machine: each state folder has 4,094 addresses of its own.
        number = crc32(bytes(folder))
        config["driver_options"] = {"address_pool": f"127.{64 + number % 64}.{(number >> 8) % 16 * 16}.0/20"}
    return config


def alone(layout: Layout, kind: Kind, first_port: int) -> None:
    """Run the clouds until a signal, with real limits and their memory in the folder of `layout`.

    When they serve, the line they print tells also how to sign in at each: {"accounts": {"transip": {"login",
    "private_key": path}, "digitalocean": {"token"}, "linode": {"token"}}}. They listen on three ports from
    `first_port` on; 0 takes free ones. StackError where another one runs in the folder.
    """
    layout.prepare()
    with layout.lock.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StackError(f"Clouds are already running from {layout.root}") from None
        secrets = keys.load(layout)
        ports = {name: first_port and first_port + number for number, name in enumerate(NAMES)}
        folder = layout.root / f"cloud-{kind}"
        folder.mkdir(exist_ok=True)
        config = configuration(folder, kind, layout, secrets, ports, quick=False)
        told = {
            "transip": {"login": ACCOUNT, "private_key": str(keys.transip_key(layout)[0])},
            "digitalocean": {"token": secrets.digitalocean_token},
            "linode": {"token": secrets.linode_token},
        }
        asyncio.run(serve(Config.model_validate(config), {"accounts": told}))
