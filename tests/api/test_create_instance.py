"""Orders: what is refused leaves nothing behind, what is accepted is written once and started once."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest
from sqlalchemy import func, select
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy

from db.keyring import KeyRing
from db.models import Deployment, Organization, Secret
from db.secrets import read
from domain.provisioning import Plan, ProvisionOrder
from domain.statuses import Role
from tests.api.accounts import account
from tests.api.conftest import MakeWorld
from tests.api.world import SECRET_KEYS, World, order, temporal_is_away

URL = "/api/portal/instances"


async def rows(world: World, slug: str) -> int:
    async with world.db.begin() as session:
        query = select(func.count()).select_from(Deployment).where(Deployment.slug == slug)
        return int((await session.execute(query)).scalar_one())


async def post(world: World, body: Any, **headers: str) -> Any:
    return await world.client.post(URL, json=body, headers={k.replace("_", "-"): v for k, v in headers.items()})


class TestRefusals:
    @pytest.mark.parametrize(
        ("change", "field", "words"),
        [
            ({"slug": "Acme"}, "slug", "lower-case"),
            ({"slug": "ab"}, "slug", "3 to 63"),
            ({"slug": "-acme"}, "slug", "begin"),
            ({"slug": "xn--acme"}, "slug", "third and fourth"),
            ({"slug": "a" * 64}, "slug", "63"),
            ({"slug": "acme\n"}, "slug", "lower-case"),
            ({"slug": "www"}, "slug", "reserved"),
            ({"tier": "gold"}, "tier", "starter"),
            ({"deploymentModel": "cloud"}, "deploymentModel", "shared"),
            ({"adminEmail": "nobody"}, "adminEmail", "email"),
            ({"adminName": " "}, "adminName", "at least 1"),
            ({"adminName": "a\x00b"}, "adminName", "ontrol characters"),
            ({"organizationName": "x" * 201}, "organizationName", "200"),
            ({"organizationName": None}, "organizationName", "string"),
            ({"adminPassword": "short"}, "adminPassword", "12 characters"),
            ({"adminPassword": "elevenchars"}, "adminPassword", "12 characters"),
            ({"adminPassword": "é" * 40}, "adminPassword", "72 bytes"),
            ({"adminPassword": "line\nbreak line break"}, "adminPassword", "control"),
            ({"vpsId": "nonsense"}, "vpsId", "UUID"),
            ({"vpsId": str(uuid.uuid4())}, "vpsId", "null for a dedicated"),
            ({"provider": "hetzner"}, "provider", "transip"),
            ({"region": "../etc"}, "region", "pattern"),
            ({"color": "red"}, "color", "not a known field"),
        ],
    )
    async def test_names_the_field_and_writes_nothing(
        self, world: World, change: dict[str, Any], field: str, words: str
    ) -> None:
        body = order(**change)
        answer = await post(world, body)
        error = answer.json()
        assert (answer.status_code, error["code"], error["field"]) == (422, "VALIDATION_ERROR", field)
        assert words in error["message"]
        assert error["message"].endswith(".")
        assert not world.temporal.started
        async with world.db.begin() as session:
            found = await session.execute(
                select(Organization).where(Organization.name == str(body["organizationName"]))
            )
            assert found.first() is None

    @pytest.mark.parametrize(
        "missing", ["organizationName", "slug", "tier", "deploymentModel", "adminEmail", "adminName"]
    )
    async def test_says_what_is_missing(self, world: World, missing: str) -> None:
        body = order()
        del body[missing]
        error = (await post(world, body)).json()
        assert (error["field"], error["message"]) == (missing, f"{missing} is required.")

    async def test_lists_every_problem(self, world: World) -> None:
        error = (await post(world, order(slug="A", tier="x", shoe=1))).json()
        assert {item["field"] for item in error["details"]} == {"slug", "tier", "shoe"}

    async def test_never_repeats_a_password(self, world: World) -> None:
        answer = await post(world, order(adminPassword="hunter2", adminEmail="x"))
        assert "hunter2" not in answer.text

    async def test_unknown_full_inactive_and_dedicated_servers(self, world: World) -> None:
        full = await world.server(max_organizations=1, current_organizations=1)
        own = await world.server(is_shared=False)
        gone = await world.server(lifecycle="terminating")
        for vps_id, status, code in (
            (str(uuid.uuid4()), 422, "VALIDATION_ERROR"),
            (own, 422, "VALIDATION_ERROR"),
            (gone, 409, "CONFLICT"),
            (full, 409, "INSUFFICIENT_RESOURCES"),
        ):
            answer = await post(world, order(deploymentModel="shared", vpsId=vps_id))
            assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (status, code, "vpsId")

    async def test_the_last_place_is_promised_once(self, world: World) -> None:
        ref = await world.server(max_organizations=1)
        answers = await asyncio.gather(*(post(world, order(deploymentModel="shared", vpsId=ref)) for _ in range(3)))
        assert sorted(answer.status_code for answer in answers) == [202, 409, 409]

    async def test_slug_of_a_living_deployment(self, world: World) -> None:
        body = order()
        assert (await post(world, body)).status_code == 202
        error = await post(world, body)
        assert (error.status_code, error.json()["code"], error.json()["field"]) == (409, "CONFLICT", "slug")

    async def test_slug_of_another_organization(self, world: World) -> None:
        body = order()
        made = (await post(world, body)).json()
        await world.set_row(made["deploymentId"], ended_at=func.now(), phase="terminated")
        error = await post(world, body | {"organizationName": "Somebody else"})
        assert (error.status_code, error.json()["field"]) == (409, "slug")
        again = await post(world, body)
        assert again.status_code == 202
        assert again.json()["organization"]["id"] == made["organization"]["id"]

    @pytest.mark.parametrize("role", [Role.BILLING, Role.SUPPORT, Role.USER])
    async def test_roles_that_may_not_order(self, world: World, role: Role) -> None:
        await world.sign_in(role)
        answer = await post(world, order())
        assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN")


class TestAccepted:
    async def test_starts_one_run_with_the_safe_policies(self, world: World) -> None:
        made = await world.create(tier="enterprise", region="rtm0")
        ref = made["deploymentId"]
        name, argument, options = world.temporal.started[f"provision/{ref}"]
        assert name == "Provisioning"
        assert isinstance(argument, ProvisionOrder)
        assert (argument.deployment_id, argument.tier, argument.inputs.availability_zone) == (ref, "enterprise", "rtm0")
        assert options["task_queue"] == "runs"
        assert options["id_reuse_policy"] is WorkflowIDReusePolicy.REJECT_DUPLICATE
        assert options["id_conflict_policy"] is WorkflowIDConflictPolicy.USE_EXISTING
        row = await world.deployment(ref)
        assert row.started_at is not None
        assert (row.status, row.phase, row.requested_by) == ("provisioning", "running", world.username)
        assert [entry.target_id for entry in await world.audit("instance.create") if entry.target_id == ref] == [ref]

    async def test_202_stands_while_temporal_is_away_and_the_row_waits_for_the_sweep(self, world: World) -> None:
        world.temporal.trouble = temporal_is_away()
        made = await world.create()
        assert (await world.deployment(made["deploymentId"])).started_at is None

    async def test_password_is_kept_encrypted_and_nowhere_else(self, world: World, keys: KeyRing) -> None:
        made = await world.create(adminPassword="Sehr-geheim-42x")
        ref = uuid.UUID(made["deploymentId"])
        ring = KeyRing.parse(SECRET_KEYS)
        async with world.db.begin() as session:
            assert await read(session, ring, "admin-password", deployment_id=ref) == "Sehr-geheim-42x"
            row = (await session.execute(select(Secret).where(Secret.deployment_id == ref))).scalar_one()
            assert row.expires_at is not None
            assert b"Sehr-geheim" not in (row.ciphertext or b"")
        assert "geheim" not in repr(world.temporal.started)

    async def test_password_is_generated_when_absent(self, world: World) -> None:
        body = order()
        del body["adminPassword"]
        ref = uuid.UUID((await post(world, body)).json()["deploymentId"])
        async with world.db.begin() as session:
            made = await read(session, KeyRing.parse(SECRET_KEYS), "admin-password", deployment_id=ref)
        assert made is not None
        assert len(made) >= 20


class TestRaces:
    async def test_one_slug_is_won_once(self, world: World) -> None:
        body = order()
        answers = await asyncio.gather(*(post(world, body) for _ in range(8)))
        assert sorted(answer.status_code for answer in answers) == [202] + [409] * 7
        assert await rows(world, body["slug"]) == 1
        assert len(world.temporal.started) == 1

    async def test_one_slug_under_different_keys_is_won_once(self, world: World) -> None:
        body = order()
        answers = await asyncio.gather(*(post(world, body, Idempotency_Key=f"k{n}{body['slug']}") for n in range(8)))
        assert sorted(answer.status_code for answer in answers) == [202] + [409] * 7

    async def test_simultaneous_duplicates_are_one_order(self, world: World) -> None:
        body, key = order(), uuid.uuid4().hex
        answers = await asyncio.gather(*(post(world, body, Idempotency_Key=key) for _ in range(8)))
        assert {answer.status_code for answer in answers} == {202}
        assert len({answer.json()["deploymentId"] for answer in answers}) == 1
        assert sorted(answer.headers.get("idempotent-replay", "") for answer in answers) == [""] + ["true"] * 7
        assert await rows(world, body["slug"]) == 1


class TestIdempotency:
    async def test_a_repeat_gets_the_same_answer(self, world: World) -> None:
        body, key = order(), uuid.uuid4().hex
        first, second = await post(world, body, Idempotency_Key=key), await post(world, body, Idempotency_Key=key)
        own = {"timestamp", "request_id"}
        assert {k: v for k, v in first.json().items() if k not in own} == {
            k: v for k, v in second.json().items() if k not in own
        }
        assert (second.status_code, second.headers["location"]) == (202, first.headers["location"])
        assert second.headers["idempotent-replay"] == "true"

    async def test_spelling_does_not_make_another_body(self, world: World) -> None:
        body, key = order(), uuid.uuid4().hex
        await post(world, body, Idempotency_Key=key)
        snake = {k: v for k, v in body.items() if k != "adminName"} | {"admin_name": body["adminName"]}
        assert (await post(world, snake, Idempotency_Key=key)).status_code == 202

    @pytest.mark.parametrize("change", [{"tier": "starter"}, {"adminPassword": "Another password 1"}])
    async def test_another_body_is_a_mismatch(self, world: World, change: dict[str, Any]) -> None:
        body, key = order(), uuid.uuid4().hex
        await post(world, body, Idempotency_Key=key)
        error = await post(world, body | change, Idempotency_Key=key)
        assert (error.status_code, error.json()["code"]) == (409, "IDEMPOTENCY_MISMATCH")

    async def test_a_refused_request_does_not_use_up_its_key(self, world: World) -> None:
        taken, key = order(), uuid.uuid4().hex
        await post(world, taken)
        assert (await post(world, taken, Idempotency_Key=key)).status_code == 409
        assert (await post(world, order(), Idempotency_Key=key)).status_code == 202

    async def test_keys_of_two_people_are_two_keys(self, world: World) -> None:
        key = uuid.uuid4().hex
        first = await post(world, order(), Idempotency_Key=key)
        await world.sign_in()
        second = await post(world, order(), Idempotency_Key=key)
        assert first.json()["deploymentId"] != second.json()["deploymentId"]

    async def test_a_repeat_starts_what_a_failed_start_left(self, world: World) -> None:
        body, key = order(), uuid.uuid4().hex
        world.temporal.trouble = temporal_is_away()
        made = (await post(world, body, Idempotency_Key=key)).json()
        world.temporal.trouble = None
        await post(world, body, Idempotency_Key=key)
        assert f"provision/{made['deploymentId']}" in world.temporal.started

    @pytest.mark.parametrize("key", ["x" * 201, "tab\tbed"])
    async def test_malformed_keys(self, world: World, key: str) -> None:
        error = await post(world, order(), Idempotency_Key=key)
        assert (error.status_code, error.json()["field"]) == (422, "Idempotency-Key")


class TestDryRun:
    def planned(self, world: World, body: dict[str, Any]) -> None:
        world.temporal.answer_plan = lambda: Plan(
            slug=body["slug"], fqdn=f"{body['slug']}.recruitiq.nl", access_url=f"https://{body['slug']}.recruitiq.nl",
            vps_name=f"{body['slug']}-vps-1", new_server=True, provider="transip", product="bladevps-x4",
            price_cents_month=1000, steps=["reserve", "create_server", "set_up_server"])  # fmt: skip

    @pytest.mark.parametrize("how", ["query", "body"])
    async def test_shows_the_plan_and_writes_nothing(self, world: World, how: str) -> None:
        body = order()
        self.planned(world, body)
        answer = await world.client.post(
            URL + ("?dry_run=true" if how == "query" else ""), json=body | ({"dryRun": True} if how == "body" else {})
        )
        plan = answer.json()["plan"]
        assert answer.status_code == 200
        assert (plan["vps_name"], plan["price_cents_month"]) == (f"{body['slug']}-vps-1", 1000)
        assert plan["steps"][2] == {
            "name": "set_up_server", "title": "Set up server", "message": "Step 1/7: Setting up VPS", "number": 1,
            "after": ["await_ssh"],
        }  # fmt: skip
        assert await rows(world, body["slug"]) == 0
        assert not world.temporal.started

    async def test_refuses_what_an_order_would_be_refused_for(self, world: World) -> None:
        body = order()
        await post(world, body)
        answer = await world.client.post(f"{URL}?dry_run=true", json=body)
        assert (answer.status_code, answer.json()["field"]) == (409, "slug")
        assert not world.temporal.executed


async def test_two_processes_agree_about_one_slug(make_world: MakeWorld) -> None:
    """Two applications over one database are two API processes: the slug is still won once."""
    first, second = await make_world(), await make_world()
    await first.sign_in()
    second.client.headers["Authorization"] = first.client.headers["Authorization"]
    body = order()
    answers = await asyncio.gather(post(first, body), post(second, body))
    assert sorted(answer.status_code for answer in answers) == [202, 409]


class TestWhere:
    async def test_an_order_may_name_a_cloud_a_region_and_where_else(self, world: World) -> None:
        await account(world.db, "linode")
        ocean = await account(world.db, "digitalocean")
        elsewhere = [{"provider": "linode", "region": "de-fra-2"},
                     {"provider": "digitalocean", "providerId": str(ocean)}]  # fmt: skip
        made = await world.create(provider="linode", region="nl-ams", fallbacks=elsewhere)
        order: ProvisionOrder = world.temporal.started[f"provision/{made['deploymentId']}"][1]
        inputs = order.inputs
        assert (inputs.provider, inputs.availability_zone) == ("linode", "nl-ams")
        assert [(place.provider, place.availability_zone) for place in inputs.fallbacks] == [
            ("linode", "de-fra-2"), ("digitalocean", "")]  # fmt: skip
        assert inputs.fallbacks[1].provider_id == str(ocean)

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"provider": "aws"}, "PROVIDER_INACTIVE"),
            ({"provider": "linode", "providerId": str(uuid.uuid4())}, "PROVIDER_NOT_FOUND"),
            ({"fallbacks": [{"provider": "gcp"}]}, "PROVIDER_INACTIVE"),
        ],
    )
    async def test_a_place_nobody_can_order_from_is_refused_and_nothing_is_written(
        self, world: World, change: dict[str, Any], code: str
    ) -> None:
        body = order(**change)
        answer = await post(world, body)
        assert answer.json()["code"] == code
        assert await rows(world, body["slug"]) == 0
        assert world.temporal.started == {}
