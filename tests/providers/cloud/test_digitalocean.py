"""DigitalOcean's client against what it documents and was seen to answer. Every request is judged by its OpenAPI."""

from __future__ import annotations

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
from providers.cloud.digitalocean import DigitalOcean, from_account
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
FINGERPRINT = "3b:16:e4:bf:8b:00:8b:b8:59:8c:a9:d3:f0:19:fa:45"
DOCUMENTED = interactions("digitalocean")


def path_of(item: dict[str, Any]) -> str:
    path = str(item["request"].get("path") or item["request"]["url"]).partition("?")[0]
    return re.sub(r"(droplets|actions|images|keys)/[^/]+", r"\1/{}", path)


def example(method: str, path: str, code: int = 200, number: int = 0) -> Any:
    found = [
        item["response"]["body"]
        for item in DOCUMENTED
        if (item["request"]["method"], path_of(item), item["response"]["status"]) == (method, path, code)
    ]
    return found[number]


DROPLET = example("GET", "/v2/droplets/{}")["droplet"]
ACCEPTED = {
    "droplet": {**DROPLET, "id": 7, "status": "new", "locked": True, "networks": {"v4": [], "v6": []}, "tags": []},
    "links": {
        "actions": [{"id": 36805096, "rel": "create", "href": "https://api.digitalocean.com/v2/actions/36805096"}]
    },
}
KEY_ADDED = status(201, {"ssh_key": {"id": 512190, "fingerprint": FINGERPRINT, "public_key": SSH_KEY, "name": "x"}})
KEY_IN_USE = status(422, {"id": "unprocessable_entity", "message": "SSH Key is already in use on your account"})
ORDERED = {"POST /v2/account/keys": KEY_ADDED, "POST /v2/droplets": status(202, ACCEPTED)}


def order(**changes: Any) -> ServerOrder:
    return ServerOrder(
        **{
            "correlation": TOKEN,
            "product": "s-1vcpu-1gb",
            "availability_zone": "nyc3",
            "operating_system": "ubuntu-20-04-x64",
            "hostname": "acme-vps-1",
            "user_data": "#cloud-config\nhostname: acme-vps-1\n",
            "ssh_keys": [SSH_KEY],
            **changes,
        }
    )


def script(answer: Answer | dict[str, Any] | httpx.Response) -> Script:
    if isinstance(answer, httpx.Response):
        return Script("digitalocean", lambda request: answer)
    return Script("digitalocean", routes(answer) if isinstance(answer, dict) else answer)


def client(transport: Script, **changes: Any) -> DigitalOcean:
    return DigitalOcean(token=SECRET, transport=transport, **changes)


def listed(name: str, items: list[Any], **more: Any) -> httpx.Response:
    return status(200, {name: items, "links": {}, "meta": {"total": len(items)}, **more})


def droplet(**changes: Any) -> dict[str, Any]:
    return {**DROPLET, "id": 7, "name": "acme-vps-1", "tags": ["slipway", TAG], **changes}


def shown(**changes: Any) -> httpx.Response:
    return status(200, {"droplet": droplet(**changes)})


Call = Callable[[DigitalOcean], Awaitable[Any]]
CALLS: dict[tuple[str, str], Call] = {
    ("GET", "/v2/account"): lambda c: c.verify_credentials(),
    ("GET", "/v2/account/keys/{}"): lambda c: c._read("/v2/account/keys/512189"),
    ("GET", "/v2/droplets"): lambda c: c.list(),
    ("POST", "/v2/droplets"): lambda c: c.order(order(ssh_keys=[])),
    ("GET", "/v2/droplets/{}"): lambda c: c.get("3164444"),
    ("DELETE", "/v2/droplets/{}"): lambda c: c.cancel("3164444", immediately=True),
    ("GET", "/v2/droplets/{}/actions"): lambda c: c.order_in_progress(OrderReceipt(provider_ref="3164444")),
    ("GET", "/v2/actions"): lambda c: c._actions("/v2/actions"),
    ("GET", "/v2/actions/{}"): lambda c: c.order_in_progress(OrderReceipt(action_ref="36804636")),
    ("GET", "/v2/images"): lambda c: c.images(),
    ("GET", "/v2/images/{}"): lambda c: c._image("6918990", field="operating_system"),
    ("GET", "/v2/sizes"): lambda c: c.sizes(),
    ("GET", "/v2/regions"): lambda c: c.regions(),
    ("GET", "/v2/1-clicks"): lambda c: c._one_clicks(),
}


