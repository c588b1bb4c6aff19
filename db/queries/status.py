"""What a portal polls: a deployment's row with everything it shows, and its story. Read only, one statement each."""

from __future__ import annotations

import uuid

from db.queries.reading import Reader, Row

_ROW = """
select d.id, d.organization_id, d.deployment_type, d.tier, d.slug, d.assigned_subdomain, d.status, d.phase,
       d.attention, d.status_message, d.error_code, d.error_message, d.access_url, d.parked, d.absence,
       d.price_cents_month, d.currency, d.run_id, d.seq, d.position, d.requested_by, d.admin_email, d.admin_name,
       d.inputs, d.started_at, d.activated_at, d.ended_at, d.created_at, d.updated_at,
       o.name as organization_name, o.tenant_id,
       v.id as vps_id, v.vps_name, v.vps_ip, v.vps_hostname, v.location, v.product_name, v.provider_type,
       v.lifecycle as vps_lifecycle, v.power_state as vps_power_state, v.is_shared as vps_is_shared,
       v.billed_until as vps_billed_until, v.updated_at as vps_updated_at,
       s.ciphertext is not null and s.revealed_at is null as secret_left, s.expires_at as secret_expires_at
  from instance_deployments d
  join organizations o on o.id = d.organization_id
  left join vps_instances v on v.id = d.vps_id
  left join secrets s on s.deployment_id = d.id and s.purpose = 'admin-password'
 where d.id = %s
"""

_STORY = """
(select position, kind, family, step, state, message, attempt, data, at
   from deployment_events where deployment_id = %(id)s and kind = 'step')
union all
(select position, kind, family, step, state, message, attempt, data, at
   from deployment_events where deployment_id = %(id)s and kind = 'log' order by position desc limit %(lines)s)
order by position
"""

_AFTER = """
select position, kind, family, step, state, message, attempt, data, at
  from deployment_events where deployment_id = %s and position > %s order by position limit %s
"""

_LINES = """
select position, kind, family, step, state, message, attempt, data, at
  from deployment_events where deployment_id = %s and position > %s and (kind = 'log' or message <> '')
 order by position limit %s
"""

_VERSIONS = "select id, seq, position, updated_at from instance_deployments where id = any(%s)"


async def row_of(reader: Reader, deployment_id: uuid.UUID) -> Row | None:
    return await reader.one(_ROW, (deployment_id,))


async def story_of(reader: Reader, deployment_id: uuid.UUID, *, lines: int) -> list[Row]:
    """Every step event and the newest `lines` log lines, in order."""
    return await reader.all(_STORY, {"id": deployment_id, "lines": lines})


async def events_after(reader: Reader, deployment_id: uuid.UUID, position: int, *, limit: int) -> list[Row]:
    return await reader.all(_AFTER, (deployment_id, position, limit))


async def lines_after(reader: Reader, deployment_id: uuid.UUID, position: int, *, limit: int) -> list[Row]:
    return await reader.all(_LINES, (deployment_id, position, limit))


async def versions_of(reader: Reader, deployment_ids: list[uuid.UUID]) -> dict[uuid.UUID, tuple[object, ...]]:
    """What changes whenever a row changed; deployments that do not exist are missing."""
    rows = await reader.all(_VERSIONS, (deployment_ids,))
    return {row["id"]: (row["seq"], row["position"], row["updated_at"]) for row in rows}
