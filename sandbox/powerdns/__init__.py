"""A name server for machines without pdns_server: PowerDNS 4.7's HTTP API before an authoritative answerer."""
