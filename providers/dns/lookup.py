"""What the world would be told: questions to authoritative name servers, one server at a time, past every cache.

Servers are `host:port`. UDP first, TCP where the answer was cut (RFC 1035 §4.2). Silence is Transient: a server that
did not answer proves neither presence nor absence.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Iterable, Sequence

import dns.asyncquery
import dns.asyncresolver
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdatatype
from pydantic import BaseModel

from domain.dns_values import to_value
from providers.errors import Transient

TRIES = 2  # a lost datagram is ordinary
DNS_PORT = 53


class Answer(BaseModel, frozen=True):
    """`values` are those of the asked type in the plain form of domain/dns_values.py, also behind a CNAME, and for NS
    those of a delegation, which nobody but its own servers has authority for."""

    server: str
    rcode: str  # NOERROR, NXDOMAIN, REFUSED, SERVFAIL, …
    authoritative: bool
    values: tuple[str, ...] = ()

    @property
    def absent(self) -> bool:
        """NXDOMAIN, or NODATA, said by a server that has the zone (RFC 2308)."""
        return self.authoritative and self.rcode in {"NXDOMAIN", "NOERROR"} and not self.values


def split(server: str) -> tuple[str, int]:
    """`host:port`, `[v6]:port`, or a bare host with port 53."""
    host, colon, port = server.rpartition(":")
    if colon and port.isdigit() and (host.startswith("[") or ":" not in host):
        return host.strip("[]"), int(port)
    return server.strip("[]"), DNS_PORT


async def ask(server: str, name: str, type_: str, *, timeout: float = 3) -> Answer:
    """One question to one server. Transient when it stays silent or answers nonsense."""
    host, port = split(server)
    question = dns.message.make_query(dns.name.from_text(name), type_)
    question.flags &= ~dns.flags.RD
    address = await _address(host)
    for attempt in range(TRIES):
        try:
            reply, _ = await dns.asyncquery.udp_with_fallback(question, address, timeout, port, ignore_unexpected=True)
            break
        except (dns.exception.DNSException, OSError, EOFError) as error:
            if attempt + 1 == TRIES:
                raise Transient(f"name server {server} did not answer for {name} {type_}: {error!r}") from error
    wanted = dns.rdatatype.from_text(type_)
    told = list(reply.answer)
    if not told and wanted == dns.rdatatype.NS:
        told = [rrset for rrset in reply.authority if rrset.name == question.question[0].name]
    values = [_text(rdata) for rrset in told if rrset.rdtype == wanted for rdata in rrset]
    return Answer(
        server=server,
        rcode=dns.rcode.to_text(reply.rcode()),
        authoritative=bool(reply.flags & dns.flags.AA),
        values=tuple(sorted(values)),
    )


async def survey(servers: Sequence[str], name: str, type_: str, *, timeout: float = 3) -> list[Answer]:
    """Every server's answer. Transient when one of them gives none, or when there is no server to ask."""
    if not servers:
        raise Transient(f"no authoritative name server is known for {name}")
    return list(await asyncio.gather(*(ask(server, name, type_, timeout=timeout) for server in servers)))


async def seen_everywhere(servers: Sequence[str], name: str, type_: str, values: Iterable[str]) -> bool:
    """Whether every server answers with all of `values` (it may answer with more)."""
    wanted = set(values)
    return all(wanted <= set(answer.values) for answer in await survey(servers, name, type_))


async def absent_everywhere(servers: Sequence[str], name: str, type_: str) -> bool:
    """Whether every server says, with authority, that there are no such records. A refusal says nothing: Transient."""
    answers = await survey(servers, name, type_)
    for answer in answers:
        if not answer.values and not answer.absent:
            raise Transient(f"name server {answer.server} cannot tell about {name}: {answer.rcode}")
    return all(answer.absent for answer in answers)


async def told_servers(name: str) -> list[str]:
    """Names of the servers that the public tree tells for the zone around `name`, by the system's resolver."""
    try:
        zone = await dns.asyncresolver.zone_for_name(name)
        return [_text(rdata) for rdata in await dns.asyncresolver.resolve(zone, "NS")]
    except dns.exception.DNSException as error:
        raise Transient(f"the name servers of {name} cannot be found: {error!r}") from error


async def authoritative_servers(name: str) -> list[str]:
    """Addresses of the servers that the public tree names for the zone of `name`, by the system's resolver."""
    found = [await _address(host) for host in await told_servers(name)]
    return [f"[{address}]:{DNS_PORT}" if ":" in address else f"{address}:{DNS_PORT}" for address in found]


async def _address(host: str) -> str:
    """The address to send to; IPv4 is preferred because a worker may have nothing else."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        pass
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None)
    except OSError as error:
        raise Transient(f"the address of name server {host} cannot be found: {error!r}") from error
    addresses = sorted({str(entry[4][0]) for entry in found}, key=lambda address: (":" in address, address))
    return addresses[0]


def _text(rdata: dns.rdata.Rdata) -> str:
    strings = getattr(rdata, "strings", None)
    if strings is not None:
        return b"".join(strings).decode("utf-8", "backslashreplace")
    return to_value(dns.rdatatype.to_text(rdata.rdtype), rdata.to_text())
