"""What the sandbox's DigitalOcean says on the wire: access, shapes, refusals, pages and limits."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from sandbox.clouds.rates import Window
from sandbox.digitalocean.records import Limits
from tests.sandbox.clouds.serving import SSH_KEY
from tests.sandbox.digitalocean.emulator import QUICK, TOKENS, DigitalOcean, droplet, emulator
from tests.sandbox.transip.emulator import until

TAG = droplet()["tags"][0]
NOT_FOUND = "The resource you requested could not be found."


async def created(http: httpx.AsyncClient, **changes: Any) -> int:
    """The id of a droplet that is active and free."""
    answer = await http.post("/droplets", json=droplet(**changes))
    assert answer.status_code == 202, answer.text
    return await free(http, answer.json()["droplet"]["id"])


async def free(http: httpx.AsyncClient, number: int) -> int:
    async def look() -> bool:
        found = (await http.get(f"/droplets/{number}")).json()["droplet"]
        return found["status"] != "new" and not found["locked"]

    await until(look)
    return number


class TestAccess:
    @pytest.mark.parametrize("authorization", ["", "Bearer nonsense", f"Basic {TOKENS['acme']}", "Bearer ÿÿÿÿÿÿÿÿ"])
    async def test_call_without_a_token_is_refused(self, cloud: DigitalOcean, authorization: str) -> None:
        headers = {"Authorization": authorization.encode("latin-1")}
        answer = await cloud.admin.get("/v2/droplets", headers=headers)
        assert answer.status_code == 401
        assert answer.json() == {"id": "unauthorized", "message": "Unable to authenticate you."}

    async def test_accounts_see_their_own_only(self, cloud: DigitalOcean, http: httpx.AsyncClient) -> None:
        number = await created(http)
        async with cloud.caller("beta") as beta:
            assert (await beta.get("/droplets")).json()["meta"] == {"total": 0}
            assert (await beta.get(f"/droplets/{number}")).status_code == 404
            assert (await beta.get("/actions")).json()["actions"] == []
            assert (await beta.get("/tags")).json()["tags"] == []

    async def test_revoked_token_opens_nothing_until_it_is_restored(
        self, cloud: DigitalOcean, http: httpx.AsyncClient
    ) -> None:
        for verb, status in (("revoke", 401), ("restore", 200)):
            assert (await cloud.admin.post(f"/_sandbox/accounts/acme/{verb}")).status_code == 204
            assert (await http.get("/account")).status_code == status
            async with cloud.caller("beta") as beta:
                assert (await beta.get("/account")).status_code == 200

    async def test_every_answer_tells_its_id_and_the_hourly_limit(self, http: httpx.AsyncClient) -> None:
        for path in ("/account", "/nothing", "/droplets/1"):
            headers = (await http.get(path)).headers
            assert headers["ratelimit-limit"] == "5000"
            assert int(headers["ratelimit-remaining"]) < 5000
            assert int(headers["ratelimit-reset"]) > 1_700_000_000
            assert headers["x-request-id"]
        missing = (await http.get("/nothing")).json()
        assert (missing["id"], missing["message"]) == ("not_found", NOT_FOUND)
        assert (await http.get("/droplets/none")).status_code == 404
        assert (await http.put("/droplets", json={})).status_code == 405
        assert (await http.post("/droplets", content=b"{")).status_code == 400


class TestLimits:
    async def test_a_minute_s_limit_says_how_long_to_wait_and_is_each_account_s_own(
        self, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        tight = Limits(burst=Window(count=2, seconds=60))
        async with emulator(tmp_path_factory.mktemp("burst"), limits_of={"acme": tight}) as cloud:
            answers = [await cloud.http.get("/account") for _ in range(3)]
            assert [answer.status_code for answer in answers] == [200, 200, 429]
            assert answers[2].json()["message"] == "Too many requests"
            assert 0 < int(answers[2].headers["retry-after"]) <= 60
            async with cloud.caller("beta") as beta:
                assert [(await beta.get("/account")).status_code for _ in range(3)] == [200, 200, 200]

    async def test_the_hour_s_limit_says_only_when_it_resets(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        tight = Limits(hour=Window(count=1, seconds=3600))
        async with emulator(tmp_path_factory.mktemp("hour"), limits=tight) as cloud:
            assert (await cloud.http.get("/account")).status_code == 200
            refused = await cloud.http.get("/account")
            assert (refused.status_code, refused.json()["message"]) == (429, "API Rate limit exceeded.")
            assert refused.headers["ratelimit-remaining"] == "0"
            assert "retry-after" not in refused.headers

    async def test_lists_of_keys_have_a_limit_of_their_own(self, http: httpx.AsyncClient) -> None:
        statuses = [(await http.get("/account/keys")).status_code for _ in range(11)]
        assert statuses == [200] * 10 + [429]
        assert (await http.get("/account")).status_code == 200


class TestCatalogue:
    async def test_lists_come_in_pages_with_links_and_a_total(
        self, cloud: DigitalOcean, http: httpx.AsyncClient
    ) -> None:
        first = (await http.get("/sizes", params={"per_page": 3})).json()
        assert (len(first["sizes"]), first["meta"]) == (3, {"total": 8})
        assert set(first["links"]["pages"]) == {"next", "last"}
        second = (await http.get(first["links"]["pages"]["next"])).json()
        assert first["links"]["pages"]["next"].startswith(f"{cloud.url}/v2/sizes?")
        assert set(second["links"]["pages"]) == {"first", "prev", "next", "last"}
        last = (await http.get(second["links"]["pages"]["last"])).json()
        assert set(last["links"]["pages"]) == {"first", "prev"}
        slugs = [size["slug"] for page in (first, second, last) for size in page["sizes"]]
        assert len(set(slugs)) == 8
        assert (await http.get("/regions")).json()["links"] == {}

    @pytest.mark.parametrize("query", ["per_page=201", "per_page=0", "page=0", "page=x"])
    async def test_pages_that_cannot_be_are_refused(self, http: httpx.AsyncClient, query: str) -> None:
        assert (await http.get(f"/droplets?{query}")).status_code == 422

    async def test_images_are_told_by_their_kind(self, http: httpx.AsyncClient) -> None:
        async def slugs(query: str) -> set[str | None]:
            return {image["slug"] for image in (await http.get(f"/images?{query}")).json()["images"]}

        assert "debian-13-x64" in await slugs("type=distribution")
        assert await slugs("private=true") == {None}
        apps = await slugs("type=application")
        clicks = (await http.get("/1-clicks?type=droplet")).json()["1_clicks"]
        assert apps == {click["slug"] for click in clicks}
        assert {click["type"] for click in (await http.get("/1-clicks")).json()["1_clicks"]} == {
            "droplet",
            "kubernetes",
        }
        assert (await http.get("/images/debian-13-x64")).json()["image"]["distribution"] == "Debian"
        assert (await http.get("/images/1")).status_code == 404

    async def test_regions_name_the_sizes_they_have(self, http: httpx.AsyncClient) -> None:
        regions = {region["slug"]: region for region in (await http.get("/regions")).json()["regions"]}
        assert "s-1vcpu-512mb-10gb" not in regions["lon1"]["sizes"]
        assert "s-1vcpu-512mb-10gb" in regions["ams3"]["sizes"]
        assert not regions["nyc2"]["available"]


class TestKeys:
    async def test_key_is_found_by_id_and_by_fingerprint(self, http: httpx.AsyncClient) -> None:
        made = await http.post("/account/keys", json={"name": "slipway", "public_key": SSH_KEY})
        assert made.status_code == 201
        key = made.json()["ssh_key"]
        for one in (key["id"], key["fingerprint"]):
            assert (await http.get(f"/account/keys/{one}")).json()["ssh_key"] == key
        again = await http.post("/account/keys", json={"name": "other", "public_key": SSH_KEY + "2"})
        assert (again.status_code, again.json()["message"]) == (422, "SSH Key is already in use on your account")
        assert (await http.put(f"/account/keys/{key['id']}", json={"name": "new"})).json()["ssh_key"]["name"] == "new"
        assert (await http.delete(f"/account/keys/{key['id']}")).status_code == 204
        assert (await http.get(f"/account/keys/{key['id']}")).status_code == 404

    async def test_rubbish_is_no_key(self, http: httpx.AsyncClient) -> None:
        answer = await http.post("/account/keys", json={"name": "x", "public_key": "ssh-rsa"})
        assert answer.status_code == 422
        assert "Fingerprint could not be generated" in answer.json()["message"]

    async def test_host_gets_the_keys_behind_ids_and_the_user_data_as_it_is(
        self, cloud: DigitalOcean, http: httpx.AsyncClient
    ) -> None:
        key = (await http.post("/account/keys", json={"name": "a", "public_key": SSH_KEY})).json()["ssh_key"]
        number = await created(http, ssh_keys=[key["id"], key["fingerprint"]])
        spec = cloud.driver.specs[f"droplet-{number}"]
        assert spec.authorized_keys == [SSH_KEY]
        assert spec.user_data == droplet()["user_data"]
        assert (spec.hostname, spec.cpus, spec.memory_mb, spec.disk_gb) == ("acme-vps-1", 1, 1024, 25)


class TestCreation:
    async def test_accepted_droplet_is_new_without_an_address_and_names_its_action(
        self, http: httpx.AsyncClient
    ) -> None:
        answer = await http.post("/droplets", json=droplet(ipv6=True, monitoring=True, backups=True))
        assert answer.status_code == 202
        new, (link,) = answer.json()["droplet"], answer.json()["links"]["actions"]
        assert (new["status"], new["networks"]) == ("new", {"v4": [], "v6": []})
        assert link["rel"] == "create"
        action = (await http.get(link["href"])).json()["action"]
        assert (action["status"], action["type"], action["resource_id"]) == ("in-progress", "create", new["id"])

        async def done() -> bool:
            return (await http.get(link["href"])).json()["action"]["status"] == "completed"

        await until(done)
        active = (await http.get(f"/droplets/{new['id']}")).json()["droplet"]
        assert (active["status"], active["locked"], active["image"]["slug"]) == ("active", False, "debian-13-x64")
        assert [network["type"] for network in active["networks"]["v4"]] == ["private", "public"]
        assert len(active["networks"]["v6"]) == 1
        assert {"ipv6", "backups", "monitoring"} <= set(active["features"])

    async def test_several_names_make_several_droplets(self, cloud: DigitalOcean, http: httpx.AsyncClient) -> None:
        body = droplet(names=["web-1", "web-2"])
        del body["name"]
        answer = (await http.post("/droplets", json=body)).json()
        assert [one["name"] for one in answer["droplets"]] == ["web-1", "web-2"]
        assert len(answer["links"]["actions"]) == 2
        assert len((await cloud.state())["invoices"]) == 2

    async def test_application_boots_the_plain_image_and_the_record_says_what_was_asked_for(
        self, cloud: DigitalOcean, http: httpx.AsyncClient
    ) -> None:
        number = await created(http, image="docker-20-04")
        assert (await http.get(f"/droplets/{number}")).json()["droplet"]["image"]["slug"] == "docker-20-04"
        assert cloud.driver.powers[f"droplet-{number}"] == "running"

    @pytest.mark.parametrize(
        ("changes", "sentence"),
        [
            ({"size": "huge"}, "You specified an invalid size for Droplet creation."),
            ({"region": "mars1"}, "You specified an invalid region for Droplet creation."),
            ({"region": "nyc2"}, "Region is not available"),
            ({"size": "s-1vcpu-512mb-10gb", "region": "lon1"}, "Size is not available in this region."),
            ({"image": "debian-3-x64"}, "You specified an invalid image for Droplet creation."),
            ({"ssh_keys": [7, "aa:bb"]}, "7, aa:bb are invalid key identifiers for Droplet creation."),
            ({"name": "no spaces"}, "Only valid hostname characters are allowed. (a-z, A-Z, 0-9, . and -)"),
            ({"user_data": "x" * 65537}, "User data must be a text of at most 64 KiB."),
            ({"tags": ["no spaces"]}, "Tags may contain letters, numbers, colons, dashes, and underscores."),
        ],
    )
    async def test_what_cannot_be_made_is_refused_with_the_sentence(
        self, cloud: DigitalOcean, http: httpx.AsyncClient, changes: dict[str, Any], sentence: str
    ) -> None:
        answer = await http.post("/droplets", json=droplet(**changes))
        assert answer.status_code == 422
        assert (answer.json()["id"], answer.json()["message"]) == ("unprocessable_entity", sentence)
        assert (await cloud.state())["invoices"] == []

    async def test_full_account_is_refused_while_another_is_not(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        one = {"acme": Limits(droplets=1)}
        async with emulator(tmp_path_factory.mktemp("full"), limits_of=one) as cloud:
            assert (await cloud.http.get("/account")).json()["account"]["droplet_limit"] == 1
            number = await created(cloud.http)
            refused = await cloud.http.post("/droplets", json=droplet())
            assert refused.status_code == 422
            assert refused.json()["message"] == "creating this/these droplet(s) will exceed your droplet limit"
            async with cloud.caller("beta") as beta:
                assert (await beta.post("/droplets", json=droplet())).status_code == 202
            await cloud.http.delete(f"/droplets/{number}")
            assert (await cloud.http.post("/droplets", json=droplet())).status_code == 202

    async def test_droplet_without_a_place_is_removed_and_its_action_ends_in_error(
        self, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        slow = QUICK.model_copy(update={"install": 3600.0})
        async with emulator(tmp_path_factory.mktemp("placeless"), timings=slow) as cloud:
            answer = (await cloud.http.post("/droplets", json=droplet())).json()
            number = answer["droplet"]["id"]
            assert (await cloud.admin.post(f"/_sandbox/droplets/{number}/fail")).status_code == 204
            assert (await cloud.http.get(f"/droplets/{number}")).status_code == 404
            action = (await cloud.http.get(answer["links"]["actions"][0]["href"])).json()["action"]
            assert action["status"] == "errored"

            async def gone() -> bool:
                return (await cloud.state())["droplets"][0]["phase"] == "gone"

            await until(gone)
            assert cloud.driver.specs == {}


class TestDroplets:
    async def test_list_filters_by_tag_and_by_name(self, http: httpx.AsyncClient) -> None:
        first = await created(http)
        second = await created(http, name="Other", tags=[])

        async def ids(**query: str) -> list[int]:
            return [one["id"] for one in (await http.get("/droplets", params=query)).json()["droplets"]]

        assert await ids() == [first, second]
        assert await ids(tag_name=TAG) == [first]
        assert await ids(tag_name="unknown") == []
        assert await ids(name="oTHER") == [second]
        assert await ids(name="othe") == []
        assert (await http.get("/droplets", params={"name": "x", "tag_name": "y"})).status_code == 422

    async def test_power_goes_through_to_the_host(self, cloud: DigitalOcean, http: httpx.AsyncClient) -> None:
        number = await created(http)
        path = f"/droplets/{number}"
        for kind, status in (("shutdown", "off"), ("power_on", "active"), ("power_off", "off"), ("power_on", "active"),
                             ("reboot", "active"), ("power_cycle", "active")):  # fmt: skip
            answer = await http.post(f"{path}/actions", json={"type": kind})
            assert (answer.status_code, answer.json()["action"]["status"]) == (201, "in-progress")
            await free(http, number)
            assert (await http.get(path)).json()["droplet"]["status"] == status
            one = (await http.get(f"{path}/actions/{answer.json()['action']['id']}")).json()["action"]
            assert (one["status"], one["type"]) == ("completed", kind)
        calls = [call for call, _ in cloud.driver.calls]
        assert calls == ["create", "start", "stop", "start", "kill", "start", "stop", "start", "kill", "start"]
        kinds = [action["type"] for action in (await http.get(f"{path}/actions")).json()["actions"]]
        assert kinds[0] == "power_cycle"
        assert kinds[-1] == "create"

    async def test_droplet_at_work_refuses_everything_else(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        slow = QUICK.model_copy(update={"power": 3600.0})
        async with emulator(tmp_path_factory.mktemp("busy"), timings=slow) as cloud:
            path = f"/droplets/{await created(cloud.http)}"
            assert (await cloud.http.post(f"{path}/actions", json={"type": "reboot"})).status_code == 201
            for answer in (
                await cloud.http.post(f"{path}/actions", json={"type": "power_off"}),
                await cloud.http.delete(path),
            ):
                assert (answer.status_code, answer.json()["message"]) == (422, "Droplet already has a pending event.")
            assert (await cloud.http.get(path)).json()["droplet"]["locked"]

    async def test_changes_of_the_record_are_actions_too(self, http: httpx.AsyncClient) -> None:
        number = await created(http)
        for body in ({"type": "rename", "name": "renamed"}, {"type": "enable_ipv6"}, {"type": "enable_backups"}):
            assert (await http.post(f"/droplets/{number}/actions", json=body)).status_code == 201
            await free(http, number)
        found = (await http.get(f"/droplets/{number}")).json()["droplet"]
        assert found["name"] == "renamed"
        assert len(found["networks"]["v6"]) == 1
        assert "backups" in found["features"]
        for kind in ("resize", "dance", None):
            assert (await http.post(f"/droplets/{number}/actions", json={"type": kind})).status_code == 422

    async def test_destroyed_droplet_is_not_found_from_then_on(
        self, cloud: DigitalOcean, http: httpx.AsyncClient
    ) -> None:
        number = await created(http)
        answer = await http.delete(f"/droplets/{number}")
        assert (answer.status_code, answer.content) == (204, b"")
        for method in ("GET", "DELETE"):
            assert (await http.request(method, f"/droplets/{number}")).json()["message"] == NOT_FOUND
        assert (await http.get("/droplets")).json()["droplets"] == []

        async def gone() -> bool:
            return not cloud.driver.specs

        await until(gone)

    async def test_tags_are_given_and_taken_whatever_the_droplet_does(self, http: httpx.AsyncClient) -> None:
        number = (await http.post("/droplets", json=droplet())).json()["droplet"]["id"]
        assert (await http.post("/tags", json={"name": "env:prod"})).status_code == 201
        one = {"resources": [{"resource_id": str(number), "resource_type": "droplet"}]}
        assert (await http.post("/tags/env:prod/resources", json=one)).status_code == 204
        assert (await http.get(f"/droplets/{number}")).json()["droplet"]["tags"] == [TAG, "env:prod"]
        assert (await http.get("/tags/env:prod")).json()["tag"]["resources"]["droplets"]["count"] == 1
        assert (await http.request("DELETE", "/tags/env:prod/resources", json=one)).status_code == 204
        assert (await http.get(f"/droplets/{number}")).json()["droplet"]["tags"] == [TAG]
        assert (await http.post("/tags/none/resources", json=one)).status_code == 404
        other = {"resources": [{"resource_id": "1", "resource_type": "droplet"}]}
        assert (await http.post("/tags/env:prod/resources", json=other)).status_code == 404
        assert (await http.delete(f"/tags/{TAG}")).status_code == 204
        assert (await http.get(f"/droplets/{number}")).json()["droplet"]["tags"] == []
        assert [tag["name"] for tag in (await http.get("/tags")).json()["tags"]] == ["env:prod"]
