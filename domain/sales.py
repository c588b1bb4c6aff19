"""The states of what is sold and delivered, as they are stored and shown (R269–R274); values the sources leave unnamed
are named here."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum


class OrderStatus(StrEnum):
    PAID = "PAID"
    FULFILLED = "FULFILLED"
    REFUNDING = "REFUNDING"
    REFUNDED = "REFUNDED"
    CANCELLED = "CANCELLED"  # taken back, and nothing was to be refunded


class OrderSource(StrEnum):
    MARKETING = "marketing"
    STRIPE = "stripe"
    PORTAL = "portal"


class SubscriptionStatus(StrEnum):
    INACTIVE = "INACTIVE"
    ACTIVE = "ACTIVE"
    PAST_DUE = "PAST_DUE"  # a payment failed; everything works until the grace is over
    SUSPENDED = "SUSPENDED"
    TERMINATED = "TERMINATED"


class ServiceStatus(StrEnum):
    """Of a hosting account, a mailbox, a zone. A domain is RESERVED between PENDING and ACTIVE."""

    PENDING = "PENDING"
    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    REMOVED = "REMOVED"


class DomainStatus(StrEnum):
    PENDING = "PENDING"
    RESERVED = "RESERVED"
    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    REMOVED = "REMOVED"


class ServerType(StrEnum):
    WEB = "web"
    MAIL = "mail"
    DNS = "dns"


class ServerStatus(StrEnum):
    PENDING = "PENDING"
    ACTIVE = "ACTIVE"
    DRAINING = "DRAINING"
    REMOVED = "REMOVED"


class JobType(StrEnum):
    FULFIL_ORDER = "FULFIL_ORDER"
    PROVISION_DNS = "PROVISION_DNS"
    PROVISION_HOSTING = "PROVISION_HOSTING"
    PROVISION_MAIL = "PROVISION_MAIL"
    SUSPEND = "SUSPEND"
    RESUME = "RESUME"
    CHANGE_LIMITS = "CHANGE_LIMITS"
    TERMINATE = "TERMINATE"
    REFUND = "REFUND"
    CANCEL = "CANCEL"  # at the end of the paid period
    KEEP = "KEEP"  # the undo of CANCEL
    DISCARD_BACKUPS = "DISCARD_BACKUPS"
    MAILBOX_PASSWORD = "MAILBOX_PASSWORD"  # noqa: S105 - the name of a job
    SFTP_KEYS = "SFTP_KEYS"
    SFTP_PASSWORD = "SFTP_PASSWORD"  # noqa: S105 - the name of a job
    SET_UP_SERVER = "SET_UP_SERVER"


PARTS = (JobType.PROVISION_DNS, JobType.PROVISION_HOSTING, JobType.PROVISION_MAIL)  # of every order (R238)
# Of a subscription that stands; each is a run of the workflow SubscriptionChange.
CHANGES = (
    JobType.SUSPEND, JobType.RESUME, JobType.CHANGE_LIMITS, JobType.TERMINATE, JobType.REFUND, JobType.CANCEL,
    JobType.KEEP, JobType.DISCARD_BACKUPS, JobType.MAILBOX_PASSWORD, JobType.SFTP_KEYS, JobType.SFTP_PASSWORD,
)  # fmt: skip


class JobStatus(StrEnum):
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    WAITING = "WAITING"  # for an operator
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"  # taken back, with proof
    CANCELLED = "CANCELLED"


class RefundStatus(StrEnum):
    PENDING = "PENDING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


class EventOutcome(StrEnum):
    """What came of a payment service's message."""

    DONE = "done"
    IGNORED = "ignored"
    CASE = "case"  # money, and no order could be made for it: an operator must look


NON_PAYMENT = "non-payment"  # why a subscription is suspended that a payment resumes

GRACE = timedelta(days=7)  # from the failed payment to the suspension
KEPT_SUSPENDED = timedelta(days=30)  # from the suspension to the end
KEPT_LAST_BACKUP = timedelta(days=90)
