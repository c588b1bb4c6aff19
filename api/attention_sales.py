"""What needs somebody in sales and their delivery, as items of the operators' list. Pure on rows.

Items have the members of every other item; `deployment_id` is null, and job_id, order_id, subscription_id and event_id
say what an item is about.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from api.envelope import stamp
from api.statusview import workflow_url
from db.queries import attention_sales as rows
from db.queries.reading import Reader, Row
from domain.ids import site_name
from domain.sales import JobType
from domain.statuses import AttentionKind
from domain.steps import BY_NAME
from settings import Settings

Item = dict[str, Any]

START_PATIENCE = timedelta(minutes=10)  # the sweep tries each minute; beyond this something is wrong
MONEY_PATIENCE = timedelta(days=1)
MAIL_PATIENCE = timedelta(days=1)
_WORDS = {
    JobType.FULFIL_ORDER: "Delivery of an order",
    JobType.PROVISION_DNS: "DNS of an order",
    JobType.PROVISION_HOSTING: "Hosting of an order",
    JobType.PROVISION_MAIL: "Mail of an order",
    JobType.SUSPEND: "Suspension",
    JobType.RESUME: "Resumption",
    JobType.CHANGE_LIMITS: "Change of limits",
    JobType.TERMINATE: "End of a subscription",
    JobType.REFUND: "Refund",
    JobType.SET_UP_SERVER: "Set-up of a server",
}


async def items(reader: Reader, settings: Settings) -> list[Item]:
    return [
        *(_wait(settings, row, wait) for row in await rows.parked_jobs(reader) for wait in row["parked"]),
        *(_unstarted(settings, row) for row in await rows.unstarted_jobs(reader)),
        *(_case(row) for row in await rows.payment_cases(reader)),
        *(_refund(row) for row in await rows.failed_refunds(reader)),
        *(_mail(row) for row in await rows.failed_mails(reader)),
    ]


def about_job(settings: Settings, row: Row) -> Item:
    return item_of(
        row, _label(row), job_id=row["id"], order_id=row["order_id"], subscription_id=row["subscription_id"],
        job_type=row["type"], phase=row["phase"], attention=row["attention"],
        temporal_url=workflow_url(settings, row["workflow_id"]),
    )  # fmt: skip


def item_of(row: Row, label: str, **more: Any) -> Item:
    return {
        "deployment_id": None, "slug": label, "label": label, "organization_name": row.get("organization_name"),
        "deployment_type": None, "tier": None, "phase": None, "attention": None, "price_cents_month": None,
        "currency": row.get("currency"), "temporal_url": None, "job_id": None, "order_id": None,
        "subscription_id": None, "event_id": None, "zone_id": None, "change_id": None,
    } | more  # fmt: skip


def _label(row: Row) -> str:
    """As orders and servers are called elsewhere (db/queries/orders.py)."""
    if row.get("hostname"):
        return str(row["hostname"])
    return f"{row['tenant']}/{row['domain_name'] or site_name(str(row['subscription_id']), '').rstrip('.')}"


def saying(kind: AttentionKind, what: str, trouble: str, message: str, since: datetime, patience: timedelta,
           owner: str) -> Item:  # fmt: skip
    return {
        "kind": kind, "what": what, "step": None, "trouble": trouble, "message": message, "since": stamp(since),
        "until": stamp(since + patience), "owner": owner, "editable": [], "current": {},
    }  # fmt: skip


def _wait(settings: Settings, row: Row, wait: dict[str, Any]) -> Item:
    step = BY_NAME.get(wait["step"])
    title = step.title if step else wait["step"]
    kind = AttentionKind.ESCALATED if wait.get("escalated") else AttentionKind.WAITS
    ending = "could not be undone" if wait.get("undoing") else "failed"
    what = f"{_WORDS[JobType(row['type'])]}: {title} {ending}"
    return {**about_job(settings, row), "kind": kind, "what": what, **wait}


def _unstarted(settings: Settings, row: Row) -> Item:
    said = saying(
        AttentionKind.NOT_STARTED, f"{_WORDS[JobType(row['type'])]}: the run was not started", "NotStarted",
        "It is kept and is started as soon as Temporal and a worker of the runs pool are there.", row["created_at"],
        START_PATIENCE, "operator")  # fmt: skip
    return about_job(settings, row) | said


def _case(row: Row) -> Item:
    facts = row["facts"]
    reference = facts.get("payment_intent") or facts.get("subscription") or row["id"]
    label = _label(row) if row["order_id"] else reference
    said = saying(AttentionKind.PAYMENT_CASE, f"The payment service told {row['type']} of {reference}", "PaymentCase",
                  row["message"], row["received_at"], MONEY_PATIENCE, "billing")  # fmt: skip
    about = item_of(row, label, order_id=row["order_id"], subscription_id=row["subscription_id"], event_id=row["id"],
                    currency=facts.get("currency"), amount=facts.get("amount"))  # fmt: skip
    return about | said


def _refund(row: Row) -> Item:
    said = saying(
        AttentionKind.REFUND_FAILED, "A refund has failed", "RefundFailed",
        f"{row['amount_cents']} {row['currency']} (smallest unit) are owed to the customer. {row['reason']}".strip(),
        row["failed_at"], MONEY_PATIENCE, "billing")  # fmt: skip
    about = item_of(row, _label(row), order_id=row["order_id"], subscription_id=row["subscription_id"],
                    amount=row["amount_cents"])  # fmt: skip
    return about | said


def _mail(row: Row) -> Item:
    what, message = f"The mail {row['template']} was given up", row["last_error"] or "It could not be sent."
    said = saying(
        AttentionKind.MAIL_GIVEN_UP, what, "MailGivenUp", message, row["created_at"], MAIL_PATIENCE, "operator"
    )
    return item_of(row, row["recipient"]) | said
