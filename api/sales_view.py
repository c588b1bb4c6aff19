"""Rows of sales and of their delivery as replies show them: documented columns by their names, amounts in whole cents,
times in RFC 3339. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from api.envelope import stamp
from db.models_hosting import BackupJob, DnsZone, Domain, HostingAccount, MailAccount
from db.models_jobs import Job
from db.models_sales import Customer, Order, PaymentEvent, Refund, Subscription, Tenant
from domain.sales import GRACE, KEPT_SUSPENDED, NON_PAYMENT, SubscriptionStatus

Shown = dict[str, Any]


def tenant(row: Tenant) -> Shown:
    return {
        "id": row.id,
        "slug": row.slug,
        "name": row.name,
        "is_active": row.is_active,
        "created_at": stamp(row.created_at),
    }


def order(row: Order, brand: Tenant, customer: Customer) -> Shown:
    return {
        "id": row.id,
        "tenant": brand.slug,
        "customer_id": row.customer_id,
        "customer_email": customer.email,
        "organization_id": customer.organization_id,
        "price_id": row.price_id,
        "total_amount": row.total_amount_cents,
        "currency": row.currency,
        "status": row.status,
        "stripe_payment_intent_id": row.stripe_payment_intent_id,
        "domain": row.domain_name,
        "source": row.source,
        "created_at": stamp(row.created_at),
        "updated_at": stamp(row.updated_at),
        "started_at": stamp(row.started_at),
    }


def subscription(row: Subscription, brand: Tenant) -> Shown:
    return {
        "id": row.id,
        "order_id": row.order_id,
        "tenant": brand.slug,
        "customer_id": row.customer_id,
        "price_id": row.price_id,
        "status": row.status,
        "current_period_start": stamp(row.current_period_start),
        "current_period_end": stamp(row.current_period_end),
        "cancel_at_period_end": row.cancel_at_period_end,
        "stripe_subscription_id": row.stripe_subscription_id,
        "past_due_since": stamp(row.past_due_since),
        "suspended_at": stamp(row.suspended_at),
        "suspended_for": row.suspended_for,
        "activated_at": stamp(row.activated_at),
        "ended_at": stamp(row.ended_at),
        "next": _next(row),
        "created_at": stamp(row.created_at),
        "updated_at": stamp(row.updated_at),
    }


def _next(row: Subscription) -> Shown | None:
    """What comes by itself if nobody does anything, and when: renew, suspend or terminate."""
    found: tuple[str, datetime | None] = ("", None)
    if row.cancel_at_period_end:
        found = ("terminate", row.current_period_end)
    elif row.status == SubscriptionStatus.ACTIVE:
        found = ("renew", row.current_period_end)
    elif row.status == SubscriptionStatus.PAST_DUE and row.past_due_since is not None:
        found = ("suspend", row.past_due_since + GRACE)
    elif row.status == SubscriptionStatus.SUSPENDED and row.suspended_for == NON_PAYMENT and row.past_due_since:
        found = ("terminate", row.suspended_at + KEPT_SUSPENDED if row.suspended_at else None)
    what, at = found
    living = row.status not in (SubscriptionStatus.INACTIVE, SubscriptionStatus.TERMINATED)
    return {"what": what, "at": stamp(at)} if living and at is not None else None


def job(row: Job) -> Shown:
    return {
        "id": row.id,
        "type": row.type,
        "status": row.status,
        "attempts": row.attempts,
        "payload": row.payload,
        "parent_id": row.parent_id,
        "subscription_id": row.subscription_id,
        "server_id": row.server_id,
        "workflow_id": row.workflow_id,
        "phase": row.phase,
        "attention": row.attention,
        "status_message": row.status_message,
        "error_code": row.error_code,
        "error_message": row.error_message,
        "parked": row.parked,
        "absence": row.absence,
        "requested_by": row.requested_by,
        "position": row.position,
        "started_at": stamp(row.started_at),
        "ended_at": stamp(row.ended_at),
        "created_at": stamp(row.created_at),
        "updated_at": stamp(row.updated_at),
    }


def refund(row: Refund) -> Shown:
    return {
        "id": row.id,
        "order_id": row.order_id,
        "amount": row.amount_cents,
        "currency": row.currency,
        "status": row.status,
        "reason": row.reason,
        "stripe_refund_id": row.stripe_refund_id,
        "requested_by": row.requested_by,
        "created_at": stamp(row.created_at),
        "ended_at": stamp(row.ended_at),
    }


def payment_event(row: PaymentEvent) -> Shown:
    """For staff: `facts` hold what a customer typed at the payment service."""
    return {
        "id": row.id,
        "type": row.type,
        "happened_at": stamp(row.happened_at),
        "livemode": row.livemode,
        "outcome": row.outcome,
        "message": row.message,
        "facts": row.facts,
        "order_id": row.order_id,
        "subscription_id": row.subscription_id,
        "received_at": stamp(row.received_at),
        "settled_by": row.settled_by,
        "settled_at": stamp(row.settled_at),
    }


def domain(row: Domain) -> Shown:
    return {"id": row.id, "name": row.name, "status": row.status, "expires_at": stamp(row.expires_at)} | _times(row)


def zone(row: DnsZone) -> Shown:
    return {
        "id": row.id,
        "zone_name": row.zone_name,
        "kind": row.kind,
        "status": row.status,
        "serial": row.serial,
    } | _times(row)


def hosting_account(row: HostingAccount) -> Shown:
    return {
        "id": row.id,
        "server_id": row.server_id,
        "system_user": row.system_user,
        "fqdn": row.fqdn,
        "runtime": row.runtime,
        "quota_mb": row.quota_mb,
        "status": row.status,
    } | _times(row)


def mailbox(row: MailAccount) -> Shown:
    return {
        "id": row.id,
        "server_id": row.server_id,
        "email": row.email,
        "quota_mb": row.quota_mb,
        "status": row.status,
    } | _times(row)


def backup(row: BackupJob) -> Shown:
    return {
        "id": row.id,
        "status": row.status,
        "reason": row.reason,
        "size_bytes": row.size_bytes,
        "sha256": row.sha256,
        "keep_until": stamp(row.keep_until),
        "created_at": stamp(row.created_at),
        "ended_at": stamp(row.ended_at),
    }


def _times(row: Domain | DnsZone | HostingAccount | MailAccount) -> Shown:
    return {"created_at": stamp(row.created_at), "updated_at": stamp(row.updated_at)}
