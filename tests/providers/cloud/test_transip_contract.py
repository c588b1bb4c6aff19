"""The client against what TransIP documents and was seen to answer. Every request it makes is looked at."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from domain.servers import PowerAction
from domain.statuses import Tier
from providers.cloud.base import Cloud, OrderReceipt
from providers.cloud.transip import TransIP
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
from tests.providers.cloud.replay import BASE, Replay, fixture, interactions, status
from tests.sandbox.transip.emulator import TOKEN, order

EXAMPLE = next(
    item["response"]["body"]["vps"]
    for item in interactions()
    if item["request"]["method"] == "GET" and item["response"]["status"] == 200 and "vps" in item["response"]["body"]
)
Call = Callable[[TransIP], Awaitable[Any]]

# Which of our calls makes a documented request.
CALLS: dict[tuple[str, str], Call] = {
    ("GET", "/api-test"): lambda c: c.verify_credentials(),
    ("GET", "/products"): lambda c: c.price("example-product-name"),
    ("GET", "/products/{}/elements"): lambda c: c.sizes(),
    ("PATCH", "/vps/{}"): lambda c: c.power("example-vps", PowerAction.POWER_ON),
    ("GET", "/availability-zones"): lambda c: c._read("/availability-zones"),
    ("GET", "/operating-systems"): lambda c: c._read("/operating-systems"),
    ("GET", "/actions"): lambda c: c.order_in_progress(OrderReceipt()),
    ("GET", "/actions/{}"): lambda c: c.order_in_progress(OrderReceipt(action_ref="123")),
    ("GET", "/actions/{}/children"): lambda c: c._children("123"),
    ("GET", "/vps"): lambda c: c.list(),
    ("POST", "/vps"): lambda c: c.order(order()),
    ("GET", "/vps/{}"): lambda c: c.get("example-vps"),
    ("PUT", "/vps/{}"): lambda c: c.claim("example-vps", label="acme-vps-1", correlation=TOKEN),
    ("DELETE", "/vps/{}"): lambda c: c.cancel("example-vps", immediately=True),
    ("GET", "/domains/{}"): lambda c: c._read("/domains/thisisadomainidonotown.com"),
}


def call_of(item: dict[str, Any]) -> tuple[str, str]:
    path = (item["request"].get("path") or item["request"]["url"].removeprefix(BASE)).partition("?")[0]
    path = re.sub(r"^(/(?:vps|actions|domains|products))/[^/]+", r"\1/{}", path)
    return item["request"]["method"], path


def made(request: httpx.Request) -> tuple[str, str]:
    return call_of({"request": {"method": request.method, "url": str(request.url)}})


def name_of(item: dict[str, Any]) -> str:
    return f"{item['file']}:{item['request']['method']}:{call_of(item)[1]}:{item['response']['status']}"


RECORDED = [item for item in interactions() if call_of(item) != ("POST", "/auth")]
SUCCESSES = [item for item in RECORDED if item["response"]["status"] < 400]
FAILURES = [item for item in RECORDED if item["response"]["status"] >= 400]


def example(request: httpx.Request) -> httpx.Response:
    """The documented answer to whatever is asked besides the call under test."""
    found = [item for item in SUCCESSES if call_of(item) == made(request)]
    if not found:
        return status(404, {"error": f"nothing recorded for {request.method} {request.url.path}"})
    return status(found[0]["response"]["status"], found[0]["response"]["body"])


def answering(wanted: tuple[str, str], answer: httpx.Response) -> Replay:
    def answers(request: httpx.Request) -> httpx.Response:
        return answer if made(request) == wanted else example(request)

    return Replay(answers)


@pytest.mark.parametrize("item", SUCCESSES, ids=name_of)
async def test_every_documented_success_is_understood(item: dict[str, Any]) -> None:
    answer = status(item["response"]["status"], item["response"]["body"])
    replay = answering(call_of(item), answer)
    await CALLS[call_of(item)](replay.client())
    assert call_of(item) in [made(call) for call in replay.calls]


EXPECTED: list[tuple[str, type[ProviderError]]] = [
    ("is blocked", Conflict),
    ("customer locked", Conflict),
    ("not found", NotFound),
    ("does not exist", NotFound),
    ("32 characters maximum", InvalidInput),
    ("not a valid cancellation time", InvalidInput),
]


@pytest.mark.parametrize("item", FAILURES, ids=name_of)
async def test_every_documented_error_keeps_its_sentence(item: dict[str, Any]) -> None:
    sentence = item["response"]["body"]["error"]
    expected = next(error for words, error in EXPECTED if words in sentence)
    replay = answering(call_of(item), status(item["response"]["status"], item["response"]["body"]))
    if call_of(item) == ("GET", "/actions/{}"):
        assert await CALLS[call_of(item)](replay.client()) is False
        return
    with pytest.raises(expected) as caught:
        await CALLS[call_of(item)](replay.client())
    assert caught.value.message == sentence
    assert caught.value.provider == "transip"


@pytest.mark.parametrize("item", fixture("real_world_errors.json")["errors"], ids=lambda item: item["body"]["error"])
async def test_errors_seen_in_the_world_are_told_apart(item: dict[str, Any]) -> None:
    expected = {401: Unauthorized, 404: NotFound, 409: Transient}[item["status"]]
    replay = Replay(lambda request: status(item["status"], item["body"]))
    with pytest.raises(expected):
        await replay.client().get("example-vps")


BODIES = (b"", b"<html><h1>Bad Gateway</h1></html>", b'{"error": null}', b"[]", b"\xff\xfe")
READ: dict[int, type[ProviderError]] = {
    400: InvalidInput, 401: Unauthorized, 403: Rejected, 404: NotFound, 405: Rejected, 406: InvalidInput,
    408: Transient, 409: Transient, 422: InvalidInput, 429: RateLimited, 500: Transient, 501: Transient,
    502: Transient, 503: Transient, 504: Transient, 302: Transient,
}  # fmt: skip
ORDER = {**READ, **dict.fromkeys((408, 500, 501, 502, 503, 504, 302), Unconfirmed)}


class TestStatuses:
    """Every documented status, with a body that is empty, no JSON, or JSON of another shape."""

    @pytest.mark.parametrize("body", BODIES)
    @pytest.mark.parametrize("code", READ)
    async def test_read_without_a_reason(self, code: int, body: bytes) -> None:
        replay = Replay(lambda request: httpx.Response(code, content=body))
        with pytest.raises(ProviderError) as caught:
            await replay.client().get("example-vps")
        assert type(caught.value) is READ[code]
        assert str(code) in caught.value.message
        assert "html" not in caught.value.message

    @pytest.mark.parametrize("body", BODIES)
    @pytest.mark.parametrize("code", ORDER)
    async def test_order_without_a_reason(self, code: int, body: bytes) -> None:
        replay = Replay(lambda request: httpx.Response(code, content=body))
        with pytest.raises(ProviderError) as caught:
            await replay.client().order(order())
        assert type(caught.value) is ORDER[code]
        assert len(replay.calls) == (2 if code == 401 else 1)  # a refused token proves that nothing happened

    @pytest.mark.parametrize(
        ("code", "sentence", "error", "field"),
        [
            (403, "You have reached the limit of VPSs for your account", QuotaExceeded, None),
            (403, "There are unpaid invoices on your account", QuotaExceeded, None),
            (406, "The product is out of stock in this availability zone", QuotaExceeded, None),
            (403, "Your access token is read-only", Unauthorized, None),
            (403, "VPS 'credit-limit-vps2' is blocked, no modification is allowed", Conflict, None),
            (406, "The provided parameter 'productName' is not valid", InvalidInput, "product"),
            (406, "Operating system 'debian-99' does not exist", InvalidInput, "operating_system"),
            (406, "This is not a valid availability zone: 'mars0'", InvalidInput, "availability_zone"),
            (404, "Product with name 'vps-bladevps-x3' not found", InvalidInput, "product"),
            (409, "Actions on VPS 'example-vps' are temporary disabled", Transient, None),
        ],
    )
    async def test_sentence_of_a_refused_order_decides(
        self, code: int, sentence: str, error: type[ProviderError], field: str | None
    ) -> None:
        replay = Replay(lambda request: status(code, {"error": sentence}))
        with pytest.raises(ProviderError) as caught:
            await replay.client().order(order())
        assert type(caught.value) is error
        assert caught.value.field == field
        assert caught.value.message == sentence

    @pytest.mark.parametrize(
        ("headers", "low", "high"),
        [
            ({"X-Rate-Limit-Reset": "in two minutes"}, 60, 125),
            ({"X-Rate-Limit-Reset": "1642373790", "Date": "Sun, 16 Jan 2022 22:54:50 GMT"}, 100, 100),
            ({"X-Rate-Limit-Reset": "1"}, 1, 1),
            ({"Retry-After": "7"}, 7, 7),
            ({"X-Rate-Limit-Reset": "soon"}, 60, 60),
            ({"X-Rate-Limit-Reset": str(int(time.time() * 1000))}, 900, 900),
            ({"Retry-After": "Sun, 22 Nov 2026 07:00:00 GMT"}, 60, 60),
            ({}, 60, 60),
        ],
    )
    async def test_rate_limit_says_when_to_come_back(self, headers: dict[str, str], low: int, high: int) -> None:
        if headers.get("X-Rate-Limit-Reset") == "in two minutes":  # of this call, not of the collection of tests
            headers = {"X-Rate-Limit-Reset": str(int(time.time()) + 120)}
        replay = Replay(lambda request: status(429, headers=headers))
        with pytest.raises(RateLimited) as caught:
            await replay.client().list()
        assert caught.value.retry_after is not None
        assert low <= caught.value.retry_after <= high


class TestSilence:
    """Connections that fail: what surely never left may be repeated, everything else of an order may not."""

    NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
    DOUBTFUL = (httpx.ReadError, httpx.ReadTimeout, httpx.WriteError, httpx.WriteTimeout, httpx.RemoteProtocolError)

    @pytest.mark.parametrize("kind", [*NEVER_LEFT, *DOUBTFUL])
    async def test_order(self, kind: type[httpx.TransportError]) -> None:
        with pytest.raises(ProviderError) as caught:
            await failing(kind).client().order(order())
        assert type(caught.value) is (Transient if kind in self.NEVER_LEFT else Unconfirmed)

    @pytest.mark.parametrize("kind", [*NEVER_LEFT, *DOUBTFUL])
    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
    async def test_read_or_update(self, method: str, kind: type[httpx.TransportError]) -> None:
        replay = failing(kind, method)
        with pytest.raises(Transient) as caught:
            await CALLS[method, "/vps/{}"](replay.client())
        assert "secret" not in caught.value.message
        assert caught.value.__cause__ is None

    async def test_nobody_listens(self) -> None:
        client = Replay(example).client(base_url="http://127.0.0.1:9/v6", transport=None)
        with pytest.raises(Transient):
            await client.order(order())
        await client.close()


def failing(kind: type[httpx.TransportError], method: str | None = None) -> Replay:
    def answer(request: httpx.Request) -> httpx.Response:
        if method is None or request.method == method:
            raise kind(f"with secret {request.headers['Authorization']}", request=request)
        return example(request)

    return Replay(answer)


class TestOrder:
    async def test_request_is_the_documented_one(self) -> None:
        replay = Replay(lambda request: status(201, [], {"Content-Location": "/v6/actions/bfa08ad9-6c12"}))
        receipt = await replay.client().order(order(user_data="#cloud-config\nname: é\n"))
        assert receipt == OrderReceipt(action_ref="bfa08ad9-6c12")
        (call,) = replay.calls
        body = json.loads(call.content)
        assert base64.b64decode(body.pop("base64InstallText")).decode() == "#cloud-config\nname: é\n"
        assert body == {
            "productName": "vps-bladevps-x4",
            "operatingSystem": "debian-13",
            "availabilityZone": "ams0",
            "description": TOKEN,
            "installFlavour": "cloudinit",
            "hostname": "acme-vps-1",
            "sshKeys": order().ssh_keys,
        }

    @pytest.mark.parametrize("answer", [status(201), status(201, []), httpx.Response(201, content=b"<html>")])
    async def test_accepted_order_may_tell_nothing(self, answer: httpx.Response) -> None:
        assert await Replay(lambda request: answer).client().order(order()) == OrderReceipt()

    async def test_success_that_is_no_acceptance_is_unconfirmed(self) -> None:
        replay = Replay(lambda request: httpx.Response(200, content=b"<html>We are back soon</html>"))
        with pytest.raises(Unconfirmed):
            await replay.client().order(order())

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"correlation": "x" * 33}, "correlation"),
            ({"correlation": ""}, "correlation"),
            ({"user_data": "é" * 24577}, "user_data"),
        ],
    )
    async def test_what_is_too_long_is_refused_before_it_is_sent(self, changes: dict[str, str], field: str) -> None:
        replay = Replay(example)
        with pytest.raises(InvalidInput) as caught:
            await replay.client().order(order(**changes))
        assert caught.value.field == field
        assert not replay.calls

    async def test_longest_cloud_config_is_taken(self) -> None:
        replay = Replay(lambda request: status(201, []))
        await replay.client().order(order(user_data="x" * 49152))
        assert len(base64.b64decode(json.loads(replay.calls[0].content)["base64InstallText"])) == 49152


class TestServers:
    async def test_sizes_are_kilobytes_and_names_lose_their_prefix(self) -> None:
        server = await Replay(example).client().get("example-vps")
        assert (server.memory_mb, server.disk_gb, server.cpus) == (4096, 150, 2)
        assert server.product == "bladevps-x1"
        assert server.address == "37.97.254.6"
        assert server.location == "ams0"
        assert server.tags == ["customTag", "anotherTag"]
        assert server.running
        assert not server.locked
        assert server.correlation is None

    async def test_nulls_and_unknown_members_are_tolerated(self) -> None:
        sparse = {**dict.fromkeys(EXAMPLE), "name": "acme-vps1", "somethingNew": {"deep": 1}, "tags": None}
        replay = Replay(lambda request: status(200, {"vps": sparse, "_links": [], "more": 1}))
        server = await replay.client().get("acme-vps1")
        assert (server.address, server.memory_mb, server.running, server.tags) == (None, None, False, [])

    @pytest.mark.parametrize("body", [{}, {"vps": None}, {"vps": []}, {"vps": {}}, []])
    async def test_answer_without_the_server_says_nothing(self, body: object) -> None:
        with pytest.raises(Transient):
            await Replay(lambda request: status(200, body)).client().get("example-vps")

    @pytest.mark.parametrize("body", [{}, {"vpss": None}, {"_links": []}, []])
    async def test_answer_without_the_list_proves_no_absence(self, body: object) -> None:
        with pytest.raises(Transient):
            await Replay(lambda request: status(200, body)).client().find(TOKEN)

    async def test_name_cannot_leave_its_place_in_the_path(self) -> None:
        replay = Replay(lambda request: status(404, {"error": "not found"}))
        with pytest.raises(NotFound):
            await replay.client().get("../products?x=1")
        assert replay.calls[0].url.raw_path == b"/v6/vps/..%2Fproducts%3Fx%3D1"

    @pytest.mark.parametrize("largest_page", [1, 2, 25, 1000])
    async def test_search_reads_all_pages_also_shorter_ones_than_asked_for(self, largest_page: int) -> None:
        everything = [{**EXAMPLE, "name": f"acme-vps{n}", "description": str(n)} for n in range(60)]
        everything[58]["description"] = TOKEN
        everything[59]["tags"] = ["slipway", f"slipway-{TOKEN}"]

        def pages(request: httpx.Request) -> httpx.Response:
            size = min(largest_page, int(request.url.params["pageSize"]))
            start = (int(request.url.params["page"]) - 1) * size
            return status(200, {"vpss": everything[start : start + size], "_links": []})

        found = await Replay(pages).client().find(TOKEN)
        assert [server.provider_ref for server in found] == ["acme-vps58", "acme-vps59"]
        assert {server.correlation for server in found} == {TOKEN}

    async def test_list_that_ignores_pages_is_read_once(self) -> None:
        replay = Replay(lambda request: status(200, {"vpss": [EXAMPLE]}))
        assert [server.provider_ref for server in await replay.client().list()] == ["example-vps"]
        assert len(replay.calls) == 2

    async def test_token_in_the_description_is_shown_as_correlation(self) -> None:
        replay = Replay(lambda request: status(200, {"vpss": [{**EXAMPLE, "description": TOKEN}]}))
        assert (await replay.client().list())[0].correlation == TOKEN


class TestClaim:
    def server(self, **changes: Any) -> Replay:
        def answer(request: httpx.Request) -> httpx.Response:
            return status(200, {"vps": {**EXAMPLE, **changes}}) if request.method == "GET" else status(204)

        return Replay(answer)

    async def test_label_and_tags_are_put_beside_the_tags_of_others(self) -> None:
        replay = self.server(description=TOKEN, somethingNew=1)
        await replay.client().claim("example-vps", label="acme-vps-1", correlation=TOKEN)
        put = replay.calls[-1]
        sent = json.loads(put.content)["vps"]
        assert put.method == "PUT"
        assert sent["description"] == "acme-vps-1"
        assert sent["tags"] == ["slipway", f"slipway-{TOKEN}", "customTag", "anotherTag"]
        assert sent["isCustomerLocked"] is False
        assert sent["somethingNew"] == 1

    async def test_label_is_cut_to_what_transip_allows(self) -> None:
        replay = self.server()
        await replay.client().claim("example-vps", label="x" * 40, correlation=TOKEN)
        assert json.loads(replay.calls[-1].content)["vps"]["description"] == "x" * 32

    async def test_claimed_server_is_left_alone(self) -> None:
        replay = self.server(description="acme-vps-1", tags=[f"slipway-{TOKEN}", "slipway"])
        await replay.client().claim("example-vps", label="acme-vps-1", correlation=TOKEN)
        assert [call.method for call in replay.calls] == ["GET"]

    async def test_server_of_another_order_is_refused(self) -> None:
        replay = self.server(tags=["slipway", "slipway-ffffffffffffffffffffffffffffffff"])
        with pytest.raises(Conflict):
            await replay.client().claim("example-vps", label="acme-vps-1", correlation=TOKEN)
        assert [call.method for call in replay.calls] == ["GET"]


class TestCancel:
    PENDING = status(409, {"error": "VPS 'example-vps' has a cancellation pending"})

    @pytest.mark.parametrize(("immediately", "end"), [(True, "immediately"), (False, "end")])
    async def test_end_is_always_named(self, *, immediately: bool, end: str) -> None:
        replay = Replay(example)
        result = await replay.client().cancel("example-vps", immediately=immediately)
        assert json.loads(replay.calls[-1].content) == {"endTime": end}
        assert replay.calls[-1].method == "DELETE"
        assert result.accepted
        assert (result.billed_until is None) is immediately

    @pytest.mark.parametrize("immediately", [True, False])
    async def test_server_already_gone_is_a_success(self, *, immediately: bool) -> None:
        replay = Replay(lambda request: status(404, {"error": "VPS with identifier 'example-vps' not found"}))
        result = await replay.client().cancel("example-vps", immediately=immediately)
        assert result.accepted
        assert result.billed_until is None

    @pytest.mark.parametrize("immediately", [True, False])
    async def test_pending_cancellation_is_a_success_that_stays_billed(self, *, immediately: bool) -> None:
        replay = answering(("DELETE", "/vps/{}"), self.PENDING)
        result = await replay.client().cancel("example-vps", immediately=immediately)
        assert result.accepted
        assert result.billed_until is not None
        assert "already cancelled" in result.note

    async def test_repeat_of_a_removal_that_runs_is_not_billed(self) -> None:
        removing = {"vps": {**EXAMPLE, "isLocked": True}}
        replay = Replay(lambda request: self.PENDING if request.method == "DELETE" else status(200, removing))
        result = await replay.client().cancel("example-vps", immediately=True)
        assert result.billed_until is None

    async def test_busy_server_is_asked_again_later(self) -> None:
        busy = status(409, {"error": "VPS 'cancel-me' has an action running, no modification is allowed"})
        with pytest.raises(Transient):
            await answering(("DELETE", "/vps/{}"), busy).client().cancel("cancel-me", immediately=True)


class TestProgress:
    async def ask(self, answers: dict[str, httpx.Response], ref: str | None = "a1") -> bool:
        replay = Replay(lambda request: answers.get(request.url.path, status(404)))
        return await replay.client().order_in_progress(OrderReceipt(action_ref=ref))

    def actions(self, *states: str, resource: str = "") -> httpx.Response:
        items = [
            {"uuid": f"a{n}", "status": state, "resourceType": "vps", "resourceIdentifier": resource}
            for n, state in enumerate(states)
        ]
        return status(200, {"actions": items})

    async def test_running_action(self) -> None:
        assert await self.ask({"/v6/actions/a1": status(200, {"action": {"status": "running", "metadata": {}}})})

    @pytest.mark.parametrize("path", ["/v6/actions/a1/children", "/v6/actions/children/a1"])
    async def test_finished_action_with_a_running_child_on_either_path(self, path: str) -> None:
        finished = status(200, {"action": {"status": "finished"}})
        assert await self.ask({"/v6/actions/a1": finished, path: self.actions("finished", "running")})

    async def test_finished_or_unknown_action(self) -> None:
        assert not await self.ask({"/v6/actions/a1": status(200, {"action": {"status": "finished"}})})
        assert not await self.ask({})

    async def test_lost_receipt_looks_for_work_on_unlisted_servers(self) -> None:
        servers = status(200, {"vpss": [EXAMPLE]})
        nothing = {"/v6/actions": self.actions(), "/v6/vps": servers}
        elsewhere = {"/v6/actions": self.actions("running", resource="example-vps"), "/v6/vps": servers}
        ours = {"/v6/actions": self.actions("running"), "/v6/vps": servers}
        assert [await self.ask(answers, None) for answers in (nothing, elsewhere, ours)] == [False, False, True]


class TestCatalogue:
    async def test_products_of_the_tiers(self) -> None:
        client = Replay(example).client()
        assert [client.product_for(tier) for tier in Tier] == ["bladevps-x2", "bladevps-x4", "bladevps-x8"]

    @pytest.mark.parametrize("name", ["bladevps-x4", "vps-bladevps-x4"])
    async def test_price_is_what_each_month_costs(self, name: str) -> None:
        listed = {"name": "vps-bladevps-x4", "price": 100, "recurringPrice": 2000}
        price = await Replay(lambda request: status(200, {"products": {"vps": [listed]}})).client().price(name)
        assert (price.product, price.cents_month, price.currency) == ("bladevps-x4", 2000, "EUR")

    async def test_product_that_is_not_sold_is_named(self) -> None:
        with pytest.raises(InvalidInput) as caught:
            await Replay(example).client().price("bladevps-x3")
        assert caught.value.field == "product"

    async def test_price_that_is_not_told_is_not_made_up(self) -> None:
        listed = {"name": "vps-bladevps-x4", "price": None, "recurringPrice": None}
        replay = Replay(lambda request: status(200, {"products": {"vps": [listed]}}))
        with pytest.raises(InvalidInput):
            await replay.client().price("bladevps-x4")


def test_it_is_a_cloud() -> None:
    client: Cloud = Replay(example).client(late_accept_window=7, poll_interval=3)
    assert (client.name, client.late_accept_window, client.poll_interval) == ("transip", 7, 3)
    assert (client.default_availability_zone, client.default_operating_system) == ("ams0", "debian-13")
