"""From outside: whether each certificate was issued once, is served, and came no sooner than the budget allows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text

from tests.drill import ca_log
from tests.drill.ca_log import IssuedByCa
from tests.drill.outside import opened
from tests.drill.stack import Stack

_SERVED = """
select c.names[1] as name, c.serial
  from certificates c join certificates old on old.id = c.renews_id
 where c.superseded_at is null and c.renew_after is not null and old.superseded_at is not null"""
_NEVER = {
    "certificates that are superseded and have no successor": """
        select count(*) from certificates old where superseded_at is not null
           and not exists (select 1 from certificates c where c.renews_id = old.id)""",
    "orders that are open at the CA": "select count(*) from certificate_orders",
}


@dataclass(frozen=True)
class Declared:
    """A drill as it was begun: so many certificates, so many an hour from then on."""

    total: int
    pace: int
    began: datetime

    def allowed(self, at: datetime) -> float:
        """By the end of the second `at`: the pace, and one for the beginning."""
        return (at + timedelta(seconds=1) - self.began) / timedelta(hours=1) * self.pace + 1


async def judge(stack: Stack, declared: Declared, before: Collection[str]) -> list[str]:
    """What is wrong, in sentences; empty where all is well. `before`: serials of the certificates to be replaced."""
    since = [one for one in ca_log.issued(stack.ca_log) if one.serial not in before]
    wrong = too_soon(declared, since)
    if len(since) != declared.total:
        wrong.append(f"the CA issued {len(since)} certificates, not {declared.total}")
    ledger = opened(stack.ledger)
    served = dict(ledger.execute("select name, serial from hosts"))
    given = Counter(name for (name,) in ledger.execute("select name from installed"))
    wrong += [f"{name} {told}" for name, told in ledger.execute("select name, told from strangers")]
    ledger.close()
    if once := [name for name, count in given.items() if count != 1]:
        wrong.append(f"{len(once)} hosts were given more than one new certificate, such as {min(once)}")
    if unserved := {one.serial for one in since} ^ set(served.values()):
        wrong.append(f"{len(unserved)} certificates are issued and not served, or the other way round")
    return wrong + await _rows(stack, declared, served)


async def _rows(stack: Stack, declared: Declared, served: dict[str, str]) -> list[str]:
    async with stack.db.begin() as session:
        rows = {row.name: row.serial for row in await session.execute(text(_SERVED))}
        counts = {what: (await session.execute(text(query))).scalar_one() for what, query in _NEVER.items()}
        (drill,) = (await session.execute(text("select state, total, replaced from certificate_drills"))).all()
    wrong = [f"{count} {what}" for what, count in counts.items() if count]
    if rows != served:
        wrong.append(f"{len(set(rows.items()) ^ set(served.items()))} names are served another one than our rows say")
    if tuple(drill) != ("done", declared.total, declared.total):
        wrong.append(f"the drill says {drill.state}, {drill.replaced} of {drill.total}")
    return wrong


def too_soon(declared: Declared, since: list[IssuedByCa]) -> list[str]:
    """At no moment had the CA issued more than the pace allows from the beginning to then."""
    for count, one in enumerate(sorted(since), start=1):
        if count > declared.allowed(one.at):
            return [f"{count} were issued by {one.at:%H:%M:%S}, and {declared.pace} an hour allow "
                    f"{declared.allowed(one.at):.0f}"]  # fmt: skip
    return []
