"""Values of every type, for the pure code and for real servers: (type, as typed, plain form, PowerDNS's content)."""

from __future__ import annotations

HASH = "ab" * 32

CORPUS: list[tuple[str, str, str, str]] = [
    ("A", " 192.0.2.1 ", "192.0.2.1", "192.0.2.1"),
    ("A", "0.0.0.0", "0.0.0.0", "0.0.0.0"),
    ("AAAA", "2001:DB8:0::0001", "2001:db8::1", "2001:db8::1"),
    ("AAAA", "2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1", "2001:db8::1:0:0:1"),
    ("AAAA", "2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
    ("AAAA", "64:ff9b::192.0.2.33", "64:ff9b::c000:221", "64:ff9b::c000:221"),
    ("AAAA", "::1", "::1", "::1"),
    ("CNAME", "Target.Example.net.", "target.example.net", "target.example.net."),
    ("CNAME", "sel._domainkey.example.net", "sel._domainkey.example.net", "sel._domainkey.example.net."),
    ("CNAME", "bücher.example", "xn--bcher-kva.example", "xn--bcher-kva.example."),
    ("MX", "010  Mail.example.org.", "10 mail.example.org", "10 mail.example.org."),
    ("MX", "0 .", "0 .", "0 ."),
    ("NS", "NS1.elsewhere.net", "ns1.elsewhere.net", "ns1.elsewhere.net."),
    ("PTR", "host.example.org.", "host.example.org", "host.example.org."),
    ("SRV", "1 2 5060 Sip.example.org", "1 2 5060 sip.example.org", "1 2 5060 sip.example.org."),
    ("SRV", "0 0 0 .", "0 0 0 .", "0 0 0 ."),
    ("CAA", "0 ISSUE letsencrypt.org", '0 issue "letsencrypt.org"', '0 issue "letsencrypt.org"'),
    ("CAA", '128 iodef "mailto:a@example.org"', '128 iodef "mailto:a@example.org"', '128 iodef "mailto:a@example.org"'),
    ("CAA", '0 issuewild ";"', '0 issuewild ";"', '0 issuewild ";"'),
    ("CAA", '0 issue "a.org; validationmethods=dns-01"', '0 issue "a.org; validationmethods=dns-01"',
     '0 issue "a.org; validationmethods=dns-01"'),
    ("TLSA", f"3 1 1 {HASH[:32].upper()} {HASH[32:]}", f"3 1 1 {HASH}", f"3 1 1 {HASH}"),
    ("TLSA", f"2 0 2 {HASH}{HASH}", f"2 0 2 {HASH}{HASH}", f"2 0 2 {HASH}{HASH}"),
    ("TLSA", f"3 0 0 {HASH * 10}", f"3 0 0 {HASH * 10}", f"3 0 0 {HASH * 10}"),
    ("TXT", "v=spf1 mx -all", "v=spf1 mx -all", '"v=spf1 mx -all"'),
    ("TXT", 'a "quoted" back\\slash; and more', 'a "quoted" back\\slash; and more',
     '"a \\"quoted\\" back\\\\slash; and more"'),
    ("TXT", "x" * 300, "x" * 300, f'"{"x" * 255}" "{"x" * 45}"'),
    ("TXT", "x" * 255, "x" * 255, f'"{"x" * 255}"'),
    ("TXT", "größe", "größe", '"gr\\195\\182\\195\\159e"'),
    ("TXT", " blanks stay ", " blanks stay ", '" blanks stay "'),
]  # fmt: skip
