"""What belongs to one tenant is nobody else's: every route, by the application's own list of them, asked about another
tenant's things by a customer, by somebody who belongs nowhere, and by a machine whose key is bound to a tenant.

A new route is asked by itself. One whose path names something new fails until household.py has one of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pytest
from fastapi.routing import APIRoute, iter_route_contexts
from sqlalchemy import select

from api.app import create_app
from db.models import Deployment, Organization
from domain.api_keys import Scope
from domain.statuses import Role
from tests.api.conftest import MakeWorld
from tests.api.household import Household, machine, settle, somebody
from tests.api.world import World, make_settings, order

FOREIGNERS = ("customer", "stranger", "machine")
# Where the document's own example is no body that gets as far as the question whose it is.
BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/api/vps/{vps_id}/action"): {"action": "reboot"},
}
QUERIES = {("DELETE", "/api/dns/zones/{zone_id}/records"): {"name": "www", "type": "A"}}
# What a customer opens by a name of their own: what keeps the refusals below from being empty words.
OPENED = {
    "/api/portal/instances/{deployment_id}/status", "/api/portal/instances/{deployment_id}/logs", "/api/vps/{vps_id}",
    "/api/orders/{order_id}", "/api/subscriptions/{subscription_id}", "/api/jobs/{job_id}",
    "/api/jobs/{job_id}/events", "/api/dns/zones/{zone_id}", "/api/dns/zones/{zone_id}/records",
    "/api/dns/zones/{zone_id}/changes/{change_id}",
    "/api/ssl/certificate/{domain}", "/api/ssl/certificate/{domain}/content",
}  # fmt: skip
STREAM = "/api/portal/instances/{deployment_id}/events"  # the stream of a run that goes on does not end


def _routes() -> list[tuple[str, str]]:
    app = create_app(make_settings("postgresql+psycopg://nobody@127.0.0.1:1/nothing"))
    found = (route for route in iter_route_contexts(app.routes) if isinstance(route.original_route, APIRoute))
    return sorted((method, str(route.path_format)) for route in found for method in route.methods or ())


ROUTES = _routes()
NAMING = [route for route in ROUTES if "{" in route[1] and route[1].startswith("/api")]
LISTING = [path for method, path in ROUTES if method == "GET" and "{" not in path]


@dataclass(frozen=True)
class Neighbours:
    world: World
    ours: Household
    theirs: Household

    async def become(self, who: str) -> None:
        db, held = self.world.db, self.world.app.state.services
        if who == "machine":
            bearer = await machine(db, *Scope, tenant_id=self.ours.shop.tenant.id)
        else:
            owner = self.ours.organization_id if who == "customer" else None
            bearer = held.tokens.sign(*await somebody(db, Role.USER, organization_id=owner))
        self.world.client.headers["Authorization"] = f"Bearer {bearer}"

    async def ask(self, method: str, path: str, home: Household) -> tuple[int, str]:
        """About what is of that household."""
        document = self.world.app.openapi()["paths"].get(path, {}).get(method.lower(), {})
        content = document.get("requestBody", {}).get("content", {}).get("application/json", {})
        body = BODIES.get((method, path), content.get("example", {}))
        answer = await self.world.client.request(
            method,
            named(path, home),
            json=None if method in ("GET", "DELETE") else body,
            params=QUERIES.get((method, path)),
        )
        return answer.status_code, answer.text


def named(path: str, home: Household) -> str:
    missing = set(re.findall(r"{(\w+)}", path)) - set(home.ids)
    assert not missing, f"household.py has nothing that {sorted(missing)} of {path} could name"
    return path.format_map(home.ids)


def leaks(text: str, home: Household, path: str) -> set[str]:
    """Marks of a household in a text; what was asked for may be repeated."""
    return {mark for mark in home.marks if mark in text and mark not in path}


@pytest.fixture
async def neighbours(make_world: MakeWorld) -> Neighbours:
    world = await make_world()
    return Neighbours(world, await settle(world.db), await settle(world.db))


@pytest.mark.parametrize("who", FOREIGNERS)
async def test_what_is_anothers_is_not_there(neighbours: Neighbours, who: str) -> None:
    await neighbours.become(who)
    wrong = {}
    for method, path in NAMING:
        status, text = await neighbours.ask(method, path, neighbours.theirs)
        if status not in (403, 404) or leaks(text, neighbours.theirs, named(path, neighbours.theirs)):
            wrong[method, path] = (status, text)
    assert wrong == {}


async def test_what_is_ones_own_is(neighbours: Neighbours) -> None:
    await neighbours.become("customer")
    opened = set()
    for method, path in NAMING:
        if method == "GET" and path != STREAM:
            status, _ = await neighbours.ask(method, path, neighbours.ours)
            if status == 200:
                opened.add(path)
    assert opened >= OPENED


@pytest.mark.parametrize("who", FOREIGNERS)
async def test_a_list_holds_nothing_of_anothers(neighbours: Neighbours, who: str) -> None:
    await neighbours.become(who)
    theirs, document = neighbours.theirs, neighbours.world.app.openapi()["paths"]
    names = {name.removesuffix("_id"): ref for name, ref in theirs.ids.items()}
    for path in LISTING:
        asked = document.get(path, {}).get("get", {}).get("parameters", [])
        filters = {p["name"]: names.get(p["name"].removesuffix("_id")) for p in asked if p["in"] == "query"}
        for query in ({}, *({name: ref} for name, ref in filters.items() if ref is not None)):
            answer = await neighbours.world.client.get(path, params={"limit": 100, **query})
            assert answer.status_code < 500, (path, query)
            assert leaks(answer.text, theirs, str(query)) == set(), (path, query, answer.status_code)


async def test_a_list_holds_what_is_ones_own(neighbours: Neighbours) -> None:
    await neighbours.become("customer")
    for path in (
        "/api/portal/instances",
        "/api/vps",
        "/api/orders",
        "/api/subscriptions",
        "/api/jobs",
        "/api/dns/zones",
    ):
        answer = await neighbours.world.client.get(path)
        assert leaks(answer.text, neighbours.ours, ""), path


class TestMachines:
    async def test_one_of_a_tenant_sees_that_tenants_instances(self, neighbours: Neighbours) -> None:
        await neighbours.become("machine")
        ref = neighbours.ours.ids["deployment_id"]
        answer = await neighbours.world.client.get(f"/api/portal/instances/{ref}/status")
        assert (answer.status_code, answer.json().get("id")) == (200, ref)
        listed = (await neighbours.world.client.get("/api/portal/instances")).json()["instances"]
        assert ref in [row["id"] for row in listed]

    async def test_one_of_a_tenant_orders_for_that_tenant(self, neighbours: Neighbours) -> None:
        await neighbours.become("machine")
        made = await neighbours.world.create()
        async with neighbours.world.db.begin() as session:
            owner = await session.get_one(Organization, (await session.get_one(
                Deployment, made["deploymentId"])).organization_id)  # fmt: skip
        assert owner.tenant_id == neighbours.ours.shop.tenant.id

    @pytest.mark.parametrize("dry_run", [False, True])
    async def test_one_of_a_tenant_cannot_order_for_anothers_organization(
        self, neighbours: Neighbours, dry_run: bool
    ) -> None:
        await neighbours.become("machine")
        async with neighbours.world.db.begin() as session:
            query = select(Organization).where(Organization.id == neighbours.theirs.organization_id)
            theirs = (await session.execute(query)).scalar_one()
        body = order(slug=theirs.slug, organizationName=theirs.name, dryRun=dry_run)
        answer = await neighbours.world.client.post("/api/portal/instances", json=body)
        assert (answer.status_code, answer.json()["field"]) == (409, "slug")

    async def test_one_of_a_tenant_cannot_take_an_order_for_another(self, neighbours: Neighbours) -> None:
        await neighbours.become("machine")
        answer = await neighbours.world.client.post("/api/orders", json=neighbours.theirs.shop.body())
        assert answer.status_code == 403

    async def test_one_of_a_tenant_is_told_nothing_of_the_house(self, neighbours: Neighbours) -> None:
        await neighbours.become("machine")
        for path in ("/api/hosting/servers", "/metrics"):
            assert (await neighbours.world.client.get(path)).status_code == 403, path


async def test_a_customer_cannot_order_for_anothers_organization(neighbours: Neighbours) -> None:
    await neighbours.become("customer")
    body = {"provider_type": "digitalocean", "label": "web-1", "type": "s-1vcpu-1gb", "region": "ams3",
            "image": "debian-13-x64", "rootPassword": "Correct-horse-9!",
            "organization_id": str(neighbours.theirs.organization_id)}  # fmt: skip
    answer = await neighbours.world.client.post("/api/vps", json=body)
    assert (answer.status_code, answer.json().get("field")) == (403, "organization_id"), answer.text
