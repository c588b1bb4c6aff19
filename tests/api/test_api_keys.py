"""Machine principals (X06): keys are made, shown once, used within their scopes, and end."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from api.deps import orders_for
from api.errors import ApiError
from api.machines import Machine
from db.base import new_id
from db.models import Deployment
from db.models_jobs import ApiKey
from db.models_sales import Tenant
from db.queries import api_keys
from domain.api_keys import KeyKind, Scope
from domain.statuses import Role
from tests.api.conftest import MakeWorld
from tests.api.machines import as_machine, key_for
from tests.api.world import World, order

WHERE = "/api/admin/api-keys"
INSTANCES = "/api/portal/instances"
LIVE = "/api/hosting/servers"


def body(**changes: Any) -> dict[str, Any]:
    return {"name": f"shop {uuid.uuid4().hex[:8]}", "kind": "webhook", "scopes": ["orders:write"]} | changes


async def made(world: World, **changes: Any) -> dict[str, Any]:
    answer = await world.client.post(WHERE, json=body(**changes))
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def row_of(world: World, key: str) -> ApiKey:
    async with world.db.begin() as session:
        found = select(ApiKey).where(ApiKey.key_hash == api_keys.digest(key))
        return (await session.execute(found)).scalar_one()


async def set_row(world: World, key: str, **columns: Any) -> None:
    async with world.db.begin() as session:
        await session.execute(update(ApiKey).where(ApiKey.key_hash == api_keys.digest(key)).values(**columns))


async def tenant(world: World) -> uuid.UUID:
    ref = new_id()
    async with world.db.begin() as session:
        session.add(Tenant(id=ref, slug=f"t{ref.hex[-10:]}", name="Tenant"))
    return ref


async def status(world: World, path: str, **headers: str) -> int:
    return (await world.client.get(path, headers=headers)).status_code


class TestMaking:
    async def test_a_key_is_shown_once_and_kept_as_a_hash(self, world: World) -> None:
        told = await made(world)
        key, shown = told["key"], told["api_key"]
        assert (key.startswith("slw_"), len(key), key.startswith(shown["hint"])) == (True, 47, True)
        assert (shown["status"], shown["scopes"], shown["created_by"]) == ("active", ["orders:write"], world.username)
        row = await row_of(world, key)
        assert key not in str(vars(row))
        assert key not in (await world.client.get(WHERE, params={"limit": 100})).text
        assert all(key not in str(vars(entry)) for entry in await world.audit("api_key.create"))

    async def test_a_name_is_free_again_once_its_key_is_revoked(self, world: World) -> None:
        first = (await made(world, name="node 7"))["api_key"]
        answer = await world.client.post(WHERE, json=body(name="node 7"))
        assert (answer.status_code, answer.json()["field"]) == (409, "name")
        await world.client.delete(f"{WHERE}/{first['id']}")
        await made(world, name="node 7")

    async def test_a_key_may_be_bound_to_a_tenant_for_orders_alone(self, world: World) -> None:
        ref = str(await tenant(world))
        assert (await made(world, tenantId=ref))["api_key"]["tenant_id"] == ref
        answer = await world.client.post(WHERE, json=body(tenantId=ref, scopes=["orders:write", "servers:read"]))
        assert (answer.status_code, answer.json()["field"]) == (422, "scopes")
        assert "servers:read" in answer.json()["message"]

    @pytest.mark.parametrize(
        ("field", "value"),
        [("scopes", []), ("kind", "admin"), ("name", ""), ("tenantId", "0198c0de-0000-7000-8000-000000000001"),
         ("expiresAt", "2020-01-01T00:00:00Z"), ("expiresAt", "2035-01-01T00:00:00"), ("key", "mine")],
    )  # fmt: skip
    async def test_a_wrong_field_is_named(self, world: World, field: str, value: Any) -> None:
        answer = await world.client.post(WHERE, json=body(**{field: value}))
        assert (answer.status_code, answer.json()["field"]) == (422, field)

    async def test_an_unknown_scope_is_refused(self, world: World) -> None:
        assert (await world.client.post(WHERE, json=body(scopes=["everything"]))).status_code == 422

    @pytest.mark.parametrize("role", [Role.OPERATOR, Role.BILLING, Role.SUPPORT, Role.USER])
    async def test_only_administrators_deal_with_keys(self, make_world: MakeWorld, role: Role) -> None:
        world = await make_world()
        await world.sign_in(role)
        assert await status(world, WHERE) == 403
        assert (await world.client.post(WHERE, json=body())).status_code == 403


class TestUsing:
    @pytest.mark.parametrize("header", ["Authorization", "X-API-Key"])
    async def test_a_scope_opens_its_routes_and_no_others(self, world: World, header: str) -> None:
        key = await key_for(world, Scope.SERVERS_READ)
        del world.client.headers["Authorization"]
        world.client.headers[header] = f"Bearer {key}" if header == "Authorization" else key
        assert await status(world, LIVE) == 200
        answer = await world.client.get(INSTANCES)
        assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN")
        assert "instances:read" in answer.json()["message"]
        assert (await world.client.post(LIVE, json={})).status_code == 403

    async def test_a_machine_orders_an_instance_and_reads_it_under_its_name(self, world: World) -> None:
        await as_machine(world, Scope.INSTANCES_WRITE, Scope.INSTANCES_READ, name="billing panel", kind="portal")
        asked, headers = order(), {"Idempotency-Key": "once"}
        first = await world.client.post(INSTANCES, json=asked, headers=headers)
        assert first.status_code == 202, first.text
        assert (await world.client.post(INSTANCES, json=asked, headers=headers)).json()["deploymentId"] == first.json()[
            "deploymentId"]  # fmt: skip
        ref = first.json()["deploymentId"]
        for path in (INSTANCES, f"{INSTANCES}/{ref}/status", f"{INSTANCES}/{ref}/logs"):
            assert await status(world, path) == 200
        (entry,) = [e for e in await world.audit("instance.create") if e.target_id == ref]
        assert (entry.actor, entry.role) == ("billing panel", "portal")
        async with world.db.begin() as session:
            assert (await session.get_one(Deployment, uuid.UUID(ref))).requested_by == "billing panel"

    async def test_metrics_are_read_from_afar_with_the_scope(self, make_world: MakeWorld) -> None:
        world = await make_world(client_ip="203.0.113.5")
        await as_machine(world, Scope.SERVERS_READ)
        assert await status(world, "/metrics") == 403
        await as_machine(world, Scope.METRICS_READ)
        assert await status(world, "/metrics") == 200

    async def test_public_lists_stay_public_for_a_key(self, world: World) -> None:
        await as_machine(world, Scope.METRICS_READ)
        assert await status(world, "/api/portal/options") == 200
        assert await status(world, "/api/public/products") == 200

    async def test_a_person_who_also_sends_a_key_is_that_person(self, world: World) -> None:
        key = await key_for(world)
        assert await status(world, LIVE, **{"X-API-Key": key}) == 200

    async def test_each_key_has_a_bucket_of_its_own(self, make_world: MakeWorld) -> None:
        world = await make_world(rate_limit_max_reads=2)
        await as_machine(world, Scope.SERVERS_READ)
        assert [await status(world, LIVE) for _ in range(3)] == [200, 200, 429]
        await as_machine(world, Scope.SERVERS_READ)
        assert await status(world, LIVE) == 200

    async def test_its_use_is_noted_once_a_minute(self, world: World) -> None:
        key = await as_machine(world, Scope.SERVERS_READ)
        await status(world, LIVE)
        first = (await row_of(world, key)).last_used_at
        await status(world, LIVE)
        assert first is not None
        assert (await row_of(world, key)).last_used_at == first
        await set_row(world, key, last_used_at=datetime.now(UTC) - timedelta(minutes=2))
        await status(world, LIVE)
        assert ((await row_of(world, key)).last_used_at or first) > first


class TestOrderingForATenant:
    def machine(self, tenant_id: uuid.UUID | None) -> Machine:
        return Machine(new_id(), "shop", KeyKind.WEBHOOK, frozenset({Scope.ORDERS_WRITE}), tenant_id)

    def test_a_bound_key_orders_for_its_tenant_only(self) -> None:
        ours, theirs = new_id(), new_id()
        orders_for(self.machine(ours), ours)
        orders_for(self.machine(None), theirs)
        with pytest.raises(ApiError, match="own tenant"):
            orders_for(self.machine(ours), theirs)


class TestEnding:
    async def test_a_revoked_key_is_refused_at_once_and_its_row_stays(self, world: World) -> None:
        told = await made(world, scopes=["servers:read"])
        headers = {"Authorization": f"Bearer {told['key']}"}
        assert await status(world, LIVE, **headers) == 200
        times = [
            (await world.client.delete(f"{WHERE}/{told['api_key']['id']}")).json()["api_key"]["revoked_at"]
            for _ in range(2)
        ]
        assert times[0] == times[1] is not None
        answer = await world.client.get(LIVE, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "UNAUTHENTICATED")
        listed = (await world.client.get(WHERE, params={"limit": 100})).json()["api_keys"]
        assert {"revoked"} == {row["status"] for row in listed if row["id"] == told["api_key"]["id"]}

    async def test_an_expired_key_is_refused(self, world: World) -> None:
        key = await as_machine(world, Scope.SERVERS_READ, expires_at=datetime.now(UTC) + timedelta(hours=1))
        assert await status(world, LIVE) == 200
        await set_row(world, key, expires_at=datetime.now(UTC) - timedelta(seconds=1))
        assert await status(world, LIVE) == 401

    @pytest.mark.parametrize("key", ["slw_", "slw_" + "A" * 43, "slw_" + "A" * 5000, "slw_\x00", "not a key", ""])
    async def test_what_is_no_key_is_refused(self, world: World, key: str) -> None:
        del world.client.headers["Authorization"]
        assert await status(world, LIVE, **{"X-API-Key": key}) == 401

    async def test_guessing_is_counted_against_the_address(self, make_world: MakeWorld) -> None:
        world = await make_world(client_ip="203.0.113.77", rate_limit_max_requests=2)
        headers = {"X-API-Key": "slw_" + "B" * 43}
        assert [await status(world, LIVE, **headers) for _ in range(3)] == [401, 401, 429]

    async def test_an_unknown_key_cannot_be_revoked(self, world: World) -> None:
        for ref in (str(new_id()), "nothing", "%00"):
            assert (await world.client.delete(f"{WHERE}/{ref}")).status_code == 404
