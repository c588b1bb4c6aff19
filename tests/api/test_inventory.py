"""The inventory for administrators: who may see it, what it says, and which decisions are refused."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, insert, update

from api.examples import INVENTORY_REPLY
from db.base import new_id
from db.models import Deployment, ServerIntent
from db.models_inventory import CloudResource, InventorySweep
from domain.statuses import Role
from tests.api.conftest import MakeWorld
from tests.api.world import World, temporal_is_away

WHERE = "/api/admin/inventory"
NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
async def empty(world: World) -> None:
    async with world.db.begin() as session:
        for table in (CloudResource, InventorySweep):
            await session.execute(delete(table))


async def resource(world: World, **columns: Any) -> str:
    ref = new_id()
    values = {"id": ref, "provider": "transip", "provider_ref": f"demo-{ref.hex[-6:]}", "state": "unexplained",
              "verdict": "surplus", "correlation": "t", "first_seen": NOW, "price_cents_month": 1000}  # fmt: skip
    async with world.db.begin() as session:
        await session.execute(insert(CloudResource).values(values | columns))
    return str(ref)


async def sweep_row(world: World, **columns: Any) -> None:
    values = {"id": new_id(), "provider": "transip", "outcome": "complete", "complete": True, "began_at": NOW,
              "ended_at": NOW, "listed": 1}  # fmt: skip
    async with world.db.begin() as session:
        await session.execute(insert(InventorySweep).values(values | columns))


async def look(world: World, **query: str) -> dict[str, Any]:
    answer = await world.client.get(WHERE, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_says_what_runs_for_whom_and_what_it_costs(world: World) -> None:
    made = await world.create()
    server = uuid.UUID(await world.server(provider_instance_id="demo-1", price_cents_month=2000, vps_name="acme-1"))
    async with world.db.begin() as session:
        ours = Deployment.id == uuid.UUID(made["deploymentId"])
        await session.execute(update(Deployment).where(ours).values(vps_id=server))
        session.add(ServerIntent(vps_id=server, deployment_id=uuid.UUID(made["deploymentId"]), provider="transip",
                                 correlation="t", state="adopted", provider_ref="demo-1"))  # fmt: skip
    await resource(world, provider_ref="demo-1", state="explained", verdict="explained", vps_id=server,
                   price_cents_month=2000)  # fmt: skip
    await resource(world, provider_ref="demo-2", state="quarantined", vps_id=server, quarantined_at=NOW,
                   delete_after=NOW + timedelta(hours=72))  # fmt: skip
    await resource(world, provider_ref="demo-3", state="missing", verdict="explained", price_cents_month=700)
    await resource(world, provider_ref="demo-4", verdict="foreign", price_cents_month=None)
    await resource(world, provider_ref="demo-5", state="gone")
    await sweep_row(world)
    await sweep_row(world, outcome="held", reason="the list may be short", began_at=NOW + timedelta(hours=1))
    await sweep_row(world, outcome="refused", complete=False, reason="no list", began_at=NOW + timedelta(hours=2))
    body = await look(world)
    assert INVENTORY_REPLY.keys() <= body.keys()
    shown = {one["provider_ref"]: one for one in body["resources"]}
    assert list(shown) == ["demo-2", "demo-3", "demo-4", "demo-1"]
    assert shown["demo-1"].keys() == INVENTORY_REPLY["resources"][0].keys()
    assert [one["slug"] for one in shown["demo-1"]["deployments"]] == [
        (await world.deployment(made["deploymentId"])).slug
    ]
    assert shown["demo-2"]["deployments"] == [], "nobody lives on it"
    assert shown["demo-2"]["ordered_for"] == made["deploymentId"]
    assert shown["demo-2"]["delete_after"] == "2026-08-04T12:00:00Z"
    assert body["totals"] == [
        {"currency": "EUR", "cents_month": 3000, "unexplained_cents_month": 1000, "resources": 3, "unpriced": 1}
    ]
    assert body["attention"] == 3
    (last,) = body["sweeps"]
    assert last.keys() == INVENTORY_REPLY["sweeps"][0].keys()
    assert (last["outcome"], last["reason"]) == ("refused", "no list")
    assert last["last_complete_at"] == "2026-08-01T13:00:00Z"
    assert body["rules"] == {"sweep_minutes": 60, "grace_hours": 72, "acts_per_hour": 2}
    assert [one["provider_ref"] for one in (await look(world, state="missing"))["resources"]] == ["demo-3"]


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.BILLING, Role.SUPPORT, Role.USER])
async def test_is_for_administrators_only(make_world: MakeWorld, role: Role) -> None:
    world = await make_world()
    await world.sign_in(role)
    some = uuid.uuid4()
    for method, path in (("GET", ""), ("POST", "/sweep"), ("POST", f"/{some}/adopt"), ("POST", f"/{some}/release")):
        assert (await world.client.request(method, WHERE + path)).status_code == 403


class TestDecisions:
    async def test_adopting_leaves_alone_and_is_audited(self, world: World) -> None:
        ref = await resource(world, state="quarantined", quarantined_at=NOW, delete_after=NOW)
        answer = await world.client.post(f"{WHERE}/{ref}/adopt", json={"note": "the test server of Jim"})
        assert (answer.status_code, answer.json()["state"]) == (200, "adopted")
        (one,) = (await look(world))["resources"]
        assert (one["state"], one["note"], one["decided_by"]) == ("adopted", "the test server of Jim", world.username)
        assert (one["delete_after"], one["may_adopt"], one["may_release"]) == (None, False, True)
        entry = next(e for e in await world.audit("inventory.adopt") if e.target_id == ref)
        assert (entry.actor, entry.target_type, entry.outcome) == (world.username, "cloud_resource", "ok")

    async def test_releasing_marks_for_deletion_and_can_be_taken_back(self, world: World) -> None:
        ref = await resource(world, verdict="unknown_order")
        for _ in range(2):
            assert (await world.client.post(f"{WHERE}/{ref}/release")).json()["state"] == "released"
        assert (await world.client.post(f"{WHERE}/{ref}/adopt")).json()["state"] == "adopted"

    @pytest.mark.parametrize(
        ("columns", "verb"),
        [
            ({"state": "explained", "verdict": "explained"}, "release"),
            ({"state": "explained", "verdict": "explained"}, "adopt"),
            ({"state": "missing", "verdict": "explained"}, "release"),
            ({"verdict": "foreign", "correlation": None}, "release"),
            ({"state": "released", "decided_at": NOW, "deleted_at": NOW}, "adopt"),
        ],
    )
    async def test_a_refusal_says_why_and_is_audited(self, world: World, columns: dict[str, Any], verb: str) -> None:
        ref = await resource(world, **columns)
        answer = await world.client.post(f"{WHERE}/{ref}/{verb}")
        assert (answer.status_code, answer.json()["code"]) == (409, "CONFLICT")
        assert "demo-" in answer.json()["error"]
        entry = next(e for e in await world.audit(f"inventory.{verb}") if e.target_id == ref)
        assert entry.outcome == "refused"
        (one,) = (await look(world))["resources"]
        assert one["state"] == columns.get("state", "unexplained")

    async def test_what_is_gone_or_never_was_is_404(self, world: World) -> None:
        gone = await resource(world, state="gone")
        for ref in (gone, str(uuid.uuid4()), "no-id"):
            assert (await world.client.post(f"{WHERE}/{ref}/adopt")).status_code == 404


class TestSweepNow:
    async def test_starts_one_workflow_under_the_clouds_name(self, world: World) -> None:
        answer = await world.client.post(f"{WHERE}/sweep", json={"vouch": True})
        assert answer.status_code == 202
        workflow, call, options = world.temporal.started["inventory/transip"]
        assert (workflow, options["task_queue"]) == ("InventorySweep", "runs")
        assert (call.provider, call.vouched, call.requested_by) == ("transip", True, world.username)
        assert call.sweep_id == answer.json()["sweep_id"]
        assert [e.details["vouch"] for e in await world.audit("inventory.sweep")][-1] is True
        again = await world.client.post(f"{WHERE}/sweep")
        assert (again.status_code, again.json()["code"]) == (409, "CONFLICT")

    async def test_without_temporal_is_503(self, world: World) -> None:
        world.temporal.trouble = temporal_is_away()
        assert (await world.client.post(f"{WHERE}/sweep")).status_code == 503

    async def test_of_an_unknown_cloud_is_refused(self, world: World) -> None:
        assert (await world.client.post(f"{WHERE}/sweep", json={"provider": "aws"})).status_code == 422


async def test_metrics_count_what_is_unexplained_and_how_old_the_knowledge_is(world: World) -> None:
    await sweep_row(world, began_at=datetime.now(UTC) - timedelta(hours=2), ended_at=datetime.now(UTC))
    await sweep_row(world, outcome="refused", complete=False, reason="no list")
    text = (await world.client.get("/metrics")).text
    assert 'slipway_unexplained_resources{provider="transip"} 0.0' in text
    await resource(world)
    await resource(world, state="quarantined", quarantined_at=NOW)
    await resource(world, state="missing", verdict="explained")
    await resource(world, state="gone")
    text = (await world.client.get("/metrics")).text
    assert 'slipway_unexplained_resources{provider="transip"} 2.0' in text
    assert 'slipway_cloud_resources{provider="transip",state="missing"} 1.0' in text
    assert 'state="gone"' not in text
    (line,) = [one for one in text.splitlines() if one.startswith("slipway_inventory_age_seconds{")]
    assert 7200 <= float(line.rpartition(" ")[2]) < 7300
