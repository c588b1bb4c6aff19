"""Changes of zones that need somebody, as items of the operators' list. Pure on rows.

Items have the members of every other item; `zone_id` and `change_id` say what is retried or settled.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from api.attention_sales import Item, item_of, saying
from api.statusview import workflow_url
from db.queries import attention_zones as rows
from db.queries.reading import Reader, Row
from domain.ids import zone_workflow_id
from domain.statuses import AttentionKind
from domain.zones import ChangeKind
from settings import Settings

FAILED_PATIENCE = timedelta(days=1)
LATE_PATIENCE = timedelta(minutes=30)


async def items(reader: Reader, settings: Settings) -> list[Item]:
    return [
        *(_failed(settings, row) for row in await rows.failed_changes(reader)),
        *(_late(settings, row) for row in await rows.late_changes(reader)),
    ]


def _failed(settings: Settings, row: Row) -> Item:
    what = f"{_wish(row)} failed{_asker(row)}"
    return _item(settings, row, AttentionKind.ZONE_CHANGE_FAILED, what, row["trouble"], row["message"],
                 row["ended_at"], FAILED_PATIENCE)  # fmt: skip


def _late(settings: Settings, row: Row) -> Item:
    what = f"{_wish(row)} takes too long{_asker(row)}"
    message = "It is neither done nor given up; later changes of the zone wait behind it."
    return _item(settings, row, AttentionKind.ZONE_CHANGE_LATE, what, "Late", message, row["created_at"],
                 LATE_PATIENCE)  # fmt: skip


def _item(
    settings: Settings, row: Row, kind: AttentionKind, what: str, trouble: str, message: str, since: datetime,
    patience: timedelta,
) -> Item:  # fmt: skip
    more: dict[str, Any] = {
        "zone_id": row["zone_id"], "change_id": row["id"], "subscription_id": row["subscription_id"],
        "temporal_url": workflow_url(settings, zone_workflow_id(str(row["zone_id"]))),
    }  # fmt: skip
    return item_of(row, row["zone_name"], **more) | saying(kind, what, trouble, message, since, patience, "operator")


def _wish(row: Row) -> str:
    match ChangeKind(row["kind"]):
        case ChangeKind.SET:
            return f"Publication of {row['name']} {row['type']}"
        case ChangeKind.ZONE:
            return "Publication of the zone"
        case ChangeKind.END:
            return "Removal of the zone"


def _asker(row: Row) -> str:
    return f", asked for by {row['requested_by']}" if row["requested_by"] else ""
