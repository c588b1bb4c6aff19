"""Authoritative answers out of the store: RFC 1034 §4.3.2 with wildcards, delegations and empty non-terminals. No I/O
of its own.
"""

from __future__ import annotations

import sqlite3

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.rrset

from sandbox.powerdns.contents import cut_strings
from sandbox.powerdns.store import Record, Store, Zone

LARGEST_DATAGRAM = 1232
CHAIN = 8  # CNAMEs followed inside our own zones


class Answers:
    def __init__(self, store: Store) -> None:
        self._store = store

    def reply(self, wire: bytes, *, datagram: bool) -> bytes | None:
        """The answer's bytes, cut with TC for a datagram that is too long; None for what deserves no answer."""
        try:
            query = dns.message.from_wire(wire)
        except (dns.exception.DNSException, ValueError):
            return None
        if query.flags & dns.flags.QR:
            return None
        answer = dns.message.make_response(query, our_payload=LARGEST_DATAGRAM)
        if query.opcode() != dns.opcode.QUERY:
            answer.set_rcode(dns.rcode.NOTIMP)
        elif len(query.question) != 1:
            answer.set_rcode(dns.rcode.FORMERR)
        else:
            self._fill(answer, query.question[0].name.to_text().lower(), query.question[0].rdtype)
        if not datagram:
            return answer.to_wire(max_size=65535)
        limit = min(max(query.payload, 512), LARGEST_DATAGRAM) if query.edns >= 0 else 512
        return answer.to_wire(max_size=limit, prefer_truncation=True)

    # ---- the algorithm

    def _fill(self, answer: dns.message.Message, name: str, wanted: dns.rdatatype.RdataType) -> None:
        try:
            self._look_up(answer, name, wanted)
        except (dns.exception.DNSException, ValueError, sqlite3.Error):
            for section in (answer.answer, answer.authority, answer.additional):
                section.clear()
            answer.set_rcode(dns.rcode.SERVFAIL)

    def _look_up(self, answer: dns.message.Message, name: str, wanted: dns.rdatatype.RdataType) -> None:
        for step in range(CHAIN):
            zone = self._zone(name)
            if zone is None:
                if step == 0:
                    answer.set_rcode(dns.rcode.REFUSED)
                return
            cut = self._delegation(zone, name)
            if cut is not None and not (name == cut and wanted == dns.rdatatype.DS):
                self._refer(answer, zone, cut, authoritative=step > 0)
                return
            answer.flags |= dns.flags.AA
            records = self._node(zone, name)
            if records is None:
                answer.set_rcode(dns.rcode.NXDOMAIN)
                self._put(answer.authority, self._store.records(zone.name, zone.name, "SOA"))
                return
            alias = next((r for r in records if r.type == "CNAME"), None)
            if alias is not None and wanted not in {dns.rdatatype.CNAME, dns.rdatatype.ANY}:
                self._put(answer.answer, [alias], name)
                name = alias.content.lower()
                continue
            matching = [r for r in records if wanted == dns.rdatatype.ANY or r.type == dns.rdatatype.to_text(wanted)]
            self._put(answer.answer, matching, name)
            if not matching:
                self._put(answer.authority, self._store.records(zone.name, zone.name, "SOA"))
            return

    def _zone(self, name: str) -> Zone | None:
        labels = [label for label in name.split(".") if label]
        for start in range(len(labels) + 1):
            zone = self._store.zone(".".join(labels[start:]) + ".")
            if zone is not None:
                return zone
        return None

    def _delegation(self, zone: Zone, name: str) -> str | None:
        """The highest name between the apex and `name` that is given away by NS records."""
        labels = name.removesuffix(zone.name).rstrip(".").split(".") if name != zone.name else []
        for start in range(len(labels) - 1, -1, -1):
            candidate = ".".join(labels[start:]) + "." + (zone.name if zone.name != "." else "")
            if self._store.records(zone.name, candidate, "NS"):
                return candidate
        return None

    def _node(self, zone: Zone, name: str) -> list[Record] | None:
        """Enabled records at the name, by a wildcard where it does not exist itself; None where nothing is."""
        here = self._enabled(zone, name)
        if here or name == zone.name or self._store.below(zone.name, name):
            return here
        parent = name
        while parent != zone.name:
            parent = parent.partition(".")[2] or "."
            star = self._enabled(zone, f"*.{parent}")
            if star:
                return star
            if self._enabled(zone, parent) or self._store.below(zone.name, parent):
                return None  # the closest encloser has no wildcard
        return None

    def _enabled(self, zone: Zone, name: str) -> list[Record]:
        return [record for record in self._store.records(zone.name, name) if not record.disabled]

    def _refer(self, answer: dns.message.Message, zone: Zone, cut: str, *, authoritative: bool) -> None:
        if not authoritative:
            answer.flags &= ~dns.flags.AA
        servers = self._store.records(zone.name, cut, "NS")
        self._put(answer.authority, servers)
        for server in servers:
            glue = self._store.records(zone.name, server.content.lower())
            self._put(answer.additional, [record for record in glue if record.type in {"A", "AAAA"}])

    @staticmethod
    def _put(section: list[dns.rrset.RRset], records: list[Record], name: str | None = None) -> None:
        sets: dict[tuple[str, str], list[Record]] = {}
        for record in records:
            if not record.disabled:
                sets.setdefault((name or record.name, record.type), []).append(record)
        for (owner, _), items in sets.items():
            section.append(dns.rrset.from_rdata(owner, items[0].ttl, *(_rdata(item) for item in items)))


def _rdata(record: Record) -> dns.rdata.Rdata:
    content = cut_strings(record.content) if record.type == "TXT" else record.content
    return dns.rdata.from_text("IN", record.type, content)