def name_of(item: dict[str, Any]) -> str:
    return f"{item['file']}:{item['request']['method']}:{path_of(item)}:{item['response']['status']}"


class TestDocumented:
    @pytest.mark.parametrize("item", [i for i in DOCUMENTED if i["response"]["status"] < 400], ids=name_of)
    async def test_every_success_is_understood(self, item: dict[str, Any]) -> None:
        method, path = item["request"]["method"], path_of(item)
        transport = script(status(item["response"]["status"], item["response"]["body"]))
        call = CALLS[method, path](client(transport))
        if (method, path) == ("POST", "/v2/droplets"):
            with pytest.raises(Unconfirmed):  # two droplets are shown, and one was ordered
                await call
        else:
            await call
        assert f"{method} {path}" in [
            re.sub(r"(droplets|actions|images|keys)/[^/]+", r"\1/{}", m) for m in transport.made
        ]

    @pytest.mark.parametrize("item", [i for i in DOCUMENTED if i["response"]["status"] >= 400], ids=name_of)
    async def test_every_error_keeps_its_sentence(self, item: dict[str, Any]) -> None:
        method, path, code = item["request"]["method"], path_of(item), item["response"]["status"]
        call = CALLS[method, path](client(script(status(code, item["response"]["body"]))))
        if (method, code) == ("DELETE", 404):
            assert (await call).note == "already gone"
        elif (path, code) == ("/v2/actions/{}", 404):
            assert await call is False
        else:
            expected = {401: Unauthorized, 404: NotFound, 500: Unconfirmed if method == "POST" else Transient}[code]
            with pytest.raises(InvalidInput if path == "/v2/images/{}" else expected) as caught:
                await call
            assert path == "/v2/images/{}" or caught.value.message == item["response"]["body"]["message"]
            assert caught.value.provider == "digitalocean"

    @pytest.mark.parametrize("item", real_errors("digitalocean"), ids=lambda item: item["body"]["message"])
    async def test_errors_seen_in_the_world_are_told_apart(self, item: dict[str, Any]) -> None:
        about_keys = "key" in item["note"]
        expected: tuple[type[ProviderError], str | None] = {
            401: (Unauthorized, None), 429: (RateLimited, None),
            422: (InvalidInput, "ssh_keys" if about_keys else "operating_system"),
        }[item["status"]]  # fmt: skip
        if "already in use" in item["body"]["message"]:
            expected = (Transient, None)  # in use, and not to be seen
        answers = {
            **ORDERED,
            f"POST /v2/{'account/keys' if about_keys else 'droplets'}": status(item["status"], item["body"]),
        }
        with pytest.raises(ProviderError) as caught:
            await client(script(answers)).order(order())
        assert (type(caught.value), caught.value.field) == expected


