"""Reading: the status with its tags and steps, the log in pages, the list with its filters, and who sees what."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.statuses import Role
from tests.api.world import World

URL = "/api/portal/instances"
NOW = datetime.now(UTC)


async def status(world: World, ref: str, **headers: str) -> Any:
    return await world.client.get(f"{URL}/{ref}/status", headers=headers)


def parked(step: str = "create_server", since: datetime = NOW, **more: Any) -> dict[str, Any]:
    wait = {"step": step, "trouble": "QuotaExceeded", "message": "no more", "owner": "operator", "undoing": False}
    times = {"since": since.isoformat(), "until": (since + timedelta(hours=24)).isoformat()}
    return wait | times | {"editable": ["product"], "current": {"product": ""}} | more


class TestStatus:
    async def test_superset(self, world: World) -> None:
        ref = (await world.create())["deploymentId"]
        body = (await status(world, ref)).json()
        expected = """slug organization_name deployment_type tier phase attention done error_code error_message parked
            steps vps price_cents_month currency temporal_url absence credentials_available position logs fqdn"""
        assert set(expected.split()) <= set(body)
        assert body["done"] is False
        assert body["temporal_url"].endswith(f"/namespaces/default/workflows/provision%2F{ref}")
        assert [step["name"] for step in body["steps"]][:2] == ["reserve", "create_server"]
        assert {step["state"] for step in body["steps"]} == {"pending"}

    async def test_304_until_something_happens(self, world: World) -> None:
        ref = (await world.create())["deploymentId"]
        first = await status(world, ref)
        tag = first.headers["etag"]
        assert tag.startswith('W/"')
        again = await status(world, ref, **{"If-None-Match": f'"other", {tag}'})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        await world.write_events(ref, ("log", "reserve", "info", "hello"))
        third = await status(world, ref, **{"If-None-Match": tag})
        assert third.status_code == 200
        assert third.headers["etag"] != tag
        assert [line["message"] for line in third.json()["logs"]] == ["hello"]

    async def test_each_reply_has_its_own_id_though_the_text_is_kept(self, world: World) -> None:
        ref = (await world.create())["deploymentId"]
        first, second = (await status(world, ref)).json(), (await status(world, ref)).json()
        assert first.pop("request_id") != second.pop("request_id")
        first.pop("timestamp"), second.pop("timestamp")
        assert first == second

    async def test_a_changed_server_is_a_changed_status(self, world: World) -> None:
        ref, vps = (await world.create())["deploymentId"], await world.server(vps_ip="203.0.113.10")
        tag = (await status(world, ref)).headers["etag"]
        await world.set_row(ref, vps_id=uuid.UUID(vps))
        body = (await status(world, ref, **{"If-None-Match": tag})).json()
        assert (body["vps"]["id"], body["vps"]["ip"]) == (vps, "203.0.113.10")

    async def test_only_the_last_200_visible_lines(self, world: World) -> None:
        ref = (await world.create())["deploymentId"]
        rows = [("log", "reserve", "out", f"line {n}") for n in range(205)]
        await world.write_events(ref, *rows, ("step", "reserve", "done", ""), ("step", "reserve", "note", "the end"))
        lines = (await status(world, ref)).json()["logs"]
        assert len(lines) == 200
        assert (lines[0]["message"], lines[-1]["message"]) == ("line 6", "the end")

    @pytest.mark.parametrize(
        ("columns", "done"),
        [
            ({"phase": "running"}, False),
            ({"phase": "running", "attention": "awaiting_operator", "parked": [parked()]}, False),
            ({"phase": "active", "status": "active"}, True),
            ({"phase": "rolling_back", "status": "failed"}, False),
            ({"phase": "rolled_back", "status": "failed"}, True),
            ({"phase": "cancelled", "status": "failed"}, True),
            ({"phase": "terminating", "status": "active"}, False),
            ({"phase": "terminated", "status": "active"}, True),
            ({"phase": "running", "status": "failed"}, True),
        ],
    )
    async def test_pollers_know_when_to_stop(self, world: World, columns: dict[str, Any], done: bool) -> None:
        ref = (await world.create())["deploymentId"]
        await world.set_row(ref, **columns)
        assert (await status(world, ref)).json()["done"] is done


class TestLogs:
    async def test_pages_by_position(self, world: World) -> None:
        ref = (await world.create())["deploymentId"]
        await world.write_events(
            ref, ("step", "reserve", "done", ""), *[("log", "reserve", "out", str(n)) for n in range(5)]
        )
        first = (await world.client.get(f"{URL}/{ref}/logs?limit=3")).json()
        assert ([line["message"] for line in first["logs"]], first["has_more"]) == (["0", "1", "2"], True)
        second = (await world.client.get(f"{URL}/{ref}/logs?limit=3&after={first['position']}")).json()
        assert ([line["message"] for line in second["logs"]], second["has_more"]) == (["3", "4"], False)
        third = (await world.client.get(f"{URL}/{ref}/logs?after={second['position']}")).json()
        assert (third["logs"], third["position"]) == ([], second["position"])

    async def test_levels(self, world: World) -> None:
        ref = (await world.create())["deploymentId"]
        await world.write_events(ref, ("log", "reserve", "out", "a"), ("log", "reserve", "err", "b"),
                                 ("step", "reserve", "parked", "c"), ("step", "reserve", "started", "d"))  # fmt: skip
        lines = (await world.client.get(f"{URL}/{ref}/logs")).json()["logs"]
        assert [(line["kind"], line["level"]) for line in lines] == [
            ("log", "out"), ("log", "err"), ("step", "warning"), ("step", "info")]  # fmt: skip

    @pytest.mark.parametrize("query", ["after=-1", "limit=0", "limit=5001", "after=x"])
    async def test_bad_questions(self, world: World, query: str) -> None:
        ref = (await world.create())["deploymentId"]
        assert (await world.client.get(f"{URL}/{ref}/logs?{query}")).status_code == 422


class TestList:
    async def listed(self, world: World, query: str) -> tuple[list[str], dict[str, Any]]:
        body = (await world.client.get(f"{URL}?{query}")).json()
        return [item["slug"] for item in body["instances"]], body["pagination"]

    async def test_pages(self, world: World) -> None:
        name = f"Paged {uuid.uuid4().hex[:8]}"
        slugs = [(await world.create(organizationName=f"{name} {n}"))["organization"]["slug"] for n in range(3)]
        first, about = await self.listed(world, f"search={name}&limit=2")
        assert first == [slugs[2], slugs[1]]
        assert about == {"page": 1, "limit": 2, "total": 3, "totalPages": 2, "hasNext": True, "hasPrev": False}
        second, about = await self.listed(world, f"search={name}&limit=2&page=2")
        assert (second, about["hasNext"], about["hasPrev"]) == ([slugs[0]], False, True)
        assert (await self.listed(world, f"search={name}&limit=2&page=9"))[0] == []

    async def test_filters(self, world: World) -> None:
        made = await world.create(tier="starter")
        await world.create(tier="enterprise")
        slug = made["organization"]["slug"]
        await world.set_row(made["deploymentId"], attention="escalated", status="failed", phase="rolling_back")
        for query in (
            "attention=escalated",
            "status=failed",
            "phase=rolling_back",
            "tier=starter",
            f"search={slug.upper()}",
        ):
            found, _ = await self.listed(world, f"{query}&limit=100")
            assert slug in found, query
        assert slug not in (await self.listed(world, "tier=enterprise&limit=100"))[0]
        assert slug not in (await self.listed(world, "deployment_type=shared&limit=100"))[0]

    async def test_search_is_text_and_no_pattern(self, world: World) -> None:
        await world.create()
        for text in ("%25", "_____", "'; drop table users; --"):
            assert (await self.listed(world, f"search={text}"))[0] == []

    @pytest.mark.parametrize("query", ["status=odd", "phase=odd", "limit=101", "page=0", "search=%00"])
    async def test_bad_questions(self, world: World, query: str) -> None:
        error = (await world.client.get(f"{URL}?{query}")).json()
        assert (error["statusCode"], error["field"]) == (422, query.partition("=")[0])


class TestWhoSeesWhat:
    async def test_a_user_sees_its_own_organization(self, world: World) -> None:
        own, other = await world.create(), await world.create()
        await world.sign_in(Role.USER, organization_id=uuid.UUID(own["organization"]["id"]))
        assert (await status(world, own["deploymentId"])).status_code == 200
        for path in ("status", "logs", "events"):
            assert (await world.client.get(f"{URL}/{other['deploymentId']}/{path}")).status_code == 404
        found = (await world.client.get(URL)).json()["instances"]
        assert [item["id"] for item in found] == [own["deploymentId"]]
        for path in ("/api/portal/vps", "/api/operator/attention"):
            assert (await world.client.get(path)).status_code == 403

    async def test_a_user_without_organization_sees_nothing(self, world: World) -> None:
        made = await world.create()
        await world.sign_in(Role.USER)
        assert (await world.client.get(URL)).json()["instances"] == []
        assert (await status(world, made["deploymentId"])).status_code == 404

    @pytest.mark.parametrize("role", [Role.SUPPORT, Role.BILLING, Role.OPERATOR])
    async def test_staff_sees_all(self, world: World, role: Role) -> None:
        made = await world.create()
        await world.sign_in(role)
        assert (await status(world, made["deploymentId"])).status_code == 200
        assert (await world.client.get("/api/operator/attention")).status_code == 200

    async def test_nobody_sees_nothing(self, world: World) -> None:
        made = await world.create()
        del world.client.headers["Authorization"]
        for path in (
            URL,
            f"{URL}/{made['deploymentId']}/status",
            f"{URL}/{made['deploymentId']}/events",
            "/api/portal/vps",
        ):
            answer = await world.client.get(path)
            assert (answer.status_code, answer.json()["code"]) == (401, "UNAUTHENTICATED")
            assert answer.headers["www-authenticate"] == "Bearer"


class TestServers:
    async def test_available_feeds_the_drop_down(self, world: World) -> None:
        free, full = await world.server(), await world.server(current_organizations=4)
        own, gone = await world.server(is_shared=False), await world.server(lifecycle="terminated")
        found = [row["id"] for row in (await world.client.get("/api/portal/vps?available=true")).json()["vps"]]
        assert free in found
        assert not {full, own, gone} & set(found)
        every = {row["id"]: row for row in (await world.client.get("/api/portal/vps")).json()["vps"]}
        assert {free, full, own} <= set(every)
        assert gone not in every
        assert (every[free]["available"], every[full]["available"]) == (True, False)

    async def test_unknown_server(self, world: World) -> None:
        for ref in (uuid.uuid4(), "nonsense"):
            assert (await world.client.get(f"/api/portal/vps/{ref}/organizations")).status_code == 404


async def test_attention_lists_waits_oldest_first(world: World) -> None:
    refs = [(await world.create())["deploymentId"] for _ in range(2)]
    await world.set_row(refs[0], attention="awaiting_operator", parked=[parked(since=NOW - timedelta(hours=1))])
    await world.set_row(refs[1], attention="escalated", parked=[
        parked("issue_certificate", NOW - timedelta(hours=2)), parked("run_migrations", NOW)])  # fmt: skip
    items = [item for item in (await world.client.get("/api/operator/attention")).json()["items"]
             if item["deployment_id"] in refs]  # fmt: skip
    assert [item["step"] for item in items] == ["issue_certificate", "create_server", "run_migrations"]
    wanted = {"deployment_id", "slug", "kind", "what", "step", "trouble", "message", "since", "until", "owner",
              "editable", "current"}  # fmt: skip
    assert wanted <= set(items[0])


async def test_options_are_for_everybody(world: World) -> None:
    del world.client.headers["Authorization"]
    body = (await world.client.get("/api/portal/options")).json()
    assert [tier["name"] for tier in body["tiers"]] == ["starter", "professional", "enterprise"]
    assert [tier["product"] for tier in body["tiers"]] == ["bladevps-x2", "bladevps-x4", "bladevps-x8"]
    assert (body["deployment_models"], body["base_domain"]) == (["shared", "dedicated"], "recruitiq.nl")
    assert body["providers"] == [{"name": "transip", "regions": ["ams0"]}]
    assert {"slug_pattern", "temporal_ui_url", "https_port"} <= set(body)
