"""Certificates that somebody should look at, as items of the operators' list. Pure on rows.

Their renewal goes on by itself: the item says when the next try is, and the end of the certificate is its deadline.
"""

from __future__ import annotations

from api.attention_sales import Item, item_of
from api.envelope import stamp
from db.queries import attention_certificates as rows
from db.queries.reading import Reader, Row
from domain.statuses import AttentionKind


async def items(reader: Reader) -> list[Item]:
    return [_item(row) for row in await rows.troubled(reader)]


def _item(row: Row) -> Item:
    name = row["names"][0]
    what, trouble = _trouble(row)
    about = item_of(
        row, name, deployment_id=row["deployment_id"], subscription_id=row["subscription_id"],
        deployment_type=row["deployment_type"], tier=row["tier"], certificate_id=row["id"],
    )  # fmt: skip
    return about | {
        "kind": AttentionKind.CERTIFICATE, "what": f"Certificate of {name}: {what}", "step": None, "trouble": trouble,
        "message": _message(row), "since": stamp(row["troubled_since"]), "until": stamp(row["not_after"]),
        "owner": "operator", "editable": [], "current": {},
    }  # fmt: skip


def _trouble(row: Row) -> tuple[str, str]:
    if row["revoked"]:
        return "it was revoked", "CertificateRevoked"
    if row["urgent"]:
        return "its life is nearly over", "CertificateEnds"
    return f"{row['failures']} tries to renew it failed", "RenewalFails"


def _message(row: Row) -> str:
    said = f"The last try said: {row['failure_message'].rstrip('.')}. " if row["failure_message"] else ""
    return f"{said}Next: {row['next_action']} at {stamp(row['renew_after'])}, because {row['why']}."
