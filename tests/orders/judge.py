"""From outside: whether so many payments are so many live subscriptions, and nothing is there twice or left over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import httpx
from sqlalchemy import text

from tests.orders.outside import opened
from tests.orders.stack import BASE, Stack

# What must be there once an order, by our own rows.
_COUNTS = {
    "orders": "select count(*) from orders",
    "orders FULFILLED": "select count(*) from orders where status = 'FULFILLED'",
    "payments with an order": "select count(distinct stripe_payment_intent_id) from orders",
    "subscriptions ACTIVE": "select count(*) from subscriptions where status = 'ACTIVE'",
    "customers": "select count(*) from customers",
    "domains ACTIVE": "select count(*) from domains where status = 'ACTIVE'",
    "accounts ACTIVE": "select count(*) from hosting_accounts where status = 'ACTIVE'",
    "mailboxes ACTIVE": "select count(*) from mail_accounts where status = 'ACTIVE'",
    "orders' runs": "select count(*) from jobs where type = 'FULFIL_ORDER' and status = 'SUCCESS'",
    "letters that a site is live": "select count(*) from outgoing_mails where template like 'site-live%'",
    "people invited": "select count(*) from users where role = 'USER'",
}
_NEVER = {
    "rows that are neither live nor ours": """select count(*) from domains where status <> 'ACTIVE'""",
    "jobs that did not end well": "select count(*) from jobs where status <> 'SUCCESS'",
    "payment cases": "select count(*) from payment_events where outcome = 'case'",
    "refunds": "select count(*) from refunds",
}


async def judge(stack: Stack, wanted: int, names: Iterable[str]) -> list[str]:
    """What is wrong, in sentences; empty where all is well."""
    wrong: list[str] = []
    async with stack.db.begin() as session:
        for what, query in _COUNTS.items():
            if (found := (await session.execute(text(query))).scalar_one()) != wanted:
                wrong.append(f"{found} {what}, not {wanted}")
        for what, query in _NEVER.items():
            if found := (await session.execute(text(query))).scalar_one():
                wrong.append(f"{found} {what}")
        live = set((await session.execute(text("select name from domains where status = 'ACTIVE'"))).scalars())
    ledger = opened(stack.ledger)
    things = Counter(kind for (kind,) in ledger.execute("select kind from things"))
    for kind in ("account", "mailbox", "tls", "certificate"):
        if things[kind] != wanted:
            wrong.append(f"{things[kind]} of {kind} outside, not {wanted}")
    wrong += [f"{kind} {name} of {owner} was asked for by {asked}"
              for kind, name, owner, asked in ledger.execute("select * from strangers")]  # fmt: skip
    ledger.close()
    own = set(names)
    if missing := own - live:
        wrong.append(f"{len(missing)} names were asked for and are not live, such as {min(missing)}")
    return wrong + await _zones(stack, own)


async def _zones(stack: Stack, own: set[str]) -> list[str]:
    """Each name a customer brought has its zone at the name server, and there is no other."""
    async with httpx.AsyncClient(trust_env=False, headers={"X-API-Key": stack.dns_key}, timeout=60) as client:
        answer = await client.get(f"{stack.dns_url}/servers/localhost/zones")
        answer.raise_for_status()
    there = {zone["name"].rstrip(".") for zone in answer.json()} - {BASE}
    return [f"{len(there ^ own)} zones are missing or left over, such as {min(there ^ own)}"] if there != own else []