class TestOrder:
    async def test_request_is_the_documented_one(self) -> None:
        transport = script(ORDERED)
        receipt = await client(transport).order(order(user_data="#cloud-config\nname: é\n", tags=["production", "web"]))
        assert receipt == OrderReceipt(action_ref="36805096", provider_ref="7")
        assert transport.made == ["POST /v2/account/keys", "POST /v2/droplets"]
        assert transport.body(0) == {"name": TAG, "public_key": SSH_KEY}
        assert transport.body() == {
            "name": "acme-vps-1",
            "region": "nyc3",
            "size": "s-1vcpu-1gb",
            "image": "ubuntu-20-04-x64",
            "ssh_keys": [512190],
            "backups": False,
            "ipv6": False,
            "monitoring": False,
            "tags": ["slipway", TAG, "production", "web"],
            "user_data": "#cloud-config\nname: é\n",
        }

    async def test_options_are_passed_on(self) -> None:
        transport = script(ORDERED)
        vpc = "760e09ef-dc84-11e8-981e-3cfdfeaae000"
        await client(transport).order(
            order(backups=True, monitoring=True, ipv6=True, vpc=vpc, operating_system="6918990")
        )
        body = transport.body()
        assert (body["backups"], body["monitoring"], body["ipv6"], body["vpc_uuid"]) == (True, True, True, vpc)
        assert body["image"] == 6918990

    async def test_root_password_is_never_sent(self) -> None:
        transport = script(ORDERED)
        await client(transport).order(order(root_password=SecretStr("correct-horse")))
        assert not any(b"correct-horse" in call.content for call in transport.calls)

    @pytest.mark.parametrize(
        ("app", "image"), [("wordpress-18-04", "wordpress-18-04"), ("wordpress", "wordpress-20-04"), ("own", "own")]
    )
    async def test_application_replaces_the_system(self, app: str, image: str) -> None:
        clicks = [{"slug": "wordpress-20-04", "type": "droplet"}, {"slug": "wordpress-18-04", "type": "droplet"}]
        transport = script({**ORDERED, "GET /v2/1-clicks": status(200, {"1_clicks": clicks})})
        await client(transport).order(order(app=app))
        assert transport.body()["image"] == image

    async def test_answer_may_be_a_list_of_one(self) -> None:
        answer = {"droplets": [ACCEPTED["droplet"]], "links": {}}
        transport = script({**ORDERED, "POST /v2/droplets": status(202, answer)})
        assert await client(transport).order(order()) == OrderReceipt(provider_ref="7")

    @pytest.mark.parametrize(
        "answer",
        [status(202), status(202, {}), status(200, []), status(202, {"droplet": None}),
         httpx.Response(200, content=b"<html>We are back soon</html>")],
    )  # fmt: skip
    async def test_success_that_names_no_droplet_is_unconfirmed(self, answer: httpx.Response) -> None:
        with pytest.raises(Unconfirmed):
            await client(script({**ORDERED, "POST /v2/droplets": answer})).order(order())

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"correlation": ""}, "correlation"),
            ({"user_data": "é" * 32769}, "user_data"),
            ({"user_data": "#cloud-config\n# \N{ROCKET}\n"}, "user_data"),
            ({"tags": ["två ord"]}, "tags"),
            ({"tags": ["x" * 256]}, "tags"),
            ({"ssh_keys": ["my key"]}, "ssh_keys"),
            ({"ssh_keys": ["ssh-rsa"]}, "ssh_keys"),
            ({"product": "gpu-h100x1-80gb"}, "product"),
            ({"stackscript": 1}, "stackscript"),
        ],
    )
    async def test_what_it_would_not_take_is_refused_before_anything_is_sent(
        self, changes: dict[str, Any], field: str
    ) -> None:
        transport = script(ORDERED)
        for call in (client(transport).order, client(transport).check_order):
            with pytest.raises(InvalidInput) as caught:
                await call(order(**changes))
            assert caught.value.field == field
        assert not transport.calls

    async def test_longest_cloud_config_is_taken_as_plain_text(self) -> None:
        transport = script(ORDERED)
        await client(transport).order(order(user_data="x" * 65536))
        assert transport.body()["user_data"] == "x" * 65536


class TestKeys:
    async def test_key_the_account_has_is_found_by_its_fingerprint_and_never_in_the_list(self) -> None:
        transport = script(
            lambda request: {"POST /v2/account/keys": KEY_IN_USE, "POST /v2/droplets": status(202, ACCEPTED)}.get(
                f"{request.method} {request.url.path}", status(200, {"ssh_key": {"id": 289794}})
            )
        )
        await client(transport).order(order())
        assert re.fullmatch(r"GET /v2/account/keys/[0-9a-f]{2}(:[0-9a-f]{2}){15}", transport.made[1])
        assert transport.body()["ssh_keys"] == [289794]
        assert "GET /v2/account/keys" not in transport.made

    async def test_fingerprint_is_the_md5_of_the_key(self) -> None:
        from providers.cloud.digitalocean_wire import fingerprint

        # The pair is OpenSSH's: ssh-keygen -l -E md5
        assert fingerprint(SSH_KEY) == "d4:f1:8d:fc:fc:a2:8e:bc:68:0e:63:ab:4d:e0:d3:26"

    async def test_ids_and_fingerprints_are_passed_on(self) -> None:
        transport = script(ORDERED)
        await client(transport).order(order(ssh_keys=["12345", FINGERPRINT]))
        assert transport.made == ["POST /v2/droplets"]
        assert transport.body()["ssh_keys"] == [12345, FINGERPRINT]

    @pytest.mark.parametrize("answer", [status(500), status(429), httpx.Response(201, content=b"<html>")])
    async def test_trouble_with_a_key_proves_that_nothing_was_ordered(self, answer: httpx.Response) -> None:
        transport = script({**ORDERED, "POST /v2/account/keys": answer})
        with pytest.raises((Transient, RateLimited)):
            await client(transport).order(order())
        assert "POST /v2/droplets" not in transport.made

    async def test_repeat_of_an_order_after_a_lost_key_answer_uses_the_key(self) -> None:
        known: list[str] = []

        def keys(request: httpx.Request) -> httpx.Response:
            if known:
                return KEY_IN_USE
            known.append("it was taken")
            raise httpx.ReadTimeout("", request=request)

        def answer(request: httpx.Request) -> httpx.Response:
            if request.url.path == "/v2/account/keys":
                return keys(request)
            if request.method == "GET":
                return status(200, {"ssh_key": {"id": 289794}})
            return status(202, ACCEPTED)

        transport = script(answer)
        with pytest.raises(Transient):
            await client(transport).order(order())
        await client(transport).order(order())
        assert transport.body()["ssh_keys"] == [289794]
        assert transport.made.count("POST /v2/droplets") == 1


