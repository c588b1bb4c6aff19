"""`python -m sandbox.house_server --config FILE.json`: a real Debian machine that many customers share, web and mail.

A hosting company owns such a server before it sells: it is not ordered at a cloud. Configuration (JSON): `state_dir`,
`name`, `hostname`, and `lab` where it is not the default one. The machine's keys are made once and kept in the state
folder (keys.json, 0600). When SSH answers, one line of JSON is printed: {"address"}. SIGTERM and SIGINT shut the
machine down in an orderly way; its disk stays.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import socket
from pathlib import Path

import asyncssh
from pydantic import BaseModel

from sandbox.hosts.driver import HostSpec
from sandbox.hosts.machine import MachineDriver
from sandbox.lab.paths import Lab
from sandbox.stack.layout import write_private

BOOT_SECONDS = 60.0


class Config(BaseModel, extra="forbid"):
    state_dir: Path
    name: str = "srv1"
    hostname: str
    lab: Path | None = None


class Keys(BaseModel):
    """Of the machine (`host_…`) and of who may sign in as root; private halves in OpenSSH's format."""

    host_private: str
    host_public: str
    private: str
    public: str


def kept_keys(folder: Path) -> Keys:
    path = folder / "keys.json"
    if not path.exists():
        pairs = [asyncssh.generate_private_key("ssh-ed25519", comment="slipway-sandbox") for _ in range(2)]
        texts = [text.decode().strip() for pair in pairs for text in (pair.export_private_key(),
                                                                      pair.export_public_key())]  # fmt: skip
        made = Keys(host_private=texts[0], host_public=texts[1], private=texts[2], public=texts[3])
        write_private(path, made.model_dump_json())
    return Keys.model_validate_json(path.read_text())


def user_data(hostname: str, keys: Keys) -> str:
    """A cloud-config document; JSON is YAML."""
    document = {
        "hostname": hostname, "manage_etc_hosts": True, "users": [], "disable_root": False, "ssh_pwauth": False,
        "ssh_authorized_keys": [keys.public], "ssh_deletekeys": True,
        "ssh_keys": {"ed25519_private": f"{keys.host_private}\n", "ed25519_public": keys.host_public},
    }  # fmt: skip
    return f"#cloud-config\n{json.dumps(document)}\n"


async def answers(address: str) -> None:
    """Until sshd accepts connections; the machine boots in about a second."""
    async with asyncio.timeout(BOOT_SECONDS):
        while True:
            with contextlib.suppress(OSError), socket.create_connection((address, 22), timeout=1):
                return
            await asyncio.sleep(0.2)


async def serve(config: Config) -> None:
    config.state_dir.mkdir(parents=True, exist_ok=True)
    keys = kept_keys(config.state_dir)
    driver = MachineDriver(Lab(config.lab) if config.lab else Lab(), config.state_dir / "hosts", image="hosting")
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    await driver.open()
    try:
        address_file = config.state_dir / "address"
        if config.name not in await driver.names():
            address_file.write_text(await driver.reserve_address())
            await driver.create(HostSpec(name=config.name, address=address_file.read_text(), hostname=config.hostname,
                                         user_data=user_data(config.hostname, keys)))  # fmt: skip
        await driver.start(config.name)
        address = address_file.read_text()
        await answers(address)
        print(json.dumps({"address": address}), flush=True)
        await stopping.wait()
    finally:
        await driver.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m sandbox.house_server", description="A server of the house.")
    parser.add_argument("--config", type=Path, required=True, help="JSON file")
    arguments = parser.parse_args()
    asyncio.run(serve(Config.model_validate_json(arguments.config.read_text())))


if __name__ == "__main__":
    main()
