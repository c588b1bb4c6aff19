"""What people see of the inventory, and what they decide about one server in it."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from db.models_inventory import CloudResource
from db.queries.reading import Reader, Row
from domain.inventory import ResourceState, Verdict

# A server is for whoever lives on it where its row names it; else for whom its order was.
_RESOURCES = """
select r.id, r.provider, r.provider_ref, r.label, r.product, r.status, r.address, r.state, r.verdict, r.note,
       r.sightings, r.first_seen, r.last_seen, r.unexplained_since, r.quarantined_at, r.delete_after, r.deleted_at,
       r.price_cents_month, r.currency, r.decided_by, r.decided_at, r.correlation is not null as has_token,
       v.id as vps_id, v.vps_name, v.lifecycle, i.state as intent_state, i.deployment_id as ordered_for,
       coalesce(d.living, '[]'::jsonb) as deployments
  from cloud_resources r
  left join vps_instances v on v.id = r.vps_id
  left join server_intents i on i.vps_id = r.vps_id
  left join lateral (
       select jsonb_agg(jsonb_build_object('id', d.id, 'slug', d.slug, 'organization_name', o.name,
                                           'status', d.status, 'phase', d.phase) order by o.name) as living
         from instance_deployments d join organizations o on o.id = d.organization_id
        where d.vps_id = v.id and d.ended_at is null and v.provider_instance_id = r.provider_ref) d on true
 where r.state <> 'gone'
 order by r.state = 'explained', r.first_seen, r.provider_ref
"""

# Of each cloud the newest sweep, and when one last wrote a complete list down.
_SWEEPS = """
select distinct on (s.provider) s.id, s.provider, s.requested_by, s.vouched, s.began_at, s.ended_at, s.outcome,
       s.complete, s.reason, s.listed, s.unexplained, s.quarantined, s.deleted,
       (select max(c.began_at) from inventory_sweeps c where c.provider = s.provider and c.complete) as last_complete_at
  from inventory_sweeps s where s.outcome <> 'skipped'
 order by s.provider, s.began_at desc
"""

_COUNTS = "select provider, state, count(*) as number from cloud_resources where state <> 'gone' group by 1, 2"

_AGES = """
select provider, extract(epoch from now() - max(began_at))::float8 as seconds
  from inventory_sweeps where complete group by provider
"""


class NotAllowed(Exception):
    """The decision is refused; the text says why, for people."""


async def resources(reader: Reader) -> list[Row]:
    """Everything that is at a cloud, or should be; what needs somebody first."""
    return await reader.all(_RESOURCES)


async def sweeps(reader: Reader) -> list[Row]:
    return await reader.all(_SWEEPS)


async def state_counts(reader: Reader) -> list[Row]:
    return await reader.all(_COUNTS)


async def ages(reader: Reader) -> list[Row]:
    """Seconds since the last complete list of each cloud that ever had one."""
    return await reader.all(_AGES)


async def decide(
    session: AsyncSession, resource_id: uuid.UUID, state: ResourceState, *, by: str, note: str, now: datetime
) -> CloudResource | None:
    """ADOPTED: leave it alone. RELEASED: the next sweep deletes it. None where there is no such line."""
    query = select(CloudResource).where(CloudResource.id == resource_id, CloudResource.state != ResourceState.GONE)
    row = (await session.execute(query.with_for_update())).scalar_one_or_none()
    if row is None:
        return None
    if row.state in (ResourceState.EXPLAINED, ResourceState.MISSING):
        raise NotAllowed(f"A row of ours names {row.provider_ref}; terminate its instance instead.")
    if state is ResourceState.ADOPTED and row.deleted_at is not None:
        raise NotAllowed(f"The cloud was asked to delete {row.provider_ref} already.")
    if state is ResourceState.RELEASED and row.verdict == Verdict.FOREIGN:
        raise NotAllowed(f"{row.provider_ref} carries no mark of Slipway; delete it at the cloud if it is yours.")
    row.state, row.decided_by, row.decided_at, row.delete_after = state, by, now, None
    row.note = note or row.note
    await session.flush()
    return row
