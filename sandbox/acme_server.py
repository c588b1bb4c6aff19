"""`python -m sandbox.acme_server --config FILE.json`: an ACME CA, for machines without Pebble.

The file: {"listen": "127.0.0.1:14000", "dns": "127.0.0.1:5300", "state_dir": "acme"} and optionally "names" (of the
listener's certificate), "profiles" ({name: {"description", "hours"}}), "blocked" names, "retry_after" seconds (told as
a date with "retry_after_dates"), "http_port" of http-01, "external_accounts" ({id: base64url key}; a binding is then
required), "reuse_orders", and "reuse_seconds" of proven names. It validates dns-01 and http-01. One JSON line on stdout
says when it serves, where, and which file to trust for the API itself; the root of what it issues is at
GET /roots/0 and in root.pem, and stays the same over restarts. SIGTERM and SIGINT end it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from datetime import timedelta
from pathlib import Path

from pydantic import BaseModel

from sandbox.acme.api import Api
from sandbox.acme.authority import Authority
from sandbox.acme.ca import PROFILES, CertificateAuthority, Profile
from sandbox.acme.proofs import Proofs
from sandbox.acme.store import Store
from sandbox.embedded import Embedded, host_and_port


class AcmeConfig(BaseModel):
    listen: str = "127.0.0.1:14000"
    dns: str
    state_dir: Path
    names: list[str] = ["localhost", "127.0.0.1"]
    profiles: dict[str, Profile] = PROFILES
    blocked: list[str] = []
    retry_after: int = 1
    retry_after_dates: bool = False
    http_port: int = 80
    external_accounts: dict[str, str] = {}
    reuse_orders: bool = False
    reuse_seconds: int = 0


class AcmeServer:
    """The running CA, also for tests: `async with AcmeServer(config) as ca: ca.directory_url, ca.ca_file`."""

    def __init__(self, config: AcmeConfig) -> None:
        self._config = config
        self.authority = Authority(config.state_dir)
        self.ca_file = self.authority.ca_file
        self.root_file = self.authority.root_file
        self.url = ""

    @property
    def directory_url(self) -> str:
        return f"{self.url}/dir"

    async def __aenter__(self) -> AcmeServer:
        config = self._config
        self._store = Store(config.state_dir / "acme.sqlite3")
        reuse = timedelta(seconds=config.reuse_seconds)
        self._proofs = Proofs(self._store, host_and_port(config.dns), config.http_port, reuse)
        ca = CertificateAuthority(
            self._store,
            self.authority,
            self._proofs,
            config.profiles,
            blocked=config.blocked,
            external=config.external_accounts,
            reuse_orders=config.reuse_orders,
        )
        certificate, key = self.authority.listener(config.names)
        app = Api(ca, self._store, config.retry_after, dates=config.retry_after_dates).app()
        self._http = Embedded(app, config.listen, ssl_certfile=str(certificate), ssl_keyfile=str(key))
        try:
            await self._http.__aenter__()
        except OSError:
            self._store.close()
            raise
        self.url = f"https://{self._http.host}:{self._http.port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.__aexit__(None)
        await self._proofs.close()
        self._store.close()


async def main(config: AcmeConfig) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AcmeServer(config) as server:
        ready = {
            "ready": True,
            "directory": server.directory_url,
            "ca_file": str(server.ca_file.resolve()),
            "root_file": str(server.root_file.resolve()),
            "roots": f"{server.url}/roots/0",
        }
        print(json.dumps(ready), flush=True)
        await stop.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--config", type=Path, required=True)
    asyncio.run(main(AcmeConfig.model_validate_json(parser.parse_args().config.read_text())))
    sys.exit(0)
