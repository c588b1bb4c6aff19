"""`make drill`: all certificates of a CA are replaced at a declared pace, while workers are killed.

Real: the API as a process, PostgreSQL, Temporal, the workers, PowerDNS, Pebble and what it checks by DNS-01. What is
behind the SSH port is a ledger that keeps each host's key and refuses a second new certificate for a name (outside.py).
How often each was issued is Pebble's own word (ca_log.py), laid beside what the hosts serve and what our rows say.
"""
