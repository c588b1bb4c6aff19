"""How things are called: the only place that builds workflow ids, task queues, tags, names and object keys."""

from __future__ import annotations

import re

# ---- Temporal -------------------------------------------------------------------------------------------------------

RUNS_QUEUE = "runs"  # workflows and the local activities that write rows
HOSTS_QUEUE = "hosts"  # everything over SSH
EDGE_QUEUE = "edge"  # DNS, ACME, probes from outside, mail


def cloud_queue(provider: str) -> str:
    """One queue per provider, so that its rate limit is a task-queue setting."""
    return f"cloud.{provider}"


def provisioning_workflow_id(deployment_id: str) -> str:
    return f"provision/{deployment_id}"


def termination_workflow_id(deployment_id: str) -> str:
    return f"terminate/{deployment_id}"


def deployment_of(workflow_id: str) -> str | None:
    """The deployment a run is about; None for runs of other families."""
    family, _, rest = workflow_id.partition("/")
    return rest if family in ("provision", "terminate") and rest else None


def plan_workflow_id(request_id: str) -> str:
    return f"plan/{request_id}"


def offers_workflow_id(provider_id: str, resource: str) -> str:
    """One at a time per account and resource, over all replicas."""
    return f"offers/{provider_id}/{resource}"


def offers_key(provider_id: str, resource: str) -> str:
    """The documented key of what an account's cloud offers (R334–R337)."""
    return f"provider:{provider_id}:{resource}"


def account_check_workflow_id(provider_id: str, version: int) -> str:
    """`version` of the account's row: a check of its old key says nothing of the new one."""
    return f"account-check/{provider_id}/{version}"


def inventory_workflow_id(provider: str) -> str:
    """Of a sweep that somebody asked for; the schedule's have their own names."""
    return f"inventory/{provider}"


def action_workflow_id(action_id: str) -> str:
    return f"server-action/{action_id}"


def order_workflow_id(payment_intent: str) -> str:
    """A payment is delivered once: its run is called by it."""
    return f"order/{payment_intent}"


def part_workflow_id(payment_intent: str, job_type: str) -> str:
    """Of a child that delivers one part: PROVISION_DNS → order/pi_…/dns."""
    return f"{order_workflow_id(payment_intent)}/{job_type.removeprefix('PROVISION_').lower()}"


def change_workflow_id(job_id: str) -> str:
    """Of a change to a subscription, and of a server's set-up."""
    return f"job/{job_id}"


def mail_workflow_id(mail_id: str) -> str:
    return f"mail/{mail_id}"


def zone_workflow_id(zone_id: str) -> str:
    """Of a zone's changes: one run at a time, and in it one change after the other."""
    return f"zone/{zone_id}"


def zone_look_workflow_id(zone_id: str) -> str:
    return f"zone-look/{zone_id}"


def renewal_workflow_id(certificate_id: str) -> str:
    """One renewal of a certificate at a time."""
    return f"certificate/{certificate_id}/renew"


def look_workflow_id(vps_id: str) -> str:
    """One look at a server at a time: who asks meanwhile gets the same answer."""
    return f"look/{vps_id}"


# ---- names the customer sees ----------------------------------------------------------------------------------------

# Requirement X34: a DNS label of 3 to 63 characters.
SLUG_PATTERN = r"^[a-z0-9]([a-z0-9-]{1,61}[a-z0-9])$"
RESERVED_SLUGS = frozenset(
    {
        "admin", "administrator", "api", "app", "autoconfig", "autodiscover", "blog", "cdn", "dashboard", "dns",
        "docs", "ftp", "git", "help", "imap", "localhost", "login", "mail", "mx", "ns1", "ns2", "ns3", "portal",
        "postmaster", "root", "smtp", "staging", "static", "status", "support", "test", "webmail", "www",
    }
)  # fmt: skip


def is_slug(value: str) -> bool:
    return re.fullmatch(SLUG_PATTERN, value) is not None and "--" not in value[2:4]


def fqdn(slug: str, base_domain: str) -> str:
    return f"{slug}.{base_domain}"


def access_url(name: str, https_port: int = 443) -> str:
    return f"https://{name}" if https_port == 443 else f"https://{name}:{https_port}"


def server_name(slug: str, number: int) -> str:
    """Our own label of a server, e.g. `acme-vps-1` (source 000)."""
    return f"{slug}-vps-{number}"


def project_name(slug: str) -> str:
    """Compose project, host folder and site name of one application on a server."""
    return slug


def site_name(subscription_id: str, base_domain: str) -> str:
    """What a site is called whose customer brought no domain. The end of a UUIDv7 is the random part."""
    return f"site-{subscription_id.replace('-', '')[-12:]}.{base_domain}"


def system_user(account_id: str) -> str:
    """A hosting account's user on its server: a letter first, and no longer than useradd takes."""
    return f"h{account_id.replace('-', '')[-20:]}"


def home_dir(user: str) -> str:
    return f"/srv/sites/{user}"


# ---- correlation at the cloud ---------------------------------------------------------------------------------------

OWNER_TAG = "slipway"
QUARANTINE_TAG = "quarantined-by-slipway"  # begins differently: whatever follows "slipway-" is a token


def correlation(intent_id: str) -> str:
    """The token that finds our order again at a cloud: 32 characters, TransIP's limit for a description."""
    return intent_id.replace("-", "")[:32]


def correlation_tag(token: str) -> str:
    return f"slipway-{token}"
