"""The table of pools: which queue, which workflows and activities, how many at once, how long a stop may take.

Slots are fixed: a host step holds an SSH connection and little else, a workflow task a moment of CPU. The cache of runs
stands above the number of runs expected in flight (performance.md, lesson 3).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from activities._context import Deps
from activities.accounts import AccountActivities
from activities.certificates import CertificateActivities
from activities.health import HealthActivities
from activities.hosts import HostActivities
from activities.inventory import InventoryActivities
from activities.mails import MailActivities
from activities.names import NameActivities
from activities.offers import OfferActivities
from activities.records import RecordActivities
from activities.server_actions import ServerActionActivities
from activities.servers import ServerActivities
from activities.sweeps import SweepActivities
from domain import ids
from domain.servers import SERVED
from workflows.accounts import AccountCheck
from workflows.mails import SendMail
from workflows.offers import ReadOffers
from workflows.planning import Planning
from workflows.provisioning import Provisioning
from workflows.server_actions import LookAtServer, ServerActions
from workflows.sweeps import InventorySweep, StartSweep
from workflows.termination import Termination

WORKFLOWS: tuple[type, ...] = (
    Provisioning, Termination, Planning, ServerActions, LookAtServer, ReadOffers, AccountCheck, StartSweep,
    InventorySweep, SendMail,
)  # fmt: skip


@dataclass(frozen=True)
class Pool:
    name: str
    queue: str
    activities: Callable[[Deps], list[Callable[..., Any]]]
    slots: int
    grace: timedelta  # of a stop: running activities may end within it
    workflows: tuple[type, ...] = field(default=())


def _runs(deps: Deps) -> list[Callable[..., Any]]:
    records, sweeps = RecordActivities(deps), SweepActivities(deps)
    return [records.record, records.reserve, records.move, records.preview,
            records.activate, records.call_back, records.release, records.end_action, records.end_mail,
            sweeps.start_unstarted]  # fmt: skip


def _cloud(deps: Deps) -> list[Callable[..., Any]]:
    servers, actions = ServerActivities(deps), ServerActionActivities(deps)
    return [servers.quote_server, servers.create_server, servers.await_server, servers.destroy_server,
            servers.prove_server_absent, actions.send_action, actions.await_action, actions.look_at_server,
            InventoryActivities(deps).sweep_inventory, OfferActivities(deps).read_offers,
            AccountActivities(deps).validate_account]  # fmt: skip


def _hosts(deps: Deps) -> list[Callable[..., Any]]:
    hosts = HostActivities(deps)
    return [hosts.await_ssh, hosts.set_up_server, hosts.transfer_files, hosts.write_env, hosts.start_services,
            hosts.make_csr, hosts.configure_tls, hosts.run_migrations, hosts.remove_application]  # fmt: skip


def _edge(deps: Deps) -> list[Callable[..., Any]]:
    names, certificates, health = NameActivities(deps), CertificateActivities(deps), HealthActivities(deps)
    return [names.publish_dns, names.withdraw_dns, names.prove_name_absent, certificates.issue_certificate,
            health.health_check, health.prove_host_silent, MailActivities(deps).send_mail]  # fmt: skip


POOLS: dict[str, Pool] = {
    pool.name: pool
    for pool in (
        Pool("runs", ids.RUNS_QUEUE, _runs, slots=20, grace=timedelta(seconds=10), workflows=WORKFLOWS),
        *(Pool(f"cloud-{kind}", ids.cloud_queue(kind), _cloud, slots=20, grace=timedelta(seconds=30))
          for kind in SERVED),
        Pool("hosts", ids.HOSTS_QUEUE, _hosts, slots=50, grace=timedelta(seconds=120)),
        Pool("edge", ids.EDGE_QUEUE, _edge, slots=30, grace=timedelta(seconds=60)),
    )
}  # fmt: skip
