"""Certificates that somebody should look at, as rows know them. Read only.

db/queries/certificates.py says since when; a successor that is served ends it.
"""

from __future__ import annotations

from db.queries.reading import Reader, Row

_TROUBLED = """
select c.id, c.names, c.not_after, c.troubled_since, c.urgent, c.revoked, c.failures, c.failure_message, c.failed_at,
       c.renew_after, c.next_action, c.why, c.deployment_id, c.subscription_id, d.deployment_type, d.tier,
       coalesce(o.name, g.name) as organization_name
  from certificates c
  left join instance_deployments d on d.id = c.deployment_id
  left join organizations o on o.id = d.organization_id
  left join subscriptions s on s.id = c.subscription_id
  left join customers u on u.id = s.customer_id
  left join organizations g on g.id = u.organization_id
 where c.troubled_since is not null
 order by c.troubled_since
 limit %s
"""
MOST = 500  # of a mass withdrawal the oldest are enough to know of it


async def troubled(reader: Reader) -> list[Row]:
    """Revoked, near their end, or not renewed by several tries; the oldest trouble first."""
    return await reader.all(_TROUBLED, (MOST,))


async def number(reader: Reader) -> int:
    row = await reader.one("select count(*) as number from certificates where troubled_since is not null")
    return int(row["number"]) if row else 0
