"""Sweeps over a wire-faithful cloud and real rows: what is lost is found, and nothing else is ever touched."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.exc import OperationalError
from temporalio.testing import ActivityEnvironment

from activities.inventory import InventoryActivities
from db.base import new_id
from db.keyring import KeyRing
from db.models import AuditEntry, Deployment, Placement, ServerIntent, VpsInstance
from db.models_inventory import CloudResource, InventorySweep
from db.session import Database
from domain.config import RunConfig
from domain.ids import QUARANTINE_TAG
from domain.inventory import InventoryRules, SweepCall, SweepReport
from domain.provisioning import DestroyCall
from providers.errors import NotFound, Transient
from tests.activities.test_servers import Shop
from tests.sandbox.transip.emulator import Emulator, emulator, keys_are_read_once, order, until


class Died(BaseException):
    """A worker's end in the middle of its work."""


SETTLE = 0.2  # seconds; as short as the sandbox is quick
CHANGING = ("PUT", "PATCH", "DELETE")


class Yard(Shop):
    """A shop whose orders become servers in service, and the sweeps over its cloud."""

    def __init__(self, db: Database, keys: KeyRing, cloud: Emulator) -> None:
        super().__init__(db, keys, cloud)
        self.client.late_accept_window = SETTLE
        self.rules()

    def rules(self, **changes: Any) -> None:
        config = RunConfig(base_domain="slipway.test", inventory=InventoryRules(**changes))
        self.deps = replace(self.deps, config=config)
        self.inventory = InventoryActivities(self.deps)

    async def sweep(self, **changes: Any) -> SweepReport:
        """One sweep, long enough after the one before for the cloud to have settled."""
        await asyncio.sleep(SETTLE)
        call = SweepCall(provider="transip", **({"sweep_id": str(uuid.uuid4())} | changes))
        return await ActivityEnvironment().run(self.inventory.sweep_inventory, call)

    async def in_service(self) -> str:
        """A new deployment with its server; the cloud's name of it."""
        await self.open()
        found = await self.retried(self.servers.create_server)
        await self.retried(self.servers.await_server)
        await self.phase("active")
        async with self.deps.db.begin() as session:
            await session.execute(
                update(VpsInstance).where(VpsInstance.provider_instance_id == found.provider_ref)
                .values(lifecycle="active", price_cents_month=2000))  # fmt: skip
        return str(found.provider_ref)

    async def phase(self, phase: str) -> None:
        async with self.deps.db.begin() as session:
            ours = Deployment.id == uuid.UUID(self.call.deployment_id)
            await session.execute(update(Deployment).where(ours).values(phase=phase))

    async def order_again(self) -> str:
        """A second server with the newest order's token, as a lost answer and a wrong retry would make it."""
        facts = await self.facts()
        assert facts.intent is not None
        return await self.stray(facts.intent.correlation)

    async def stray(self, description: str) -> str:
        before = {server.provider_ref for server in await self.client.list()}
        await self.client.order(order(correlation=description))

        async def new() -> str | None:
            found = [s for s in await self.client.list() if s.provider_ref not in before]
            return found[0].provider_ref if found and found[0].running and not found[0].locked else None

        return str(await until(new))

    async def line(self, ref: str) -> CloudResource:
        async with self.deps.db.begin() as session:
            query = select(CloudResource).where(CloudResource.provider_ref == ref, CloudResource.state != "gone")
            return (await session.execute(query)).scalar_one()

    async def set_line(self, ref: str, **values: Any) -> None:
        async with self.deps.db.begin() as session:
            await session.execute(update(CloudResource).where(CloudResource.provider_ref == ref).values(**values))

    async def age(self, ref: str, by: timedelta) -> None:
        """Let time pass for one line."""
        async with self.deps.db.begin() as session:
            columns = ("unexplained_since", "quarantined_at", "delete_after", "deleted_at", "quarantine_tried_at")
            sets = {name: getattr(CloudResource, name) - by for name in columns}
            await session.execute(update(CloudResource).where(CloudResource.provider_ref == ref).values(sets))

    async def acts(self) -> list[tuple[str, str]]:
        """What the cloud was asked to change since `forget`."""
        calls = (await self.cloud.state())["calls"]
        return [(call["method"], call["path"]) for call in calls[self.seen :] if call["method"] in CHANGING]

    async def forget(self) -> None:
        self.seen = len((await self.cloud.state())["calls"])

    seen = 0

    async def settled(self, ref: str) -> None:
        async def free() -> bool:
            return not (await self.client.get(ref)).locked

        await until(free)

    async def sweeps(self) -> list[InventorySweep]:
        async with self.deps.db.begin() as session:
            return list((await session.execute(select(InventorySweep).order_by(InventorySweep.began_at))).scalars())


