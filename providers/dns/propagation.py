"""Whether every authoritative server of a zone serves what was written, or serves the zone no more.

One look per call. A primary's answers prove nothing about its secondaries, so each is asked by itself: its SOA serial
against the one written (RFC 1982 arithmetic), and each record set against its values.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from domain.dns_records import RecordSet
from providers.dns.lookup import Answer, ask, survey
from providers.errors import NotReady, StillPresent, Transient

PROVIDER = "dns"
HALF = 2**31
WHOLE = 2**32


async def check_published(
    servers: Sequence[str], zone: str, sets: Sequence[RecordSet], *, serial: int, timeout: float = 3
) -> str:
    """A sentence of evidence once every server (host:port) has at least this serial and answers these sets.

    NotReady names each server that does not, and says why: silent, an old serial, other values. Transient when there
    is no server to ask. A set that was removed is proven by the serial: where a wildcard covers its name the answer is
    not empty.
    """
    if not servers:
        raise Transient(f"no authoritative name server is known for {zone}", provider=PROVIDER)
    found = await asyncio.gather(*(_behind(server, zone, sets, serial, timeout) for server in servers))
    late = [f"{server} {why}" for server, why in zip(servers, found, strict=True) if why]
    if late:
        raise NotReady(f"{zone} is not the same at every name server yet: {'; '.join(late)}", provider=PROVIDER)
    return f"{zone} has serial {serial} or newer and {len(sets)} record sets as written at {', '.join(servers)}"


async def check_gone(servers: Sequence[str], zone: str, *, timeout: float = 3) -> str:
    """A sentence of evidence once no server answers for the zone any more.

    StillPresent names those that do. Transient when one stays silent or fails: that proves nothing.
    """
    answers = await survey(servers, zone, "SOA", timeout=timeout)
    still = [answer.server for answer in answers if answer.values]
    if still:
        raise StillPresent(f"{zone} is still served by {', '.join(still)}", provider=PROVIDER)
    for answer in answers:
        if answer.rcode not in {"REFUSED", "NXDOMAIN", "NOERROR", "NOTAUTH"}:
            raise Transient(f"name server {answer.server} cannot tell about {zone}: {answer.rcode}", provider=PROVIDER)
    return "; ".join(f"{answer.rcode} at {answer.server}" for answer in answers)


def older(serial: int, than: int) -> bool:
    """RFC 1982 §3.2, 32 bits."""
    return 0 < (than - serial) % WHOLE < HALF


async def _behind(server: str, zone: str, sets: Sequence[RecordSet], serial: int, timeout: float) -> str | None:
    """What is missing at one server."""
    try:
        soa = await ask(server, zone, "SOA", timeout=timeout)
        if not soa.authoritative or not soa.values:
            return f"does not serve the zone ({soa.rcode})"
        there = int(soa.values[0].split()[2])
        if older(there, serial):
            return f"has serial {there}, not {serial} yet"
        for item in sets:
            why = _differs(await ask(server, item.name, item.type, timeout=timeout), item)
            if why:
                return why
    except Transient as error:
        return error.message
    return None


def _differs(answer: Answer, wanted: RecordSet) -> str | None:
    if not answer.authoritative and answer.rcode == "NOERROR" and not answer.values and wanted.type in {"A", "AAAA"}:
        return None  # an address of a delegated server: told beside a referral only
    if set(answer.values) == set(wanted.values):
        return None
    return f"answers {', '.join(answer.values) or answer.rcode} for {wanted.name} {wanted.type}"
