"""Servers of the house over the API: what is taken, what is shown, and that no private key ever is."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from sqlalchemy import func, select, update

from api import ssh_keys
from db import secrets
from db.base import new_id
from db.keyring import KeyRing
from db.models import Secret
from db.models_hosting import DnsZone, Server
from db.models_jobs import Job
from db.queries import house_servers
from domain.house_servers import SetUpServerOrder
from domain.sales import ServerType
from domain.statuses import Role
from tests.api.conftest import MakeWorld
from tests.api.world import SECRET_KEYS, World, temporal_is_away

WHERE = "/api/hosting/servers"
HOST_KEY = ssh_keys.host_key(ssh_keys.public_line(ssh_keys.new_private_key()))
KEYS = KeyRing.parse(SECRET_KEYS)


def body(**changes: Any) -> dict[str, Any]:
    values = {"hostname": f"w{uuid.uuid4().hex[:10]}.example.com", "ipAddress": "203.0.113.10", "type": "web",
              "hostKey": HOST_KEY}  # fmt: skip
    return {name: value for name, value in (values | changes).items() if value is not None}


async def registered(world: World, **changes: Any) -> dict[str, Any]:
    answer = await world.client.post(WHERE, json=body(**changes))
    assert answer.status_code == 201, answer.text
    return dict(answer.json()["server"])


async def set_row(world: World, server: dict[str, Any], **columns: Any) -> None:
    async with world.db.begin() as session:
        await session.execute(update(Server).where(Server.id == uuid.UUID(server["id"])).values(**columns))


async def set_job(world: World, server: dict[str, Any], **columns: Any) -> None:
    async with world.db.begin() as session:
        await session.execute(update(Job).where(Job.id == uuid.UUID(server["set_up"]["id"])).values(**columns))


async def is_set_up(world: World, **changes: Any) -> dict[str, Any]:
    made = await registered(world, **changes)
    await set_row(world, made, status="ACTIVE")
    await set_job(world, made, status="SUCCESS", phase="done", ended_at=func.now())
    return made


async def private_key(world: World, server: dict[str, Any]) -> str | None:
    async with world.db.begin() as session:
        return await secrets.read(session, KEYS, house_servers.key_purpose(uuid.UUID(server["id"])))


class TestRegistering:
    async def test_its_set_up_is_started_once_and_a_key_pair_is_made(self, world: World) -> None:
        answer = await world.client.post(WHERE, json=body(hostname="Web1.Example.com."))
        made = answer.json()["server"]
        assert answer.status_code == 201
        assert answer.headers["location"] == f"{WHERE}/{made['id']}"
        assert (made["hostname"], made["status"], made["ssh_user"], made["ssh_port"]) == (
            "web1.example.com", "PENDING", "root", 22)  # fmt: skip
        name, order, _ = world.temporal.started[f"job/{made['set_up']['id']}"]
        assert name == "SetUpServer"
        assert isinstance(order, SetUpServerOrder)
        assert (order.server_id, order.label, order.type) == (made["id"], "web1.example.com", ServerType.WEB)
        kept = await private_key(world, made)
        assert kept is not None
        assert made["public_key"] == ssh_keys.public_line(kept)
        async with world.db.begin() as session:
            assert (await session.get_one(Job, uuid.UUID(made["set_up"]["id"]))).started_at is not None

    async def test_a_given_key_is_kept_encrypted_and_shown_nowhere(self, world: World) -> None:
        private = ssh_keys.new_private_key()
        asked, headers = body(sshPrivateKey=private), {"Idempotency-Key": "given"}
        answer = await world.client.post(WHERE, json=asked, headers=headers)
        made = answer.json()["server"]
        assert (await world.client.post(WHERE, json=asked, headers=headers)).json()["server"] == made
        assert ssh_keys.public_line(await private_key(world, made) or "") == ssh_keys.public_line(private)
        texts = [answer.text, (await world.client.get(WHERE)).text,
                 (await world.client.get(f"{WHERE}/{made['id']}")).text]  # fmt: skip
        assert not any(line in text for text in texts for line in private.splitlines()[1:-1])
        async with world.db.begin() as session:
            row = (
                await session.execute(select(Secret).where(Secret.purpose == f"server-key:{made['id']}"))
            ).scalar_one()
            assert private.encode() not in (row.ciphertext or b"")
        assert all(
            private.splitlines()[1] not in str(entry.details) for entry in await world.audit("house_server.create")
        )

    async def test_a_name_server_needs_no_keys(self, world: World) -> None:
        made = await registered(world, type="dns", hostKey=None)
        assert (made["public_key"], made["host_key"]) == (None, "")

    async def test_a_repeat_with_its_key_is_the_same_server(self, world: World) -> None:
        asked, headers = body(), {"Idempotency-Key": "same"}
        first = await world.client.post(WHERE, json=asked, headers=headers)
        again = await world.client.post(WHERE, json=asked, headers=headers)
        assert again.headers["idempotent-replay"] == "true"
        assert again.json()["server"] == first.json()["server"]

    async def test_temporal_away_registers_all_the_same(self, world: World) -> None:
        world.temporal.trouble = temporal_is_away()
        made = await registered(world)
        async with world.db.begin() as session:
            assert (await session.get_one(Job, uuid.UUID(made["set_up"]["id"]))).started_at is None

    async def test_a_name_is_taken_also_by_one_that_was_removed(self, world: World) -> None:
        made = await registered(world)
        await set_row(world, made, status="REMOVED")
        answer = await world.client.post(WHERE, json=body(hostname=made["hostname"]))
        assert (answer.status_code, answer.json()["field"]) == (409, "hostname")

    async def test_one_machine_may_be_a_web_and_a_mail_server(self, world: World) -> None:
        await registered(world, ipAddress="2001:db8::7")
        assert (await registered(world, type="mail", ipAddress="2001:db8::7"))["ip_address"] == "2001:db8::7"

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("hostKey", None), ("hostKey", "ssh-ed25519 AAAA"), ("hostKey", "ssh-dss AAAA"), ("hostname", "web1"),
            ("hostname", "-.example.com"), ("hostname", "192.0.2.1"), ("ipAddress", "300.1.1.1"),
            ("ipAddress", "0.0.0.0"), ("sshPort", 0), ("sshPort", "22"), ("sshUser", "admin"), ("sshUser", "a b"),
            ("sshPrivateKey", "-----BEGIN OPENSSH PRIVATE KEY-----"), ("type", "ftp"), ("maxAccounts", -1),
            ("maxAccounts", 1.5), ("unknown", 1),
        ],
    )  # fmt: skip
    async def test_a_wrong_field_is_named_in_a_sentence(self, world: World, field: str, value: Any) -> None:
        answer = await world.client.post(WHERE, json=body(**{field: value}))
        told = answer.json()
        assert (answer.status_code, told["code"], told["field"]) == (422, "VALIDATION_ERROR", field)
        assert told["message"].endswith(".")
        assert "BEGIN" not in told["message"]


class TestReading:
    async def test_a_page_holds_names_places_and_set_ups(self, world: World) -> None:
        made = await is_set_up(world, type="mail")
        gone = await registered(world, type="mail")
        await set_row(world, gone, status="REMOVED")
        answer = (await world.client.get(WHERE, params={"type": "mail", "limit": 100})).json()
        found = {server["id"]: server for server in answer["servers"]}
        assert gone["id"] not in found
        assert (found[made["id"]]["accounts"], found[made["id"]]["set_up"]["status"]) == (0, "SUCCESS")
        assert "public_key" not in found[made["id"]]
        removed = (await world.client.get(WHERE, params={"status": "REMOVED", "limit": 100})).json()
        assert gone["id"] in {server["id"] for server in removed["servers"]}

    async def test_pages_follow_each_other_by_name(self, world: World) -> None:
        for _ in range(3):
            await registered(world, type="dns")
        pages = [(await world.client.get(WHERE, params={"type": "dns", "limit": 1, "page": n})).json() for n in (1, 2)]
        names = [page["servers"][0]["hostname"] for page in pages]
        assert names == sorted(names)
        assert pages[0]["pagination"]["hasNext"] is True

    async def test_a_stranger_and_an_unreadable_id_are_not_found(self, world: World) -> None:
        for ref in (str(new_id()), "nothing", "%00"):
            assert (await world.client.get(f"{WHERE}/{ref}")).status_code == 404

    @pytest.mark.parametrize("role", [Role.BILLING, Role.SUPPORT, Role.USER])
    async def test_only_operators_see_them(self, make_world: MakeWorld, role: Role) -> None:
        world = await make_world()
        await world.sign_in(role)
        assert (await world.client.get(WHERE)).status_code == 403


class TestChanging:
    async def test_a_server_is_emptied_and_opened_again(self, world: World) -> None:
        made = await is_set_up(world)
        for status in ("DRAINING", "DRAINING", "ACTIVE"):
            answer = await world.client.patch(f"{WHERE}/{made['id']}", json={"status": status})
            assert (answer.status_code, answer.json()["server"]["status"]) == (200, status)

    async def test_address_key_and_places_change(self, world: World) -> None:
        made = await is_set_up(world)
        other = ssh_keys.host_key(ssh_keys.public_line(ssh_keys.new_private_key()))
        asked = {"ipAddress": "203.0.113.99", "hostKey": other, "sshPort": 2222, "maxAccounts": 3}
        told = (await world.client.patch(f"{WHERE}/{made['id']}", json=asked)).json()["server"]
        assert (told["ip_address"], told["host_key"], told["ssh_port"], told["max_accounts"]) == (
            "203.0.113.99", other, 2222, 3)  # fmt: skip
        (entry,) = [e for e in await world.audit("house_server.update") if e.target_id == made["id"]]
        assert entry.details["fields"] == ["host_key", "ip_address", "max_accounts", "ssh_port"]

    @pytest.mark.parametrize(("status", "code"), [("REMOVED", 422), ("PENDING", 422), ("ACTIVE", 409)])
    async def test_a_pending_server_is_opened_by_its_set_up_only(self, world: World, status: str, code: int) -> None:
        made = await registered(world)
        answer = await world.client.patch(f"{WHERE}/{made['id']}", json={"status": status})
        assert (answer.status_code, answer.json()["field"]) == (code, "status")

    async def test_nothing_to_change_is_refused(self, world: World) -> None:
        made = await registered(world)
        assert (await world.client.patch(f"{WHERE}/{made['id']}", json={})).status_code == 422

    async def test_a_removed_server_is_not_changed(self, world: World) -> None:
        made = await registered(world)
        await set_row(world, made, status="REMOVED")
        assert (await world.client.patch(f"{WHERE}/{made['id']}", json={"maxAccounts": 1})).status_code == 409


class TestRemoving:
    async def test_its_row_is_kept_and_its_key_destroyed_however_often(self, world: World) -> None:
        made = await is_set_up(world)
        for _ in range(2):
            assert (await world.client.delete(f"{WHERE}/{made['id']}")).status_code == 200
        told = (await world.client.get(f"{WHERE}/{made['id']}")).json()["server"]
        assert (told["status"], told["public_key"]) == ("REMOVED", None)
        assert await private_key(world, made) is None

    async def test_not_while_anything_lives_there(self, world: World) -> None:
        made = await is_set_up(world, type="dns")
        async with world.db.begin() as session:
            zone = DnsZone(id=new_id(), zone_name=f"{made['id']}.example", server_id=uuid.UUID(made["id"]))
            session.add(zone)
        answer = await world.client.delete(f"{WHERE}/{made['id']}")
        assert (answer.status_code, "1 account lives" in answer.json()["message"]) == (409, True)
        async with world.db.begin() as session:
            (await session.get_one(DnsZone, zone.id)).status = "REMOVED"
        assert (await world.client.delete(f"{WHERE}/{made['id']}")).status_code == 200

    async def test_not_while_its_set_up_is_under_way(self, world: World) -> None:
        made = await registered(world)
        answer = await world.client.delete(f"{WHERE}/{made['id']}")
        assert (answer.status_code, "under way" in answer.json()["message"]) == (409, True)


class TestSettingUp:
    async def test_the_one_under_way_goes_on_and_a_new_one_follows_its_end(self, world: World) -> None:
        made = await registered(world)
        first = (await world.client.post(f"{WHERE}/{made['id']}/set-up")).json()["server"]["set_up"]["id"]
        assert first == made["set_up"]["id"]
        await set_job(world, made, status="SUCCESS", phase="done", ended_at=func.now())
        answer = await world.client.post(f"{WHERE}/{made['id']}/set-up")
        second = answer.json()["server"]["set_up"]["id"]
        assert (answer.status_code, second == first) == (202, False)
        assert {f"job/{first}", f"job/{second}"} <= set(world.temporal.started)

    async def test_a_step_that_waits_for_an_operator_is_retried(self, world: World) -> None:
        made = await registered(world)
        await set_job(world, made, status="WAITING", attention="awaiting_operator")
        assert (await world.client.post(f"{WHERE}/{made['id']}/set-up")).status_code == 202
        assert [(ref, name) for ref, name, *_ in world.temporal.updates] == [
            (f"job/{made['set_up']['id']}", "retry_step")]  # fmt: skip

    async def test_it_is_given_up_by_its_run(self, world: World) -> None:
        made = await registered(world)
        assert (await world.client.delete(f"{WHERE}/{made['id']}/set-up")).status_code == 202
        assert world.temporal.cancelled == [f"job/{made['set_up']['id']}"]
        await set_job(world, made, status="CANCELLED", phase="cancelled", ended_at=func.now())
        assert (await world.client.delete(f"{WHERE}/{made['id']}/set-up")).status_code == 409

    async def test_a_removed_server_is_not_set_up(self, world: World) -> None:
        made = await registered(world)
        await set_row(world, made, status="REMOVED")
        assert (await world.client.post(f"{WHERE}/{made['id']}/set-up")).status_code == 409

    async def test_every_act_is_in_the_audit_log(self, world: World) -> None:
        made = await registered(world)
        await world.client.delete(f"{WHERE}/{made['id']}")
        await world.client.post(f"{WHERE}/{made['id']}/set-up")
        await world.client.delete(f"{WHERE}/{made['id']}/set-up")
        for action, outcome in (("create", "ok"), ("delete", "refused"), ("set_up", "ok"), ("give_up", "ok")):
            entries = [e for e in await world.audit(f"house_server.{action}") if e.target_id == made["id"]]
            assert [(entry.actor, entry.outcome) for entry in entries] == [(world.username, outcome)]
