"""The states of things, as they are stored and shown (requirements R259–R264, X10, X11)."""

from __future__ import annotations

from enum import StrEnum


class DeploymentStatus(StrEnum):
    """The coarse public status: source 000's five values."""

    PROVISIONING = "provisioning"
    VPS_READY = "vps_ready"
    DEPLOYING = "deploying"
    ACTIVE = "active"
    FAILED = "failed"


class Phase(StrEnum):
    """Where a run is, finer than the status (X11)."""

    RUNNING = "running"
    ACTIVE = "active"
    ROLLING_BACK = "rolling_back"
    ROLLED_BACK = "rolled_back"
    CANCELLED = "cancelled"
    TERMINATING = "terminating"
    TERMINATED = "terminated"
    DONE = "done"  # of a job: all was done


ENDED_PHASES = frozenset({Phase.ROLLED_BACK, Phase.CANCELLED, Phase.TERMINATED, Phase.DONE})


class Attention(StrEnum):
    """Who has to act, if anybody."""

    NONE = "none"
    AWAITING_OPERATOR = "awaiting_operator"
    ESCALATED = "escalated"  # the deadline of a parked step has passed


class AttentionKind(StrEnum):
    """Why something stands in the operators' list."""

    WAITS = "waits_for_operator"  # a step, or its undo, before its deadline
    ESCALATED = "escalated"  # the same, and nobody decided in time
    TASK_FAILING = "workflow_task_failing"  # the run's own code fails, again and again; Temporal says so
    NOT_STARTED = "not_started"  # ordered, committed, and no run was started for it
    PAYMENT_CASE = "payment_case"  # the payment service told something that nothing can be made of
    REFUND_FAILED = "refund_failed"  # money is owed
    MAIL_GIVEN_UP = "mail_given_up"
    CERTIFICATE = "certificate"  # revoked, nearly over, or not renewed by several tries
    ZONE_CHANGE_FAILED = "zone_change_failed"  # name servers do not hold what was wished, and nobody asked again
    ZONE_CHANGE_LATE = "zone_change_late"  # asked for, and neither done nor given up in time


class DeploymentType(StrEnum):
    SHARED = "shared"
    DEDICATED = "dedicated"
    SERVER = "server"  # a bare server, without an application on it (source 001)


class Tier(StrEnum):
    STARTER = "starter"
    PROFESSIONAL = "professional"
    ENTERPRISE = "enterprise"


class Lifecycle(StrEnum):
    PENDING = "pending"
    PROVISIONING = "provisioning"
    ACTIVE = "active"
    TERMINATING = "terminating"
    TERMINATED = "terminated"
    FAILED = "failed"


class PowerState(StrEnum):
    RUNNING = "running"
    STOPPED = "stopped"
    UNKNOWN = "unknown"


class IntentState(StrEnum):
    """A paid order at a cloud. `sent` without `adopted` is the state that must be settled before anything else."""

    INTENDED = "intended"
    SENT = "sent"
    ADOPTED = "adopted"
    RELEASED = "released"  # the cloud confirmed that nothing of it exists any more


class StepState(StrEnum):
    STARTED = "started"
    DONE = "done"
    PARKED = "parked"
    ESCALATED = "escalated"
    RETRIED = "retried"
    NOTE = "note"
    UNDOING = "undoing"
    UNDONE = "undone"
    UNDO_PARKED = "undo_parked"
    ENDED = "ended"


class Role(StrEnum):
    ADMINISTRATOR = "ADMINISTRATOR"
    OPERATOR = "OPERATOR"
    BILLING = "BILLING"
    SUPPORT = "SUPPORT"
    USER = "USER"
