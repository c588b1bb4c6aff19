"""A small certificate authority (RFC 8555, RFC 9773) for machines without Pebble."""