BODIES = (b"", b"<html><h1>Bad Gateway</h1></html>", b'{"message": null}', b"[]", b"\xff\xfe")
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
        transport = script({**ORDERED, "POST /v2/droplets": httpx.Response(code, content=body)})
        with pytest.raises(ProviderError) as caught:
            await client(transport).order(order())
        assert type(caught.value) is CREATE[code]
        assert transport.made.count("POST /v2/droplets") == 1

    @pytest.mark.parametrize(
        ("code", "sentence", "error", "field"),
        [
            (422, "creating this/these droplet(s) will exceed your droplet limit", QuotaExceeded, None),
            (422, "You have reached your droplet limit.", QuotaExceeded, None),
            (403, "You have reached the limit of your account", QuotaExceeded, None),
            (422, "Region is not available", QuotaExceeded, None),
            (422, "Size is not available in this region.", QuotaExceeded, None),
            (422, "The size is currently unavailable: out of capacity in this region", QuotaExceeded, None),
            (403, "You are not authorized to perform this operation", Unauthorized, None),
            (422, "You specified an invalid region for Droplet creation.", InvalidInput, "availability_zone"),
            (422, "You specified an invalid size for Droplet creation.", InvalidInput, "product"),
            (422, "12345 are invalid key identifiers for Droplet creation.", InvalidInput, "ssh_keys"),
            (422, "User data exceeds the limit of 64 KiB", InvalidInput, "user_data"),
            (422, "The VPC is not a member of the region", InvalidInput, "vpc"),
            (422, "Droplet already has a pending event.", Transient, None),
        ],
    )
    async def test_sentence_of_a_refused_order_decides(
        self, code: int, sentence: str, error: type[ProviderError], field: str | None
    ) -> None:
        refusal = status(code, {"id": "unprocessable_entity", "message": sentence, "request_id": "54f71bbf"})
        with pytest.raises(ProviderError) as caught:
            await client(script({**ORDERED, "POST /v2/droplets": refusal})).order(order())
        assert type(caught.value) is error
        assert caught.value.field == field
        assert caught.value.message == sentence

    @pytest.mark.parametrize(
        ("headers", "low", "high"),
        [
            ({"retry-after": "7", "ratelimit-reset": "1642373790"}, 7, 7),
            ({"ratelimit-reset": "1642373790", "Date": "Sun, 16 Jan 2022 22:54:50 GMT"}, 100, 100),
            ({"ratelimit-reset": "soon"}, 60, 60),
            ({"ratelimit-reset": "1"}, 1, 1),
            ({"ratelimit-reset": str(int(time.time() * 1000))}, 3600, 3600),
            ({"retry-after": "86400"}, 3600, 3600),
            ({}, 60, 60),
        ],
    )
    async def test_rate_limit_says_when_to_come_back(self, headers: dict[str, str], low: int, high: int) -> None:
        with pytest.raises(RateLimited) as caught:
            await client(script(status(429, {"id": "too_many_requests"}, headers))).list()
        assert caught.value.retry_after is not None
        assert low <= caught.value.retry_after <= high


