"""Bare servers over HTTP (source 001): ordered once, seen by whom they belong to, acted on one thing at a time."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import func, select, update

from api.vps_examples import (
    ACTION,
    ACTION_BEGUN,
    ORDER_DIGITALOCEAN,
    ORDER_LINODE,
    ORDER_WORDPRESS,
    ORDERED,
    SHOWN,
)
from db.base import new_id
from db.keyring import KeyRing
from db.models import Deployment, Organization, Placement, Secret, ServerIntent, VpsInstance
from db.models_clouds import ServerAction, VpsPlan
from db.secrets import read
from domain.provisioning import ProvisionOrder, TerminationOrder
from domain.servers import ActionCall, PowerAction, Seen
from domain.statuses import DeploymentType, Role
from tests.api.accounts import account
from tests.api.conftest import MakeWorld
from tests.api.test_contract import ENVELOPE
from tests.api.world import SECRET_KEYS, World, temporal_is_away

URL = "/api/vps"
SSH = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ2rB0k0XQ3iZxk9zVn6o9u2fS3l5y8m6l0jJ8cB7a0d ada"
# The documented bodies; an account's id takes the place of theirs.
DIGITALOCEAN, LINODE, EXAMPLE = [
    {name: value for name, value in body.items() if name != "provider_id"}
    for body in (ORDER_DIGITALOCEAN, ORDER_LINODE, ORDER_WORDPRESS)
]


async def ordered(world: World, body: dict[str, Any] = DIGITALOCEAN, **changes: Any) -> dict[str, Any]:
    provider = await account(world.db, body["provider_type"])
    answer = await world.client.post(URL, json=body | {"provider_id": str(provider)} | changes)
    assert answer.status_code == 202, answer.text
    return answer.json()["instance"]


async def count(world: World, table: type) -> int:
    async with world.db.begin() as session:
        return int((await session.execute(select(func.count()).select_from(table))).scalar_one())


async def stands(world: World, instance: dict[str, Any], **columns: Any) -> None:
    """As the run would leave it."""
    values = {"lifecycle": "active", "power_state": "running", "provider_instance_id": f"d-{uuid.uuid4().hex[:8]}",
              "vps_ip": "192.0.2.1", "ipv6_address": "2001:db8::1", "seen_at": datetime.now(UTC),
              "specs": {"cpu": 1, "ram_mb": 1024, "disk_gb": 25, "transfer_gb": 1000}, "price_cents_month": 600,
              "currency": "USD", "hourly_rate": Decimal("0.00893")}  # fmt: skip
    async with world.db.begin() as session:
        ref = uuid.UUID(instance["id"])
        await session.execute(update(VpsInstance).where(VpsInstance.id == ref).values(values | columns))
        await session.execute(
            update(Deployment).where(Deployment.vps_id == ref).values(phase="active", status="active")
        )


async def customer(world: World) -> uuid.UUID:
    async with world.db.begin() as session:
        organization = Organization(id=new_id(), name="Customer", slug=f"c{uuid.uuid4().hex[:10]}")
        session.add(organization)
    await world.sign_in(Role.USER, organization_id=organization.id)
    return organization.id


class TestOrdering:
    @pytest.mark.parametrize("body", [DIGITALOCEAN, LINODE, EXAMPLE], ids=["digitalocean", "linode", "example"])
    async def test_a_documented_body_is_answered_as_documented(self, world: World, body: dict[str, Any]) -> None:
        provider = await account(world.db, body["provider_type"])
        answer = await world.client.post(URL, json=body | {"provider_id": str(provider)})
        assert answer.status_code == 202
        told = answer.json()
        assert told["success"] is True
        instance = told["instance"]
        documented = ORDERED["instance"] | {
            "provider_id": str(provider), "provider_type": body["provider_type"], "label": body["label"],
            "region": body["region"], "id": instance["id"], "created_at": instance["created_at"],
            "provider_instance_id": None,  # the cloud is asked after the reply
        }  # fmt: skip
        assert {name: instance[name] for name in ORDERED["instance"]} == documented
        assert set(told) == set(ORDERED) | ENVELOPE
        assert datetime.fromisoformat(instance["created_at"]).tzinfo is not None
        assert answer.headers["location"] == f"/api/vps/{instance['id']}"

    async def test_rows_and_one_run_come_of_it(self, world: World) -> None:
        instance = await ordered(world, LINODE)
        (started,) = world.temporal.started.values()
        order: ProvisionOrder = started[1]
        assert (order.deployment_type, order.fqdn) == (DeploymentType.SERVER, "")
        assert (order.inputs.provider, order.inputs.product) == ("linode", "g6-nanode-1")
        assert (order.inputs.availability_zone, order.inputs.operating_system) == ("us-east", "linode/ubuntu22.04")
        async with world.db.begin() as session:
            vps = await session.get_one(VpsInstance, uuid.UUID(instance["id"]))
            intent = (await session.execute(select(ServerIntent).where(ServerIntent.vps_id == vps.id))).scalar_one()
            placed = (await session.execute(select(Placement).where(Placement.vps_id == vps.id))).scalar_one()
        assert vps.options["stackscript"] == 12345
        assert str(placed.deployment_id) == order.deployment_id
        assert (intent.provider, intent.state) == ("linode", "intended")

    async def test_secrets_are_kept_encrypted_and_told_to_nobody(self, world: World) -> None:
        instance = await ordered(world, LINODE, userData="#cloud-config\npassword: hush-hush\n")
        keys = KeyRing.parse(SECRET_KEYS)
        async with world.db.begin() as session:
            ref = uuid.UUID(instance["id"])
            kept = {purpose: await read(session, keys, purpose, vps_id=ref)
                    for purpose in ("root-password", "stackscript-data", "user-data")}  # fmt: skip
            vps = await session.get_one(VpsInstance, ref)
        assert kept == {"root-password": "secure-password-here", "stackscript-data": '{"hostname": "myserver"}',
                        "user-data": "#cloud-config\npassword: hush-hush\n"}  # fmt: skip
        told = (
            str(world.temporal.started)
            + str(vps.options)
            + str([e.details for e in await world.audit("server.create")])
        )
        for secret in ("secure-password-here", "myserver", "hush-hush"):
            assert secret not in told

    async def test_a_repeat_with_the_same_key_orders_nothing_new(self, world: World) -> None:
        provider = await account(world.db)
        body, headers = DIGITALOCEAN | {"provider_id": str(provider)}, {"Idempotency-Key": uuid.uuid4().hex}
        first, again = [await world.client.post(URL, json=body, headers=headers) for _ in range(2)]
        assert first.json()["instance"] == again.json()["instance"]
        assert again.headers["idempotent-replay"] == "true"
        other = await world.client.post(URL, json=body | {"rootPassword": "another password"}, headers=headers)
        assert (other.status_code, other.json()["code"]) == (409, "IDEMPOTENCY_MISMATCH")

    async def test_an_order_is_kept_while_temporal_is_away(self, world: World) -> None:
        world.temporal.trouble = temporal_is_away()
        instance = await ordered(world)
        run = await world.deployment(instance["deployment_id"])
        assert run.started_at is None, "the sweep starts it"

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"label": "no"}, "label"),
            ({"label": "two--hyphens"}, "label"),
            ({"label": "under_score"}, "label"),
            ({"label": "x" * 65}, "label"),
            ({"type": "../types"}, "type"),
            ({"region": ""}, "region"),
            ({"rootPassword": "short"}, "rootPassword"),
            ({"tags": ["no spaces"]}, "tags.0"),
            ({"sshKeys": ["k"] * 21}, "sshKeys"),
            ({"provider_type": "hetzner"}, "provider_type"),
            ({"stackscriptId": 1}, "stackscriptId"),
            ({"privateIP": True}, "privateIP"),
            ({"vpc_uuid": "nonsense"}, "vpcUuid"),
            ({"color": "red"}, "color"),
        ],
    )
    async def test_a_wrong_field_is_named_and_nothing_is_written(
        self, world: World, change: dict[str, Any], field: str
    ) -> None:
        before = await count(world, VpsInstance)
        answer = await world.client.post(URL, json=DIGITALOCEAN | change)
        told = answer.json()
        assert (answer.status_code, told["code"]) == (422, "VALIDATION_ERROR")
        assert told["field"].lower().replace("_", "") == field.lower().replace("_", "")
        assert await count(world, VpsInstance) == before
        assert world.temporal.started == {}

    async def test_a_server_nobody_could_sign_in_to_is_refused(self, world: World) -> None:
        answer = await world.client.post(URL, json=DIGITALOCEAN | {"sshKeys": [], "rootPassword": None})
        assert answer.json()["message"].startswith("sshKeys or rootPassword is required")
        assert (answer.status_code, answer.json()["code"]) == (422, "VALIDATION_ERROR")
        assert "rootPassword" in answer.json()["error"]

    async def test_accounts_that_cannot_be_used_are_named(self, world: World) -> None:
        off = await account(world.db, active=False)
        linode = await account(world.db, "linode")
        for provider, kind, code, status in (
            (off, "digitalocean", "PROVIDER_INACTIVE", 409),
            (uuid.uuid4(), "digitalocean", "PROVIDER_NOT_FOUND", 404),
            (linode, "digitalocean", "PROVIDER_NOT_FOUND", 404),
            (None, "aws", "PROVIDER_INACTIVE", 409),
        ):
            body = DIGITALOCEAN | {"provider_type": kind, "provider_id": str(provider) if provider else None}
            if kind == "aws":
                body |= {"monitoring": False, "ipv6": False, "appSlug": None}
            answer = await world.client.post(URL, json=body)
            assert (answer.json()["code"], answer.status_code) == (code, status), (kind, answer.text)


class TestWhose:
    async def test_a_customer_sees_and_touches_only_their_own(self, world: World) -> None:
        foreign = await ordered(world)
        await stands(world, foreign)
        await customer(world)
        own = await ordered(world)
        assert [row["id"] for row in (await world.client.get(URL)).json()["instances"]] == [own["id"]]
        assert (await world.client.get(f"{URL}/{foreign['id']}")).status_code == 404
        asked = await world.client.post(f"{URL}/{foreign['id']}/action", json={"action": "reboot"})
        assert asked.status_code == 404

    async def test_a_customer_orders_for_nobody_else_and_not_without_end(self, make_world: MakeWorld) -> None:
        world = await make_world(servers_per_organization=2)
        await customer(world)
        provider = str(await account(world.db))
        body = DIGITALOCEAN | {"provider_id": provider}
        other = await world.client.post(URL, json=body | {"organization_id": str(uuid.uuid4())})
        assert (other.status_code, other.json()["field"]) == (403, "organization_id")
        answers = await asyncio.gather(*(world.client.post(URL, json=body) for _ in range(5)))
        assert sorted(answer.status_code for answer in answers) == [202, 202, 409, 409, 409]
        assert {a.json()["code"] for a in answers if a.status_code == 409} == {"QUOTA_EXCEEDED"}

    @pytest.mark.parametrize("role", [Role.SUPPORT, Role.BILLING])
    async def test_who_only_looks_neither_orders_nor_acts(self, world: World, role: Role) -> None:
        instance = await ordered(world)
        await stands(world, instance)
        await world.sign_in(role)
        assert (await world.client.get(f"{URL}/{instance['id']}")).status_code == 200
        asked = await world.client.post(f"{URL}/{instance['id']}/action", json={"action": "reboot"})
        assert asked.status_code == 403
        assert (await world.client.post(URL, json=DIGITALOCEAN)).status_code == 403


class TestReading:
    async def test_a_server_is_shown_as_documented(self, world: World) -> None:
        instance = await ordered(world)
        await stands(world, instance, created_at=datetime(2024, 1, 1, tzinfo=UTC),
                     updated_at=datetime(2024, 1, 1, tzinfo=UTC), provider_instance_id="droplet-id")  # fmt: skip
        told = (await world.client.get(f"{URL}/{instance['id']}")).json()["instance"]
        documented = SHOWN["instance"] | {"id": instance["id"], "provider_id": instance["provider_id"]}
        assert {name: told[name] for name in documented} == documented

    async def test_the_price_is_the_plans_where_one_is_sold(self, world: World) -> None:
        instance = await ordered(world)
        await stands(world, instance)
        async with world.db.begin() as session:
            session.add(VpsPlan(provider_id=uuid.UUID(instance["provider_id"]), provider_plan_id="s-1vcpu-1gb",
                                base_price=Decimal("6.00"), markup_price=Decimal("3.00")))  # fmt: skip
        told = (await world.client.get(f"{URL}/{instance['id']}")).json()["instance"]
        assert (told["monthly_rate"], told["hourly_rate"]) == (9.00, 0.0134)

    async def test_an_old_look_is_taken_anew_and_silence_leaves_the_row(self, world: World) -> None:
        instance = await ordered(world)
        await stands(world, instance, seen_at=None)
        world.temporal.answer_plan = lambda: Seen(power_state="running", missing=True)
        told = (await world.client.get(f"{URL}/{instance['id']}")).json()
        assert (told["instance"]["missing"], "stale" in told) == (True, False)
        assert world.temporal.executed[0][2]["id"] == f"look/{instance['id']}"

        def away() -> Any:
            raise temporal_is_away()

        world.temporal.answer_plan = away
        told = (await world.client.get(f"{URL}/{instance['id']}")).json()
        assert (told["instance"]["status"], told["stale"]) == ("running", True)
        assert told["stale_reason"]

    async def test_a_server_that_was_not_found_is_looked_for_each_time(self, world: World) -> None:
        instance = await ordered(world)
        await stands(world, instance, power_state="unknown", seen_at=datetime.now(UTC))
        world.temporal.answer_plan = lambda: Seen(power_state="unknown", missing=True)
        for _ in range(2):
            assert (await world.client.get(f"{URL}/{instance['id']}")).json()["instance"]["missing"] is True
        await stands(world, instance, seen_at=datetime.now(UTC))
        assert (await world.client.get(f"{URL}/{instance['id']}")).json()["instance"]["missing"] is False
        assert len(world.temporal.executed) == 2, "a fresh look at a server that is there answers"

    async def test_pages_and_filters(self, world: World) -> None:
        one, _ = await ordered(world), await ordered(world, LINODE)
        found = (await world.client.get(URL, params={"provider_id": one["provider_id"]})).json()
        assert ([row["id"] for row in found["instances"]], found["pagination"]["total"]) == ([one["id"]], 1)

    async def test_the_list_tells_what_was_asked_of_each_server_last(self, world: World) -> None:
        one, other = await ordered(world), await ordered(world, LINODE)
        await stands(world, one)
        for action in ("reboot", "shutdown"):
            await world.client.post(f"{URL}/{one['id']}/action", json={"action": action})
            async with world.db.begin() as session:
                await session.execute(update(ServerAction).values(state="done", ended_at=func.now()))
        listed = {row["id"]: row["newest_action"] for row in (await world.client.get(URL)).json()["instances"]}
        assert (listed[one["id"]]["action"], listed[one["id"]]["state"]) == ("shutdown", "done")
        assert listed[other["id"]] is None

    async def test_what_is_no_id_is_not_found(self, world: World) -> None:
        answer = await world.client.get(f"{URL}/nonsense")
        assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")


class TestActing:
    @pytest.mark.parametrize(
        ("word", "action"),
        [("boot", "power_on"), ("power_on", "power_on"), ("shutdown", "shutdown"), ("power_off", "power_off"),
         ("reboot", "reboot"), ("power_cycle", "power_cycle")],
    )  # fmt: skip
    async def test_each_documented_action_starts_one_run(self, world: World, word: str, action: str) -> None:
        instance = await ordered(world)
        await stands(world, instance)
        answer = await world.client.post(f"{URL}/{instance['id']}/action", json=ACTION | {"action": word})
        assert answer.json()["success"] is True
        assert answer.json()["message"] == f"Action {word} initiated successfully"
        (call,) = [asked for name, asked, _ in world.temporal.started.values() if name == "ServerActions"]
        assert call == ActionCall(action_id=call.action_id, vps_id=instance["id"], provider="digitalocean",
                                  action=PowerAction(action), provider_id=instance["provider_id"])  # fmt: skip
        async with world.db.begin() as session:
            row = await session.get_one(ServerAction, uuid.UUID(call.action_id))
        assert (row.state, row.requested_by, row.started_at is None) == ("requested", world.username, False)

    async def test_the_documented_action_is_answered_as_documented(self, world: World) -> None:
        instance = await ordered(world)
        await stands(world, instance)
        answer = await world.client.post(f"{URL}/{instance['id']}/action", json=ACTION)
        told = answer.json()
        assert (answer.status_code, set(told)) == (202, set(ACTION_BEGUN) | ENVELOPE)
        assert {name: told[name] for name in ACTION_BEGUN} == ACTION_BEGUN

    @pytest.mark.parametrize("action", ["explode", "power_cycle", ""])
    async def test_an_action_that_is_not_offered_has_its_code(self, world: World, action: str) -> None:
        instance = await ordered(world, LINODE)
        await stands(world, instance)
        answer = await world.client.post(f"{URL}/{instance['id']}/action", json={"action": action})
        told = answer.json()
        assert (told["code"], told["field"], told["provider"]) == ("INVALID_ACTION", "action", "linode")
        assert "power_cycle" not in told["error"]
        assert await count(world, ServerAction) == 0 or "ServerActions" not in str(world.temporal.started)

    async def test_one_thing_is_done_at_a_time(self, world: World) -> None:
        instance = await ordered(world)
        await stands(world, instance)
        url = f"{URL}/{instance['id']}/action"
        answers = await asyncio.gather(*(world.client.post(url, json={"action": "reboot"}) for _ in range(4)))
        assert sorted(answer.status_code for answer in answers) == [202, 409, 409, 409]
        refused = next(answer.json() for answer in answers if answer.status_code == 409)
        assert (refused["code"], "busy with reboot" in refused["error"]) == ("CONFLICT", True)

    async def test_a_server_that_is_not_there_yet_takes_no_action(self, world: World) -> None:
        instance = await ordered(world)
        answer = await world.client.post(f"{URL}/{instance['id']}/action", json={"action": "reboot"})
        assert (answer.status_code, answer.json()["code"]) == (409, "CONFLICT")

    async def test_an_action_is_kept_while_temporal_is_away(self, world: World) -> None:
        instance = await ordered(world)
        await stands(world, instance)
        world.temporal.trouble = temporal_is_away()
        answer = await world.client.post(f"{URL}/{instance['id']}/action", json={"action": "reboot"})
        assert answer.status_code == 202
        async with world.db.begin() as session:
            query = select(ServerAction).where(ServerAction.vps_id == uuid.UUID(instance["id"]))
            assert (await session.execute(query)).scalar_one().started_at is None, "the sweep starts it"

    @pytest.mark.parametrize("by", ["action", "delete"])
    async def test_deleting_starts_a_termination(self, world: World, by: str) -> None:
        instance = await ordered(world)
        await stands(world, instance)
        url = f"{URL}/{instance['id']}"
        answer = await (world.client.post(f"{url}/action", json={"action": "delete"}) if by == "action"
                        else world.client.delete(url))  # fmt: skip
        assert (answer.status_code, answer.json()["message"]) == (202, "Action delete initiated successfully")
        (order,) = [asked for name, asked, _ in world.temporal.started.values() if name == "Termination"]
        assert isinstance(order, TerminationOrder)
        assert order.deployment_type is DeploymentType.SERVER
        assert (await world.audit("server.action"))[-1].details["asked"] == "delete"

    async def test_a_customer_may_take_back_what_is_still_being_made(self, world: World) -> None:
        await customer(world)
        instance = await ordered(world)
        answer = await world.client.delete(f"{URL}/{instance['id']}")
        assert answer.status_code == 202
        assert world.temporal.cancelled == [f"provision/{instance['deployment_id']}"]
        await world.set_row(instance["deployment_id"], phase="rolling_back")
        again = await world.client.delete(f"{URL}/{instance['id']}")
        assert (again.status_code, again.json()["code"]) == (409, "CONFLICT")

    async def test_a_server_with_an_application_is_not_deleted_here(self, world: World) -> None:
        server = await world.server(is_shared=False, max_organizations=1)
        made = await world.create()
        await world.set_row(made["deploymentId"], vps_id=uuid.UUID(server))
        answer = await world.client.delete(f"{URL}/{server}")
        assert (answer.status_code, answer.json()["code"]) == (409, "CONFLICT")
        assert await count(world, Secret) > 0
