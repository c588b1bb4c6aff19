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
from activities.access import AccessActivities
from activities.accounts import AccountActivities
from activities.billing import BillingActivities
from activities.certificates import CertificateActivities
from activities.change_records import ChangeActivities
from activities.deliveries import DeliveryActivities
from activities.discards import DiscardActivities
from activities.health import HealthActivities
from activities.hosting import HostingActivities
from activities.hosts import HostActivities
from activities.house_records import HouseRecordActivities
from activities.house_servers import HouseServerActivities
from activities.inventory import InventoryActivities
from activities.last_backups import LastBackupActivities
from activities.lifecycle_sweeps import LifecycleActivities
from activities.limits import LimitActivities
from activities.mailboxes import MailboxActivities
from activities.mails import MailActivities
from activities.names import NameActivities
from activities.offers import OfferActivities
from activities.payment_events import PaymentEventActivities
from activities.records import RecordActivities
from activities.refunds import RefundActivities
from activities.removals import RemovalActivities
from activities.renewal_records import RenewalRecordActivities
from activities.renewal_sweeps import RenewalSweepActivities
from activities.renewals import RenewalActivities
from activities.server_actions import ServerActionActivities
from activities.servers import ServerActivities
from activities.shared_certificates import SharedCertificateActivities
from activities.site_certificates import SiteCertificateActivities
from activities.site_checks import SiteCheckActivities
from activities.suspensions import SuspensionActivities
from activities.sweeps import SweepActivities
from activities.windows import WindowActivities
from activities.zone_changes import ZoneChangeActivities
from activities.zone_records import ZoneRecordActivities
from activities.zones import ZoneActivities
from domain import ids
from domain.servers import SERVED
from workflows.accounts import AccountCheck
from workflows.fulfilment import Fulfilment
from workflows.house_servers import SetUpServer
from workflows.mails import SendMail
from workflows.offers import ReadOffers
from workflows.parts import ProvisionDns, ProvisionHosting, ProvisionMail
from workflows.planning import Planning
from workflows.provisioning import Provisioning
from workflows.renewals import RenewCertificate
from workflows.server_actions import LookAtServer, ServerActions
from workflows.subscription_changes import SubscriptionChange
from workflows.sweeps import CertificateSweep, InventorySweep, LifecycleSweep, PaymentSweep, StartSweep
from workflows.termination import Termination
from workflows.zones import ChangeZone, LookAtZone

