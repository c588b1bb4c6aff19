"""A small certificate authority (RFC 8555, dns-01) for machines without Pebble."""
