"""The sandbox's name server answers as a real pdns_server 4.7.3 was recorded to (`source` in each file)."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox.dns_server import DnsConfig, DnsServer

FIXTURES = Path(__file__).parents[2] / "providers" / "dns" / "fixtures"
SETUP = {"name": "lab.example.org.", "kind": "Native", "nameservers": ["ns1.example.org.", "ns2.example.org."]}
NEEDS_ZONE = {"rrset_patch_errors.json", "rrset_patch_ok.json"}


@pytest.fixture
async def http(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    config = DnsConfig(api="127.0.0.1:0", api_key="***", dns=["127.0.0.1:0"], state=tmp_path / "dns.sqlite3")
    async with (
        DnsServer(config) as server,
        httpx.AsyncClient(base_url=server.api_url.removesuffix("/api/v1")) as client,
    ):
        yield client


def comparable(value: Any) -> Any:
    """Without the day of the recording: serials count from it."""
    text = re.sub(r"\b20\d{8}\b", "SERIAL", json.dumps(value, sort_keys=True))
    value = json.loads(text.replace('"SERIAL"', "1").replace("SERIAL,", "1,"))
    if isinstance(value, dict) and "rrsets" in value:
        value["rrsets"] = sorted(value["rrsets"], key=lambda rrset: (rrset["name"], rrset["type"]))
    return value


@pytest.mark.parametrize("file", sorted(path.name for path in FIXTURES.glob("*.json")))
async def test_every_recorded_interaction_is_answered_alike(http: httpx.AsyncClient, file: str) -> None:
    if file in NEEDS_ZONE:
        made = await http.post("/api/v1/servers/localhost/zones", json=SETUP, headers={"X-API-Key": "***"})
        assert made.status_code == 201
    for number, item in enumerate(json.loads((FIXTURES / file).read_text())["interactions"]):
        asked, told = item["request"], item["response"]
        body = asked["body"]
        content = None if body is None else body if isinstance(body, str) else json.dumps(body)
        request = http.build_request(asked["method"], asked["path"], content=content, headers=asked["headers"])
        if "Accept" not in asked["headers"]:
            del request.headers["Accept"]
        answer = await http.send(request)
        where = f"{file} #{number}: {asked['method']} {asked['path']}"
        assert answer.status_code == told["status"], f"{where}: {answer.text}"
        for header in ("Content-Type", "Connection", "Www-Authenticate"):
            assert answer.headers.get(header) == told["headers"].get(header), where
        if told["headers"].get("Content-Type") == "application/json":
            assert comparable(answer.json()) == comparable(told["body"]), where
        else:
            assert answer.text == told["body"], where