@pytest.fixture(autouse=True, scope="module")
def cached_keys() -> Iterator[None]:
    with keys_are_read_once():
        yield


@pytest.fixture
async def yard(db: Database, keys: KeyRing, tmp_path: Path) -> AsyncIterator[Yard]:
    (tmp_path / "cloud").mkdir()
    async with emulator(tmp_path / "cloud") as cloud:
        yield Yard(db, keys, cloud)
        async with db.begin() as session:  # the next test's cloud counts its servers from one again
            for table in (CloudResource, InventorySweep):
                await session.execute(delete(table))
            await session.execute(update(VpsInstance).values(provider_instance_id=None, lifecycle="terminated"))
            await session.execute(update(ServerIntent).values(state="released", provider_ref=None))


@pytest.fixture
async def fleet(yard: Yard) -> list[str]:
    """Three servers in service that a sweep has explained."""
    neighbours = [yard, *(Yard(yard.deps.db, yard.deps.keys, yard.cloud) for _ in range(2))]
    refs = await asyncio.gather(*(one.in_service() for one in neighbours))
    report = await yard.sweep()
    assert (report.outcome, report.reason, report.unexplained) == ("complete", "", 0)
    await yard.forget()
    return [*refs]


async def lost(yard: Yard) -> str:
    """A second server of a finished order, seen once."""
    ref = await yard.order_again()
    assert (await yard.sweep()).unexplained == 1
    return ref


