"""Looking at a server from outside, as the internet does: which ports answer, and what HTTPS shows and proves."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import asyncssh
import httpx
from cryptography import x509
from pydantic import BaseModel

from providers.errors import ExposedPort, StillPresent, Unhealthy
from providers.hosts.inspection import api_fault
from providers.hosts.tls import spki_of_certificate

# What must never answer: databases, caches, Docker's API, and where applications publish on the loopback.
FORBIDDEN_PORTS = (5432, 6379, 2375, 2376, *range(3001, 3006))
NOBODYS_LOOPBACK = "127.255.255.254"
CONNECT_SECONDS = 3.0
HTTP_SECONDS = 10.0


class Page(BaseModel):
    """One answer over HTTPS, and the certificate it came with."""

    status: int
    kind: str
    body: str
    leaf_der: bytes


async def answers(address: str, port: int, *, seconds: float = CONNECT_SECONDS) -> bool:
    """Whether a TCP connection to the port is accepted."""
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(address, port), seconds)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


async def open_ports(address: str, ports: Iterable[int], *, seconds: float = CONNECT_SECONDS) -> list[int]:
    """Those of the ports that answer, asked all at once."""
    asked = sorted(set(ports))
    found = await asyncio.gather(*(answers(address, port, seconds=seconds) for port in asked))
    return [port for port, open_ in zip(asked, found, strict=True) if open_]


async def check_ports(address: str, *, wanted: Sequence[int], application_ports: Iterable[int]) -> str:
    """R427, X14: the wanted ports answer and none of the others. ExposedPort or Unhealthy, else a sentence."""
    forbidden = {*FORBIDDEN_PORTS, *application_ports} - set(wanted)
    if ipaddress.ip_address(address).is_loopback:
        # A host on the loopback shares it with this machine, whose own servers may listen on every address.
        forbidden -= set(await open_ports(NOBODYS_LOOPBACK, forbidden))
    found = await open_ports(address, {*wanted, *forbidden})
    if exposed := [port for port in found if port in forbidden]:
        raise ExposedPort(f"{address} answers on {', '.join(map(str, exposed))}, which must be closed to the outside")
    if silent := [port for port in wanted if port not in found]:
        raise Unhealthy(f"{address} does not answer on {', '.join(map(str, silent))}")
    return f"only {', '.join(map(str, wanted))} answer; {len(forbidden)} other ports are closed"


async def fetch(address: str, name: str, path: str, *, port: int = 443, trust_file: str | None = None) -> Page:
    """GET https://name/path from this very address, with the name in SNI and Host. No redirect is followed.

    Unhealthy when there is no answer, or its chain or name does not hold against the trusted roots.
    """
    context = ssl.create_default_context(cafile=trust_file)
    authority = name if port == 443 else f"{name}:{port}"
    place = f"https://{authority}{path}"
    try:
        async with httpx.AsyncClient(verify=context, trust_env=False, timeout=HTTP_SECONDS) as client:
            request = client.build_request(
                "GET", f"https://{address}:{port}{path}", headers={"Host": authority}, extensions={"sni_hostname": name}
            )
            answer = await client.send(request, stream=True)
            try:
                tls = answer.extensions["network_stream"].get_extra_info("ssl_object")
                leaf = tls.getpeercert(binary_form=True)
                body = (await answer.aread())[:65536].decode("utf-8", "replace")
            finally:
                await answer.aclose()
    except httpx.TransportError as error:
        raise Unhealthy(f"{place} at {address}: {error or type(error).__name__}") from error
    return Page(status=answer.status_code, kind=answer.headers.get("content-type", ""), body=body, leaf_der=leaf)


async def check_https(
    address: str, name: str, *, port: int = 443, trust_file: str | None = None, host_key_spki: bytes
) -> list[str]:
    """R219–R221 from outside: chain and name hold, the key is the host's own, the API is healthy, the page answers."""
    page = await fetch(address, name, "/api/health", port=port, trust_file=trust_file)
    leaf = x509.load_der_x509_certificate(page.leaf_der)
    if spki_of_certificate(leaf) != host_key_spki:
        raise Unhealthy(f"{name} shows a certificate for another key than the one on the server")
    if (fault := api_fault(page.status, page.body)) is not None:
        raise Unhealthy(f"https://{name}/api/health: {fault}")
    home = await fetch(address, name, "/", port=port, trust_file=trust_file)
    if home.status != 200:
        raise Unhealthy(f"https://{name}/ answers {home.status}")
    days = (leaf.not_valid_after_utc - datetime.now(UTC)).days
    return [
        f"the certificate of {name} is trusted, for the key on the server, and valid for {days} days",
        f"https://{name}/api/health says healthy",
        f"https://{name}/ answers",
    ]


async def check_silent(address: str, ports: Sequence[int], *, ssh_port: int, host_key: str | None) -> str:
    """After the end of a server: nothing of it answers. Clouds give addresses to others, so SSH tells who answers.

    StillPresent when it is the same host, else a sentence of evidence.
    """
    found = await open_ports(address, {*ports, ssh_port})
    if not found:
        return f"{address} answers on none of {', '.join(map(str, sorted({*ports, ssh_port})))}"
    if host_key is not None and ssh_port in found:
        shown = await _host_key(address, ssh_port)
        if shown is not None and shown != asyncssh.import_public_key(host_key).public_data:
            return f"{address} belongs to another machine by now: it shows another SSH host key"
    raise StillPresent(f"{address} still answers on {', '.join(map(str, found))}")


async def _host_key(address: str, port: int) -> bytes | None:
    try:
        key = await asyncio.wait_for(asyncssh.get_server_host_key(address, port, config=None), HTTP_SECONDS)
    except (OSError, asyncssh.Error, TimeoutError):
        return None
    return key.public_data if key is not None else None
