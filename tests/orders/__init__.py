"""`make orders`: many payments at once, each told of several times in any order, while workers are killed.

Real: the API as a process, PostgreSQL, Temporal, the workers, the name server, the payment service's protocol. What is
behind the SSH port and the CA answers from a ledger of its own that refuses to make anything twice (outside.py).
"""