class TestSilence:
    NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
    DOUBTFUL = (httpx.ReadError, httpx.ReadTimeout, httpx.WriteError, httpx.WriteTimeout, httpx.RemoteProtocolError)

    def failing(self, kind: type[httpx.TransportError], path: str) -> Script:
        def answer(request: httpx.Request) -> httpx.Response:
            if request.url.path == path:
                raise kind(f"with {request.headers['Authorization']}", request=request)
            return routes(ORDERED)(request)

        return script(answer)

    @pytest.mark.parametrize("kind", [*NEVER_LEFT, *DOUBTFUL])
    async def test_order(self, kind: type[httpx.TransportError]) -> None:
        with pytest.raises(ProviderError) as caught:
            await client(self.failing(kind, "/v2/droplets")).order(order())
        assert type(caught.value) is (Transient if kind in self.NEVER_LEFT else Unconfirmed)
        assert SECRET not in f"{caught.value!r}{caught.value.__cause__!r}"

    @pytest.mark.parametrize("kind", [*NEVER_LEFT, *DOUBTFUL])
    async def test_read_delete_and_power(self, kind: type[httpx.TransportError]) -> None:
        with pytest.raises(Transient):
            await client(self.failing(kind, "/v2/droplets/7")).get("7")
        with pytest.raises(Transient):
            await client(self.failing(kind, "/v2/droplets/7")).cancel("7", immediately=True)
        with pytest.raises(Transient if kind in self.NEVER_LEFT else Unconfirmed):
            await client(self.failing(kind, "/v2/droplets/7/actions")).power("7", PowerAction.REBOOT)

    async def test_nobody_listens(self) -> None:
        cloud = DigitalOcean(token=SECRET, base_url="http://127.0.0.1:9")
        with pytest.raises(Transient):
            await cloud.order(order())
        await cloud.close()


class TestServers:
    async def test_droplet_becomes_ours(self) -> None:
        assert await client(script(shown(tags=["web", TAG]))).get("7") == CloudServer(
            provider_ref="7", correlation=TOKEN, label="acme-vps-1", status="active", running=True,
            address="192.241.165.154", ipv6_address="2604:a880:0:1010::18a:a001", location="nyc3",
            product="s-1vcpu-1gb", cpus=1, memory_mb=1024, disk_gb=25, transfer_gb=1000, tags=["web", TAG],
        )  # fmt: skip

    async def test_nulls_and_unknown_members_are_tolerated(self) -> None:
        sparse = {**dict.fromkeys(DROPLET), "id": 7, "somethingNew": {"deep": 1}}
        server = await client(script(status(200, {"droplet": sparse, "more": 1}))).get("7")
        assert (server.address, server.memory_mb, server.running, server.tags) == (None, None, False, [])

    @pytest.mark.parametrize(
        ("state", "running", "locked"), [("new", False, True), ("active", True, False), ("off", False, False)]
    )
    async def test_only_an_active_droplet_runs(self, state: str, running: bool, locked: bool) -> None:
        server = await client(script(shown(status=state))).get("7")
        assert (server.running, server.locked) == (running, locked)

    async def test_droplet_with_an_action_under_way_is_locked(self) -> None:
        assert (await client(script(shown(locked=True))).get("7")).locked

    async def test_accepted_droplet_that_is_not_there_yet_is_no_absence_while_its_create_runs(self) -> None:
        action = {"action": {"id": 36805096, "status": "in-progress", "type": "create"}}
        transport = script({**ORDERED, "GET /v2/actions/36805096": status(200, action)})
        cloud = client(transport)
        receipt = await cloud.order(order())
        with pytest.raises(NotFound):
            await cloud.get("7")
        assert await cloud.order_in_progress(receipt)

    async def test_droplet_whose_placement_failed_is_an_absence(self) -> None:
        action = {"action": {"id": 36805096, "status": "errored", "type": "create"}}
        transport = script({**ORDERED, "GET /v2/actions/36805096": status(200, action),
                            "GET /v2/droplets": listed("droplets", [])})  # fmt: skip
        cloud = client(transport)
        receipt = await cloud.order(order())
        assert not await cloud.order_in_progress(receipt)
        assert await cloud.find(TOKEN) == []

    @pytest.mark.parametrize("body", [{}, {"droplet": None}, {"droplet": []}, {"droplet": {}}, []])
    async def test_answer_without_the_droplet_says_nothing(self, body: object) -> None:
        with pytest.raises(Transient):
            await client(script(status(200, body))).get("7")

    @pytest.mark.parametrize(
        "body", [{}, {"droplets": None}, {"droplets": {}}, {"droplets": ["x"]}, {"droplets": [{"name": "no id"}]}, []]
    )
    async def test_garbled_list_proves_no_absence(self, body: object) -> None:
        for call in ("list", "find"):
            with pytest.raises(Transient):
                await getattr(client(script(status(200, body))), call)(*([TOKEN] if call == "find" else []))

    async def test_search_is_by_tag_over_all_pages(self) -> None:
        everything = [droplet(id=n) for n in range(1, 451)]

        def pages(request: httpx.Request) -> httpx.Response:
            params = request.url.params
            assert params["tag_name"] == TAG
            page, size = int(params["page"]), int(params["per_page"])
            more = {"pages": {"next": f"https://elsewhere.example/v2/droplets?page={page + 1}"}} if page < 3 else {}
            return status(200, {"droplets": everything[(page - 1) * size : page * size], "links": more})

        transport = script(pages)
        found = await client(transport).find(TOKEN)
        assert [server.provider_ref for server in found] == [str(n) for n in range(1, 451)]
        assert {call.url.params["per_page"] for call in transport.calls} == {"200"}
        assert {call.url.host for call in transport.calls} == {"api.digitalocean.com"}

    async def test_full_page_without_a_next_one_is_looked_behind(self) -> None:
        def pages(request: httpx.Request) -> httpx.Response:
            first = (int(request.url.params["page"]) - 1) * 200
            return status(200, {"droplets": [droplet(id=n + 1) for n in range(first, min(first + 200, 201))]})

        assert len(await client(script(pages)).find(TOKEN)) == 201

    async def test_droplet_that_lacks_the_tag_is_not_taken_for_ours(self) -> None:
        transport = script(listed("droplets", [droplet(), droplet(id=8, tags=["slipway"])]))
        assert [server.provider_ref for server in await client(transport).find(TOKEN)] == ["7"]

    async def test_unknown_tag_is_no_proof_of_absence(self) -> None:
        def answer(request: httpx.Request) -> httpx.Response:
            return status(404) if "tag_name" in request.url.params else listed("droplets", [droplet()])

        assert [server.provider_ref for server in await client(script(answer)).find(TOKEN)] == ["7"]

    async def test_list_holds_both_kinds_of_droplets_once(self) -> None:
        def answer(request: httpx.Request) -> httpx.Response:
            return listed("droplets", [droplet(), droplet(id=8 if request.url.params["type"] == "gpus" else 9)])

        assert {server.provider_ref for server in await client(script(answer)).list()} == {"7", "8", "9"}

    async def test_reference_cannot_leave_its_place_in_the_path(self) -> None:
        from providers.cloud.digitalocean import _path

        assert _path("../account?x=1") == "/v2/droplets/..%2Faccount%3Fx%3D1"


