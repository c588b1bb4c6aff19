"""Probes, metrics and pages."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from api.app import create_app
from api.pages import PORTAL_STATIC
from tests.api.conftest import MakeWorld
from tests.api.world import World, make_settings


class TestProbes:
    async def test_all_well(self, world: World) -> None:
        ready, health = await world.client.get("/api/ready"), await world.client.get("/api/health")
        assert (ready.status_code, ready.json()["ready"]) == (200, True)
        body = health.json()
        assert (body["status"], body["database"], body["temporal"]) == ("healthy", "connected", "connected")
        assert body["uptime"] >= 0

    async def test_temporal_away_is_degraded_but_serves(
        self, make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world = await make_world()
        held = world.app.state.services
        held.temporal._client = None

        async def refused() -> None:
            raise RuntimeError("Failed client connect")

        held.temporal._connect = refused
        ready = await world.client.get("/api/ready")
        assert (ready.status_code, ready.json()["components"]["temporal"]) == (503, "unreachable")
        health = await world.client.get("/api/health")
        assert (health.status_code, health.json()["status"]) == (200, "degraded")
        await world.sign_in()
        made = await world.create()
        assert (await world.client.get(f"/api/portal/instances/{made['deploymentId']}/status")).status_code == 200

    async def test_starts_without_database_and_says_so(self) -> None:
        app = create_app(make_settings("postgresql+psycopg://nobody@127.0.0.1:1/none"))
        import httpx

        async with app.router.lifespan_context(app):
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://t") as client:
                assert (await client.get("/api/live")).status_code == 200
                answer = await client.get("/api/health")
                assert (answer.status_code, answer.json()["database"]) == (503, "unreachable")
                login = await client.post("/api/auth/login", json={"username": "a", "password": "b"})
                assert (login.status_code, login.json()["code"]) == (503, "API_ERROR")

    def test_missing_settings_are_named(self) -> None:
        with pytest.raises(ValueError, match="SECRET_KEYS"):
            create_app(make_settings("postgresql+psycopg://x@127.0.0.1/x", secret_keys=None))


class TestMetrics:
    async def test_requests_by_template_and_deployments_by_state(self, world: World) -> None:
        made = await world.create()
        ref = made["deploymentId"]
        since = (datetime.now(UTC) - timedelta(minutes=10)).isoformat()
        await world.set_row(ref, attention="awaiting_operator", parked=[{"step": "reserve", "since": since}])
        await world.client.get(f"/api/portal/instances/{ref}/status")
        text = (await world.client.get("/metrics")).text
        assert 'route="/api/portal/instances/{deployment_id}/status",status="2xx"' in text
        assert 'slipway_deployments{attention="awaiting_operator",phase="running",status="provisioning"} 1.0' in text
        oldest = next(line for line in text.splitlines() if line.startswith("slipway_oldest_parked_seconds "))
        assert float(oldest.split()[1]) >= 600
        for private in (ref, made["organization"]["slug"], made["organization"]["name"]):
            assert private not in text

    async def test_loopback_only_without_a_token(self, make_world: MakeWorld) -> None:
        far = await make_world(client_ip="203.0.113.5")
        assert (await far.client.get("/metrics")).status_code == 403
        near = await make_world()
        assert (await near.client.get("/metrics")).status_code == 200
        assert (await near.client.get("/metrics", headers={"X-Forwarded-For": "203.0.113.5"})).status_code == 403

    async def test_with_a_token_only_by_token(self, make_world: MakeWorld) -> None:
        world = await make_world(client_ip="203.0.113.5", metrics_token="m" * 20)
        assert (await world.client.get("/metrics")).status_code == 401
        assert (await world.client.get("/metrics", headers={"Authorization": "Bearer x"})).status_code == 401
        good = await world.client.get("/metrics", headers={"Authorization": "Bearer " + "m" * 20})
        assert good.status_code == 200


class TestPages:
    async def test_browsers_get_the_portal_and_programs_json(self, world: World) -> None:
        assert (await world.client.get("/")).json()["name"] == "Slipway"
        if (PORTAL_STATIC / "index.html").exists():
            page = await world.client.get("/", headers={"Accept": "text/html,application/xhtml+xml"})
            assert page.headers["content-type"].startswith("text/html")
            assert page.headers["vary"] == "Accept"

    async def test_assets_have_tags(self, world: World) -> None:
        first = await world.client.get("/assets/docs/docs.css")
        again = await world.client.get("/assets/docs/docs.css", headers={"If-None-Match": first.headers["etag"]})
        assert (first.status_code, again.status_code) == (200, 304)

    async def test_documentation_needs_nobody_else(self, world: World) -> None:
        page = await world.client.get("/docs")
        assert page.status_code == 200
        for text in (page.text, (await world.client.get("/assets/docs/docs.js")).text):
            assert "http://" not in text
            assert "https://" not in text
        assert "<script>" not in page.text
        assert (await world.client.get("/redoc")).headers["location"] == "/docs"

    async def test_openapi_names_every_contracted_route(self, world: World) -> None:
        paths = (await world.client.get("/openapi.json")).json()["paths"]
        portal = "/api/portal/instances"
        wanted = {
            "/api/auth/login", "/api/auth/refresh", "/api/auth/logout", "/api/auth/me", "/api/auth/password", portal,
            f"{portal}/{{deployment_id}}", *(f"{portal}/{{deployment_id}}/{name}" for name in (
                "status", "logs", "events", "retry", "rollback", "cancel", "credentials")),
            "/api/portal/vps", "/api/portal/vps/{vps_id}/organizations", "/api/portal/options",
            "/api/admin/inventory", "/api/admin/inventory/sweep", "/api/admin/inventory/{resource_id}/adopt",
            "/api/admin/inventory/{resource_id}/release",
            "/api/operator/attention", "/api/health", "/api/ready", "/api/live", "/metrics",
        }  # fmt: skip
        assert wanted <= set(paths)
        assert set(paths[portal]) == {"get", "post"}


async def test_unknown_ids_are_404_everywhere(world: World) -> None:
    for ref in (str(uuid.uuid4()), "nonsense", "%00"):
        for path in ("status", "logs", "events", "credentials"):
            assert (await world.client.get(f"/api/portal/instances/{ref}/{path}")).status_code == 404
