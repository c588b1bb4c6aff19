"""`python -m sandbox.dns_server --config FILE.json`: a name server with PowerDNS's API, for machines without PowerDNS.

The file: {"api": "127.0.0.1:8081", "api_key": "…", "dns": ["127.0.0.1:5300"], "state": "dns.sqlite3",
"default_soa": "…" (optional)}. Port 0 takes a free one. One JSON line on stdout says when it serves and where; SIGTERM
and SIGINT end it; what was acknowledged is in the file after any kind of end.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from pathlib import Path

from pydantic import BaseModel

from sandbox.embedded import Embedded, host_and_port
from sandbox.powerdns.answers import Answers
from sandbox.powerdns.api import Api
from sandbox.powerdns.changes import DEFAULT_SOA
from sandbox.powerdns.listeners import Listeners
from sandbox.powerdns.store import Store


class DnsConfig(BaseModel):
    api: str = "127.0.0.1:8081"
    api_key: str
    dns: list[str] = ["127.0.0.1:5300"]
    state: Path
    server_id: str = "localhost"
    default_soa: str = DEFAULT_SOA


class DnsServer:
    """The running server, also for tests: `async with DnsServer(config) as server: server.api_url`."""

    def __init__(self, config: DnsConfig) -> None:
        self._config = config
        self.api_url = ""
        self.dns: list[str] = []

    async def __aenter__(self) -> DnsServer:
        self._config.state.parent.mkdir(parents=True, exist_ok=True)
        self._store = Store(self._config.state)
        self._listeners = Listeners(Answers(self._store))
        for address in self._config.dns:
            await self._listeners.listen(*host_and_port(address))
        self.dns = self._listeners.addresses
        app = Api(self._store, self._config.api_key, self._config.server_id, self._config.default_soa).app()
        self._http = Embedded(app, self._config.api)
        try:
            await self._http.__aenter__()
        except OSError:
            await self._listeners.close()
            self._store.close()
            raise
        self.api_url = f"http://{self._http.host}:{self._http.port}/api/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.__aexit__(None)
        await self._listeners.close()
        self._store.close()


async def main(config: DnsConfig) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with DnsServer(config) as server:
        print(json.dumps({"ready": True, "api": server.api_url, "dns": server.dns}), flush=True)
        await stop.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--config", type=Path, required=True)
    asyncio.run(main(DnsConfig.model_validate_json(parser.parse_args().config.read_text())))
    sys.exit(0)
