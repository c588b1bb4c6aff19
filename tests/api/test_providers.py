"""Accounts and plans for administrators: documented shapes, refusals with their field, a key that never goes out."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from sqlalchemy import delete, select, text, update
from temporalio.client import WorkflowFailureError
from temporalio.exceptions import ApplicationError

from api.examples import ACCOUNT_CHANGE, ACCOUNT_DELETED, ACCOUNT_REPLY, ACCOUNT_REQUEST, ACCOUNTS_REPLY
from db.keyring import KeyRing
from db.models import AuditEntry, IdempotencyKey, Placement, VpsInstance
from db.models_clouds import ProviderCache, ServiceProvider, VpsPlan
from db.queries import environment, providers
from domain.accounts import AccountChecked
from domain.errors import ErrorCode, Trouble
from domain.statuses import Role
from tests.api.conftest import MakeWorld
from tests.api.world import SECRET_KEYS, World

WHERE = "/api/admin/providers"
ENVELOPE = {"success", "timestamp", "statusCode", "request_id"}
TOKEN = "dop_v1_0123456789abcdef-the-canary"


@pytest.fixture(autouse=True)
async def empty(world: World) -> None:
    async with world.db.begin() as session:
        await session.execute(delete(Placement))
        await session.execute(text("update instance_deployments set vps_id = null"))
        for table in (VpsInstance, ServiceProvider):
            await session.execute(delete(table))


def body(**changes: Any) -> dict[str, Any]:
    return ACCOUNT_REQUEST | {"name": f"Account {uuid.uuid4().hex}", "api_key": TOKEN} | changes


async def post(world: World, asked: dict[str, Any], **headers: str) -> httpx.Response:
    return await world.client.post(WHERE, json=asked, headers={k.replace("_", "-"): v for k, v in headers.items()})


async def made(world: World, **changes: Any) -> dict[str, Any]:
    answer = await post(world, body(**changes))
    assert answer.status_code == 201, answer.text
    return dict(answer.json()["provider"])


async def row(world: World, ref: str) -> ServiceProvider:
    async with world.db.begin() as session:
        return await session.get_one(ServiceProvider, uuid.UUID(ref))


def said(answer: httpx.Response) -> tuple[int, str | None, str | None]:
    return answer.status_code, answer.json().get("code"), answer.json().get("field")


def pem() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


class TestDocumented:
    async def test_the_list(self, world: World) -> None:
        for example in ACCOUNTS_REPLY["providers"]:
            answer = await post(world, {"name": example["name"], "type": example["type"], "api_key": "token"})
            assert answer.status_code == 201
        answer = await world.client.get(WHERE)
        assert answer.json().keys() == ACCOUNTS_REPLY.keys() | ENVELOPE
        for example, shown in zip(ACCOUNTS_REPLY["providers"], answer.json()["providers"], strict=True):
            assert example.keys() <= shown.keys()
            for name in ("name", "type", "active", "configuration"):
                assert shown[name] == example[name]
            assert datetime.fromisoformat(shown["created_at"]).tzinfo is not None
            assert shown["created_at"].endswith("Z")

    async def test_creating(self, world: World) -> None:
        answer = await post(world, ACCOUNT_REQUEST)
        shown = answer.json()
        assert (answer.status_code, shown["success"]) == (201, True)
        assert shown.keys() == ACCOUNT_REPLY.keys() | ENVELOPE
        documented = ACCOUNT_REPLY["provider"] | {"id": shown["provider"]["id"]}
        assert {name: shown["provider"][name] for name in documented} == documented
        assert answer.headers["location"] == f"{WHERE}/{shown['provider']['id']}"
        assert shown["provider"]["configuration"] == {"default_region": "nyc3"}

    async def test_changing(self, world: World) -> None:
        ref = (await made(world))["id"]
        answer = await world.client.put(f"{WHERE}/{ref}", json=ACCOUNT_CHANGE)
        assert answer.status_code == 200
        assert answer.json()["provider"]["configuration"] == {"default_region": "sfo3"}
        stored = await row(world, ref)
        assert stored.name == ACCOUNT_CHANGE["name"]
        assert providers.read_key(KeyRing.parse(SECRET_KEYS), stored) == ACCOUNT_CHANGE["api_key"]

    async def test_deleting(self, world: World) -> None:
        ref = (await made(world))["id"]
        answer = await world.client.delete(f"{WHERE}/{ref}")
        assert answer.status_code == 200
        assert {name: answer.json()[name] for name in ACCOUNT_DELETED} == ACCOUNT_DELETED
        assert (await row(world, ref)).api_key_encrypted is None
        assert (await world.client.get(WHERE)).json()["providers"] == []


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.BILLING, Role.SUPPORT, Role.USER])
async def test_is_for_administrators_only(make_world: MakeWorld, role: Role) -> None:
    world = await make_world()
    await world.sign_in(role)
    some = f"/{uuid.uuid4()}"
    for method, path in (("GET", ""), ("POST", ""), ("PUT", some), ("DELETE", some), ("POST", f"{some}/validate"),
                         ("GET", f"{some}/plans"), ("POST", f"{some}/plans"), ("PUT", f"{some}/plans{some}"),
                         ("DELETE", f"{some}/plans{some}")):  # fmt: skip
        sent = body() if (method, path) == ("POST", "") else {"name": "x", "provider_plan_id": "s"}
        answer = await world.client.request(method, WHERE + path, json=sent if method in ("POST", "PUT") else None)
        assert said(answer)[:2] == (403, "FORBIDDEN"), (method, path)


class TestSecrecy:
    async def test_a_key_is_in_no_reply_no_audit_row_no_run_and_no_column_in_clear(self, world: World) -> None:
        key = uuid.uuid4().hex
        asked = body()
        world.temporal.answer_plan = lambda: AccountChecked(valid=True, message="The cloud accepts these credentials.")
        first = await post(world, asked, Idempotency_Key=key)
        ref = first.json()["provider"]["id"]
        answers = [
            first,
            await post(world, asked, Idempotency_Key=key),
            await world.client.get(WHERE),
            await world.client.put(f"{WHERE}/{ref}", json={"api_key": TOKEN + "-newer"}),
            await world.client.post(f"{WHERE}/{ref}/validate"),
            await post(world, body(name=asked["name"])),
            await post(world, body(api_key=f"{TOKEN} with a space")),
            await post(world, body(configuration={"apiKey": TOKEN})),
            await world.client.put(f"{WHERE}/{uuid.uuid4()}", json={"api_key": TOKEN}),
        ]
        assert {answer.status_code for answer in answers} == {200, 201, 404, 409, 422}
        for answer in answers:
            assert "canary" not in answer.text
        assert "canary" not in str(world.temporal.executed)
        async with world.db.begin() as session:
            for table in (AuditEntry, ServiceProvider, IdempotencyKey):
                for (stored,) in await session.execute(select(text(f"{table.__tablename__}::text")).select_from(table)):
                    assert "canary" not in stored

    async def test_each_act_leaves_an_audit_row_that_names_what_changed(self, world: World) -> None:
        ref = (await made(world))["id"]
        await world.client.put(f"{WHERE}/{ref}", json={"api_key": "another", "active": False})
        await world.client.delete(f"{WHERE}/{ref}")
        await world.client.delete(f"{WHERE}/{ref}")
        acts = [entry for action in ("create", "update", "delete") for entry in await world.audit(f"provider.{action}")]
        entries = [entry for entry in acts if entry.target_id == ref]
        assert [(entry.action, entry.outcome, entry.actor) for entry in entries] == [
            ("provider.create", "ok", world.username), ("provider.update", "ok", world.username),
            ("provider.delete", "ok", world.username), ("provider.delete", "refused", world.username),
        ]  # fmt: skip
        assert entries[1].details["fields"] == ["active", "api_key"]


class TestRefusals:
    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"name": " "}, "name"),
            ({"name": "x" * 201}, "name"),
            ({"type": "hetzner"}, "type"),
            ({"api_key": ""}, "api_key"),
            ({"api_key": "x" * 16_385}, "api_key"),
            ({"api_key": "two words"}, "api_key"),
            ({"api_key": None}, "api_key"),
            ({"type": "transip", "configuration": {"username": "acme"}}, "api_key"),
            ({"configuration": {"default_colour": "red"}}, "configuration.default_colour"),
            ({"configuration": {"base_url": "http://metadata.internal/v2"}}, "configuration.base_url"),
            ({"configuration": {"base_url": "https://user:pass@example.com"}}, "configuration.base_url"),
            ({"configuration": {"base_url": "https://example.com:99999"}}, "configuration.base_url"),
            ({"configuration": {"default_region": "../x"}}, "configuration.default_region"),
            ({"configuration": {"poll_seconds": 0}}, "configuration.poll_seconds"),
            ({"configuration": {"limits": {"creates": 0}}}, "configuration.limits.creates"),
            ({"configuration": {"tiers": {"huge": "s-1"}}}, "configuration.tiers.huge.[key]"),
            ({"colour": "red"}, "colour"),
        ],
    )
    async def test_what_is_wrong_is_named_by_its_field(self, world: World, changes: dict[str, Any], field: str) -> None:
        assert said(await post(world, body(**changes))) == (422, "VALIDATION_ERROR", field)

    async def test_a_field_that_is_missing_is_named_as_documented(self, world: World) -> None:
        asked = {name: value for name, value in body().items() if name != "api_key"}
        assert said(await post(world, asked)) == (422, "VALIDATION_ERROR", "api_key")

    async def test_transip_needs_the_text_of_a_key_and_its_login(self, world: World) -> None:
        asked = body(type="transip", api_key=pem(), configuration={})
        assert said(await post(world, asked)) == (422, "VALIDATION_ERROR", "configuration.username")
        ref = (await made(world, type="transip", api_key=pem(), configuration={"username": "acme"}))["id"]
        without = await world.client.put(f"{WHERE}/{ref}", json={"configuration": {"default_region": "ams0"}})
        assert said(without) == (422, "VALIDATION_ERROR", "configuration.username")
        assert said(await world.client.put(f"{WHERE}/{ref}", json={"api_key": TOKEN})) == (
            422, "VALIDATION_ERROR", "api_key")  # fmt: skip

    async def test_a_taken_name_is_a_conflict(self, world: World) -> None:
        first, second = await made(world), await made(world)
        assert said(await post(world, body(name=first["name"]))) == (409, "CONFLICT", "name")
        renamed = await world.client.put(f"{WHERE}/{second['id']}", json={"name": first["name"]})
        assert said(renamed) == (409, "CONFLICT", "name")

    async def test_two_at_once_with_one_name_make_one_account(self, world: World) -> None:
        asked = body()
        answers = await asyncio.gather(*(post(world, asked) for _ in range(6)))
        assert sorted(answer.status_code for answer in answers) == [201] + [409] * 5

    async def test_what_is_not_there_is_404(self, world: World) -> None:
        for ref in (str(uuid.uuid4()), "no-id"):
            for method, path, sent in (("PUT", "", {"active": False}), ("DELETE", "", None),
                                       ("POST", "/validate", None), ("GET", "/plans", None)):  # fmt: skip
                answer = await world.client.request(method, f"{WHERE}/{ref}{path}", json=sent)
                assert said(answer) == (404, "PROVIDER_NOT_FOUND", None)

    async def test_an_empty_change_is_refused(self, world: World) -> None:
        ref = (await made(world))["id"]
        assert said(await world.client.put(f"{WHERE}/{ref}", json={}))[:2] == (422, "VALIDATION_ERROR")

    async def test_a_kind_without_a_client_is_kept_and_stays_inactive(self, world: World) -> None:
        shown = await made(world, type="aws")
        assert shown["active"] is False
        enabled = await world.client.put(f"{WHERE}/{shown['id']}", json={"active": True})
        assert said(enabled) == (409, "PROVIDER_INACTIVE", None)
        assert said(await world.client.post(f"{WHERE}/{shown['id']}/validate")) == (409, "PROVIDER_INACTIVE", None)
        assert not world.temporal.executed

    async def test_an_account_with_servers_is_not_deleted_and_says_how_many(self, world: World) -> None:
        shown = await made(world)
        for _ in range(2):
            await world.server(provider_type="digitalocean", provider_id=uuid.UUID(shown["id"]))
        answer = await world.client.delete(f"{WHERE}/{shown['id']}")
        assert said(answer) == (409, "CONFLICT", None)
        assert f"2 servers live at {shown['name']}" in answer.json()["error"]
        (listed,) = (await world.client.get(WHERE)).json()["providers"]
        assert listed["servers"] == 2
        async with world.db.begin() as session:
            await session.execute(update(VpsInstance).values(lifecycle="terminated"))
        assert (await world.client.delete(f"{WHERE}/{shown['id']}")).status_code == 200


class TestEnvironment:
    async def test_an_account_of_the_environment_is_there_and_is_changed_there(self, make_world: MakeWorld) -> None:
        world = await make_world(linode_token="env-canary", linode_region="eu-central")
        await world.sign_in()
        (shown,) = (await world.client.get(WHERE)).json()["providers"]
        assert (shown["name"], shown["type"], shown["origin"]) == ("Linode", "linode", "environment")
        assert shown["configuration"]["default_region"] == "eu-central"
        ref = f"{WHERE}/{shown['id']}"
        for refused in (await world.client.put(ref, json={"api_key": "x"}), await world.client.delete(ref),
                        await world.client.put(ref, json={"configuration": {}})):  # fmt: skip
            assert said(refused) == (409, "CONFLICT", None)
            assert "environment" in refused.json()["error"]
        assert (await world.client.put(ref, json={"active": False, "name": "Ours"})).status_code == 200
        async with world.db.begin() as session:
            await environment.seed_from_environment(session, KeyRing.parse(SECRET_KEYS), {}, retire=True)
        assert (await world.client.delete(ref)).status_code == 200

    async def test_an_api_without_their_keys_disables_no_account(self, make_world: MakeWorld) -> None:
        await make_world(linode_token="env")
        world = await make_world()
        await world.sign_in()
        (shown,) = (await world.client.get(WHERE)).json()["providers"]
        assert shown["active"] is True

    async def test_a_key_that_cannot_be_read_does_not_stop_the_start(self, make_world: MakeWorld) -> None:
        world = await make_world(transip_username="acme", transip_private_key="/nowhere/key.pem")
        await world.sign_in()
        assert (await world.client.get(WHERE)).json()["providers"] == []


class TestIdempotency:
    async def test_a_repeat_gets_the_same_answer_and_another_body_is_a_mismatch(self, world: World) -> None:
        key, asked = uuid.uuid4().hex, body()
        first, second = await post(world, asked, Idempotency_Key=key), await post(world, asked, Idempotency_Key=key)
        assert second.json()["provider"] == first.json()["provider"]
        assert (second.status_code, second.headers["idempotent-replay"]) == (201, "true")
        assert second.headers["location"] == first.headers["location"]
        other = await post(world, asked | {"api_key": "another"}, Idempotency_Key=key)
        assert said(other) == (409, "IDEMPOTENCY_MISMATCH", "Idempotency-Key")


class TestCache:
    @pytest.mark.parametrize(
        ("change", "kept"),
        [({"active": False}, 0), ({"api_key": "new"}, 0), ({"configuration": {}}, 0), ({"name": "Renamed"}, 1)],
    )
    async def test_what_the_cloud_offered_is_forgotten_with_a_change(
        self, world: World, change: dict[str, Any], kept: int
    ) -> None:
        ref = (await made(world))["id"]
        now = datetime.now(UTC)
        async with world.db.begin() as session:
            session.add(ProviderCache(key=f"provider:{ref}:plans", provider_id=uuid.UUID(ref), value=[],
                                      fetched_at=now, fresh_until=now))  # fmt: skip
        assert (await world.client.put(f"{WHERE}/{ref}", json=change)).status_code == 200
        async with world.db.begin() as session:
            mine = select(ProviderCache).where(ProviderCache.provider_id == uuid.UUID(ref))
            assert len((await session.execute(mine)).all()) == kept


class TestValidating:
    async def test_one_run_at_a_time_asks_the_cloud_and_carries_ids_only(self, world: World) -> None:
        ref = (await made(world))["id"]
        world.temporal.answer_plan = lambda: AccountChecked(valid=True, message="The cloud accepts these credentials.")
        answer = await world.client.post(f"{WHERE}/{ref}/validate")
        assert answer.status_code == 200
        assert answer.json().keys() == {"valid", "message"} | ENVELOPE
        assert (answer.json()["valid"], answer.json()["success"]) == (True, True)
        (workflow, call, options) = world.temporal.executed[-1]
        assert (workflow, call.model_dump()) == ("AccountCheck", {"provider": "digitalocean", "provider_id": ref})
        assert options["id"].startswith(f"account-check/{ref}/")

    @pytest.mark.parametrize(
        ("code", "expected"),
        [
            (ErrorCode.INVALID_CREDENTIALS, (422, "INVALID_CREDENTIALS", "api_key")),
            (ErrorCode.RATE_LIMIT_EXCEEDED, (429, "RATE_LIMIT_EXCEEDED", None)),
            (ErrorCode.API_ERROR, (502, "API_ERROR", None)),
            (ErrorCode.PROVIDER_INACTIVE, (409, "PROVIDER_INACTIVE", None)),
            (ErrorCode.MISSING_CREDENTIALS, (409, "MISSING_CREDENTIALS", None)),
        ],
    )
    async def test_a_refusal_says_which(self, world: World, code: ErrorCode, expected: tuple[int, str, str]) -> None:
        ref = (await made(world))["id"]
        world.temporal.answer_plan = lambda: AccountChecked(valid=False, message="no", code=code, retry_after=7.4)
        answer = await world.client.post(f"{WHERE}/{ref}/validate")
        assert said(answer) == expected
        assert answer.json()["provider"] == "digitalocean"
        assert answer.headers["retry-after"] == "7"
        entry = next(e for e in await world.audit("provider.validate") if e.target_id == ref)
        assert (entry.outcome, entry.details["code"]) == ("unavailable" if expected[0] >= 500 else "refused", code)

    @pytest.mark.parametrize(
        ("details", "expected"),
        [({"code": "PROVIDER_NOT_FOUND"}, (404, "PROVIDER_NOT_FOUND", None)),
         ({"code": "INVALID_CREDENTIALS"}, (502, "INVALID_CREDENTIALS", None)),
         ({}, (409, "MISSING_CREDENTIALS", None))],
    )  # fmt: skip
    async def test_a_run_that_fails_names_what_is_missing(
        self, world: World, details: dict[str, str], expected: tuple[int, str, str | None]
    ) -> None:
        ref = (await made(world))["id"]

        def fail() -> None:
            cause = ApplicationError("there is no such account", details, type=Trouble.MISSING_SETTING)
            raise WorkflowFailureError(cause=cause)

        world.temporal.answer_plan = fail
        assert said(await world.client.post(f"{WHERE}/{ref}/validate")) == expected


PLAN = {"provider_plan_id": "s-1vcpu-1gb", "base_price": 6, "markup_price": 3.99,
        "specifications": {"vcpus": 1, "memory": 1024, "disk": 25, "transfer": 1000}}  # fmt: skip


class TestPlans:
    async def plan(self, world: World, ref: str, **changes: Any) -> dict[str, Any]:
        answer = await world.client.post(f"{WHERE}/{ref}/plans", json=PLAN | changes)
        assert answer.status_code == 201, answer.text
        return dict(answer.json()["plan"])

    async def test_a_plan_is_made_changed_listed_and_removed(self, world: World) -> None:
        ref = (await made(world))["id"]
        shown = await self.plan(world, ref)
        assert (shown["base_price"], shown["markup_price"], shown["price"]) == (6.0, 3.99, 9.99)
        assert (shown["specifications"], shown["provider_id"]) == (PLAN["specifications"], ref)
        where = f"{WHERE}/{ref}/plans"
        changed = await world.client.put(f"{where}/{shown['id']}", json={"markup_price": 0.1, "active": False})
        assert (changed.json()["plan"]["price"], changed.json()["plan"]["active"]) == (6.1, False)
        assert [one["id"] for one in (await world.client.get(where)).json()["plans"]] == [shown["id"]]
        assert (await world.client.delete(f"{where}/{shown['id']}")).json()["message"] == "Plan deleted successfully"
        assert (await world.client.get(where)).json()["plans"] == []
        assert said(await world.client.delete(f"{where}/{shown['id']}"))[:2] == (404, "NOT_FOUND")

    async def test_one_size_is_one_plan_of_an_account(self, world: World) -> None:
        first, second = (await made(world))["id"], (await made(world))["id"]
        shown = await self.plan(world, first)
        await self.plan(world, second)
        again = await world.client.post(f"{WHERE}/{first}/plans", json=PLAN)
        assert said(again) == (409, "CONFLICT", "provider_plan_id")
        assert said(await world.client.put(f"{WHERE}/{second}/plans/{shown['id']}", json={"active": False}))[0] == 404
        other = await self.plan(world, first, provider_plan_id="other")
        renamed = await world.client.put(f"{WHERE}/{first}/plans/{other['id']}",
                                         json={"provider_plan_id": shown["provider_plan_id"]})  # fmt: skip
        assert said(renamed) == (409, "CONFLICT", "provider_plan_id")

    @pytest.mark.parametrize(
        ("changes", "field"),
        [({"base_price": -1}, "base_price"), ({"markup_price": 1.005}, "markup_price"), ({"colour": 1}, "colour"),
         ({"currency": "dollar"}, "currency"), ({"specifications": {"a": [1]}}, None)],
    )  # fmt: skip
    async def test_what_is_wrong_is_named(self, world: World, changes: dict[str, Any], field: str | None) -> None:
        ref = (await made(world))["id"]
        answer = await world.client.post(f"{WHERE}/{ref}/plans", json=PLAN | changes)
        assert said(answer)[:2] == (422, "VALIDATION_ERROR")
        assert field is None or said(answer)[2] == field

    async def test_everybody_sees_what_is_on_sale_and_not_what_it_costs_us(self, world: World) -> None:
        first, second = (await made(world))["id"], (await made(world))["id"]
        dear = await self.plan(world, first, provider_plan_id="dear", base_price=48)
        cheap = await self.plan(world, first)
        await self.plan(world, first, provider_plan_id="withdrawn", active=False)
        hidden = await self.plan(world, second)
        await world.client.put(f"{WHERE}/{second}", json={"active": False})
        await world.sign_in(Role.USER)
        found = (await world.client.get("/api/vps/plans")).json()["plans"]
        assert [one["id"] for one in found] == [cheap["id"], dear["id"]]
        assert (found[0]["price"], found[0]["currency"], found[0]["provider_type"]) == (9.99, "USD", "digitalocean")
        assert {"base_price", "markup_price"}.isdisjoint(found[0])
        named = await world.client.get("/api/vps/plans", params={"provider_id": first})
        assert named.json()["plans"] == found
        assert (await world.client.get("/api/vps/plans", params={"provider_id": second})).json()["plans"] == []
        assert hidden["id"] not in named.text
        unknown = await world.client.get("/api/vps/plans", params={"provider_id": str(uuid.uuid4())})
        assert said(unknown) == (404, "PROVIDER_NOT_FOUND", None)
        del world.client.headers["Authorization"]
        assert (await world.client.get("/api/vps/plans")).status_code == 401

    async def test_a_repeat_makes_no_second_plan(self, world: World) -> None:
        ref = (await made(world))["id"]
        key = {"Idempotency-Key": uuid.uuid4().hex}
        answers = [await world.client.post(f"{WHERE}/{ref}/plans", json=PLAN, headers=key) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [201, 201]
        assert answers[0].json()["plan"] == answers[1].json()["plan"]
        async with world.db.begin() as session:
            assert len((await session.execute(select(VpsPlan).where(VpsPlan.provider_id == uuid.UUID(ref)))).all()) == 1