class TestProgress:
    async def ask(self, answers: dict[str, Any], receipt: OrderReceipt) -> bool:
        return await client(script(answers)).order_in_progress(receipt)

    def actions(self, *states: str, resource: int = 99) -> httpx.Response:
        return listed("actions", [{"id": n, "type": "create", "status": state, "resource_id": resource}
                                  for n, state in enumerate(states)])  # fmt: skip

    async def test_by_the_droplet_where_only_that_is_known(self) -> None:
        path = "GET /v2/droplets/7/actions"
        receipt = OrderReceipt(provider_ref="7")
        assert await self.ask({path: self.actions("completed", "in-progress")}, receipt)
        assert not await self.ask({path: self.actions("completed")}, receipt)

    async def test_lost_receipt_looks_for_creates_of_unlisted_droplets(self) -> None:
        servers = {"GET /v2/droplets": listed("droplets", [droplet()])}
        for actions, expected in (
            (self.actions(), False),
            (self.actions("completed"), False),
            (self.actions("in-progress", resource=7), False),
            (self.actions("in-progress"), True),
        ):
            assert await self.ask({**servers, "GET /v2/actions": actions}, OrderReceipt()) is expected


class TestClaim:
    async def claim(
        self, server: dict[str, Any], answers: dict[str, Any] | None = None, label: str = "acme-vps-1"
    ) -> Script:
        done = {
            "POST /v2/tags/slipway/resources": status(204),
            f"POST /v2/tags/{TAG}/resources": status(204),
            "POST /v2/droplets/7/actions": status(201, {"action": {"id": 1, "status": "in-progress"}}),
        }
        transport = script({"GET /v2/droplets/7": shown(**server), **done, **(answers or {})})
        await client(transport).claim("7", label=label, correlation=TOKEN)
        return transport

    async def test_droplet_as_we_created_it_is_left_alone(self) -> None:
        assert (await self.claim({})).made == ["GET /v2/droplets/7"]

    async def test_only_another_name_is_changed(self) -> None:
        transport = await self.claim({"name": "other"}, label="acme vps_1")
        assert transport.made == ["GET /v2/droplets/7", "POST /v2/droplets/7/actions"]
        assert transport.body() == {"type": "rename", "name": "acme-vps-1"}

    async def test_missing_tags_are_added_beside_those_of_others(self) -> None:
        transport = await self.claim({"tags": ["web", "slipway"]})
        assert transport.made == ["GET /v2/droplets/7", f"POST /v2/tags/{TAG}/resources"]
        assert transport.body() == {"resources": [{"resource_id": "7", "resource_type": "droplet"}]}

    async def test_tag_that_nobody_has_yet_is_made(self) -> None:
        known: list[str] = []

        def put(request: httpx.Request) -> httpx.Response:
            return status(204) if known else status(404, {"id": "not_found", "message": "not found"})

        def make(request: httpx.Request) -> httpx.Response:
            known.append(json.loads(request.content)["name"])
            return status(201, {"tag": {"name": known[0]}})

        await self.claim({"tags": ["slipway"]}, {f"POST /v2/tags/{TAG}/resources": put, "POST /v2/tags": make})
        assert known == [TAG]

    async def test_droplet_of_another_order_is_refused(self) -> None:
        with pytest.raises(Conflict):
            await self.claim({"tags": ["slipway", "slipway-" + "f" * 32]})


