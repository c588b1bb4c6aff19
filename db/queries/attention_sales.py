"""What needs somebody in sales and their delivery, as rows know it. Read only.

Mails that were given up are shown for a week: there is nothing to do to one but to know of it.
"""

from __future__ import annotations

from datetime import timedelta

from db.queries.attention import UNSTARTED
from db.queries.reading import Reader, Row

MAIL_SHOWN = timedelta(days=7)

_JOBS = """
select j.id, j.type, j.phase, j.attention, j.parked, j.workflow_id, j.created_at, j.subscription_id,
       s.order_id, o.domain_name, o.total_amount_cents, o.currency, t.slug as tenant, g.name as organization_name,
       v.hostname
  from jobs j
  left join subscriptions s on s.id = j.subscription_id
  left join orders o on o.id = s.order_id
  left join tenants t on t.id = s.tenant_id
  left join customers c on c.id = s.customer_id
  left join organizations g on g.id = c.organization_id
  left join servers v on v.id = j.server_id
"""
_PARKED = _JOBS + " where j.attention <> 'none' and j.ended_at is null"
_UNSTARTED = (
    _JOBS
    + """
 where j.started_at is null and j.parent_id is null and j.ended_at is null and j.created_at < now() - %s
"""
)
_BY_RUN = _JOBS + " where j.workflow_id = any(%s)"

_CASES = """
select e.id, e.type, e.message, e.facts, e.received_at, e.order_id, e.subscription_id, o.domain_name,
       t.slug as tenant, g.name as organization_name
  from payment_events e
  left join orders o on o.id = e.order_id
  left join tenants t on t.id = o.tenant_id
  left join customers c on c.id = o.customer_id
  left join organizations g on g.id = c.organization_id
 where e.outcome = 'case' and e.settled_at is null
 order by e.received_at
"""

# One that failed and was followed by another is over; what became of that one counts.
_REFUNDS = """
select distinct on (r.order_id)
       r.id, r.order_id, r.amount_cents, r.currency, r.reason, coalesce(r.ended_at, r.created_at) as failed_at,
       s.id as subscription_id, o.domain_name, t.slug as tenant, g.name as organization_name
  from refunds r
  join orders o on o.id = r.order_id
  join subscriptions s on s.order_id = o.id
  join tenants t on t.id = o.tenant_id
  join customers c on c.id = o.customer_id
  join organizations g on g.id = c.organization_id
 where r.status = 'FAILED'
   and not exists (select 1 from refunds l where l.order_id = r.order_id and l.status <> 'FAILED')
 order by r.order_id, r.created_at desc
"""

_MAILS = """
select id, recipient, template, last_error, created_at from outgoing_mails
 where state = 'failed' and created_at > now() - %s
"""


async def parked_jobs(reader: Reader) -> list[Row]:
    """Jobs of which a step waits for somebody; `parked` holds the waits."""
    return await reader.all(_PARKED)


async def unstarted_jobs(reader: Reader) -> list[Row]:
    """Jobs that no run is known to have been started for; a paid order's is among them."""
    return await reader.all(_UNSTARTED, (UNSTARTED,))


async def jobs_by_run(reader: Reader, workflow_ids: list[str]) -> dict[str, Row]:
    if not workflow_ids:
        return {}
    return {row["workflow_id"]: row for row in await reader.all(_BY_RUN, (workflow_ids,))}


async def payment_cases(reader: Reader) -> list[Row]:
    """Messages of the payment service that nothing could be made of, until somebody settles them."""
    return await reader.all(_CASES)


async def failed_refunds(reader: Reader) -> list[Row]:
    """Money that is owed: the newest refund of an order, where it failed and no other is under way."""
    return await reader.all(_REFUNDS)


async def failed_mails(reader: Reader) -> list[Row]:
    return await reader.all(_MAILS, (MAIL_SHOWN,))
