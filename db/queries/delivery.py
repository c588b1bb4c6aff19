"""What an order's run claims, finds and hands over: names, places on servers, and the rows of what is delivered.

Rows of what is gone are kept as REMOVED; a run finds its own by the subscription, newest first.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from db.base import new_id
from db.models_certificates import Certificate
from db.models_hosting import DnsZone, Domain, HostingAccount, MailAccount, Server
from db.models_sales import Customer, Order, Subscription, Tenant
from db.models_shop import Price
from db.queries import house_servers
from domain import ids
from domain.catalogue import Limits
from domain.fulfilment import FulfilmentInputs
from domain.sales import DomainStatus, ServerType, ServiceStatus, SubscriptionStatus

NAMES_LOCK = 746689  # the first half of a lock; the second is the name's
DISK_MB, MAILBOX_MB = 1024, 1024  # where a price says nothing
MAILBOX = "info"  # the first mailbox of a name

Row = TypeVar("Row", Domain, DnsZone, HostingAccount, MailAccount)


class SubscriptionMissing(LookupError):
    """No subscription has this id."""


class NameTaken(Exception):
    """Another subscription answers to the name, or to one above it."""


class NoServer(Exception):
    """No server of that type is active and has room."""


@dataclass(frozen=True)
class Delivery:
    """Everything one subscription is made of. `zone` is None where the name is the platform's own."""

    subscription: Subscription
    order: Order
    customer: Customer
    tenant: Tenant
    price: Price
    domain: Domain | None
    zone: DnsZone | None
    account: HostingAccount | None
    mailbox: MailAccount | None
    web: Server | None
    mail: Server | None

    @property
    def limits(self) -> Limits:
        return Limits.model_validate(self.price.limits_json)

    @property
    def owner(self) -> str:
        """The mark on everything of it outside."""
        return str(self.subscription.id)

    @property
    def name(self) -> str:
        if self.domain is None:
            raise SubscriptionMissing(f"subscription {self.subscription.id} has claimed no name yet")
        return self.domain.name

    @property
    def names(self) -> list[str]:
        """What the site answers to: a customer's own name also with www."""
        return [self.name, f"www.{self.name}"] if self.zone is not None else [self.name]

    @property
    def living_account(self) -> HostingAccount | None:
        return self.account if self.account is not None and self.account.status != ServiceStatus.REMOVED else None

    @property
    def living_mailbox(self) -> MailAccount | None:
        return self.mailbox if self.mailbox is not None and self.mailbox.status != ServiceStatus.REMOVED else None

    @property
    def living_zone(self) -> DnsZone | None:
        return self.zone if self.zone is not None and self.zone.status != ServiceStatus.REMOVED else None

    @property
    def site(self) -> tuple[HostingAccount, Server]:
        if self.account is None or self.web is None:
            raise SubscriptionMissing(f"subscription {self.subscription.id} has no place on a web server yet")
        return self.account, self.web


async def load(session: AsyncSession, subscription_id: str | uuid.UUID, *, lock: bool = False) -> Delivery:
    subscription = await session.get(Subscription, uuid.UUID(str(subscription_id)), with_for_update=lock)
    if subscription is None:
        raise SubscriptionMissing(f"no subscription {subscription_id}")
    account = await _newest(session, HostingAccount, subscription.id)
    mailbox = await _newest(session, MailAccount, subscription.id)
    customer = await session.get_one(Customer, subscription.customer_id)
    return Delivery(
        subscription=subscription,
        order=await session.get_one(Order, subscription.order_id),
        customer=customer,
        tenant=await session.get_one(Tenant, customer.tenant_id),
        price=await session.get_one(Price, subscription.price_id),
        domain=await _newest(session, Domain, subscription.id),
        zone=await _newest(session, DnsZone, subscription.id),
        account=account,
        mailbox=mailbox,
        web=await session.get(Server, account.server_id) if account else None,
        mail=await session.get(Server, mailbox.server_id) if mailbox and mailbox.server_id else None,
    )


async def _newest(session: AsyncSession, table: type[Row], subscription_id: uuid.UUID) -> Row | None:
    query = select(table).where(table.subscription_id == subscription_id).order_by(table.id.desc()).limit(1)
    return (await session.execute(query)).scalar_one_or_none()


async def certified_keys(session: AsyncSession, subscription_id: uuid.UUID) -> frozenset[str]:
    """SHA-256 of the public keys that certificates of the subscription are for."""
    query = select(Certificate.key_sha256).where(Certificate.subscription_id == subscription_id)
    return frozenset((await session.execute(query)).scalars())


# ---- claiming -------------------------------------------------------------------------------------------------------