class TestALostServer:
    async def test_is_reported_then_powered_off_then_deleted(self, yard: Yard, fleet: list[str]) -> None:
        extra = await lost(yard)
        line = await yard.line(extra)
        assert (line.state, line.verdict, line.sightings) == ("unexplained", "surplus", 1)
        assert (line.price_cents_month or 0) > 0, "what it costs is asked of the cloud"
        assert await yard.acts() == []

        report = await yard.sweep()
        assert (report.outcome, report.quarantined) == ("complete", 1)
        await yard.settled(extra)
        server = await yard.client.get(extra)
        assert (server.running, QUARANTINE_TAG in server.tags) == (False, True)
        line = await yard.line(extra)
        assert line.state == "quarantined"
        assert line.delete_after is not None
        assert line.quarantined_at is not None
        assert line.delete_after - line.quarantined_at == timedelta(hours=72)

        await yard.age(extra, timedelta(hours=71))
        assert (await yard.sweep()).deleted == 0
        await yard.age(extra, timedelta(hours=1))
        assert (await yard.sweep()).deleted == 1

        async def gone() -> bool:
            return extra not in {server.provider_ref for server in await yard.client.list()}

        await until(gone)
        report = await yard.sweep()
        assert (report.outcome, report.reason, report.unexplained) == ("complete", "", 0)
        assert {server.provider_ref for server in await yard.client.list()} == set(fleet)
        assert all(path.endswith(f"/{extra}") for _, path in await yard.acts()), "no other server was touched"
        async with yard.deps.db.begin() as session:
            query = select(AuditEntry.action).where(AuditEntry.details["provider_ref"].astext == extra)
            written = list((await session.execute(query.order_by(AuditEntry.at))).scalars())
        assert written == ["inventory.quarantine", "inventory.delete"]

    async def test_of_an_order_that_was_given_up_is_found_too(self, yard: Yard, fleet: list[str]) -> None:
        await yard.in_service()
        facts = await yard.facts()
        assert facts.intent is not None
        await yard.sweep()
        await yard.retried(yard.servers.destroy_server, DestroyCall(deployment_id=yard.call.deployment_id))
        await yard.phase("terminated")
        late = await yard.stray(facts.intent.correlation)  # it appears after everybody has stopped looking
        await yard.sweep()
        assert (await yard.line(late)).verdict == "leftover"
        assert (await yard.sweep()).quarantined == 1

    async def test_of_a_run_under_way_is_left_to_the_run(self, yard: Yard, fleet: list[str]) -> None:
        extra = await yard.order_again()
        for phase in ("running", "rolling_back", "terminating"):
            await yard.phase(phase)
            assert ((await yard.sweep()).unexplained, (await yard.line(extra)).state) == (0, "explained")
        assert await yard.acts() == []

    async def test_started_again_by_somebody_is_not_deleted(self, yard: Yard, fleet: list[str]) -> None:
        extra = await lost(yard)
        await yard.sweep()
        await yard.settled(extra)
        await yard.client._call("PATCH", f"/vps/{extra}", json={"action": "start"})
        await yard.settled(extra)
        await yard.age(extra, timedelta(hours=100))
        report = await yard.sweep()
        assert (report.deleted, report.unexplained) == (0, 1)
        assert "started or untagged" in (await yard.line(extra)).note

    async def test_that_an_operator_adopts_is_started_again_and_left_alone(self, yard: Yard, fleet: list[str]) -> None:
        extra = await lost(yard)
        await yard.sweep()
        await yard.settled(extra)
        await yard.set_line(extra, state="adopted", decided_at=func.now(), delete_after=None)
        await yard.sweep()
        await yard.settled(extra)
        server = await yard.client.get(extra)
        assert (server.running, QUARANTINE_TAG in server.tags) == (True, False)
        await yard.age(extra, timedelta(days=30))
        await yard.forget()
        report = await yard.sweep()
        assert (report.unexplained, await yard.acts()) == (0, [])

    async def test_that_a_row_explains_later_is_started_again(self, yard: Yard, fleet: list[str]) -> None:
        extra = await lost(yard)
        await yard.sweep()
        await yard.settled(extra)
        found = VpsInstance(vps_name=f"found-{extra}-{uuid.uuid4().hex[:6]}", provider_type="transip",
                            provider_instance_id=extra, lifecycle="active")  # fmt: skip
        async with yard.deps.db.begin() as session:
            session.add(found)
        report = await yard.sweep()
        await yard.settled(extra)
        assert (report.unexplained, (await yard.client.get(extra)).running) == (0, True)
        line = await yard.line(extra)
        assert (line.state, line.quarantined_at, line.delete_after) == ("explained", None, None)

    async def test_that_an_operator_releases_is_deleted_by_the_next_sweep(self, yard: Yard, fleet: list[str]) -> None:
        extra = await lost(yard)
        await yard.set_line(extra, state="released", decided_at=func.now())
        assert (await yard.sweep()).deleted == 1


class TestOthers:
    async def test_somebodys_own_server_is_reported_and_never_touched(self, yard: Yard, fleet: list[str]) -> None:
        own = await yard.stray("the boss's minecraft")
        for _ in range(3):
            report = await yard.sweep()
            await yard.age(own, timedelta(days=30))
        line = await yard.line(own)
        assert (line.state, line.verdict, line.sightings) == ("unexplained", "foreign", 3)
        assert (report.outcome, report.unexplained, await yard.acts()) == ("complete", 1, [])

    async def test_a_server_deleted_by_hand_is_missing_and_its_row_stays(self, yard: Yard, fleet: list[str]) -> None:
        await yard.client.cancel(fleet[0], immediately=True)
        await until(lambda: _gone(yard, fleet[0]))
        report = await yard.sweep()
        assert (report.outcome, (await yard.line(fleet[0])).state) == ("held", "missing")
        assert ((await yard.sweep()).outcome, (await yard.line(fleet[0])).state) == ("complete", "missing")
        async with yard.deps.db.begin() as session:
            query = select(VpsInstance.lifecycle).where(VpsInstance.provider_instance_id == fleet[0])
            assert (await session.execute(query)).scalar_one() == "active"


async def _gone(yard: Yard, ref: str) -> bool:
    return ref not in {server.provider_ref for server in await yard.client.list()}


