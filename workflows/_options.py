"""One table: where each activity runs, how long one try may take, how long it is retried before its step parks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, NamedTuple

from temporalio.common import Priority, RetryPolicy

from domain import ids
from domain.provisioning import RunPolicy


class Options(NamedTuple):
    queue: str  # "cloud" is completed with the provider's name
    attempt: timedelta  # one try
    patience: float = 1.0  # automatic retries, in units of RunPolicy.automatic_minutes
    heartbeat: timedelta | None = timedelta(seconds=30)
    first_retry: timedelta = timedelta(seconds=2)
    slowest_retry: timedelta = timedelta(seconds=20)
    waited_for: bool = False  # somebody waits for the answer: ahead of what runs by itself


def _s(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


CLOUD = "cloud"
HOSTS = ids.HOSTS_QUEUE
EDGE = ids.EDGE_QUEUE

# Settling an order must outlast the cloud's late-accept window, hence more patience at the cloud than elsewhere.
ACTIVITIES: dict[str, Options] = {
    "quote_server": Options(CLOUD, _s(60)),
    "create_server": Options(CLOUD, _s(120), patience=3),
    "await_server": Options(CLOUD, _s(60)),
    "destroy_server": Options(CLOUD, _s(120), patience=6),
    "prove_server_absent": Options(CLOUD, _s(60), patience=2),
    "send_action": Options(CLOUD, _s(60), waited_for=True),
    "await_action": Options(CLOUD, _s(60)),
    # Its second try would come after its end: a page is told of the first failure, and shows the row meanwhile.
    "look_at_server": Options(CLOUD, _s(15), first_retry=_s(15), waited_for=True),
    "sweep_inventory": Options(CLOUD, _s(300)),
    "read_offers": Options(CLOUD, _s(30), waited_for=True),
    "validate_account": Options(CLOUD, _s(12), waited_for=True),
    "publish_dns": Options(EDGE, _s(120)),
    "withdraw_dns": Options(EDGE, _s(120)),
    "prove_name_absent": Options(EDGE, _s(120), patience=2),
    "issue_certificate": Options(EDGE, _s(300), patience=1.5),
    "health_check": Options(EDGE, _s(180)),
    "prove_host_silent": Options(EDGE, _s(120), patience=2),
    "publish_zone": Options(EDGE, _s(60)),
    "publish_records": Options(EDGE, _s(120)),
    "withdraw_zone": Options(EDGE, _s(120)),
    "prove_zone_absent": Options(EDGE, _s(120), patience=2),
    "change_zone": Options(EDGE, _s(90), slowest_retry=_s(10), waited_for=True),
    "look_at_zone": Options(EDGE, _s(15), first_retry=_s(15), waited_for=True),
    "issue_site_certificate": Options(EDGE, _s(300), patience=1.5),
    "check_site": Options(EDGE, _s(120)),
    # Banks take their time: a refund may be under way for days before somebody must look.
    "send_refund": Options(EDGE, _s(60), patience=1000, slowest_retry=_s(600)),
    "fetch_payment_events": Options(EDGE, _s(280), slowest_retry=_s(60)),
    # First tries close together, later ones minutes apart: greylisting takes its time.
    "send_mail": Options(EDGE, _s(120), patience=6, slowest_retry=_s(180)),
    "await_ssh": Options(HOSTS, _s(60)),
    "set_up_server": Options(HOSTS, _s(900), patience=2),
    "transfer_files": Options(HOSTS, _s(180)),
    "write_env": Options(HOSTS, _s(120)),
    "start_services": Options(HOSTS, _s(900), patience=2),
    "make_csr": Options(HOSTS, _s(120)),
    "configure_tls": Options(HOSTS, _s(180)),
    "run_migrations": Options(HOSTS, _s(600)),
    "remove_application": Options(HOSTS, _s(300)),
    "create_account": Options(HOSTS, _s(180)),
    "create_site": Options(HOSTS, _s(180)),
    "make_site_csr": Options(HOSTS, _s(120)),
    "configure_site_tls": Options(HOSTS, _s(180)),
    "remove_account": Options(HOSTS, _s(300)),
    "prove_account_absent": Options(HOSTS, _s(120), patience=2),
    "create_mailbox": Options(HOSTS, _s(180)),
    "remove_mailbox": Options(HOSTS, _s(180)),
    "prove_mailbox_absent": Options(HOSTS, _s(120), patience=2),
    "suspend_site": Options(HOSTS, _s(180)),
    "resume_site": Options(HOSTS, _s(180)),
    "reopen_site": Options(HOSTS, _s(180)),
    "suspend_mail": Options(HOSTS, _s(180)),
    "resume_mail": Options(HOSTS, _s(180)),
    "reopen_mail": Options(HOSTS, _s(180)),
    "check_limits": Options(HOSTS, _s(120)),
    # Making a volume smaller copies it first.
    "change_disk": Options(HOSTS, _s(7200), patience=18),
    "restore_disk": Options(HOSTS, _s(7200), patience=18),
    "change_mailbox_size": Options(HOSTS, _s(120)),
    "restore_mailbox_size": Options(HOSTS, _s(120)),
    # Packed on the server and read back: hours, where there is much of it.
    "back_up_site": Options(HOSTS, _s(14 * 3600), patience=90),
    "back_up_mail": Options(HOSTS, _s(14 * 3600), patience=90),
    "export_zone": Options(EDGE, _s(60)),
    "end_account": Options(HOSTS, _s(7 * 3600), patience=45),
    "end_mailbox": Options(HOSTS, _s(7 * 3600), patience=45),
    "discard_backups": Options(HOSTS, _s(1800), patience=6),
    "set_mailbox_password": Options(HOSTS, _s(120)),
    "set_sftp_keys": Options(HOSTS, _s(120)),
    "set_sftp_password": Options(HOSTS, _s(120)),
    "stop_renewal": Options(EDGE, _s(60)),
    "go_on_renewing": Options(EDGE, _s(60)),
    "end_billing": Options(EDGE, _s(60)),
    "change_price": Options(EDGE, _s(60)),
    "restore_price": Options(EDGE, _s(60)),
    "make_renewal_csr": Options(HOSTS, _s(120)),
    # What the CA says is written down at its first word; further tries are the policy's, not these.
    "issue_renewal": Options(EDGE, _s(300), patience=1.5),
    "bring_shared_certificate": Options(HOSTS, _s(120)),
    "install_renewal": Options(HOSTS, _s(180)),
    "verify_renewal": Options(EDGE, _s(120)),
    "poll_windows": Options(EDGE, _s(120)),
    # Somebody may have to put our key on the server first: half an hour before an operator is called.
    "await_house_ssh": Options(HOSTS, _s(60), patience=3),
    "set_up_house_server": Options(HOSTS, _s(900), patience=2),
    "check_house_server": Options(EDGE, _s(60)),
}


def name_of(activity: Callable[..., Any]) -> str:
    return activity.__name__


# Temporal's own: 1 goes first, 3 is what has none, 5 goes last.
BY_AN_OPERATOR, WAITED_FOR = 1, 2


def activity_options(
    name: str, provider: str, policy: RunPolicy, *, account: str = "", urgent: bool = False
) -> dict[str, Any]:
    """Keyword arguments for workflow.execute_activity. Attempts are not counted: a deploy must not use them up.

    In the queue of a cloud its accounts take turns, and each has its own rate (docs/decisions/0008): `account` is its
    id, or empty for the one that stands for the kind of cloud. `urgent`: an operator has asked for it.
    """
    options = ACTIVITIES[name]
    key = BY_AN_OPERATOR if urgent else WAITED_FOR if options.waited_for else None
    budget = timedelta(minutes=policy.automatic_minutes) * options.patience
    return {
        "task_queue": ids.cloud_queue(provider) if options.queue == CLOUD else options.queue,
        "start_to_close_timeout": options.attempt,
        "schedule_to_close_timeout": max(budget, options.attempt),
        "heartbeat_timeout": options.heartbeat,
        "priority": Priority(priority_key=key, fairness_key=account or provider if options.queue == CLOUD else None),
        "retry_policy": RetryPolicy(
            initial_interval=options.first_retry, backoff_coefficient=1.5, maximum_interval=options.slowest_retry
        ),
    }


# Row-only work inside the workflow's own worker. PostgreSQL being away delays it and never fails it.
LOCAL: dict[str, Any] = {
    "start_to_close_timeout": timedelta(seconds=10),
    "local_retry_threshold": timedelta(seconds=5),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(milliseconds=200), backoff_coefficient=2, maximum_interval=timedelta(seconds=10)
    ),
}
