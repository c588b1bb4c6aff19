"""What the CA says to clients that ask for windows, name predecessors, move keys or revoke in wrong ways."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from acme import jws, messages
from josepy.jwa import ES256

from providers.acme.client import AcmeClient
from providers.acme.wire import load_key
from tests.sandbox.acme.peer import Peer, kind, visiting


@pytest.fixture
async def peer(tmp_path: Path) -> AsyncIterator[Peer]:
    async with visiting(tmp_path) as made:
        await made.register()
        yield made


class TestRenewalInfo:
    @pytest.mark.parametrize(("id_", "status"), [("not-a-certid", 400), ("AAAA.BBBB", 400)])
    async def test_what_names_no_certificate_of_ours_is_malformed(self, peer: Peer, id_: str, status: int) -> None:
        answer = await peer.http.get(f"{peer.base}/renewal-info/{id_}")
        assert (answer.status_code, kind(answer)) == (status, "malformed")

    async def test_a_predecessor_nobody_issued_is_not_found(self, peer: Peer) -> None:
        answer = await peer.order(replaces="AAAA.BBBB")
        assert (answer.status_code, kind(answer)) == (404, "malformed")


class TestKeyChange:
    def inner(self, peer: Peer, **wrong: Any) -> dict[str, Any]:
        new = load_key(AcmeClient.new_account_key())
        said = {"account": peer.kid, "oldKey": peer.key.public_key().to_json()} | wrong.get("said", {})
        made = jws.JWS.sign(
            json.dumps(said).encode(), key=wrong.get("key", new), alg=ES256, nonce=wrong.get("nonce"),
            url=wrong.get("url", f"{peer.base}/key-change"),
        )  # fmt: skip
        return dict(made.to_json())

    @pytest.mark.parametrize(
        "wrong",
        [
            {"said": {"account": "https://elsewhere.invalid/account/1"}},
            {"said": {"oldKey": {"kty": "EC"}}},
            {"url": "https://elsewhere.invalid/key-change"},
            {"nonce": b"one"},
        ],
    )
    async def test_an_inner_part_that_is_not_exactly_right_is_malformed(
        self, peer: Peer, wrong: dict[str, Any]
    ) -> None:
        assert kind(await peer.post("/key-change", self.inner(peer, **wrong))) == "malformed"

    async def test_a_body_that_is_no_jws_is_malformed(self, peer: Peer) -> None:
        assert kind(await peer.post("/key-change", {"hello": "there"})) == "malformed"

    async def test_the_old_key_has_no_account_afterwards(self, peer: Peer) -> None:
        assert (await peer.post("/key-change", self.inner(peer))).status_code == 200
        peer.kid = None
        assert kind(await peer.post("/new-account", {"onlyReturnExisting": True})) == "accountDoesNotExist"

    async def test_a_key_in_use_is_a_conflict_that_names_its_account(self, peer: Peer) -> None:
        other = Peer(peer.http, peer.base)
        await other.register()
        answer = await peer.post("/key-change", self.inner(peer, key=other.key))
        assert (answer.status_code, answer.headers["Location"]) == (409, other.kid)


class TestBindings:
    @pytest.fixture
    async def strict(self, tmp_path: Path) -> AsyncIterator[Peer]:
        async with visiting(tmp_path, external_accounts={"c-1": "c2VjcmV0LWtleS1vZi10aGUtY3VzdG9tZXI"}) as made:
            yield made

    def binding(self, peer: Peer, **wrong: Any) -> dict[str, Any]:
        account = wrong.get("account", peer.key).public_key()
        directory = messages.Directory({"newAccount": wrong.get("url", f"{peer.base}/new-account")})
        key = wrong.get("hmac", "c2VjcmV0LWtleS1vZi10aGUtY3VzdG9tZXI")
        return messages.ExternalAccountBinding.from_data(account, wrong.get("kid", "c-1"), key, directory)

    async def test_none_is_refused_and_a_right_one_accepted(self, strict: Peer) -> None:
        assert kind(await strict.post("/new-account", {"termsOfServiceAgreed": True})) == "externalAccountRequired"
        right = {"termsOfServiceAgreed": True, "externalAccountBinding": self.binding(strict)}
        assert (await strict.post("/new-account", right)).status_code == 201

    @pytest.mark.parametrize(
        ("wrong", "problem"),
        [
            ({"kid": "c-2"}, "unauthorized"),
            ({"hmac": "YW5vdGhlci1rZXk"}, "unauthorized"),
            ({"url": "https://elsewhere.invalid/new-account"}, "unauthorized"),
            ({"account": load_key(AcmeClient.new_account_key())}, "malformed"),
        ],
    )
    async def test_a_wrong_one_is_refused(self, strict: Peer, wrong: dict[str, Any], problem: str) -> None:
        body = {"termsOfServiceAgreed": True, "externalAccountBinding": self.binding(strict, **wrong)}
        assert kind(await strict.post("/new-account", body)) == problem

    async def test_what_is_no_binding_is_malformed(self, strict: Peer) -> None:
        body = {"termsOfServiceAgreed": True, "externalAccountBinding": {"payload": 7}}
        assert kind(await strict.post("/new-account", body)) == "malformed"


class TestChallenges:
    async def test_a_wildcard_is_offered_no_http_challenge(self, peer: Peer) -> None:
        order = (await peer.order("*.slipway.test")).json()
        kinds = {item["type"] for item in (await peer.look(order["authorizations"][0])).json()["challenges"]}
        assert kinds == {"dns-01", "dns-persist-01"}

    async def test_a_challenge_is_taken_up_once(self, peer: Peer) -> None:
        order = (await peer.order()).json()
        offered = (await peer.look(order["authorizations"][0])).json()["challenges"]
        url = next(item["url"] for item in offered if item["type"] == "dns-01")
        assert (await peer.look(url, {})).json()["status"] == "processing"
        assert kind(await peer.look(url, {})) == "malformed"

    async def test_one_that_was_never_offered_is_not_found(self, peer: Peer) -> None:
        assert (await peer.post("/challenge/none", {})).status_code == 404


class TestRevocation:
    @pytest.mark.parametrize("certificate", [None, "AAAA", "not base64!"])
    async def test_what_is_no_certificate_is_malformed(self, peer: Peer, certificate: str | None) -> None:
        assert kind(await peer.post("/revoke", {"certificate": certificate})) == "malformed"


class TestFaults:
    async def test_it_is_down_until_the_faults_are_taken_back(self, peer: Peer) -> None:
        down = {"path": "/", "methods": ["GET", "HEAD", "POST"], "times": 100, "status": 503}
        await peer.http.post(f"{peer.base}/_sandbox/faults", json=down)
        assert [(await peer.http.get(f"{peer.base}{path}")).status_code for path in ("/dir", "/new-nonce")] == [503] * 2
        await peer.http.delete(f"{peer.base}/_sandbox/faults")
        assert (await peer.http.get(f"{peer.base}/dir")).status_code == 200
