"""One of everything that a path can name, as rows: what belongs to one tenant, beside what belongs to the house.

A route whose path names something new needs it in here: `ids` is asked by the names that paths give.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import insert

from db.base import new_id
from db.models import Deployment, DeploymentEvent, User, VpsInstance
from db.models_certificates import Certificate, CertificateDrill, SharedCertificate
from db.models_clouds import ServerAction, VpsPlan
from db.models_dns import DnsChange
from db.models_hosting import BackupJob, DnsZone, HostingAccount, MailAccount, Server
from db.models_inventory import CloudResource
from db.models_jobs import JobEvent
from db.models_sales import PaymentEvent
from db.queries import api_keys, orders, tokens
from db.session import Database
from domain.api_keys import Scope
from domain.offers import Offer
from domain.statuses import Role
from providers.cloud.base import App, Image, Region
from tests.api.accounts import account
from tests.api.test_offers import BASIC
from tests.offering import keep
from tests.sales import Shop, open_shop

UNUSABLE = "!"  # as a password's hash: nobody signs in with it
LONG = timedelta(days=1)
_NAMED = ("deployment", "application", "vps", "carrier", "server", "plan", "resource", "zone", "change", "account",
          "mailbox", "drill", "upload")  # fmt: skip
OFFERED = {Offer.REGIONS: [Region(id="ams3")], Offer.IMAGES: [Image(id="debian-13-x64", kind="distribution")],
           Offer.PLANS: [BASIC], Offer.MARKETPLACE: list[App]()}  # fmt: skip


@dataclass(frozen=True)
class Household:
    """`ids`: what paths and bodies name, by the name they give it. `marks`: texts that only its own may read."""

    shop: Shop
    organization_id: uuid.UUID
    ids: dict[str, str]
    marks: frozenset[str]


async def settle(db: Database) -> Household:
    shop = await open_shop(db)
    now = datetime.now(UTC)
    async with db.begin() as session:
        placed = await orders.place(session, shop.asked(domain=f"{shop.tenant.slug}.nl"))
    owner, own = placed.customer.organization_id, placed.subscription.id
    provider = await account(db)
    for resource, items in OFFERED.items():
        await keep(db, provider, resource, items)
    refs = {name: new_id() for name in _NAMED}
    word, house = refs["vps"].hex[-10:], refs["plan"].hex[-10:]  # the second is in what no tenant owns
    user, _ = await somebody(db, Role.USER, organization_id=owner)
    async with db.begin() as session:
        for vps, name in (("vps", "bare"), ("carrier", "app")):
            await session.execute(insert(VpsInstance).values(
                id=refs[vps], vps_name=f"{name}-{word}", lifecycle="active", power_state="running",
                provider_type="digitalocean", provider_id=provider, label=f"{name}-{word}", specs={"cpu": 2},
                provider_instance_id=f"{name}-{word}", seen_at=now, currency="EUR"))  # fmt: skip
        for run, kind, vps in (("deployment", "server", "vps"), ("application", "dedicated", "carrier")):
            await session.execute(insert(Deployment).values(
                id=refs[run], organization_id=owner, deployment_type=kind, tier="starter", slug=f"{kind}-{word}",
                assigned_subdomain=f"{kind}-{word}.example.com", status="active", phase="active", vps_id=refs[vps],
                admin_email=f"admin-{word}@example.com", admin_name="Admin", started_at=now, position=1,
                inputs={"provider": "digitalocean", "provider_id": str(provider)}))  # fmt: skip
        await session.execute(insert(DeploymentEvent).values(
            deployment_id=refs["application"], position=1, kind="log", run_id=f"run-{word}", step="set_up_server",
            state="info", message="A line", data={}, activity_id="1", attempt=1, line_no=1, at=now))  # fmt: skip
        session.add_all([
            Server(id=refs["server"], hostname=f"web-{house}.example.com", ip_address="192.0.2.1", type="web"),
            ServerAction(id=new_id(), vps_id=refs["vps"], action="reboot", state="done", ended_at=now),
            VpsPlan(id=refs["plan"], provider_id=provider, provider_plan_id=f"s-{house}"),
            CertificateDrill(id=refs["drill"], directory_url="https://ca.test", key_type="", fresh_key=False,
                             reason=house, pace_per_hour=60, state="stopped", total=1, next_at=now, ended_at=now,
                             requested_by="ada"),
            SharedCertificate(id=refs["upload"], names=[f"{house}.example.com"], serial=house, issuer="CN=Seller",
                              not_before=now, not_after=now + 90 * LONG, chain_pem="", key_sha256=house,
                              key_type="ec-secp256r1", key_id="k", ciphertext=b"x", uploaded_by="ada"),
            CloudResource(id=refs["resource"], provider="digitalocean", provider_ref=f"foreign-{house}",
                          state="unexplained", verdict="unproven", correlation=house),
        ])  # fmt: skip
        await session.flush()
        session.add_all([
            DnsZone(id=refs["zone"], zone_name=f"{own.hex}.nl", subscription_id=own, organization_id=owner,
                    status="ACTIVE"),
            HostingAccount(id=refs["account"], subscription_id=own, server_id=refs["server"],
                           system_user=f"h{own.hex[:20]}", home_dir="/srv/sites/h", fqdn=f"{own.hex}.nl",
                           quota_mb=1024),
            MailAccount(id=refs["mailbox"], subscription_id=own, email=f"info@{own.hex}.nl", quota_mb=512),
            Certificate(id=new_id(), subscription_id=own, names=[f"{own.hex}.nl"], serial=own.hex, issuer="CN=E7",
                        not_before=now, not_after=now + 90 * LONG, chain_pem="-----BEGIN CERTIFICATE-----\n",
                        key_sha256="9f86d0", directory_url="https://ca.test", renew_after=now + LONG,
                        next_action="poll"),
            BackupJob(id=new_id(), subscription_id=own, reason="manual"),
            JobEvent(job_id=placed.jobs[0].id, position=1, kind="log", family="run", run_id=f"run-{own.hex}",
                     step="dns", message="A line", activity_id="1", attempt=1, line_no=1),
            PaymentEvent(id=f"evt_{own.hex}", type="payment_intent.succeeded", happened_at=now, livemode=False,
                         outcome="case", message="?", order_id=placed.order.id, subscription_id=own),
        ])  # fmt: skip
        await session.flush()
        session.add(DnsChange(id=refs["change"], zone_id=refs["zone"], number=1, kind="zone", state="published",
                              ended_at=now))  # fmt: skip
        key, _ = await api_keys.create(session, tenant_id=shop.tenant.id, name=f"key {word}", kind="portal", scopes=[])
    owned = {
        "deployment_id": refs["application"], "vps_id": refs["vps"], "order_id": placed.order.id,
        "subscription_id": own, "job_id": placed.jobs[0].id, "event_id": f"evt_{own.hex}",
        "tenant_id": shop.tenant.id, "organization_id": owner, "user_id": user, "key_id": key.id,
        "zone_id": refs["zone"], "change_id": refs["change"], "account_id": refs["account"],
        "mailbox_id": refs["mailbox"],
        "domain": f"{own.hex}.nl",
    }  # fmt: skip
    houses = {
        "provider_id": provider, "plan_id": refs["plan"], "resource_id": refs["resource"],
        "drill_id": refs["drill"], "upload_id": refs["upload"],
        "server_id": refs["server"], "product_id": shop.product.id, "price_id": shop.price.id,
    }  # fmt: skip
    marks = {str(ref) for ref in owned.values()} | {word, placed.customer.email, own.hex}
    return Household(shop, owner, {name: str(ref) for name, ref in (owned | houses).items()}, frozenset(marks))


async def somebody(db: Database, role: Role, **columns: object) -> tuple[uuid.UUID, uuid.UUID]:
    """(user, session) of somebody new who has signed in."""
    user, family = new_id(), new_id()
    name = f"u{user.hex[-12:]}"
    async with db.begin() as session:
        session.add(User(id=user, username=name, email=f"{name}@example.com", password_hash=UNUSABLE, role=role,
                         **columns))  # fmt: skip
        await session.flush()
        await tokens.issue(session, user, family, LONG)
    return user, family


async def machine(db: Database, *scopes: Scope, tenant_id: uuid.UUID | None = None) -> str:
    """A new key in clear."""
    async with db.begin() as session:
        made = await api_keys.create(session, tenant_id=tenant_id, name=f"machine {uuid.uuid4().hex[:8]}",
                                     kind="portal", scopes=list(scopes))  # fmt: skip
    return made[1]
