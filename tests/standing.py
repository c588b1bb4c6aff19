"""A subscription that stands: its rows, as a delivery leaves them."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import update

from db.base import new_id
from db.models_hosting import DnsZone, Domain, HostingAccount, MailAccount, Server
from db.models_sales import Subscription
from db.queries import orders
from db.queries.orders import Placed
from db.session import Database
from domain import ids
from tests.sales import Shop, open_shop


async def delivered(db: Database, shop: Shop | None = None, *, mail: bool = True, **columns: Any) -> Placed:
    """Columns are the subscription's. Its site and its mailbox lie on servers of their own."""
    shop = shop or await open_shop(db)
    name, now = f"d{uuid.uuid4().hex[:10]}.example", datetime.now(UTC)
    async with db.begin() as session:
        placed = await orders.place(session, shop.asked(domain=name))
        ref = placed.subscription.id
        for job in placed.jobs:
            job.ended_at, job.status = now, "SUCCESS"
        web, post = (
            Server(id=new_id(), hostname=f"srv-{uuid.uuid4()}.test", ip_address="192.0.2.80", type=kind,
                   status="ACTIVE", host_key="ssh-ed25519 AAAA")
            for kind in ("web", "mail")
        )  # fmt: skip
        session.add_all([web, post])
        await session.flush()
        account, organization = new_id(), placed.customer.organization_id
        await session.execute(update(Domain).where(Domain.subscription_id == ref).values(status="ACTIVE"))
        user = ids.system_user(str(account))
        session.add_all([
            DnsZone(id=new_id(), zone_name=name, organization_id=organization, subscription_id=ref, status="ACTIVE"),
            HostingAccount(id=account, subscription_id=ref, server_id=web.id, system_user=user,
                           home_dir=ids.home_dir(user), fqdn=name, quota_mb=1024, status="ACTIVE"),
            MailAccount(id=new_id(), subscription_id=ref, server_id=post.id if mail else None, email=f"info@{name}",
                        quota_mb=1024, status="ACTIVE"),
        ])  # fmt: skip
        values = {"status": "ACTIVE", "activated_at": now, "current_period_end": now + timedelta(days=1)} | columns
        await session.execute(update(Subscription).where(Subscription.id == ref).values(values))
    return placed
