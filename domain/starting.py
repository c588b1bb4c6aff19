"""How runs are started: one set of arguments for the front door and for the sweep, so that both mean the same run.

A second start of the same deployment is never a second run: the id is the deployment's, and a closed id stays closed.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy

from domain import ids
from domain.certificates import RenewalCall
from domain.fulfilment import ChangeOrder, FulfilmentOrder
from domain.house_servers import SetUpServerOrder
from domain.inventory import SweepCall
from domain.mails import MailCall
from domain.offers import OffersCall
from domain.provisioning import ProvisionOrder, TerminationOrder
from domain.sales import JobStatus
from domain.servers import ActionCall, LookCall
from domain.statuses import Attention, DeploymentStatus, Phase
from domain.visibility import HOSTING, at_start
from domain.zones import ZoneCall

RPC_TIMEOUT = timedelta(seconds=5)
LOOK_TIMEOUT = timedelta(seconds=20)


# For what has a row of its own: started twice is started once, and a closed run stays closed.
_ONCE: dict[str, Any] = {
    "task_queue": ids.RUNS_QUEUE,
    "id_reuse_policy": WorkflowIDReusePolicy.REJECT_DUPLICATE,
    "id_conflict_policy": WorkflowIDConflictPolicy.USE_EXISTING,
}
# For what comes again and again: who asks meanwhile joins the run that is under way.
_ONE_AT_A_TIME: dict[str, Any] = {**_ONCE, "id_reuse_policy": WorkflowIDReusePolicy.ALLOW_DUPLICATE}


def provisioning_start(order: ProvisionOrder) -> dict[str, Any]:
    """Keyword arguments of Client.start_workflow("Provisioning", order, …)."""
    where = f" of https://{order.fqdn}" if order.fqdn else ""
    return {
        "id": ids.provisioning_workflow_id(order.deployment_id),
        **_ONCE,
        "search_attributes": at_start(DeploymentStatus.PROVISIONING, Attention.NONE, order.slug, order.inputs.provider),
        "static_summary": f"{order.slug}: {order.deployment_type} {order.tier} at {order.inputs.provider}",
        "static_details": f"Deployment `{order.deployment_id}`{where}",
        "rpc_timeout": RPC_TIMEOUT,
    }


def termination_start(order: TerminationOrder) -> dict[str, Any]:
    """Keyword arguments of Client.start_workflow("Termination", order, …)."""
    return {
        "id": ids.termination_workflow_id(order.deployment_id),
        "task_queue": ids.RUNS_QUEUE,
        # One that somebody killed in Temporal may be started again; one that ended well is not repeated.
        "id_reuse_policy": WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
        "id_conflict_policy": WorkflowIDConflictPolicy.USE_EXISTING,
        "search_attributes": at_start(Phase.TERMINATING, Attention.NONE, order.slug, order.inputs.provider),
        "static_summary": f"{order.slug}: termination",
        "static_details": f"Deployment `{order.deployment_id}`: {order.reason or 'terminated by request'}",
        "rpc_timeout": RPC_TIMEOUT,
    }


def action_start(call: ActionCall) -> dict[str, Any]:
    """Keyword arguments of Client.start_workflow("ServerActions", call, …)."""
    return {
        "id": ids.action_workflow_id(call.action_id),
        **_ONCE,
        "static_summary": f"{call.action} of a server at {call.provider}",
        "rpc_timeout": RPC_TIMEOUT,
    }


def fulfilment_start(order: FulfilmentOrder) -> dict[str, Any]:
    """Keyword arguments of Client.start_workflow("Fulfilment", order, …)."""
    return {
        "id": ids.order_workflow_id(order.payment_intent),
        **_ONCE,
        "search_attributes": at_start(JobStatus.RUNNING, Attention.NONE, order.label, HOSTING),
        "static_summary": f"{order.label}: a paid order",
        "static_details": f"Order `{order.order_id}`, payment `{order.payment_intent}`",
        "rpc_timeout": RPC_TIMEOUT,
    }


def change_start(order: ChangeOrder) -> dict[str, Any]:
    """Keyword arguments of Client.start_workflow("SubscriptionChange", order, …)."""
    return {
        "id": ids.change_workflow_id(order.job_id),
        **_ONCE,
        "search_attributes": at_start(JobStatus.RUNNING, Attention.NONE, order.label, HOSTING),
        "static_summary": f"{order.label}: {order.job_type.replace('_', ' ').lower()}",
        "static_details": f"Subscription `{order.subscription_id}`: {order.reason or 'by request'}",
        "rpc_timeout": RPC_TIMEOUT,
    }


def mail_start(call: MailCall) -> dict[str, Any]:
    """Keyword arguments of Client.start_workflow("SendMail", call, …)."""
    return {
        "id": ids.mail_workflow_id(call.mail_id),
        **_ONCE,
        "static_summary": f"A mail: {call.template}",
        "rpc_timeout": RPC_TIMEOUT,
    }


def set_up_start(order: SetUpServerOrder) -> dict[str, Any]:
    """Keyword arguments of Client.start_workflow("SetUpServer", order, …)."""
    return {
        "id": ids.change_workflow_id(order.job_id),
        **_ONCE,
        "search_attributes": at_start(JobStatus.RUNNING, Attention.NONE, order.label, HOSTING),
        "static_summary": f"Set-up of the {order.type} server {order.label}",
        "rpc_timeout": RPC_TIMEOUT,
    }


def zone_start(call: ZoneCall) -> dict[str, Any]:
    """Keyword arguments of Client.start_workflow("ChangeZone", call, …). A run that is under way is told by the signal
    that there is more to do, also where it was about to end."""
    return {
        "id": ids.zone_workflow_id(call.zone_id),
        **_ONE_AT_A_TIME,
        "start_signal": "asked",
        "static_summary": f"Changes of the zone {call.zone_name}",
        "rpc_timeout": RPC_TIMEOUT,
    }


def zone_look_start(call: ZoneCall) -> dict[str, Any]:
    """Keyword arguments of Client.execute_workflow("LookAtZone", call, …)."""
    return {
        "id": ids.zone_look_workflow_id(call.zone_id),
        **_ONE_AT_A_TIME,
        "execution_timeout": LOOK_TIMEOUT,
        "static_summary": f"A look at the zone {call.zone_name}",
    }


def renewal_start(call: RenewalCall) -> dict[str, Any]:
    """Keyword arguments of Client.start_workflow("RenewCertificate", call, …): one at a time, as often as it is due."""
    return {
        "id": ids.renewal_workflow_id(call.certificate_id),
        **_ONE_AT_A_TIME,
        "static_summary": "Renewal of a certificate" + (f" for {call.requested_by}" if call.requested_by else ""),
        "rpc_timeout": RPC_TIMEOUT,
    }


def look_start(call: LookCall) -> dict[str, Any]:
    """Keyword arguments of Client.execute_workflow("LookAtServer", call, …)."""
    return {
        "id": ids.look_workflow_id(call.vps_id),
        **_ONE_AT_A_TIME,
        "execution_timeout": LOOK_TIMEOUT,
        "static_summary": f"A look at a server at {call.provider}",
    }


def inventory_start(call: SweepCall) -> dict[str, Any]:
    """Keyword arguments of Client.start_workflow("InventorySweep", call, …): one at a time that somebody asked for."""
    return {
        "id": ids.inventory_workflow_id(call.provider),
        "task_queue": ids.RUNS_QUEUE,
        "id_reuse_policy": WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        "id_conflict_policy": WorkflowIDConflictPolicy.FAIL,
        "static_summary": f"Inventory of {call.provider} for {call.requested_by}",
        "rpc_timeout": RPC_TIMEOUT,
    }


def offers_start(call: OffersCall) -> dict[str, Any]:
    """Keyword arguments of Client.execute_workflow("ReadOffers", call, …): whoever comes second waits for the first."""
    return {
        "id": ids.offers_workflow_id(call.provider_id, call.resource),
        **_ONE_AT_A_TIME,
        "execution_timeout": timedelta(minutes=2),
        "static_summary": f"{call.resource} of {call.provider}",
        "rpc_timeout": RPC_TIMEOUT,
    }
