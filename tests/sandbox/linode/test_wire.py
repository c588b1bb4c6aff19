"""What the sandbox's Linode says on the wire: access, shapes, refusals, filters, pages and limits."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from sandbox.clouds.rates import Window
from sandbox.linode.records import Limits
from tests.sandbox.clouds.serving import SSH_KEY
from tests.sandbox.linode.emulator import QUICK, TOKENS, USER_DATA, LinodeCloud, emulator, linode
from tests.sandbox.transip.emulator import until

BUSY = {"errors": [{"reason": "Linode busy."}]}
NOT_FOUND = {"errors": [{"reason": "Not found"}]}


async def created(http: httpx.AsyncClient, **changes: Any) -> int:
    """The id of a Linode that nothing works on any more."""
    answer = await http.post("/linode/instances", json=linode(**changes))
    assert answer.status_code == 200, answer.text
    number: int = answer.json()["id"]
    await settled(http, number)
    return number


async def settled(http: httpx.AsyncClient, number: int) -> str:
    async def look() -> str | None:
        status: str = (await http.get(f"/linode/instances/{number}")).json()["status"]
        return status if status in {"running", "offline"} else None

    return str(await until(look))


async def labels(http: httpx.AsyncClient, **wanted: Any) -> list[str]:
    headers = {"X-Filter": json.dumps(wanted)}
    answer = await http.get("/linode/instances", headers=headers)
    assert answer.status_code == 200, answer.text
    return [one["label"] for one in answer.json()["data"]]


class TestAccess:
    @pytest.mark.parametrize("authorization", ["", "Bearer nonsense", f"token {TOKENS['acme']}"])
    async def test_call_without_a_token_is_refused(self, cloud: LinodeCloud, authorization: str) -> None:
        answer = await cloud.admin.get("/v4/linode/instances", headers={"Authorization": authorization})
        assert answer.status_code == 401
        assert answer.json() == {"errors": [{"reason": "Invalid Token"}]}

    async def test_accounts_see_their_own_only(self, cloud: LinodeCloud, http: httpx.AsyncClient) -> None:
        number = await created(http)
        async with cloud.caller("beta") as beta:
            assert (await beta.get("/linode/instances")).json()["results"] == 0
            assert (await beta.get(f"/linode/instances/{number}")).json() == NOT_FOUND
            assert (await beta.get("/account/events")).json()["data"] == []
            assert (await beta.get("/tags")).json()["data"] == []
            assert (await beta.post("/linode/instances", json=linode())).status_code == 200
            assert (await beta.get("/profile")).json()["username"] == "beta"

    async def test_revoked_token_opens_nothing_until_it_is_restored(
        self, cloud: LinodeCloud, http: httpx.AsyncClient
    ) -> None:
        for verb, status in (("revoke", 401), ("restore", 200)):
            assert (await cloud.admin.post(f"/_sandbox/accounts/acme/{verb}")).status_code == 204
            assert (await http.get("/profile")).status_code == status
        assert (await cloud.admin.post("/_sandbox/accounts/nobody/revoke")).status_code == 404

    async def test_what_is_not_there_and_what_cannot_be_done_is_told(self, http: httpx.AsyncClient) -> None:
        assert (await http.get("/nothing")).json() == NOT_FOUND
        assert (await http.get("/linode/types/does-not-exist")).json() == NOT_FOUND
        assert (await http.patch("/linode/instances")).status_code == 405
        assert (await http.post("/linode/instances", content=b"{")).json() == {"errors": [{"reason": "Invalid JSON"}]}


class TestLimits:
    async def test_each_class_of_calls_has_its_own_limit_and_each_account_too(
        self, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        tight = {"acme": Limits(creates=Window(count=1, seconds=15), lists=Window(count=2, seconds=60))}
        async with emulator(tmp_path_factory.mktemp("limits"), limits_of=tight) as cloud:
            lists = [await cloud.http.get("/regions") for _ in range(3)]
            assert [answer.status_code for answer in lists] == [200, 200, 429]
            assert [answer.headers["X-RateLimit-Remaining"] for answer in lists] == ["1", "0", "0"]
            assert lists[2].headers["X-RateLimit-Limit"] == "2"
            assert lists[2].json() == {"errors": [{"reason": "Too many requests"}]}
            assert 0 < int(lists[2].headers["Retry-After"]) <= 60
            assert (await cloud.http.get("/profile")).headers["X-RateLimit-Limit"] == "1600"
            creates = [await cloud.http.post("/linode/instances", json=linode()) for _ in range(2)]
            assert [answer.status_code for answer in creates] == [200, 429]
            async with cloud.caller("beta") as beta:
                assert [(await beta.get("/regions")).status_code for _ in range(3)] == [200] * 3

    async def test_full_account_is_refused(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        async with emulator(tmp_path_factory.mktemp("full"), limits=Limits(linodes=1)) as cloud:
            await created(cloud.http)
            refused = await cloud.http.post("/linode/instances", json=linode(label="another"))
            assert refused.status_code == 400
            assert "Account Limit reached" in refused.json()["errors"][0]["reason"]


class TestLists:
    @pytest.mark.parametrize("query", ["page_size=24", "page_size=501", "page=0", "page_size=x"])
    async def test_pages_that_cannot_be_are_refused(self, http: httpx.AsyncClient, query: str) -> None:
        answer = await http.get(f"/linode/instances?{query}")
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["field"] == query.partition("=")[0]

    async def test_pages_tell_how_many_there_are(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        plenty = Limits(creates=Window(count=100, seconds=15), linodes=100)
        never = QUICK.model_copy(update={"create": 3600.0})
        async with emulator(tmp_path_factory.mktemp("pages"), limits=plenty, timings=never) as cloud:
            for number in range(26):
                await cloud.http.post("/linode/instances", json=linode(label=f"web-{number}"))
            pages = [(await cloud.http.get(f"/linode/instances?page_size=25&page={n}")).json() for n in (1, 2)]
            assert [(len(one["data"]), one["page"], one["pages"], one["results"]) for one in pages] == [
                (25, 1, 2, 26), (1, 2, 2, 26)]  # fmt: skip
            assert (await cloud.http.get("/linode/instances?page=2")).json() == NOT_FOUND

    async def test_filters_find_what_fits(self, http: httpx.AsyncClient) -> None:
        first = await created(http, label="web-1", tags=["blue"])
        await created(http, label="web-2", tags=["blue", "green"], region="us-east")
        assert await labels(http, label="web-1") == ["web-1"]
        assert await labels(http, tags="blue") == ["web-1", "web-2"]
        assert await labels(http, region="us-east", tags="green") == ["web-2"]
        assert await labels(http, id=first) == ["web-1"]
        assert await labels(http, **{"+or": [{"tags": "green"}, {"id": first}]}) == ["web-1", "web-2"]
        assert await labels(http, **{"+and": [{"tags": "green"}, {"id": first}]}) == []
        assert await labels(http, label={"+contains": "WEB"}, id={"+gt": first}) == ["web-2"]
        assert await labels(http, **{"+order_by": "label", "+order": "desc"}) == ["web-2", "web-1"]
        assert await labels(http, label={"+neq": "web-1"}) == ["web-2"]

    @pytest.mark.parametrize(
        ("path", "header", "reason"),
        [
            ("/linode/instances", '{"foo": 1}', "Cannot filter on foo"),
            ("/linode/instances", '{"+or": [{"status": "running"}]}', "Cannot filter on status"),
            ("/regions", '{"id": "us-east"}', "Cannot filter on id"),
            ("/linode/instances", "[]", "Could not apply filter"),
            ("/linode/types", "{", "Could not apply filter"),
            ("/linode/types", '{"label": {"+like": "x"}}', "Could not apply filter"),
        ],
    )
    async def test_filters_that_are_none_are_refused(
        self, http: httpx.AsyncClient, path: str, header: str, reason: str
    ) -> None:
        answer = await http.get(path, headers={"X-Filter": header})
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["reason"] == reason


class TestCatalogue:
    async def test_what_is_sold_is_told_one_by_one_and_all_together(self, http: httpx.AsyncClient) -> None:
        for path in ("/linode/types", "/regions", "/images"):
            every = (await http.get(path)).json()["data"]
            for one in every:
                assert (await http.get(f"{path}/{quote(one['id'], safe='')}")).json() == one

    async def test_prices_differ_by_region(self, http: httpx.AsyncClient) -> None:
        nanode = (await http.get("/linode/types/g6-nanode-1")).json()
        assert nanode["price"] == {"hourly": 0.0075, "monthly": 5.0}
        assert {one["id"]: one["monthly"] for one in nanode["region_prices"]} == {"id-cgk": 6.0, "br-gru": 7.0}

    async def test_account_and_profile_are_told(self, http: httpx.AsyncClient) -> None:
        assert (await http.get("/account")).json()["company"] == "acme"
        assert (await http.get("/profile")).json()["restricted"] is False

    async def test_own_stackscripts_stand_beside_everybody_s(self, http: httpx.AsyncClient) -> None:
        script = '#!/bin/bash\n# <UDF name="colour" label="Colour" oneof="red,blue">\n'
        body = {"label": "ours", "images": ["linode/debian13"], "script": script}
        made = (await http.post("/linode/stackscripts", json=body)).json()
        assert made["user_defined_fields"] == [
            {"name": "colour", "label": "Colour", "oneof": "red,blue", "example": ""}
        ]
        mine = await http.get("/linode/stackscripts", headers={"X-Filter": '{"mine": true}'})
        assert [one["id"] for one in mine.json()["data"]] == [made["id"]]
        public = await http.get("/linode/stackscripts", headers={"X-Filter": '{"is_public": true}'})
        assert len(public.json()["data"]) == 2
        path = f"/linode/stackscripts/{made['id']}"
        assert (await http.put(path, json={"label": "renamed"})).json()["label"] == "renamed"
        assert (await http.get(path)).json()["label"] == "renamed"
        assert (await http.delete(path)).json() == {}
        assert (await http.get(path)).json() == NOT_FOUND
        for wrong in ({"label": "x"}, {"script": "echo"}, {"images": ["linode/none"]}):
            assert (await http.post("/linode/stackscripts", json={**body, **wrong})).status_code == 400


class TestCreation:
    async def test_answer_holds_the_whole_linode_with_its_address(
        self, cloud: LinodeCloud, http: httpx.AsyncClient
    ) -> None:
        new = (await http.post("/linode/instances", json=linode(backups_enabled=True, private_ip=True))).json()
        assert (new["status"], new["label"], new["image"]) == ("provisioning", linode()["label"], "linode/debian13")
        assert len(new["ipv4"]) == 2
        assert new["has_user_data"]
        assert new["backups"]["enabled"]
        assert await settled(http, new["id"]) == "running"
        assert (await http.get(f"/linode/instances/{new['id']}")).json()["ipv4"] == new["ipv4"]
        spec = cloud.driver.specs[f"linode-{new['id']}"]
        assert (spec.address, spec.user_data, spec.authorized_keys) == (new["ipv4"][0], USER_DATA, [SSH_KEY])
        assert (spec.hostname, spec.cpus, spec.memory_mb, spec.disk_gb) == (new["label"], 1, 1024, 25)

    async def test_events_tell_how_it_fares(self, http: httpx.AsyncClient) -> None:
        number = await created(http)
        about = {"entity.id": number, "entity.type": "linode"}
        found = (await http.get("/account/events", headers={"X-Filter": json.dumps(about)})).json()["data"]
        assert [(one["action"], one["status"], one["percent_complete"]) for one in found] == [
            ("linode_boot", "finished", 100), ("linode_create", "finished", 100)]  # fmt: skip
        assert found[1]["secondary_entity"]["id"] == "linode/debian13"
        assert (await http.get(f"/account/events/{found[0]['id']}")).json() == found[0]

    async def test_label_is_one_linode_s_alone(self, cloud: LinodeCloud, http: httpx.AsyncClient) -> None:
        number = await created(http)
        again = await http.post("/linode/instances", json=linode())
        assert again.status_code == 400
        assert again.json() == {"errors": [{"reason": "Label must be unique among your linodes", "field": "label"}]}
        assert len((await cloud.state())["invoices"]) == 1
        await http.delete(f"/linode/instances/{number}")
        assert (await http.post("/linode/instances", json=linode())).status_code == 200

    async def test_without_an_image_it_ends_offline_and_cannot_boot(self, http: httpx.AsyncClient) -> None:
        number = await created(http, image=None, authorized_keys=[], metadata={})
        assert (await http.get(f"/linode/instances/{number}")).json()["status"] == "offline"
        assert (await http.post(f"/linode/instances/{number}/boot")).status_code == 400

    async def test_not_booted_it_waits_offline(self, http: httpx.AsyncClient) -> None:
        number = await created(http, booted=False)
        assert (await http.get(f"/linode/instances/{number}")).json()["status"] == "offline"
        assert (await http.post(f"/linode/instances/{number}/boot")).json() == {}

        async def runs() -> bool:
            return (await http.get(f"/linode/instances/{number}")).json()["status"] == "running"

        await until(runs)

    async def test_stackscript_is_noted_and_not_run(self, cloud: LinodeCloud, http: httpx.AsyncClient) -> None:
        data = {"soa_email_address": "a@example.com"}
        number = await created(http, stackscript_id=401697, stackscript_data=data)
        (record,) = (await cloud.state())["linodes"]
        assert (record["id"], record["stackscript"], record["stackscript_data"]) == (number, 401697, data)

    @pytest.mark.parametrize(
        ("changes", "field", "reason"),
        [
            ({"region": None}, "region", "region is required"),
            ({"region": "mars"}, "region", "region is not valid"),
            ({"type": "g6-huge"}, "type", "A valid plan type by that ID was not found"),
            ({"image": "linode/debian3"}, "image", "image is not valid"),
            ({"label": "ab"}, "label", "Length must be 3-64 characters"),
            ({"label": "a--b"}, "label", "Must only use ASCII letters, numbers, underscores, periods, and dashes."),
            ({"authorized_keys": []}, None, "Must provide valid root_pass, authorized_keys, or authorized_users"),
            ({"authorized_keys": ["ssh-rsa"]}, "authorized_keys", "SSH key is not valid"),
            ({"root_pass": "short"}, "root_pass", "Length must be 7-128 characters"),
            ({"metadata": {"user_data": "no base64!"}}, "metadata.user_data", "user_data must be valid Base64"),
            (
                {"metadata": {"user_data": base64.b64encode(bytes(65536)).decode()}},
                "metadata.user_data",
                "user_data must be at most 65535 bytes",
            ),
            ({"image": "linode/slackware15.0"}, "image", "The image does not support cloud-init"),
            ({"region": "ap-west"}, "region", "Metadata is not supported in this region"),
            ({"tags": ["ab"]}, "tags", "Length must be 3-50 characters"),
            ({"booted": "yes"}, "booted", "booted must be a boolean"),
            ({"hostname": "x"}, "hostname", "Unknown parameter"),
            ({"stackscript_id": 7}, "stackscript_id", "stackscript_id is not valid"),
            ({"stackscript_id": 401697}, "stackscript_data", "The StackScript needs the field soa_email_address"),
            (
                {"stackscript_id": 607433, "stackscript_data": {"x": "y"}},
                "stackscript_data",
                "The StackScript has no field x",
            ),
            (
                {"stackscript_id": 607433, "image": "linode/rocky9"},
                "image",
                "The image is not one of the StackScript's",
            ),
            (
                {"stackscript_id": 401697, "stackscript_data": {"soa_email_address": "a", "webserver_stack": "IIS"}},
                "stackscript_data",
                "webserver_stack must be one of Apache,NGINX",
            ),
        ],
    )
    async def test_what_cannot_be_made_is_refused_by_field(
        self, cloud: LinodeCloud, http: httpx.AsyncClient, changes: dict[str, Any], field: str | None, reason: str
    ) -> None:
        answer = await http.post("/linode/instances", json=linode(**changes))
        assert answer.status_code == 400
        (error,) = answer.json()["errors"]
        assert (error.get("field"), error["reason"]) == (field, reason)
        assert (await cloud.state())["invoices"] == []

    async def test_without_an_address_left_nothing_is_made(self, cloud: LinodeCloud, http: httpx.AsyncClient) -> None:
        async def none_left() -> str:
            raise OSError("no address is left")

        reserve, cloud.driver.reserve_address = cloud.driver.reserve_address, none_left
        with pytest.raises(OSError, match="no address"):
            await cloud.app(*(await asked_directly(cloud)))
        cloud.driver.reserve_address = reserve
        state = await cloud.state()
        assert (state["linodes"], state["invoices"], state["events"]) == ([], [], [])


async def asked_directly(cloud: LinodeCloud) -> tuple[Any, Any, Any]:
    """A creation as ASGI, past the server that would only log what goes wrong inside."""
    body = json.dumps(linode()).encode()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None: ...

    headers = [(b"authorization", f"Bearer {TOKENS['acme']}".encode())]
    scope = {"type": "http", "method": "POST", "path": "/v4/linode/instances", "headers": headers, "query_string": b"",
             "server": ("127.0.0.1", 80), "scheme": "http", "http_version": "1.1"}  # fmt: skip
    return scope, receive, send


class TestInstances:
    async def test_power_goes_through_to_the_host(self, cloud: LinodeCloud, http: httpx.AsyncClient) -> None:
        number = await created(http)
        for verb, status in (("shutdown", "offline"), ("boot", "running"), ("reboot", "running")):
            assert (await http.post(f"/linode/instances/{number}/{verb}")).json() == {}
            assert await settled(http, number) == status
        calls = [call for call, _ in cloud.driver.calls]
        assert calls == ["create", "start", "stop", "start", "stop", "start"]

    async def test_linode_at_work_is_busy_but_may_be_renamed_and_deleted(
        self, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        slow = QUICK.model_copy(update={"power": 3600.0})
        async with emulator(tmp_path_factory.mktemp("busy"), timings=slow) as cloud:
            path = f"/linode/instances/{await created(cloud.http)}"
            assert (await cloud.http.post(f"{path}/shutdown")).status_code == 200
            assert (await cloud.http.get(path)).json()["status"] == "shutting_down"
            for verb in ("boot", "reboot", "shutdown"):
                answer = await cloud.http.post(f"{path}/{verb}")
                assert (answer.status_code, answer.json()) == (400, BUSY)
            assert (await cloud.http.put(path, json={"label": "renamed"})).json()["label"] == "renamed"
            assert (await cloud.http.delete(path)).json() == {}
            assert (await cloud.http.get(path)).json() == NOT_FOUND

    async def test_deletion_ends_a_birth(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        slow = QUICK.model_copy(update={"install": 3600.0})
        async with emulator(tmp_path_factory.mktemp("unborn"), timings=slow) as cloud:
            number = (await cloud.http.post("/linode/instances", json=linode())).json()["id"]

            async def boots() -> bool:
                return (await cloud.http.get(f"/linode/instances/{number}")).json()["status"] == "booting"

            await until(boots)
            await cloud.http.delete(f"/linode/instances/{number}")

            async def gone() -> bool:
                return (await cloud.state())["linodes"][0]["phase"] == "gone"

            await until(gone)
            assert cloud.driver.specs == {}

    async def test_changes_keep_what_they_do_not_name(self, http: httpx.AsyncClient) -> None:
        number = await created(http)
        path = f"/linode/instances/{number}"
        changed = (await http.put(path, json={"tags": ["one", "two"], "alerts": {"cpu": 0}})).json()
        assert changed["tags"] == ["one", "two"]
        assert (changed["alerts"]["cpu"], changed["alerts"]["io"]) == (0, 10000)
        assert changed["label"] == linode()["label"]
        assert (await http.put(path, json={"watchdog_enabled": False, "group": "g"})).json()["group"] == "g"
        await created(http, label="other")
        taken = await http.put(path, json={"label": "other"})
        assert taken.json()["errors"][0]["reason"] == "Label must be unique among your linodes"
        assert (await http.put(path, json={"password": "x"})).status_code == 400

    async def test_tags_are_remembered_and_taken_everywhere(self, http: httpx.AsyncClient) -> None:
        number = await created(http)
        assert (await http.post("/tags", json={"label": "green", "linodes": [number]})).json() == {"label": "green"}
        assert await labels(http, tags="green") == [linode()["label"]]
        assert {tag["label"] for tag in (await http.get("/tags")).json()["data"]} == {"green", linode()["tags"][0]}
        assert (await http.delete("/tags/green")).json() == {}
        assert await labels(http, tags="green") == []
        assert (await http.delete("/tags/green")).json() == NOT_FOUND