async def claim(
    session: AsyncSession, subscription_id: str, inputs: FulfilmentInputs, base_domain: str,
    *, zone_kind: str = "Native",
) -> None:  # fmt: skip
    """Take the name and the places. Called again it changes what an operator has corrected and keeps the rest.

    NameTaken, NoServer; nothing is written then.
    """
    held = await load(session, subscription_id, lock=True)
    own = inputs.domain or (held.order.domain_name or "")
    name = own or ids.site_name(str(held.subscription.id), base_domain)
    if own:
        # Of two claims at once, for a name and for one below it, each would find nothing taken yet. Both end alike.
        shared = ".".join(name.split(".")[-2:])
        await session.execute(select(func.pg_advisory_xact_lock(NAMES_LOCK, func.hashtext(shared))))
    await _claim_name(session, held, name)
    await _claim_zone(session, held, name if own else None, zone_kind)
    # Last, because from the choice of a server on, every other order waits until this one has committed.
    await _claim_site(session, held, name, inputs)
    await _claim_mailbox(session, held, name, inputs)
    await session.flush()


async def _claim_name(session: AsyncSession, held: Delivery, name: str) -> None:
    organization = held.customer.organization_id
    above = [name.split(".", cut)[cut] for cut in range(1, name.count("."))]
    taken = await session.execute(
        select(Domain.name).where(
            Domain.name.in_([name, *above]),
            Domain.status.in_((DomainStatus.RESERVED, DomainStatus.ACTIVE, DomainStatus.SUSPENDED)),
            Domain.subscription_id.is_distinct_from(held.subscription.id),
            # A customer may order a site below a name of their own.
            (Domain.name == name) | (Domain.organization_id != organization),
        )
    )
    if (other := taken.scalars().first()) is not None:
        raise NameTaken(f"{name} cannot be used: {other} belongs to another subscription")
    domain = held.domain
    if domain is None or domain.status == DomainStatus.REMOVED:
        domain = Domain(id=new_id(), organization_id=organization, subscription_id=held.subscription.id, name=name)
        session.add(domain)
    domain.name = name
    if domain.status == DomainStatus.PENDING or domain.status is None:
        domain.status = DomainStatus.RESERVED
    try:
        await session.flush()
    except IntegrityError:
        raise NameTaken(f"{name} was taken by another subscription a moment ago") from None


async def _claim_zone(session: AsyncSession, held: Delivery, name: str | None, kind: str) -> None:
    zone = held.living_zone
    if zone is not None and zone.zone_name != name:
        zone.status = ServiceStatus.REMOVED  # a corrected name; nothing was made of the old one yet
        await session.flush()
        zone = None
    if name is not None and zone is None:
        session.add(
            DnsZone(id=new_id(), zone_name=name, kind=kind, organization_id=held.customer.organization_id,
                    subscription_id=held.subscription.id)
        )  # fmt: skip
        try:
            await session.flush()
        except IntegrityError:
            raise NameTaken(f"the zone {name} is somebody else's at our name servers") from None


async def _claim_site(session: AsyncSession, held: Delivery, name: str, inputs: FulfilmentInputs) -> None:
    quota = held.limits.disk_mb or DISK_MB
    account = held.living_account
    if account is None or (inputs.web_server_id and str(account.server_id) != inputs.web_server_id):
        server = await house_servers.choose(session, ServerType.WEB, wanted=inputs.web_server_id)
        if server is None:
            raise NoServer("no web server is active and has room")
        if account is None:
            made = new_id()
            user = ids.system_user(str(made))
            account = HostingAccount(
                id=made, subscription_id=held.subscription.id, server_id=server.id, system_user=user,
                home_dir=ids.home_dir(user), fqdn=name, runtime=inputs.runtime, quota_mb=quota,
            )  # fmt: skip
            session.add(account)
        account.server_id = server.id
    account.fqdn, account.runtime, account.quota_mb = name, inputs.runtime, quota


async def _claim_mailbox(session: AsyncSession, held: Delivery, name: str, inputs: FulfilmentInputs) -> None:
    if held.limits.mailboxes == 0:
        return
    quota, email = held.limits.mailbox_mb or MAILBOX_MB, f"{MAILBOX}@{name}"
    mailbox = held.living_mailbox
    if mailbox is None:
        # Without a mail server mailboxes are records, which is what source 002 documents (R242).
        server = await house_servers.choose(session, ServerType.MAIL, wanted=inputs.mail_server_id)
        mailbox = MailAccount(id=new_id(), subscription_id=held.subscription.id, email=email, quota_mb=quota,
                              server_id=server.id if server else None)  # fmt: skip
        session.add(mailbox)
    elif inputs.mail_server_id and str(mailbox.server_id) != inputs.mail_server_id:
        server = await house_servers.choose(session, ServerType.MAIL, wanted=inputs.mail_server_id)
        mailbox.server_id = server.id if server else None
    mailbox.email, mailbox.quota_mb = email, quota


# ---- what becomes of the rows ---------------------------------------------------------------------------------------


async def set_service_status(session: AsyncSession, subscription_id: uuid.UUID, status: ServiceStatus) -> None:
    """Of everything that is delivered for a subscription and not gone."""
    for table in (Domain, DnsZone, HostingAccount, MailAccount):
        await session.execute(
            update(table)
            .where(table.subscription_id == subscription_id, table.status != ServiceStatus.REMOVED)
            .values(status=status.value)
        )


def ended(subscription: Subscription) -> None:
    """Nothing is delivered for it any more; the first end stays."""
    subscription.status = SubscriptionStatus.TERMINATED
    subscription.ended_at = subscription.ended_at or datetime.now(UTC)
