"""The record sets a mail domain needs in its zone. Pure; who publishes them marks them with an owner.

MX and SPF make mail arrive and leave (RFC 5321, RFC 7208), DMARC says what to do with what fails both (RFC 7489), SRV
lets clients find the servers (RFC 6186). The mail host signs nothing, so there is no DKIM record, and DMARC asks nobody
to refuse: a forwarded mail would fail.
"""

from __future__ import annotations

from providers.dns.rrsets import Rrset, canonical
from providers.errors import InvalidInput
from providers.mailboxes.addresses import domain_of

TTL = 3600


def records_for(domain: str, mail_host: str, *, ttl: int = TTL) -> list[Rrset]:
    """Of `domain`, served by the host called `mail_host`, whose A and AAAA are its own zone's business."""
    zone, host = canonical(domain_of(domain)), canonical(domain_of(mail_host))
    if zone == host:
        raise InvalidInput("the mail host's own name cannot be a mail domain", field="domain")
    records = [
        ("", "MX", f"10 {host}"),
        ("", "TXT", "v=spf1 mx -all"),
        ("_dmarc.", "TXT", "v=DMARC1; p=none"),
        ("_imaps._tcp.", "SRV", f"0 1 993 {host}"),
        ("_submission._tcp.", "SRV", f"0 1 587 {host}"),
        # A target of "." says: decidedly not offered here.
        ("_imap._tcp.", "SRV", "0 0 0 ."),
        ("_pop3._tcp.", "SRV", "0 0 0 ."),
        ("_pop3s._tcp.", "SRV", "0 0 0 ."),
    ]
    return [Rrset(name=prefix + zone, type=kind, ttl=ttl, values=(value,)) for prefix, kind, value in records]