WORKFLOWS: tuple[type, ...] = (
    Provisioning, Termination, Planning, ServerActions, LookAtServer, ReadOffers, AccountCheck, StartSweep,
    InventorySweep, SendMail, SetUpServer, Fulfilment, ProvisionDns, ProvisionHosting, ProvisionMail,
    SubscriptionChange, LifecycleSweep, ChangeZone, LookAtZone, CertificateSweep, RenewCertificate,
    PaymentSweep,
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
    records, sweeps, house = RecordActivities(deps), SweepActivities(deps), HouseRecordActivities(deps)
    return [records.record, records.reserve, records.move, records.preview,
            records.activate, records.call_back, records.release, records.end_action, records.end_mail,
            house.activate_house_server, house.stand_down_house_server, sweeps.start_unstarted,
            *_zone_rows(deps), *_deliveries(deps), *_renewal_rows(deps)]  # fmt: skip


def _renewal_rows(deps: Deps) -> list[Callable[..., Any]]:
    rows = RenewalRecordActivities(deps)
    return [rows.begin_renewal, rows.end_renewal, RenewalSweepActivities(deps).start_renewals]


def _zone_rows(deps: Deps) -> list[Callable[..., Any]]:
    rows = ZoneRecordActivities(deps)
    return [rows.next_change, rows.fail_change]


def _deliveries(deps: Deps) -> list[Callable[..., Any]]:
    rows, changes = DeliveryActivities(deps), ChangeActivities(deps)
    return [rows.claim_names, rows.release_names, rows.hand_over_order, rows.call_back_order, rows.open_refund,
            changes.call_back_change, changes.record_suspension, changes.record_resumption, changes.record_limits,
            changes.record_cancellation, changes.record_keeping, changes.abandon_backups, changes.end_subscription,
            changes.forget_access, LifecycleActivities(deps).sweep_lifecycles]  # fmt: skip


def _cloud(deps: Deps) -> list[Callable[..., Any]]:
    servers, actions = ServerActivities(deps), ServerActionActivities(deps)
    return [servers.quote_server, servers.create_server, servers.await_server, servers.destroy_server,
            servers.prove_server_absent, actions.send_action, actions.await_action, actions.look_at_server,
            InventoryActivities(deps).sweep_inventory, OfferActivities(deps).read_offers,
            AccountActivities(deps).validate_account]  # fmt: skip


def _hosts(deps: Deps) -> list[Callable[..., Any]]:
    hosts, house = HostActivities(deps), HouseServerActivities(deps)
    return [hosts.await_ssh, hosts.set_up_server, hosts.transfer_files, hosts.write_env, hosts.start_services,
            hosts.make_csr, hosts.configure_tls, hosts.run_migrations, hosts.remove_application,
            house.await_house_ssh, house.set_up_house_server, *_house(deps)]  # fmt: skip


def _house(deps: Deps) -> list[Callable[..., Any]]:
    hosting, mailboxes = HostingActivities(deps), MailboxActivities(deps)
    return [hosting.create_account, hosting.create_site, hosting.make_site_csr, hosting.configure_site_tls,
            hosting.remove_account, hosting.prove_account_absent, mailboxes.create_mailbox, mailboxes.remove_mailbox,
            mailboxes.prove_mailbox_absent, *_changes(deps), RenewalActivities(deps).make_renewal_csr,
            RenewalActivities(deps).install_renewal,
            SharedCertificateActivities(deps).bring_shared_certificate]  # fmt: skip


def _changes(deps: Deps) -> list[Callable[..., Any]]:
    suspensions, limits, copies = SuspensionActivities(deps), LimitActivities(deps), LastBackupActivities(deps)
    removals, access = RemovalActivities(deps), AccessActivities(deps)
    return [suspensions.suspend_site, suspensions.suspend_mail, suspensions.resume_site, suspensions.resume_mail,
            suspensions.reopen_site, suspensions.reopen_mail, limits.check_limits, limits.change_disk,
            limits.restore_disk, limits.change_mailbox_size, limits.restore_mailbox_size, copies.back_up_site,
            copies.back_up_mail, removals.end_account, removals.end_mailbox, access.set_mailbox_password,
            access.set_sftp_keys, access.set_sftp_password, DiscardActivities(deps).discard_backups]  # fmt: skip


def _edge(deps: Deps) -> list[Callable[..., Any]]:
    names, certificates, health = NameActivities(deps), CertificateActivities(deps), HealthActivities(deps)
    return [names.publish_dns, names.withdraw_dns, names.prove_name_absent, certificates.issue_certificate,
            health.health_check, health.prove_host_silent, MailActivities(deps).send_mail,
            HouseServerActivities(deps).check_house_server, *_sites(deps)]  # fmt: skip


def _sites(deps: Deps) -> list[Callable[..., Any]]:
    zones, changes, billing = ZoneActivities(deps), ZoneChangeActivities(deps), BillingActivities(deps)
    return [changes.change_zone, changes.look_at_zone,
            zones.publish_zone, zones.publish_records, zones.withdraw_zone, zones.prove_zone_absent,
            SiteCertificateActivities(deps).issue_site_certificate, SiteCheckActivities(deps).check_site,
            RefundActivities(deps).send_refund, billing.stop_renewal, billing.go_on_renewing, billing.end_billing,
            billing.change_price, billing.restore_price,
            LastBackupActivities(deps).export_zone, RenewalActivities(deps).issue_renewal,
            RenewalActivities(deps).verify_renewal, WindowActivities(deps).poll_windows,
            PaymentEventActivities(deps).fetch_payment_events]  # fmt: skip


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