class TestCancel:
    @pytest.mark.parametrize("immediately", [True, False])
    async def test_both_ways_delete_at_once_and_end_billing(self, *, immediately: bool) -> None:
        transport = script({"DELETE /v2/droplets/7": status(204)})
        result = await client(transport).cancel("7", immediately=immediately)
        assert transport.made == ["DELETE /v2/droplets/7"]
        assert result.accepted
        assert result.billed_until is None

    async def test_droplet_already_gone_is_a_success(self) -> None:
        assert (await client(script({})).cancel("7", immediately=True)).note == "already gone"

    async def test_locked_droplet_is_asked_again_later(self) -> None:
        busy = status(422, {"id": "unprocessable_entity", "message": "Droplet already has a pending event."})
        with pytest.raises(Transient):
            await client(script(busy)).cancel("7", immediately=True)


class TestQuarantine:
    RESOURCES = "/v2/tags/quarantined-by-slipway/resources"

    def script(self, **server: Any) -> Script:
        return script(
            {
                "GET /v2/droplets/7": shown(**server),
                f"POST {self.RESOURCES}": status(204),
                f"DELETE {self.RESOURCES}": status(204),
                "POST /v2/droplets/7/actions": status(201, {"action": {"id": 1}}),
            }
        )

    async def test_tag_first_then_power_off(self) -> None:
        transport = self.script()
        await client(transport).quarantine("7")
        assert transport.made[1:] == [f"POST {self.RESOURCES}", "POST /v2/droplets/7/actions"]
        assert transport.body() == {"type": "power_off"}

    async def test_repeat_of_a_quarantine_does_nothing(self) -> None:
        transport = self.script(status="off", tags=["quarantined-by-slipway", "web"])
        await client(transport).quarantine("7")
        assert transport.made == ["GET /v2/droplets/7"]

    async def test_restore_takes_both_back(self) -> None:
        transport = self.script(status="off", tags=["quarantined-by-slipway", "web"])
        await client(transport).restore("7")
        assert transport.made[1:] == [f"DELETE {self.RESOURCES}", "POST /v2/droplets/7/actions"]
        assert transport.body(1) == {"resources": [{"resource_id": "7", "resource_type": "droplet"}]}
        assert transport.body() == {"type": "power_on"}

    async def test_repeat_of_a_restore_does_nothing(self) -> None:
        transport = self.script()
        await client(transport).restore("7")
        assert transport.made == ["GET /v2/droplets/7"]