FAILURES: list[dict[str, Any]] = [
    {"do": "status", "status": 500}, {"do": "status", "status": 503}, {"do": "garbage"}, {"do": "rate_limit"},
    {"do": "lose_answer"}, {"do": "lose_request"},
]  # fmt: skip
WRONG_LISTS = [
    '{"vpss": []}', '{"vpss": [{"uuid": "x"}]}', '{"vpss": [7]}', '{"vpss": null}', "{}", "[]", '{"vpss": {}}',
    '{"vpss": [{"name": "someone-vps1", "status": "running"}]}',
]  # fmt: skip


async def ready_to_go_wrong(yard: Yard) -> tuple[str, str]:
    """One server that the next sweep would power off, and one that it would delete."""
    off = await lost(yard)
    await yard.sweep()
    await yard.settled(off)
    await yard.age(off, timedelta(hours=100))
    on = await yard.order_again()
    await yard.set_line(off, delete_after=None)  # not yet
    await yard.sweep()
    await yard.set_line(off, delete_after=func.now() - timedelta(hours=1))
    await yard.forget()
    return off, on


class TestBadEvidence:
    """Gardener #657: healthy nodes were deleted because the store behind the reaper was unreachable, empty or stale."""

    async def test_the_stage_is_set(self, yard: Yard, fleet: list[str]) -> None:
        await ready_to_go_wrong(yard)
        report = await yard.sweep()
        assert (report.quarantined, report.deleted) == (1, 1)

    async def test_a_list_that_fails_on_any_page_changes_nothing(self, yard: Yard, fleet: list[str]) -> None:
        await ready_to_go_wrong(yard)
        before = await self.ledger(yard)
        for fault in FAILURES:
            for page in (0, 1):  # a list ends with a page that brings nothing new, so there are always two
                for _ in range(page):
                    await yard.cloud.fault("delay", method="GET", path="/vps$", times=1, seconds=0.0)
                await yard.cloud.fault(method="GET", path="/vps$", times=1, **fault)
                report = await yard.sweep()
                assert (report.outcome, report.listed) == ("refused", None), (fault, page)
                assert "the list failed" in report.reason
                await self.nothing_happened(yard, before)

    async def test_an_empty_a_garbled_or_a_wrong_list_changes_nothing(self, yard: Yard, fleet: list[str]) -> None:
        await ready_to_go_wrong(yard)
        before = await self.ledger(yard)
        for body in WRONG_LISTS:
            await yard.cloud.fault("garbage", method="GET", path="/vps$", times=None, body=body)
            assert (await yard.sweep()).outcome == "refused", body
            await self.nothing_happened(yard, before)
            (await yard.cloud.admin.delete("/_sandbox/faults")).raise_for_status()

    async def test_rows_that_are_gone_while_the_ledger_is_there(self, yard: Yard, fleet: list[str]) -> None:
        """The incident itself: every node is healthy, and the store says it has never heard of them."""
        await ready_to_go_wrong(yard)
        before = await self.ledger(yard)
        async with yard.deps.db.begin() as session:
            await session.execute(update(CloudResource).values(vps_id=None))
            await session.execute(delete(Placement))
            await session.execute(delete(ServerIntent))
            await session.execute(update(Deployment).values(vps_id=None))
            await session.execute(delete(VpsInstance))
        for _ in range(3):
            report = await yard.sweep()
            assert report.outcome == "refused"
            assert "explains none" in report.reason
        await self.nothing_happened(yard, before, stated=True)

    async def test_rows_and_ledger_gone_together(self, yard: Yard, fleet: list[str]) -> None:
        await ready_to_go_wrong(yard)
        async with yard.deps.db.begin() as session:
            await session.execute(delete(CloudResource))
            await session.execute(delete(InventorySweep))
            await session.execute(delete(Placement))
            await session.execute(delete(ServerIntent))
            await session.execute(update(Deployment).values(vps_id=None))
            await session.execute(delete(VpsInstance))
        for _ in range(4):
            report = await yard.sweep()
            assert (report.outcome, report.unexplained) == ("held", 5)
            assert "rows may be missing" in report.reason
        assert await yard.acts() == []

    async def test_a_database_restored_from_yesterday(self, yard: Yard, fleet: list[str]) -> None:
        """Orders of today are unknown to it; their servers run for customers and carry our tokens."""
        await ready_to_go_wrong(yard)
        today = [await yard.in_service() for _ in range(2)]
        async with yard.deps.db.begin() as session:
            new = select(VpsInstance.id).where(VpsInstance.provider_instance_id.in_(today))
            await session.execute(delete(Placement).where(Placement.vps_id.in_(new)))
            await session.execute(delete(ServerIntent).where(ServerIntent.vps_id.in_(new)))
            await session.execute(update(Deployment).where(Deployment.vps_id.in_(new)).values(vps_id=None))
            await session.execute(delete(VpsInstance).where(VpsInstance.provider_instance_id.in_(today)))
        await yard.forget()
        for _ in range(4):
            report = await yard.sweep()
            assert report.outcome == "held"
            assert report.reason.endswith("tokens of orders that the database does not know: 2")
            for ref in today:
                await yard.age(ref, timedelta(days=9))
        assert await yard.acts() == []
        assert {(await yard.line(ref)).verdict for ref in today} == {"unknown_order"}

    async def test_an_unreachable_database_touches_nothing(self, yard: Yard, fleet: list[str]) -> None:
        await ready_to_go_wrong(yard)
        away = Database("postgresql+psycopg://nobody@127.0.0.1:1/nothing")
        blind = InventoryActivities(replace(yard.deps, db=away))
        with pytest.raises(OperationalError):
            await ActivityEnvironment().run(
                blind.sweep_inventory, SweepCall(provider="transip", sweep_id=str(uuid.uuid4())))  # fmt: skip
        await away.close()
        assert await yard.acts() == []

    async def test_a_database_that_goes_away_after_the_list_stops_before_the_first_act(
        self, yard: Yard, fleet: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await ready_to_go_wrong(yard)

        async def cut(*args: Any, **more: Any) -> bool:
            raise OperationalError("select", {}, Exception("server closed the connection"))

        monkeypatch.setattr(InventoryActivities, "_still_lost", cut)
        with pytest.raises(OperationalError):
            await yard.sweep()
        assert await yard.acts() == []

    async def ledger(self, yard: Yard) -> list[tuple[Any, ...]]:
        async with yard.deps.db.begin() as session:
            columns = "provider_ref, state, sightings, last_seen, note, updated_at"
            rows = await session.execute(text(f"select {columns} from cloud_resources order by 1"))
            return [tuple(row) for row in rows]

    async def nothing_happened(self, yard: Yard, before: list[tuple[Any, ...]], *, stated: bool = False) -> None:
        """Not at the cloud, and not in the ledger; only the sweep's own row says why."""
        assert await yard.acts() == []
        after = await self.ledger(yard)
        assert [row[:3] for row in after] == [row[:3] for row in before]
        assert stated or after == before
        last = (await yard.sweeps())[-1]
        assert (last.outcome, last.complete) == ("refused", False)
        assert last.reason
        assert last.ended_at is not None


class TestCapAndConcurrency:
    async def test_the_cap_holds_over_sweeps(self, yard: Yard, fleet: list[str]) -> None:
        extras = [await yard.order_again() for _ in range(5)]
        await yard.sweep()
        reports = [await yard.sweep() for _ in range(4)]
        assert [report.quarantined for report in reports] == [2, 0, 0, 0]
        for ref in extras:
            await yard.age(ref, timedelta(minutes=61))
        assert [(await yard.sweep()).quarantined for _ in range(2)] == [2, 0]

    async def test_a_cap_of_zero_only_reports(self, yard: Yard, fleet: list[str]) -> None:
        yard.rules(acts_per_hour=0)
        await ready_to_go_wrong_without_acts(yard)
        report = await yard.sweep()
        assert (report.outcome, report.unexplained, await yard.acts()) == ("complete", 1, [])

    async def test_two_sweeps_at_once_are_one(self, yard: Yard, fleet: list[str]) -> None:
        await ready_to_go_wrong(yard)
        await yard.cloud.fault("delay", method="GET", path="/vps$", times=1, seconds=1.0)
        reports = await asyncio.gather(*(yard.sweep() for _ in range(4)))
        assert sorted(report.outcome for report in reports) == ["complete", "skipped", "skipped", "skipped"]
        assert sum(report.quarantined for report in reports) == 1
        assert sum(report.deleted for report in reports) == 1

    async def test_the_same_sweep_again_answers_what_became_of_it(self, yard: Yard, fleet: list[str]) -> None:
        await ready_to_go_wrong(yard)
        same = str(uuid.uuid4())
        first = await yard.sweep(sweep_id=same)
        await yard.forget()
        assert await yard.sweep(sweep_id=same) == first
        assert await yard.acts() == []

    async def test_a_crash_between_the_cloud_and_the_row_is_repaired(
        self, yard: Yard, fleet: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        extra = await lost(yard)
        same = str(uuid.uuid4())

        async def die(*args: Any, **more: Any) -> None:
            raise Died

        with monkeypatch.context() as patch:
            patch.setattr(InventoryActivities, "_done", die)
            with pytest.raises(Died):
                await yard.sweep(sweep_id=same)
        await yard.settled(extra)
        assert (await yard.client.get(extra)).running is False
        assert (await yard.line(extra)).state == "unexplained"
        await yard.forget()
        report = await yard.sweep(sweep_id=same)  # Temporal repeats the activity
        assert (report.outcome, report.quarantined) == ("complete", 1)
        assert (await yard.line(extra)).state == "quarantined"
        assert await yard.acts() == [], "it is off and tagged already"

    async def test_a_sweep_whose_worker_went_away_gives_way_and_acts_no_more(
        self, yard: Yard, fleet: list[str]
    ) -> None:
        await ready_to_go_wrong(yard)
        dead = new_id()
        async with yard.deps.db.begin() as session:
            session.add(InventorySweep(id=dead, provider="transip", began_at=func.now() - timedelta(minutes=16)))
        assert (await yard.sweep()).outcome == "complete"
        assert {sweep.id: sweep.outcome for sweep in await yard.sweeps()}[dead] == "abandoned"
        await yard.forget()
        assert (await yard.sweep(sweep_id=str(dead))).outcome == "abandoned"
        assert await yard.acts() == []

    async def test_a_cloud_that_fails_at_an_act_is_left_alone(self, yard: Yard, fleet: list[str]) -> None:
        extras = [await yard.order_again() for _ in range(2)]
        await yard.sweep()
        await yard.cloud.fault("status", method="PUT", times=1, status=500)
        report = await yard.sweep()
        assert (report.outcome, report.quarantined) == ("complete", 0)
        assert "stopped at the quarantine" in report.reason
        assert [(await yard.line(ref)).state for ref in extras] == ["unexplained", "unexplained"]

    async def test_an_order_placed_while_the_list_is_read_is_explained(self, yard: Yard, fleet: list[str]) -> None:
        """Rows are read again after the list, and what only one of the two readings expects is not missing."""
        await yard.cloud.fault("delay", method="GET", path="/vps$", times=1, seconds=1.0)
        report, _ = await asyncio.gather(yard.sweep(), yard.in_service())
        assert (report.outcome, report.reason, report.unexplained) == ("complete", "", 0)


async def ready_to_go_wrong_without_acts(yard: Yard) -> None:
    await lost(yard)
    await yard.sweep()


async def test_the_price_of_what_nobody_ordered_here_may_be_missing(yard: Yard, fleet: list[str]) -> None:
    own = await yard.stray("somebody else's")
    await yard.cloud.fault("status", method="GET", path="/products$", times=1, status=500)
    assert (await yard.sweep()).outcome == "complete"
    assert (await yard.line(own)).price_cents_month is None
    await yard.sweep()
    assert (await yard.line(own)).price_cents_month == (await yard.client.price("bladevps-x4")).cents_month


async def test_a_quarantine_is_safe_to_repeat_and_to_take_back(yard: Yard) -> None:
    ref = await yard.stray("x" * 20)
    with pytest.raises(NotFound):
        await yard.client.quarantine("nobody-vps1")
    for _ in range(2):
        await yard.client.quarantine(ref)
        await yard.settled(ref)
    assert (await yard.client.get(ref)).tags == [QUARANTINE_TAG]
    for _ in range(2):
        await yard.client.restore(ref)
        await yard.settled(ref)
    server = await yard.client.get(ref)
    assert (server.running, server.tags, server.label) == (True, [], "x" * 20)
    await yard.client._call("PATCH", f"/vps/{ref}", json={"action": "stop"})
    with pytest.raises(Transient):
        await yard.client.quarantine(ref)
