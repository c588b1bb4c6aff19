"""The end of a site on a real web server: no removal without a backup that was read back, and the backup's own end."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities._context import Deps
from activities.access import AccessActivities
from activities.discards import DiscardActivities
from activities.hosting import HostingActivities, account_of
from activities.last_backups import LastBackupActivities
from activities.limits import LimitActivities
from activities.removals import RemovalActivities
from activities.suspensions import SuspensionActivities
from db.keyring import KeyRing
from db.models_hosting import BackupJob, HostingAccount
from db.queries import access, backups, delivery, house_servers, jobs
from db.queries.users import hash_password
from db.session import Database
from domain.config import RunConfig
from domain.fulfilment import FulfilmentInputs, JobCall
from domain.sales import JobType
from providers.hosting import commands
from providers.hosting.account import Account
from providers.hosting.inspection import facts
from tests.providers.hosting.conftest import WebServer, driver, server
from tests.sales import open_shop
from tests.standing import delivered

__all__ = ["driver", "server"]

pytestmark = [pytest.mark.lab, pytest.mark.slow]


class Site:
    """A delivered site on a real host, and the activities that a termination has for it."""

    def __init__(self, db: Database, keys: KeyRing, web: WebServer) -> None:
        self.db, self.keys, self.web = db, keys, web
        self.deps = Deps(config=RunConfig(base_domain="slipway.test"), db=db, keys=keys, dns=None, acme=None,
                         blueprints=None, clouds=None)  # type: ignore[arg-type] # fmt: skip

    async def place(self) -> None:
        placed = await delivered(self.db, mail=False)
        self.ref = placed.subscription.id
        async with self.db.begin() as session:
            row = await house_servers.register(
                session, self.keys, self.web.target.private_key, hostname=f"web-{uuid.uuid4()}.test",
                ip_address=self.web.target.address, type="web", status="ACTIVE", ssh_port=self.web.target.port,
                ssh_user="root", host_key=self.web.target.host_key)  # fmt: skip
            await session.execute(
                update(HostingAccount).where(HostingAccount.subscription_id == self.ref).values(server_id=row.id)
            )
        call = await self.asked(JobType.CHANGE_LIMITS)
        hosting = HostingActivities(self.deps)
        await self.run(hosting.create_account, call)
        await self.run(hosting.create_site, call)
        self.account: Account = account_of(await self.held())

    async def held(self) -> delivery.Delivery:
        async with self.db.begin() as session:
            return await delivery.load(session, self.ref)

    async def asked(self, kind: JobType) -> JobCall:
        """A job of that kind; the one before has ended."""
        async with self.db.begin() as session:
            before = await jobs.living(session, self.ref)
            if before is not None:
                before.ended_at, before.status = datetime.now(UTC), "SUCCESS"
                await session.flush()
            job = await jobs.request(session, self.ref, kind, reason="", requested_by="ada")
        assert job is not None
        return JobCall(job_id=str(job.id), subscription_id=str(self.ref))

    async def run(self, activity: Callable[[JobCall], Awaitable[Any]], call: JobCall) -> None:
        await ActivityEnvironment().run(activity, call)

    async def state(self) -> str:
        async with self.web.enter() as host:
            return (await facts(host, self.account)).state

    async def kept(self) -> tuple[str, ...]:
        async with self.web.enter() as host:
            return (await facts(host, self.account)).backups

    async def backup(self, call: JobCall) -> BackupJob:
        account = (await self.held()).account
        assert account is not None
        async with self.db.begin() as session:
            row = await backups.of_job(session, call.job_id, account)
        assert row is not None
        return row


@pytest.fixture
async def site(db: Database, keys: KeyRing, server: WebServer) -> Site:
    made = Site(db, keys, server)
    await made.place()
    return made


async def test_a_site_goes_only_with_a_backup_that_was_read_back(site: Site) -> None:
    off, copies, removals = (
        SuspensionActivities(site.deps), LastBackupActivities(site.deps), RemovalActivities(site.deps),
    )  # fmt: skip
    call = await site.asked(JobType.TERMINATE)
    await site.run(off.suspend_site, call)
    assert await site.state() == "suspended"
    with pytest.raises(ApplicationError, match="no whole last backup"):
        await site.run(removals.end_account, call)
    assert await site.state() == "suspended"

    await site.run(copies.back_up_site, call)
    await site.run(copies.back_up_site, call)
    row = await site.backup(call)
    assert row.status == "SUCCESS"
    assert row.keep_until is not None
    assert str(row.s3_key).startswith("ssh:web-")
    assert await site.kept() == (str(row.id),)

    async with site.web.enter() as host:
        await host.run(["truncate", "--size", "-1", f"{site.account.backups}/{row.id}.tar.gz"])
    with pytest.raises(ApplicationError, match="not what was packed"):
        await site.run(removals.end_account, call)
    assert await site.state() == "suspended"

    again = await site.asked(JobType.TERMINATE)
    await site.run(copies.back_up_site, again)
    await site.run(removals.end_account, again)
    await site.run(removals.end_account, again)
    assert await site.state() == "absent"
    whole = await site.backup(again)
    assert str(whole.id) in await site.kept()

    # Killed in Temporal and asked for once more: what is gone with its backup stops nothing.
    third = await site.asked(JobType.TERMINATE)
    await site.run(off.suspend_site, third)
    await site.run(copies.back_up_site, third)
    await site.run(removals.end_account, third)

    past = await site.asked(JobType.DISCARD_BACKUPS)
    discards = DiscardActivities(site.deps)
    await site.run(discards.discard_backups, past)
    assert str(whole.id) in await site.kept()
    async with site.db.begin() as session:
        await session.execute(update(BackupJob).values(keep_until=datetime.now(UTC) - timedelta(days=1)))
    await site.run(discards.discard_backups, past)
    assert await site.kept() == ()
    assert (await site.backup(again)).status == "EXPIRED"


async def test_what_was_suspended_before_stays_so_when_an_end_is_taken_back(site: Site) -> None:
    off = SuspensionActivities(site.deps)
    call = await site.asked(JobType.TERMINATE)
    await site.run(off.suspend_site, call)
    await site.run(off.reopen_site, call)
    assert await site.state() == "active"
    await site.run(off.suspend_site, call)
    async with site.db.begin() as session:
        held = await delivery.load(session, site.ref)
        held.subscription.status, held.subscription.suspended_at = "SUSPENDED", datetime.now(UTC)
    await site.run(off.reopen_site, call)
    assert await site.state() == "suspended"


async def test_limits_and_ways_in_change_on_the_server(site: Site) -> None:
    limits, ways = LimitActivities(site.deps), AccessActivities(site.deps)
    small, large = [(await open_shop(site.db, disk_mb=size)).price.id for size in (24, 2048)]
    call = await site.asked(JobType.CHANGE_LIMITS)

    def to(price: uuid.UUID) -> JobCall:
        return call.model_copy(update={"inputs": FulfilmentInputs(price_id=str(price))})

    async def quota() -> int:
        async with site.web.enter() as host:
            return (await facts(host, site.account)).quota_mb

    for size, price in ((2048, large), (24, small)):
        await site.run(limits.check_limits, to(price))
        await site.run(limits.change_disk, to(price))
        assert await quota() == size
    await site.run(limits.restore_disk, to(small))
    assert await quota() == 1024
    async with site.web.enter() as host:
        dd = ["dd", "if=/dev/urandom", f"of={site.account.private}/filler", "bs=1M", "count=30"]
        await host.run(commands.as_user(site.account.system_user, dd))
    with pytest.raises(ApplicationError, match="delete files first"):
        await site.run(limits.check_limits, to(small))

    call = await site.asked(JobType.SFTP_PASSWORD)
    async with site.db.begin() as session:
        await access.keep(session, site.keys, call.job_id, await hash_password("Correct-Horse-7", 4))
    await site.run(ways.set_sftp_password, call)
    await site.run(ways.set_sftp_password, call)
    async with site.db.begin() as session:
        assert await access.read(session, site.keys, call.job_id) is None
    async with site.web.customer(site.account, password="Correct-Horse-7") as there, there.start_sftp_client() as sftp:
        assert await sftp.exists("index.html")