class TestPower:
    @pytest.mark.parametrize("action", PowerAction)
    async def test_each_action_has_the_same_name_there(self, action: PowerAction) -> None:
        transport = script({"POST /v2/droplets/7/actions": status(201, {"action": {"id": 36804745}})})
        assert action in client(transport).power_actions
        assert await client(transport).power("7", action) == "36804745"
        assert transport.body() == {"type": action.value}

    async def test_busy_droplet_is_asked_again_later(self) -> None:
        busy = status(422, {"id": "unprocessable_entity", "message": "Droplet already has a pending event."})
        with pytest.raises(Transient):
            await client(script(busy)).power("7", PowerAction.REBOOT)

    async def test_server_error_leaves_the_action_in_doubt(self) -> None:
        with pytest.raises(Unconfirmed):
            await client(script(status(500))).power("7", PowerAction.REBOOT)

    @pytest.mark.parametrize(
        ("word", "state"),
        [
            ("in-progress", ActionState.RUNNING),
            ("completed", ActionState.DONE),
            ("errored", ActionState.FAILED),
            ("something-new", ActionState.RUNNING),
        ],
    )
    async def test_process_tells_how_it_fares(self, word: str, state: ActionState) -> None:
        transport = script({"GET /v2/actions/5": status(200, {"action": {"id": 5, "status": word}})})
        assert await client(transport).action_state("7", PowerAction.REBOOT, "5") is state

    @pytest.mark.parametrize("ref", [None, "5"])
    @pytest.mark.parametrize(
        ("server", "action", "state"),
        [
            ({"status": "off"}, PowerAction.SHUTDOWN, ActionState.DONE),
            ({"status": "active"}, PowerAction.SHUTDOWN, ActionState.RUNNING),
            ({"status": "active"}, PowerAction.POWER_ON, ActionState.DONE),
            ({"status": "active", "locked": True}, PowerAction.REBOOT, ActionState.RUNNING),
        ],
    )
    async def test_without_a_known_process_the_droplet_decides(
        self, server: dict[str, Any], action: PowerAction, state: ActionState, ref: str | None
    ) -> None:
        assert await client(script({"GET /v2/droplets/7": shown(**server)})).action_state("7", action, ref) is state


class TestGate:
    async def test_calls_are_counted_by_class(self) -> None:
        gate = OpenGate()
        transport = script({**ORDERED, "POST /v2/account/keys": KEY_IN_USE})
        with pytest.raises(Transient):
            await client(transport, gate=gate).order(order())
        assert gate.entered == [("requests", "burst"), ("requests", "burst", "keys")]

    async def test_closed_gate_proves_that_nothing_was_ordered(self) -> None:
        transport = script(ORDERED)
        with pytest.raises(RateLimited):
            await client(transport, gate=ClosedGate()).order(order())
        assert not transport.calls

    async def test_refusal_of_the_cloud_is_told_to_everybody(self) -> None:
        gate = OpenGate()
        with pytest.raises(RateLimited):
            await client(script(status(429, headers={"retry-after": "9"})), gate=gate).get("7")
        assert gate.told == [("burst", 9.0)]


class TestAccount:
    async def test_configuration_decides(self) -> None:
        transport = script({"GET /v2/account": status(200, {"account": {}})})
        cloud = from_account(
            Account(
                api_key=SecretStr(SECRET),
                configuration={
                    "base_url": "https://do.example", "default_region": "fra1", "default_image": "debian-12-x64",
                    "tiers": {"enterprise": "s-8vcpu-16gb"}, "late_accept_seconds": 30, "poll_seconds": 2,
                    "limits": {"burst": 100},
                },
            ),
            transport=transport,
        )  # fmt: skip
        await cloud.verify_credentials()
        assert transport.calls[0].url.host == "do.example"
        assert (cloud.default_availability_zone, cloud.default_operating_system) == ("fra1", "debian-12-x64")
        assert [cloud.product_for(tier) for tier in Tier] == ["s-1vcpu-2gb", "s-2vcpu-4gb", "s-8vcpu-16gb"]
        assert (cloud.late_accept_window, cloud.poll_interval) == (30, 2)
        assert cloud.call_limits[:2] == (
            CallLimit(calls="requests", count=5000, seconds=3600), CallLimit(calls="burst", count=100, seconds=60),
        )  # fmt: skip

    async def test_account_without_a_token_is_a_value_error(self) -> None:
        with pytest.raises(ValueError, match="token"):
            from_account(Account(api_key=SecretStr(" ")))

    def test_it_is_a_cloud(self) -> None:
        cloud: Cloud = DigitalOcean(token=SECRET)
        assert cloud.name == "digitalocean"
        assert (cloud.default_availability_zone, cloud.default_operating_system) == ("ams3", "debian-13-x64")
        assert cloud.call_limits[0] == CallLimit(calls="requests", count=5000, seconds=3600)
