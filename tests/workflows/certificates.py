"""The outside of renewals, scripted by the name of each activity; the rows are real."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, update
from temporalio import activity

from activities._context import Deps
from activities.renewal_records import RenewalRecordActivities
from activities.renewal_sweeps import RenewalSweepActivities
from db.base import new_id
from db.models import Deployment
from db.models_certificates import Certificate, SharedCertificate
from db.queries import certificates
from db.session import Database
from domain.certificates import Failed, Installation, Renewal, RenewalCsr, Tried
from domain.renewal_retries import FailureKind

if TYPE_CHECKING:
    from tests.workflows.world import World

DAY = timedelta(days=1)
CA = "https://ca.test/dir"
Act = Callable[[str], Awaitable[None]]

# What the CA says to the next tries, in order (None: a rehearsal passed); afterwards it issues.
ANSWERS: list[Failed | None] = []


def rows(deps: Deps) -> list[Callable[..., Any]]:
    records = RenewalRecordActivities(deps)
    return [records.begin_renewal, records.end_renewal, RenewalSweepActivities(deps).start_renewals]


def certificate(deployment_id: str, names: list[str], *, age: timedelta = 80 * DAY, **columns: Any) -> Certificate:
    """One of 90 days that is so old."""
    now = datetime.now(UTC)
    values = {
        "id": new_id(), "deployment_id": uuid.UUID(deployment_id), "names": names, "serial": uuid.uuid4().hex,
        "issuer": "CN=test", "not_before": now - age, "not_after": now - age + 90 * DAY, "chain_pem": "",
        "key_sha256": "", "directory_url": CA, "renew_after": now - DAY, "next_action": "renew",
    }  # fmt: skip
    return Certificate(**(values | columns))


def outside(db: Database, act: Act) -> list[Callable[..., Any]]:
    @activity.defn
    async def make_renewal_csr(renewal: Renewal) -> RenewalCsr:
        await act("make_renewal_csr")
        return RenewalCsr(renewal=renewal, csr_pem="CSR")

    @activity.defn
    async def issue_renewal(call: RenewalCsr) -> Tried:
        await act("issue_renewal")
        if ANSWERS:
            return Tried(failed=ANSWERS.pop(0))
        async with db.begin() as session:
            old = await certificates.get(session, call.renewal.certificate_id)
            made = certificate(str(old.deployment_id), list(old.names), age=timedelta(), renews_id=old.id,
                               renew_after=None, next_action="")  # fmt: skip
            session.add(made)
        return Tried(successor_id=str(made.id))

    @activity.defn
    async def bring_shared_certificate(renewal: Renewal) -> Tried:
        await act("bring_shared_certificate")
        async with db.begin() as session:
            old = await certificates.get(session, renewal.certificate_id)
            made = certificate(str(old.deployment_id), list(old.names), age=timedelta(), renews_id=old.id,
                               shared_id=uuid.UUID(renewal.shared_id), directory_url="", renew_after=None,
                               next_action="")  # fmt: skip
            session.add(made)
        return Tried(successor_id=str(made.id))

    @activity.defn
    async def install_renewal(call: Installation) -> None:
        await act("install_renewal")

    @activity.defn
    async def verify_renewal(call: Installation) -> None:
        await act("verify_renewal")

    @activity.defn
    async def poll_windows() -> int:
        await act("poll_windows")
        return 0

    return [make_renewal_csr, issue_renewal, bring_shared_certificate, install_renewal, verify_renewal, poll_windows]


async def served(world: World, slug: str, **columns: Any) -> Certificate:
    """A certificate of an instance that is up."""
    order = await world.order(slug)
    async with world.db.begin() as session:
        owner = Deployment.id == uuid.UUID(order.deployment_id)
        await session.execute(update(Deployment).where(owner).values(activated_at=func.now()))
        row = certificate(order.deployment_id, [order.fqdn], **columns)
        session.add(row)
    return row


async def uploaded(world: World, slug: str) -> Certificate:
    """A certificate of an instance that is up, whose place an uploaded one is to take. It is not due by itself."""
    now = datetime.now(UTC)
    shared = SharedCertificate(
        id=new_id(), names=["*.test"], serial=uuid.uuid4().hex, issuer="CN=Seller", not_before=now, key_id="k",
        not_after=now + 200 * DAY, chain_pem="", key_sha256="", key_type="", ciphertext=b"x", uploaded_by="ada",
    )  # fmt: skip
    async with world.db.begin() as session:
        session.add(shared)
    return await served(world, slug, age=2 * DAY, awaits_id=shared.id, replace_after=now)


def limited(until: datetime) -> Failed:
    return Failed(kind=FailureKind.RATE_LIMITED, message=f"the next is possible at {until:%F %H:%M} UTC", until=until)
