"""The program: its one line, its end, and that a killed one finds everything again."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any

from providers.dns.lookup import ask
from providers.dns.powerdns import PowerDNS
from tests.providers.dns.servers import free_port


async def start(config: Path) -> tuple[asyncio.subprocess.Process, dict[str, Any]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sandbox.dns_server", "--config", str(config), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    line = await asyncio.wait_for(process.stdout.readline(), 30)
    return process, json.loads(line)


async def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    config = tmp_path / "dns.json"
    dns = f"127.0.0.1:{free_port()}"
    settings = {"api": "127.0.0.1:0", "api_key": "k", "dns": [dns], "state": str(tmp_path / "dns.sqlite3")}
    config.write_text(json.dumps(settings))

    process, ready = await start(config)
    client = PowerDNS(ready["api"], "k")
    await client.ensure_zone("kill.test", nameservers=["ns1.kill.test"])
    await client.publish("www.kill.test", "A", ["192.0.2.1"], ttl=60, owner="d-1")
    await client.close()
    process.send_signal(signal.SIGKILL)
    await process.wait()

    process, ready = await start(config)
    assert ready["dns"] == [dns]
    assert (await ask(dns, "www.kill.test", "A")).values == ("192.0.2.1",)
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 30) == 0
