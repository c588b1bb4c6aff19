"""Linode's client against what it documents and was seen to answer. Every request is judged by its OpenAPI."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from domain.servers import ActionState, PowerAction
from domain.statuses import Tier
from providers.cloud.base import Account, CallLimit, Cloud, CloudServer, OrderReceipt, ServerOrder
from providers.cloud.linode import Linode, from_account
from providers.cloud.linode_wire import label_of, other_label
from providers.errors import (
    Conflict,
    InvalidInput,
    NotFound,
    ProviderError,
    QuotaExceeded,
    RateLimited,
    Rejected,
    Transient,
    Unauthorized,
    Unconfirmed,
)
from tests.providers.cloud.gates import ClosedGate, OpenGate
from tests.providers.cloud.script import (
    SECRET,
    SSH_KEY,
    TOKEN,
    Answer,
    Script,
    interactions,
    real_errors,
    routes,
    status,
)

TAG = f"slipway-{TOKEN}"
INSTANCES = "/v4/linode/instances"
ONE = f"{INSTANCES}/7"
RECORDED = interactions("linode")
LABELS = re.compile(r"^[a-zA-Z]((?!--|__|\.\.)[a-zA-Z0-9-_.])+$")  # of the official OpenAPI


def path_of(item: dict[str, Any]) -> str:
    path = item["request"]["url"].split("/v4beta")[1].partition("?")[0]
    return re.sub(r"/\d+", "/{}", path)


def recorded(method: str, path: str, code: int = 200) -> list[Any]:
    return [
        item["response"]["body"]
        for item in RECORDED
        if (item["request"]["method"], path_of(item), item["response"]["status"]) == (method, path, code)
    ]


RUNNING = next(body for body in recorded("GET", "/linode/instances/{}") if body["status"] == "running")


def order(**changes: Any) -> ServerOrder:
    return ServerOrder(
        **{
            "correlation": TOKEN,
            "product": "g6-standard-1",
            "availability_zone": "nl-ams",
            "operating_system": "linode/debian13",
            "hostname": "acme-vps-1",
            "user_data": "#cloud-config\nhostname: acme-vps-1\n",
            "ssh_keys": [SSH_KEY],
            **changes,
        }
    )


def script(answer: Answer | dict[str, Any] | httpx.Response) -> Script:
    if isinstance(answer, httpx.Response):
        return Script("linode", lambda request: answer)
    return Script("linode", routes(answer) if isinstance(answer, dict) else answer)


def client(transport: Script, **changes: Any) -> Linode:
    return Linode(token=SECRET, transport=transport, **changes)


def instance(**changes: Any) -> dict[str, Any]:
    return {**RUNNING, "id": 7, "label": "acme-vps-1", "tags": ["slipway", TAG], **changes}


def shown(**changes: Any) -> httpx.Response:
    return status(200, instance(**changes))


def listed(*items: Any) -> httpx.Response:
    return status(200, {"data": list(items), "page": 1, "pages": 1, "results": len(items)})


def refused(reason: str, field: str | None = None, code: int = 400) -> httpx.Response:
    return status(code, {"errors": [{"reason": reason, **({"field": field} if field else {})}]})


TAKEN = refused("Label must be unique among your linodes", "label")
NO_TAGS = refused("You must be an unrestricted User in order to add or modify tags on Linodes", "tags")

Call = Callable[[Linode], Awaitable[Any]]
CALLS: dict[tuple[str, str], Call] = {
    ("GET", "/profile"): lambda c: c.verify_credentials(),
    ("GET", "/images"): lambda c: c.images(),
    ("GET", "/regions"): lambda c: c.regions(),
    ("GET", "/linode/types"): lambda c: c.sizes(),
    ("GET", "/linode/stackscripts"): lambda c: c._all("/linode/stackscripts"),
    ("GET", "/linode/stackscripts/{}"): lambda c: c._read("/linode/stackscripts/1413819"),
    ("GET", "/linode/instances"): lambda c: c.list(),
    ("POST", "/linode/instances"): lambda c: c.order(order()),
    ("GET", "/linode/instances/{}"): lambda c: c.get("82372946"),
    ("PUT", "/linode/instances/{}"): lambda c: c._retag("82372946", ["slipway"]),
    ("DELETE", "/linode/instances/{}"): lambda c: c.cancel("82372946", immediately=True),
    ("POST", "/linode/instances/{}/boot"): lambda c: c.power("82372946", PowerAction.POWER_ON),
    ("POST", "/linode/instances/{}/shutdown"): lambda c: c.power("82372946", PowerAction.SHUTDOWN),
}


def name_of(item: dict[str, Any]) -> str:
    return f"{item['file']}:{item['request']['method']}:{path_of(item)}:{item['response']['status']}"


class TestRecorded:
    @pytest.mark.parametrize("item", [i for i in RECORDED if i["response"]["status"] < 400], ids=name_of)
    async def test_every_success_is_understood(self, item: dict[str, Any]) -> None:
        def answer(request: httpx.Request) -> httpx.Response:
            last = int(request.url.params.get("page", 1)) >= 2  # only the first page was recorded
            body = item["response"]["body"]
            return listed() if last else status(200, {**body, "pages": 2} if "pages" in body else body)

        transport = script(answer)
        await CALLS[item["request"]["method"], path_of(item)](client(transport))
        assert path_of(item) in [re.sub(r"/\d+", "/{}", call.url.path.removeprefix("/v4")) for call in transport.calls]

    @pytest.mark.parametrize("item", [i for i in RECORDED if i["response"]["status"] >= 400], ids=name_of)
    async def test_every_error_keeps_its_sentence(self, item: dict[str, Any]) -> None:
        (error,) = item["response"]["body"]["errors"]
        expected = {404: NotFound, 429: RateLimited, 503: Transient}.get(item["response"]["status"], InvalidInput)
        if "busy" in error["reason"]:
            expected = Transient
        elif "contact support" in error["reason"].lower():
            expected = QuotaExceeded
        with pytest.raises(expected) as caught:
            await client(script(status(item["response"]["status"], item["response"]["body"]))).get("7")
        assert caught.value.message == error["reason"]
        assert (caught.value.provider, caught.value.field) == ("linode", error.get("field"))

    @pytest.mark.parametrize("item", real_errors("linode"), ids=lambda item: f"{item['status']}-{item['body']}"[:60])
    async def test_errors_seen_in_the_world_are_told_apart(self, item: dict[str, Any]) -> None:
        body, headers = item["body"], item.get("headers")
        answer = (
            httpx.Response(item["status"], content=body, headers=headers)
            if isinstance(body, str)
            else status(item["status"], body, headers)
        )
        expected: dict[int, type[ProviderError]] = {408: Unconfirmed, 503: Unconfirmed, 404: NotFound}
        kind = expected.get(item["status"], Transient if isinstance(body, str) else InvalidInput)
        if "unique" in str(body):
            kind = Unconfirmed  # taken, and in no list
        with pytest.raises(ProviderError) as caught:
            await client(script({f"POST {INSTANCES}": answer, f"GET {INSTANCES}": listed()})).order(order())
        assert type(caught.value) is kind


class TestOrder:
    async def test_request_is_the_documented_one(self) -> None:
        transport = script({f"POST {INSTANCES}": shown(status="provisioning")})
        receipt = await client(transport).order(order(user_data="#cloud-config\nname: é\n", tags=["production", "web"]))
        assert receipt == OrderReceipt(provider_ref="7")
        assert transport.made == [f"POST {INSTANCES}"]
        body = transport.body()
        assert base64.b64decode(body.pop("metadata")["user_data"]).decode() == "#cloud-config\nname: é\n"
        assert body == {
            "label": TAG,
            "region": "nl-ams",
            "type": "g6-standard-1",
            "image": "linode/debian13",
            "authorized_keys": [SSH_KEY],
            "backups_enabled": False,
            "private_ip": False,
            "booted": True,
            "tags": ["slipway", TAG, "production", "web"],
        }

    async def test_options_are_passed_on(self) -> None:
        transport = script({f"POST {INSTANCES}": shown()})
        await client(transport).order(
            order(backups=True, private_ip=True, root_password=SecretStr("correct-horse"), stackscript=12345,
                  stackscript_data={"hostname": "myserver"}, ssh_keys=[], user_data="", ipv6=True)
        )  # fmt: skip
        body = transport.body()
        assert (body["backups_enabled"], body["private_ip"], body["root_pass"]) == (True, True, "correct-horse")
        assert (body["stackscript_id"], body["stackscript_data"]) == (12345, {"hostname": "myserver"})
        assert "metadata" not in body

    async def test_label_that_is_taken_leads_to_the_server_of_the_first_order(self) -> None:
        transport = script({f"POST {INSTANCES}": TAKEN, f"GET {INSTANCES}": listed(instance(label=TAG))})
        assert await client(transport).order(order()) == OrderReceipt(provider_ref="7")
        assert json.loads(transport.calls[-1].headers["X-Filter"]) == {"label": TAG}

    async def test_order_that_is_sent_twice_makes_one_server(self) -> None:
        made: list[dict[str, Any]] = []

        def create(request: httpx.Request) -> httpx.Response:
            if made:
                return TAKEN
            made.append(instance(label=json.loads(request.content)["label"]))
            raise httpx.ReadTimeout("", request=request)

        transport = script({f"POST {INSTANCES}": create, f"GET {INSTANCES}": lambda request: listed(*made)})
        cloud = client(transport)
        with pytest.raises(Unconfirmed):
            await cloud.order(order())
        assert await cloud.order(order()) == OrderReceipt(provider_ref="7")

    async def test_label_of_another_server_is_not_adopted(self) -> None:
        transport = script({f"POST {INSTANCES}": TAKEN, f"GET {INSTANCES}": listed(instance(label="other"))})
        with pytest.raises(Unconfirmed):
            await client(transport).order(order())

    @pytest.mark.parametrize("refusal", [NO_TAGS, refused("You must be an unrestricted User to add tags", code=403)])
    async def test_user_who_may_not_give_tags_orders_without_them(self, refusal: httpx.Response) -> None:
        def create(request: httpx.Request) -> httpx.Response:
            return refusal if "tags" in json.loads(request.content) else shown(label=TAG, tags=[])

        transport = script({f"POST {INSTANCES}": create})
        assert await client(transport).order(order()) == OrderReceipt(provider_ref="7")
        assert transport.body()["label"] == TAG
        assert len(transport.calls) == 2

    @pytest.mark.parametrize(
        "answer",
        [status(200), status(200, {}), status(200, []), httpx.Response(200, content=b"<html>back soon</html>")],
    )
    async def test_success_that_names_no_server_is_unconfirmed(self, answer: httpx.Response) -> None:
        with pytest.raises(Unconfirmed):
            await client(script(answer)).order(order())

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"correlation": ""}, "correlation"),
            ({"user_data": "é" * 32768}, "user_data"),
            ({"tags": ["ab"]}, "tags"),
            ({"tags": ["x" * 51]}, "tags"),
            ({"ssh_keys": ["12345"]}, "ssh_keys"),
            ({"stackscript_data": {"a": "b"}}, "stackscript_data"),
            ({"app": "wordpress"}, "app"),
            ({"monitoring": True}, "monitoring"),
            ({"vpc": "1"}, "vpc"),
        ],
    )
    async def test_what_it_would_not_take_is_refused_before_anything_is_sent(
        self, changes: dict[str, Any], field: str
    ) -> None:
        transport = script({f"POST {INSTANCES}": shown()})
        for call in (client(transport).order, client(transport).check_order):
            with pytest.raises(InvalidInput) as caught:
                await call(order(**changes))
            assert caught.value.field == field
        assert not transport.calls

    async def test_a_server_nobody_could_sign_in_to_is_not_ordered(self) -> None:
        """A quote knows no keys yet, so only the order itself is held to it."""
        transport = script({f"POST {INSTANCES}": shown()})
        with pytest.raises(InvalidInput) as caught:
            await client(transport).order(order(ssh_keys=[]))
        assert caught.value.field == "ssh_keys"
        assert not transport.calls

    async def test_longest_cloud_config_is_taken(self) -> None:
        transport = script({f"POST {INSTANCES}": shown()})
        await client(transport).order(order(user_data="x" * 65535))
        assert len(base64.b64decode(transport.body()["metadata"]["user_data"])) == 65535


BODIES = (b"", b"<html><h1>Bad Gateway</h1></html>", b'{"errors": null}', b'{"errors": [{"reason": null}, 7]}', b"[]",
          b"\xff\xfe")  # fmt: skip
READ: dict[int, type[ProviderError]] = {
    400: InvalidInput, 401: Unauthorized, 403: Unauthorized, 404: NotFound, 405: Rejected, 408: Transient,
    409: Conflict, 422: InvalidInput, 429: RateLimited, 500: Transient, 502: Transient, 503: Transient, 504: Transient,
    302: Transient,
}  # fmt: skip
CREATE = {**READ, **dict.fromkeys((408, 500, 502, 503, 504, 302), Unconfirmed)}


class TestStatuses:
    @pytest.mark.parametrize("body", BODIES)
    @pytest.mark.parametrize("code", READ)
    async def test_read_without_a_reason(self, code: int, body: bytes) -> None:
        with pytest.raises(ProviderError) as caught:
            await client(script(httpx.Response(code, content=body))).get("7")
        assert type(caught.value) is READ[code]
        assert str(code) in caught.value.message
        assert "html" not in caught.value.message

    @pytest.mark.parametrize("body", BODIES)
    @pytest.mark.parametrize("code", CREATE)
    async def test_order_without_a_reason(self, code: int, body: bytes) -> None:
        transport = script(httpx.Response(code, content=body))
        with pytest.raises(ProviderError) as caught:
            await client(transport).order(order())
        assert type(caught.value) is CREATE[code]
        assert len(transport.calls) == 1

    @pytest.mark.parametrize(
        ("reason", "theirs", "error", "field"),
        [
            ("Linode busy.", None, Transient, None),
            ("Account Limit reached. Please open a support ticket.", None, QuotaExceeded, None),
            ("The selected region has no capacity for this plan", "region", QuotaExceeded, None),
            ("region is not valid", "region", InvalidInput, "availability_zone"),
            ("type is not valid", "type", InvalidInput, "product"),
            ("image is not valid", "image", InvalidInput, "operating_system"),
            ("Password does not meet strength requirement", "root_pass", InvalidInput, "root_password"),
            ("SSH Key 1 is invalid", "authorized_keys", InvalidInput, "ssh_keys"),
            ("decoded user_data must not exceed the limit", "metadata.user_data", InvalidInput, "user_data"),
            ("A required field is missing", "stackscript_data", InvalidInput, "stackscript_data"),
            ("Unsupported maintenance policy slug format.", "maintenance_policy", InvalidInput, "maintenance_policy"),
        ],
    )
    async def test_reason_of_a_refused_order_decides(
        self, reason: str, theirs: str | None, error: type[ProviderError], field: str | None
    ) -> None:
        with pytest.raises(ProviderError) as caught:
            await client(script(refused(reason, theirs))).order(order())
        assert type(caught.value) is error
        assert caught.value.field == field
        assert caught.value.message == reason

    async def test_all_reasons_are_told(self) -> None:
        body = {"errors": [{"reason": "region is not valid", "field": "region"}, {"reason": "and so on"}]}
        with pytest.raises(InvalidInput, match="region is not valid; and so on"):
            await client(script(status(400, body))).order(order())

    async def test_create_of_many_at_once_that_is_to_be_tried_again_is_unconfirmed(self) -> None:
        with pytest.raises(Unconfirmed):
            await client(script(refused("Please try again", code=408))).order(order())

    @pytest.mark.parametrize("ordering", [True, False])
    async def test_page_of_the_proxy_is_no_refusal(self, *, ordering: bool) -> None:
        page = httpx.Response(400, content=b"<html>", headers={"Server": "nginx", "Content-Type": "text/html"})
        cloud = client(script(page))
        with pytest.raises(Transient):
            await (cloud.order(order()) if ordering else cloud.get("7"))

    @pytest.mark.parametrize("ordering", [True, False])
    async def test_maintenance_is_waited_for_longer_than_a_hiccup(self, *, ordering: bool) -> None:
        cloud = client(script(status(503, {"errors": [{"reason": "down"}]}, {"X-MAINTENANCE-MODE": "emergency"})))
        with pytest.raises(Transient) as caught:
            await (cloud.order(order()) if ordering else cloud.get("7"))
        assert caught.value.retry_after is not None
        assert caught.value.retry_after >= 600

    @pytest.mark.parametrize(
        ("headers", "low", "high"),
        [
            ({"Retry-After": "7", "X-RateLimit-Reset": "1642373790"}, 7, 7),
            ({"X-RateLimit-Reset": "1642373790", "Date": "Sun, 16 Jan 2022 22:54:50 GMT"}, 100, 100),
            ({"X-RateLimit-Reset": "soon"}, 60, 60),
            ({"X-RateLimit-Reset": str(int(time.time() * 1000))}, 3600, 3600),
            ({"X-Ratelimit-Limit": "20"}, 60, 60),
        ],
    )
    async def test_rate_limit_says_when_to_come_back(self, headers: dict[str, str], low: int, high: int) -> None:
        with pytest.raises(RateLimited) as caught:
            await client(script(status(429, {"errors": [{"reason": "Too many requests"}]}, headers))).list()
        assert caught.value.retry_after is not None
        assert low <= caught.value.retry_after <= high


class TestSilence:
    NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
    DOUBTFUL = (httpx.ReadError, httpx.ReadTimeout, httpx.WriteError, httpx.WriteTimeout, httpx.RemoteProtocolError)

    @pytest.mark.parametrize("kind", [*NEVER_LEFT, *DOUBTFUL])
    async def test_what_left_may_have_arrived(self, kind: type[httpx.TransportError]) -> None:
        def lose(request: httpx.Request) -> httpx.Response:
            raise kind(f"with {request.headers['Authorization']}", request=request)

        doubt = Transient if kind in self.NEVER_LEFT else Unconfirmed
        cloud = client(script(lose))
        for call, expected in (
            (cloud.order(order()), doubt),
            (cloud.power("7", PowerAction.REBOOT), doubt),
            (cloud.get("7"), Transient),
            (cloud.cancel("7", immediately=True), Transient),
        ):
            with pytest.raises(ProviderError) as caught:
                await call
            assert type(caught.value) is expected
            assert SECRET not in f"{caught.value!r}{caught.value.__cause__!r}"


class TestServers:
    async def test_instance_becomes_ours(self) -> None:
        assert await client(script(shown(ipv4=["192.168.130.7", "203.0.113.7"]))).get("7") == CloudServer(
            provider_ref="7", correlation=TOKEN, label="acme-vps-1", status="running", running=True,
            address="203.0.113.7", ipv6_address="1234::5678", location="ap-west", product="g6-nanode-1", cpus=1,
            memory_mb=1024, disk_gb=25, transfer_gb=1000, tags=["slipway", TAG],
        )  # fmt: skip

    async def test_nulls_and_unknown_members_are_tolerated(self) -> None:
        sparse = {**dict.fromkeys(RUNNING), "id": 7, "site_type": "core", "somethingNew": {"deep": 1}}
        server = await client(script(status(200, sparse))).get("7")
        assert (server.address, server.memory_mb, server.running, server.tags) == (None, None, False, [])

    @pytest.mark.parametrize(
        ("state", "running", "locked", "blocked"),
        [
            ("provisioning", False, True, False),
            ("booting", False, True, False),
            ("running", True, False, False),
            ("offline", False, False, False),
            ("rebooting", False, True, False),
            ("billing_suspension", False, False, True),
        ],
    )
    async def test_only_a_running_instance_runs(self, state: str, running: bool, locked: bool, blocked: bool) -> None:
        server = await client(script(shown(status=state))).get("7")
        assert (server.running, server.locked, server.blocked) == (running, locked, blocked)

    @pytest.mark.parametrize(
        ("label", "tags", "correlation"),
        [(TAG, [], TOKEN), ("slipway-shop", [], None), ("shop", [TAG], TOKEN), ("shop", ["web"], None)],
    )
    async def test_token_is_read_from_tags_or_from_the_label_of_an_order(
        self, label: str, tags: list[str], correlation: str | None
    ) -> None:
        assert (await client(script(shown(label=label, tags=tags))).get("7")).correlation == correlation

    @pytest.mark.parametrize("body", [{}, [], {"label": "no id"}])
    async def test_answer_without_the_instance_says_nothing(self, body: object) -> None:
        with pytest.raises(Transient):
            await client(script(status(200, body))).get("7")

    @pytest.mark.parametrize(
        "body",
        [{}, [], {"data": None, "pages": 1}, {"data": []}, {"data": [], "pages": None}, {"data": ["x"], "pages": 1},
         {"data": [{"label": "no id"}], "pages": 1}],
    )  # fmt: skip
    async def test_garbled_list_proves_no_absence(self, body: object) -> None:
        cloud = client(script(status(200, body)))
        for call in (cloud.list(), cloud.find(TOKEN)):
            with pytest.raises(Transient):
                await call

    async def test_search_is_for_the_tag_and_the_label_over_all_pages(self) -> None:
        everything = [
            instance(id=n, label=TAG if n % 2 else "acme", tags=[] if n % 2 else [TAG]) for n in range(1, 1101)
        ]

        def pages(request: httpx.Request) -> httpx.Response:
            assert json.loads(request.headers["X-Filter"]) == {"+or": [{"tags": TAG}, {"label": TAG}]}
            page, size = int(request.url.params["page"]), int(request.url.params["page_size"])
            part = everything[(page - 1) * size : page * size]
            return status(200, {"data": part, "page": page, "pages": 3, "results": len(everything)})

        transport = script(pages)
        found = await client(transport).find(TOKEN)
        assert [server.provider_ref for server in found] == [str(n) for n in range(1, 1101)]
        assert {server.correlation for server in found} == {TOKEN}
        assert len(transport.calls) == 3

    async def test_server_that_carries_nothing_is_not_taken_for_ours(self) -> None:
        transport = script(listed(instance(), instance(id=8, label="other", tags=["slipway"])))
        assert [server.provider_ref for server in await client(transport).find(TOKEN)] == ["7"]

    @pytest.mark.parametrize(("state", "expected"), [("provisioning", True), ("running", False), ("offline", False)])
    async def test_order_is_in_progress_while_its_server_is_provisioned(self, state: str, *, expected: bool) -> None:
        cloud = client(script({f"GET {ONE}": shown(status=state)}))
        assert await cloud.order_in_progress(OrderReceipt(provider_ref="7")) is expected
        assert not await cloud.order_in_progress(OrderReceipt(provider_ref="8"))
        assert not await cloud.order_in_progress(OrderReceipt())


class TestClaim:
    async def claim(
        self, server: dict[str, Any], put: Answer | httpx.Response | None = None, label: str = "acme-vps-1"
    ) -> Script:
        transport = script({f"GET {ONE}": shown(**server), f"PUT {ONE}": put or shown()})
        await client(transport).claim("7", label=label, correlation=TOKEN)
        return transport

    async def test_new_server_gets_the_wanted_label_and_keeps_its_tags(self) -> None:
        transport = await self.claim({"label": TAG})
        assert transport.made == [f"GET {ONE}", f"PUT {ONE}"]
        assert transport.body() == {"label": "acme-vps-1"}

    async def test_claimed_server_is_left_alone(self) -> None:
        assert (await self.claim({})).made == [f"GET {ONE}"]
        assert (await self.claim({"label": f"acme-vps-1-{TOKEN[:8]}"})).made == [f"GET {ONE}"]

    async def test_missing_tags_come_before_the_label_and_beside_those_of_others(self) -> None:
        transport = await self.claim({"label": TAG, "tags": ["web"]})
        assert [transport.body(n) for n in (1, 2)] == [{"tags": ["slipway", TAG, "web"]}, {"label": "acme-vps-1"}]

    async def test_label_that_another_server_has_gets_the_tokens_beginning(self) -> None:
        def put(request: httpx.Request) -> httpx.Response:
            return TAKEN if json.loads(request.content)["label"] == "acme-vps-1" else shown()

        assert (await self.claim({"label": TAG}, put)).body() == {"label": f"acme-vps-1-{TOKEN[:8]}"}

    async def test_label_stays_where_it_is_all_that_correlates(self) -> None:
        transport = await self.claim({"label": TAG, "tags": []}, NO_TAGS)
        assert transport.made == [f"GET {ONE}", f"PUT {ONE}"]
        assert "label" not in transport.body()

    @pytest.mark.parametrize("answer", [status(500), refused("Linode busy.")])
    async def test_trouble_is_told_and_the_same_may_be_asked_again(self, answer: httpx.Response) -> None:
        with pytest.raises(Transient):
            await self.claim({"label": TAG}, answer)

    @pytest.mark.parametrize(
        "server", [{"tags": ["slipway-" + "f" * 32]}, {"tags": [], "label": "slipway-" + "f" * 32}]
    )
    async def test_server_of_another_order_is_refused(self, server: dict[str, Any]) -> None:
        with pytest.raises(Conflict):
            await self.claim(server)

    @pytest.mark.parametrize(
        ("wanted", "label"),
        [("acme-vps-1", "acme-vps-1"), ("7up", "server-7up"), ("my  shop!", "my-shop"), ("a--b..c", "a-b.c"),
         ("", "server"), ("ab", "server-ab"), ("x" * 70, "x" * 64), ("-é-", "server"), ("x" * 63 + "-y", "x" * 63)],
    )  # fmt: skip
    def test_labels_are_as_linode_takes_them(self, wanted: str, label: str) -> None:
        assert label_of(wanted) == label
        for name in (label, other_label(wanted, TOKEN)):
            assert LABELS.match(name)
            assert 3 <= len(name) <= 64


class TestCancel:
    @pytest.mark.parametrize("immediately", [True, False])
    async def test_both_ways_delete_at_once_and_end_billing(self, *, immediately: bool) -> None:
        transport = script({f"DELETE {ONE}": status(200, {})})
        result = await client(transport).cancel("7", immediately=immediately)
        assert transport.made == [f"DELETE {ONE}"]
        assert result.accepted
        assert result.billed_until is None

    async def test_server_already_gone_is_a_success(self) -> None:
        assert (await client(script({})).cancel("7", immediately=True)).note == "already gone"

    async def test_server_that_is_cloned_is_asked_again_later(self) -> None:
        with pytest.raises(Transient):
            await client(script(refused("Linode busy."))).cancel("7", immediately=True)


class TestQuarantine:
    def script(self, **server: Any) -> Script:
        done = status(200, {})
        return script({f"GET {ONE}": shown(**server), f"PUT {ONE}": shown(), f"POST {ONE}/shutdown": done,
                       f"POST {ONE}/boot": done})  # fmt: skip

    async def test_tag_first_then_shutdown(self) -> None:
        transport = self.script()
        await client(transport).quarantine("7")
        assert transport.made[1:] == [f"PUT {ONE}", f"POST {ONE}/shutdown"]
        assert transport.body(1) == {"tags": ["slipway", TAG, "quarantined-by-slipway"]}

    async def test_restore_takes_both_back(self) -> None:
        transport = self.script(status="offline", tags=["quarantined-by-slipway", "slipway", TAG])
        await client(transport).restore("7")
        assert transport.made[1:] == [f"PUT {ONE}", f"POST {ONE}/boot"]
        assert transport.body(1) == {"tags": ["slipway", TAG]}

    async def test_repeat_does_nothing(self) -> None:
        transport = self.script(status="offline", tags=["quarantined-by-slipway"])
        await client(transport).quarantine("7")
        assert transport.made == [f"GET {ONE}"]
        transport = self.script()
        await client(transport).restore("7")
        assert transport.made == [f"GET {ONE}"]

    async def test_server_is_powered_off_also_where_tags_are_refused(self) -> None:
        transport = script({f"GET {ONE}": shown(), f"PUT {ONE}": NO_TAGS, f"POST {ONE}/shutdown": status(200, {})})
        await client(transport).quarantine("7")
        assert transport.made[-1] == f"POST {ONE}/shutdown"


class TestPower:
    @pytest.mark.parametrize(
        ("action", "word"),
        [
            (PowerAction.POWER_ON, "boot"),
            (PowerAction.SHUTDOWN, "shutdown"),
            (PowerAction.POWER_OFF, "shutdown"),
            (PowerAction.REBOOT, "reboot"),
        ],
    )
    async def test_each_action_is_sent_in_linodes_words(self, action: PowerAction, word: str) -> None:
        transport = script({f"POST {ONE}/{word}": status(200, {})})
        assert await client(transport).power("7", action) is None
        assert transport.made == [f"POST {ONE}/{word}"]

    async def test_power_cycle_is_refused_before_anything_is_sent(self) -> None:
        transport = script({})
        with pytest.raises(InvalidInput) as caught:
            await client(transport).power("7", PowerAction.POWER_CYCLE)
        assert caught.value.field == "action"
        assert not transport.calls
        assert client(transport).power_actions == set(PowerAction) - {PowerAction.POWER_CYCLE}

    async def test_busy_server_is_asked_again_later(self) -> None:
        with pytest.raises(Transient):
            await client(script(refused("Linode busy."))).power("7", PowerAction.REBOOT)

    async def test_server_error_leaves_the_action_in_doubt(self) -> None:
        with pytest.raises(Unconfirmed):
            await client(script(status(502))).power("7", PowerAction.REBOOT)

    @pytest.mark.parametrize(
        ("state", "action", "expected"),
        [
            ("booting", PowerAction.POWER_ON, ActionState.RUNNING),
            ("running", PowerAction.POWER_ON, ActionState.DONE),
            ("offline", PowerAction.POWER_ON, ActionState.RUNNING),
            ("shutting_down", PowerAction.SHUTDOWN, ActionState.RUNNING),
            ("offline", PowerAction.POWER_OFF, ActionState.DONE),
            ("running", PowerAction.POWER_OFF, ActionState.RUNNING),
            ("rebooting", PowerAction.REBOOT, ActionState.RUNNING),
            ("running", PowerAction.REBOOT, ActionState.DONE),
        ],
    )
    async def test_servers_status_tells_how_it_fares(
        self, state: str, action: PowerAction, expected: ActionState
    ) -> None:
        assert await client(script(shown(status=state))).action_state("7", action, None) is expected


class TestGate:
    async def test_calls_are_counted_by_class(self) -> None:
        gate = OpenGate()
        transport = script(
            {f"POST {INSTANCES}": TAKEN, f"GET {INSTANCES}": listed(instance(label=TAG)), f"GET {ONE}": shown()}
        )
        cloud = client(transport, gate=gate)
        await cloud.order(order())
        await cloud.get("7")
        assert gate.entered == [("requests", "creates"), ("requests", "lists"), ("requests",)]

    async def test_closed_gate_proves_that_nothing_was_ordered(self) -> None:
        transport = script({f"POST {INSTANCES}": shown()})
        with pytest.raises(RateLimited):
            await client(transport, gate=ClosedGate()).order(order())
        assert not transport.calls

    async def test_refused_create_does_not_stop_other_calls(self) -> None:
        gate = OpenGate()
        with pytest.raises(RateLimited):
            await client(script(status(429, headers={"Retry-After": "9"})), gate=gate).order(order())
        assert gate.told == [("creates", 9.0)]


class TestAccount:
    async def test_configuration_decides(self) -> None:
        transport = script({"GET /v4/profile": status(200, {})})
        cloud = from_account(
            Account(
                api_key=SecretStr(SECRET),
                configuration={
                    "base_url": "https://linode.example/v4", "default_region": "us-east",
                    "default_image": "linode/ubuntu24.04", "tiers": {"starter": "g6-nanode-1"},
                    "late_accept_seconds": 30, "poll_seconds": 2, "limits": {"creates": 20},
                },
            ),
            transport=transport,
        )  # fmt: skip
        await cloud.verify_credentials()
        assert transport.calls[0].url.host == "linode.example"
        assert (cloud.default_availability_zone, cloud.default_operating_system) == ("us-east", "linode/ubuntu24.04")
        assert [cloud.product_for(tier) for tier in Tier] == ["g6-nanode-1", "g6-standard-2", "g6-standard-4"]
        assert (cloud.late_accept_window, cloud.poll_interval) == (30, 2)
        assert cloud.call_limits == (
            CallLimit(calls="requests", count=1600, seconds=3600),
            CallLimit(calls="lists", count=200, seconds=60),
            CallLimit(calls="creates", count=20, seconds=30),
        )

    async def test_account_without_a_token_is_a_value_error(self) -> None:
        with pytest.raises(ValueError, match="token"):
            from_account(Account(api_key=SecretStr("")))

    def test_it_is_a_cloud(self) -> None:
        cloud: Cloud = Linode(token=SECRET)
        assert cloud.name == "linode"
        assert (cloud.default_availability_zone, cloud.default_operating_system) == ("nl-ams", "linode/debian13")
