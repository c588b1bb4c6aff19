"""Changes of zones that need somebody, as rows know them. Read only.

One that failed is over once the same was asked for again, or once the whole zone was published after it: that brings
everything its rows say, but takes nothing away. What waits behind another change waits for that.
"""

from __future__ import annotations

from datetime import timedelta

from db.queries.reading import Reader, Row

# A change is given up after five minutes of its own, and the sweep tells its run within one; some may wait before it.
LATE = timedelta(minutes=15)

_OPEN = """
with changes as (
  select c.id, c.zone_id, c.kind, c.name, c.type, c.state, c.trouble, c.message, c.requested_by, c.created_at,
         c.ended_at, z.zone_name, z.status, z.subscription_id, g.name as organization_name,
         exists (
           select 1 from dns_changes l
            where l.zone_id = c.zone_id and l.number > c.number
              and ((c.kind = 'set' and l.kind = 'set' and l.name = c.name and l.type = c.type)
                or (c.kind <> 'set' and l.kind <> 'set')
                or (c.kind = 'set' and l.kind = 'zone' and l.state = 'published' and exists (
                    select 1 from dns_records r
                     where r.zone_id = c.zone_id and r.name = c.name and r.type = c.type)))) as is_over,
         exists (
           select 1 from dns_changes e
            where e.zone_id = c.zone_id and e.number < c.number and e.state = 'waiting') as is_behind
    from dns_changes c
    join dns_zones z on z.id = c.zone_id
    left join organizations g on g.id = z.organization_id
   where c.state = 'waiting' or (c.state = 'failed' and c.settled_at is null))
select * from changes
"""
_FAILED = _OPEN + " where state = 'failed' and status <> 'REMOVED' and not is_over"
_LATE = _OPEN + " where state = 'waiting' and not is_behind and created_at < now() - %s"


async def failed_changes(reader: Reader) -> list[Row]:
    """The newest wish for a set, or for a whole zone, where it was given up and nobody settled that."""
    return await reader.all(_FAILED)


async def late_changes(reader: Reader) -> list[Row]:
    """Of each zone the oldest change that waits, where that has taken too long."""
    return await reader.all(_LATE, (LATE,))
