"""What needs somebody, as rows know it: steps that wait, orders that no run was started for. Read only."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from db.queries.reading import Reader, Row

# The front door starts a run within moments, the sweep of unstarted rows within a minute.
UNSTARTED = timedelta(minutes=2)

_COLUMNS = """
select d.id, d.slug, o.name as organization_name, d.deployment_type, d.tier, d.phase, d.attention, d.parked,
       d.price_cents_month, d.currency, d.created_at
  from instance_deployments d join organizations o on o.id = d.organization_id
"""
_PARKED = _COLUMNS + " where d.attention <> 'none' and d.ended_at is null"
_UNSTARTED = _COLUMNS + " where d.started_at is null and d.ended_at is null and d.created_at < now() - %s"
_BY_ID = _COLUMNS + " where d.id::text = any(%s)"


async def parked_rows(reader: Reader) -> list[Row]:
    """Deployments of which a step waits for somebody; `parked` holds the waits."""
    return await reader.all(_PARKED)


async def unstarted_rows(reader: Reader) -> list[Row]:
    return await reader.all(_UNSTARTED, (UNSTARTED,))


async def rows_of(reader: Reader, ids: list[str]) -> dict[str, Row]:
    """Deployments by id, as text; ids nobody knows are left out."""
    if not ids:
        return {}
    return {str(row["id"]): row for row in await reader.all(_BY_ID, (ids,))}


def parked_since(row: Row) -> list[datetime]:
    """When each wait of a row began."""
    waits: list[dict[str, Any]] = row["parked"]
    return [datetime.fromisoformat(wait["since"]) for wait in waits]
