"""dns-01 (RFC 8555 §8.4): a real question to the configured name server. The words are a public CA's."""

from __future__ import annotations

import dns.asyncquery
import dns.exception
import dns.message
import dns.rcode
import dns.rdatatype

from sandbox.acme.problems import Problem

TIMEOUT = 5.0


async def validate(server: tuple[str, int], domain: str, expected: str) -> None:
    """Returns where the TXT value is there; raises the Problem that goes into the challenge."""
    name = f"_acme-challenge.{domain}"
    host, port = server
    question = dns.message.make_query(name, "TXT")
    try:
        answer, _ = await dns.asyncquery.udp_with_fallback(question, host, TIMEOUT, port, ignore_unexpected=True)
    except (dns.exception.DNSException, OSError, EOFError) as error:
        raise Problem("dns", f"DNS problem: query timed out looking up TXT for {name}") from error
    rcode = dns.rcode.to_text(answer.rcode())
    if rcode not in {"NOERROR", "NXDOMAIN"}:
        raise Problem("dns", f"DNS problem: {rcode} looking up TXT for {name}")
    if rcode == "NXDOMAIN":
        raise Problem(
            "dns", f"DNS problem: NXDOMAIN looking up TXT for {name} - check that a DNS record exists for this domain"
        )
    values = [
        b"".join(rdata.strings).decode("utf-8", "replace")
        for rrset in answer.answer
        if rrset.rdtype == dns.rdatatype.TXT
        for rdata in rrset
    ]
    if not values:
        raise Problem("unauthorized", f"No TXT record found at {name}", 403)
    if expected not in values:
        more = f" (and {len(values) - 1} more)" if len(values) > 1 else ""
        raise Problem("unauthorized", f'Incorrect TXT record "{values[0]}"{more} found at {name}', 403)
