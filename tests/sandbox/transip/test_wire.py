"""What the sandbox says on the wire: access, shapes, refusals, pages and limits."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx
import jwt
import pytest

from sandbox.transip import wire
from sandbox.transip.records import Limits
from sandbox.transip.tokens import lifetime
from tests.sandbox.transip.conftest import signed
from tests.sandbox.transip.emulator import LOGIN, QUICK, TOKEN, Emulator, emulator, until

ORDER = {
    "productName": "vps-bladevps-x4",
    "operatingSystem": "debian-13",
    "availabilityZone": "ams0",
    "description": TOKEN,
    "installFlavour": "cloudinit",
    "hostname": "server01.example.com",
    "username": "bob",
    "sshKeys": ["ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAACAQDf2pxWX example"],
    "addons": ["vpsAddon-1-extra-cpu-core"],
    "base64InstallText": "testtext123",  # the official example: base64 without its padding
}


async def listed(http: httpx.AsyncClient, count: int = 1) -> list[dict[str, Any]]:
    async def look() -> list[dict[str, Any]] | None:
        vpss = (await http.get("/vps")).json()["vpss"]
        return vpss if len(vpss) == count and all(v["status"] == "running" for v in vpss) else None

    return await until(look)


class TestAuth:
    async def test_token_is_a_jwt_with_the_documented_claims(self, cloud: Emulator) -> None:
        raw, headers = signed(expiration_time="1 hour", read_only=True)
        async with httpx.AsyncClient(base_url=cloud.url, trust_env=False) as client:
            response = await client.post("/auth", content=raw, headers=headers)
        assert response.status_code == 201
        assert "X-Rate-Limit-Limit" not in response.headers
        claims = jwt.decode(response.json()["token"], options={"verify_signature": False})
        assert claims["exp"] - claims["iat"] == 3600
        assert claims["ro"] is True

    @pytest.mark.parametrize("spoil", ["body", "signature", "missing", "login", "rubbish"])
    async def test_wrong_signature_is_refused(self, cloud: Emulator, spoil: str) -> None:
        raw, headers = signed(login="somebody" if spoil == "login" else LOGIN)
        if spoil == "body":
            raw = json.dumps(json.loads(raw), indent=1).encode()
        elif spoil == "signature":
            headers["Signature"] = base64.b64encode(bytes(256)).decode()
        elif spoil == "rubbish":
            headers["Signature"] = "ä".encode().hex() + "!"
        elif spoil == "missing":
            del headers["Signature"]
        async with httpx.AsyncClient(base_url=cloud.url, trust_env=False) as client:
            response = await client.post("/auth", content=raw, headers=headers)
        assert response.status_code == 401
        assert "Authentication failed" in response.json()["error"]

    async def test_label_and_nonce_are_used_once(self, cloud: Emulator) -> None:
        async with httpx.AsyncClient(base_url=cloud.url, trust_env=False) as client:
            statuses = []
            for changes in ({"label": "a", "nonce": "1"}, {"label": "a", "nonce": "2"}, {"label": "b", "nonce": "1"}):
                raw, headers = signed(**changes)
                statuses.append((await client.post("/auth", content=raw, headers=headers)).status_code)
        assert statuses == [201, 409, 401]

    @pytest.mark.parametrize(
        ("authorization", "words"), [("", "missing"), ("Bearer x", "invalid"), ("Basic eA==", "missing")]
    )
    async def test_call_without_a_token_is_refused(self, cloud: Emulator, authorization: str, words: str) -> None:
        async with httpx.AsyncClient(base_url=cloud.url, trust_env=False) as client:
            response = await client.get("/vps", headers={"Authorization": authorization})
        assert response.status_code == 401
        assert words in response.json()["error"]

    async def test_expired_and_revoked_tokens_are_told_apart(self, cloud: Emulator, http: httpx.AsyncClient) -> None:
        assert (await cloud.admin.post("/_sandbox/tokens/revoke")).json() == {"revoked": 1}
        assert (await http.get("/vps")).json() == {"error": "Your access token has been revoked."}
        raw, headers = signed(expiration_time="1 second")
        token = (await http.post("/auth", content=raw, headers=headers)).json()["token"]

        async def expired() -> bool:
            answer = await http.get("/vps", headers={"Authorization": f"Bearer {token}"})
            return answer.status_code == 401 and answer.json() == {"error": "Your access token has expired."}

        await until(expired)

    async def test_read_only_token_may_read_only(self, http: httpx.AsyncClient) -> None:
        raw, headers = signed(read_only=True)
        token = (await http.post("/auth", content=raw, headers=headers)).json()["token"]
        bearer = {"Authorization": f"Bearer {token}"}
        assert (await http.get("/vps", headers=bearer)).status_code == 200
        assert (await http.post("/vps", json=ORDER, headers=bearer)).status_code == 403

    @pytest.mark.parametrize(("text", "seconds"), [("30 minutes", 1800), ("1 day", 86400), ("1 month", 2592000)])
    def test_lifetimes(self, text: str, seconds: int) -> None:
        assert lifetime(text) == seconds

    @pytest.mark.parametrize("text", ["", "2 months", "0 days", "-1 day", "soon", "31 days"])
    def test_lifetimes_that_are_none(self, text: str) -> None:
        with pytest.raises(wire.Refusal):
            lifetime(text)


class TestAnswers:
    async def test_every_answer_tells_the_rate_limit(self, http: httpx.AsyncClient) -> None:
        for path in ("/api-test", "/nothing", "/vps/acme-vps9"):
            headers = (await http.get(path)).headers
            assert headers["X-Rate-Limit-Limit"] == "1000"
            assert int(headers["X-Rate-Limit-Remaining"]) < 1000
            assert int(headers["X-Rate-Limit-Reset"]) > 1_700_000_000

    async def test_reads_carry_links_and_errors_a_sentence(self, http: httpx.AsyncClient) -> None:
        assert (await http.get("/api-test")).json()["_links"][0]["rel"] == "self"
        assert (await http.get("/vps/x")).json() == {"error": "VPS with identifier 'x' not found"}
        assert (await http.get("/actions/123")).json() == {"error": "Event with uuid '123' not found"}
        assert (await http.get("/nothing")).status_code == 404
        assert (await http.delete("/products")).status_code == 405
        assert (await http.post("/vps", content=b"{")).status_code == 422
        assert (await http.post("/vps", content=b"[]")).status_code == 422

    async def test_full_window_is_429_until_it_slides(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        limits = Limits(requests=2, window=1)
        async with emulator(tmp_path_factory.mktemp("limited"), limits=limits) as cloud:
            raw, headers = signed()
            async with httpx.AsyncClient(base_url=cloud.url, trust_env=False) as client:
                token = (await client.post("/auth", content=raw, headers=headers)).json()["token"]
                client.headers["Authorization"] = f"Bearer {token}"
                answers = [await client.get("/api-test") for _ in range(3)]
                assert [answer.status_code for answer in answers] == [200, 200, 429]
                assert answers[2].headers["X-Rate-Limit-Remaining"] == "0"
                assert "Retry-After" not in answers[2].headers
                assert answers[2].json() == {"error": "Rate limit exceeded"}

                async def open_again() -> bool:
                    return (await client.get("/api-test")).status_code == 200

                await until(open_again)

    def test_times_are_of_amsterdam_but_for_creation(self) -> None:
        assert wire.local_time(1795330765) == "2026-11-22 07:59:25"
        assert wire.utc_time(1795330765) == "2026-11-22 06:59:25"


class TestOrders:
    async def test_accepted_order_names_no_server(self, http: httpx.AsyncClient) -> None:
        response = await http.post("/vps", json=ORDER)
        assert response.status_code == 201
        assert response.json() == []
        action = (await http.get(response.headers["Content-Location"].removeprefix("/v6"))).json()["action"]
        assert (action["status"], action["resourceIdentifier"], action["parentActionUuid"]) == ("running", "", "")
        (vps,) = await listed(http)
        assert vps["description"] == TOKEN
        assert vps["operatingSystem"] == "Debian 13 (trixie)"
        assert (vps["cpus"], vps["memorySize"], vps["diskSize"]) == (5, 8388608, 157286400)
        assert vps["macAddress"].startswith("52:54:00:")
        for path in (f"/actions/{action['uuid']}/children", f"/actions/children/{action['uuid']}"):
            (child,) = (await http.get(path)).json()["actions"]
            assert (child["status"], child["resourceIdentifier"]) == ("finished", vps["name"])
        assert (await http.get("/actions")).json()["actions"] == []
        assert (await http.get(f"/vps/{vps['uuid']}")).json()["vps"]["name"] == vps["name"]

    async def test_several_are_ordered_at_once_or_none(self, cloud: Emulator, http: httpx.AsyncClient) -> None:
        refused = await http.post("/vps", json={"vpss": [ORDER, {**ORDER, "productName": "x"}]})
        assert refused.status_code == 406
        assert (await cloud.state())["invoices"] == []
        assert (await http.post("/vps", json={"vpss": [ORDER, ORDER]})).status_code == 201
        assert {vps["name"] for vps in await listed(http, 2)} == {f"{LOGIN}-vps1", f"{LOGIN}-vps2"}
        assert [invoice["cents"] for invoice in (await cloud.state())["invoices"]] == [5000, 5000]

    async def test_test_mode_orders_nothing(self, cloud: Emulator, http: httpx.AsyncClient) -> None:
        assert (await http.post("/vps?test=1", json=ORDER)).status_code == 201
        assert (await http.post("/vps?test=1", json={**ORDER, "productName": "x"})).status_code == 406
        assert (await cloud.state())["vpss"] == []

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"productName": "bladevps-x4"}, "'productName'"),
            ({"productName": None}, "'productName'"),
            ({"operatingSystem": "debian-3"}, "'operatingSystem'"),
            ({"availabilityZone": "mars0"}, "'availabilityZone'"),
            ({"installFlavour": "magic"}, "'installFlavour'"),
            ({"operatingSystem": "windows-2022-standard"}, "'installFlavour'"),
            ({"description": "x" * 33}, "'description' can be 32 characters maximum"),
            ({"username": "x" * 33}, "'username' can be 32 characters maximum"),
            ({"hostname": "no spaces"}, "'hostname'"),
            ({"addons": ["vpsAddon-moon"]}, "'addons'"),
            ({"sshKeys": ["ssh-rsa"]}, "'sshKeys'"),
            ({"sshKeys": "ssh-rsa AAAA"}, "'sshKeys'"),
            ({"base64InstallText": base64.b64encode(bytes(49153)).decode()}, "49152 bytes maximum"),
            ({"base64InstallText": "a"}, "'base64InstallText'"),
        ],
    )
    async def test_wrong_parameter_is_named(
        self, cloud: Emulator, http: httpx.AsyncClient, changes: dict[str, Any], words: str
    ) -> None:
        response = await http.post("/vps", json={**ORDER, **changes})
        assert response.status_code == 406
        assert words in response.json()["error"]
        assert (await cloud.state())["invoices"] == []


class TestServers:
    async def test_pages_have_no_total(self, http: httpx.AsyncClient) -> None:
        await http.post("/vps", json={"vpss": [ORDER] * 3})
        await listed(http, 3)
        pages = [(await http.get("/vps", params={"page": n, "pageSize": 2})).json() for n in (1, 2, 3)]
        assert [len(page["vpss"]) for page in pages] == [2, 1, 0]
        assert set(pages[0]) == {"vpss", "_links"}
        assert (await http.get("/vps?page=0")).status_code == 406
        assert (await http.get("/vps?page=x")).status_code == 406

    async def test_put_replaces_all_tags_and_the_list_filters_by_them(self, http: httpx.AsyncClient) -> None:
        await http.post("/vps", json=ORDER)
        (vps,) = await listed(http)
        for tags in (["a", "b"], ["c"]):
            answer = await http.put(f"/vps/{vps['name']}", json={"vps": {**vps, "description": "web", "tags": tags}})
            assert (answer.status_code, answer.content) == (204, b"")
        assert (await http.get(f"/vps/{vps['name']}")).json()["vps"]["tags"] == ["c"]
        assert len((await http.get("/vps?tags=c")).json()["vpss"]) == 1
        assert (await http.get("/vps?tags=a")).json()["vpss"] == []
        wrong = await http.put(f"/vps/{vps['name']}", json={"vps": {**vps, "description": "x" * 33}})
        assert wrong.json() == {"error": "The provided parameter 'description' can be 32 characters maximum"}

    async def test_power_goes_through_to_the_host(self, cloud: Emulator, http: httpx.AsyncClient) -> None:
        await http.post("/vps", json=ORDER)
        (vps,) = await listed(http)
        path = f"/vps/{vps['name']}"
        for action, status in (("stop", "stopped"), ("start", "running"), ("reset", "running")):
            assert (await http.patch(path, json={"action": action})).status_code == 204
            busy = await http.patch(path, json={"action": action})
            assert busy.status_code == 409
            assert "has an action running" in busy.json()["error"]

            async def settled(wanted: str = status) -> bool:
                seen = (await http.get(path)).json()["vps"]
                return not seen["isLocked"] and seen["status"] == wanted

            await until(settled)
        calls = [call for call, _ in cloud.driver.calls]
        assert calls == ["create", "start", "stop", "start", "kill", "start"]
        assert (await http.patch(path, json={"action": "dance"})).status_code == 406

    async def test_locks_of_customer_and_staff_refuse_changes(self, cloud: Emulator, http: httpx.AsyncClient) -> None:
        await http.post("/vps", json=ORDER)
        (vps,) = await listed(http)
        path = f"/vps/{vps['name']}"
        assert (await http.put(path, json={"vps": {**vps, "isCustomerLocked": True}})).status_code == 204
        for answer in (
            await http.request("DELETE", path, json={"endTime": "end"}),
            await http.patch(path, json={"action": "stop"}),
        ):
            assert answer.status_code == 409
            assert answer.json()["error"] == f"VPS '{vps['name']}' is customer locked, no modification is allowed"
        assert (await http.put(path, json={"vps": {**vps, "isCustomerLocked": False}})).status_code == 204
        await cloud.admin.post(f"/_sandbox{path}/block")
        answer = await http.request("DELETE", path, json={"endTime": "end"})
        assert answer.status_code == 403
        assert (await http.get(path)).json()["vps"]["isBlocked"] is True

    async def test_cancellation_defaults_to_the_end_and_happens_once(self, http: httpx.AsyncClient) -> None:
        await http.post("/vps", json=ORDER)
        (vps,) = await listed(http)
        path = f"/vps/{vps['name']}"
        wrong = await http.request("DELETE", path, json={"endTime": "now"})
        assert wrong.status_code == 406
        assert "please use either 'end' or 'immediately'" in wrong.json()["error"]
        answers = [await http.delete(path), await http.request("DELETE", path, json={"endTime": "immediately"})]
        assert [answer.status_code for answer in answers] == [204, 409]
        assert (await http.get(path)).json()["vps"]["status"] == "running"

    async def test_duplicate_ssh_key_is_403_and_a_new_one_has_to_be_looked_up(self, http: httpx.AsyncClient) -> None:
        key = {"sshKey": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ2r Jim", "description": "Jim key"}
        added = await http.post("/ssh-keys", json=key)
        assert (added.status_code, added.json()) == (201, [])
        again = await http.post("/ssh-keys", json={**key, "description": "again"})
        assert (again.status_code, again.json()) == (403, {"error": "The provided SSH key already exists"})
        (listed,) = (await http.get("/ssh-keys")).json()["sshKeys"]
        assert listed["fingerprint"].count(":") == 15
        assert (await http.get("/ssh-keys/99")).json() == {"error": "SSH Key with id '99' not found"}


class TestAccounts:
    async def test_login_that_cannot_name_a_host_is_refused(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        from sandbox.transip.app import create_transip_app
        from tests.sandbox.transip.memory_driver import MemoryDriver

        folder = tmp_path_factory.mktemp("login")
        with pytest.raises(ValueError, match="login"):
            create_transip_app(folder, MemoryDriver(folder), accounts={"Big Corp": ""}, timings=QUICK)
