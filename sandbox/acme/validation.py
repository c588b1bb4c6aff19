"""What the CA sees when it looks (RFC 8555 §8): a real question to the name server, a real request to the host.

The words are a public CA's.
"""

from __future__ import annotations

from typing import Any

import dns.asyncquery
import dns.exception
import dns.message
import dns.rcode
import dns.rdatatype
import httpx

from sandbox.acme.problems import Problem

TIMEOUT = 5.0
MOST_BYTES = 2048


async def _ask(server: tuple[str, int], name: str, kind: str) -> list[Any]:
    host, port = server
    question = dns.message.make_query(name, kind)
    try:
        answer, _ = await dns.asyncquery.udp_with_fallback(question, host, TIMEOUT, port, ignore_unexpected=True)
    except (dns.exception.DNSException, OSError, EOFError) as error:
        raise Problem("dns", f"DNS problem: query timed out looking up {kind} for {name}") from error
    rcode = dns.rcode.to_text(answer.rcode())
    if rcode not in {"NOERROR", "NXDOMAIN"}:
        raise Problem("dns", f"DNS problem: {rcode} looking up {kind} for {name}")
    if rcode == "NXDOMAIN":
        raise Problem(
            "dns",
            f"DNS problem: NXDOMAIN looking up {kind} for {name} - check that a DNS record exists for this domain",
        )
    wanted = dns.rdatatype.from_text(kind)
    return [rdata for rrset in answer.answer if rrset.rdtype == wanted for rdata in rrset]


async def find_record(server: tuple[str, int], domain: str, expected: str) -> None:
    """dns-01. Returns where the TXT value is there; raises the Problem that goes into the challenge."""
    name = f"_acme-challenge.{domain}"
    values = [b"".join(rdata.strings).decode("utf-8", "replace") for rdata in await _ask(server, name, "TXT")]
    if not values:
        raise Problem("unauthorized", f"No TXT record found at {name}", 403)
    if expected not in values:
        more = f" (and {len(values) - 1} more)" if len(values) > 1 else ""
        raise Problem("unauthorized", f'Incorrect TXT record "{values[0]}"{more} found at {name}', 403)


async def fetch_token(server: tuple[str, int], port: int, domain: str, token: str, expected: str) -> None:
    """http-01: port 80 of the address that the name leads to (another one here, where 80 is taken), no redirects."""
    addresses = [rdata.to_text() for rdata in await _ask(server, domain, "A")]
    if not addresses:
        raise Problem("dns", f"DNS problem: no valid A records found for {domain}")
    url = f"http://{domain}/.well-known/acme-challenge/{token}"
    here = f"http://{addresses[0]}:{port}/.well-known/acme-challenge/{token}"
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=TIMEOUT) as http:
            answer = await http.get(here, headers={"Host": domain, "User-Agent": "slipway-sandbox-validation"})
    except httpx.HTTPError as error:
        raise Problem("connection", f"{addresses[0]}: Fetching {url}: {type(error).__name__}") from error
    if answer.status_code != httpx.codes.OK:
        raise Problem("unauthorized", f"{addresses[0]}: Invalid response from {url}: {answer.status_code}", 403)
    found = answer.text[:MOST_BYTES].rstrip()
    if found != expected:
        text = "The key authorization file from the server did not match this challenge."
        raise Problem("unauthorized", f'{addresses[0]}: {text} Expected "{expected}" (got "{found[:100]}")', 403)
