"""The CA as a program, and its manners on the wire where a well-behaved client never goes."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from providers.acme.client import AcmeClient
from providers.acme.wire import load_key
from providers.dns.challenges import ChallengeSolver
from tests.providers.acme.requests import make_csr
from tests.providers.dns.servers import free_port, name_server
from tests.sandbox.acme.peer import Peer, kind, visiting


@pytest.fixture
async def peer(tmp_path: Path) -> AsyncIterator[Peer]:
    async with visiting(tmp_path) as made:
        yield made


class TestRequests:
    async def test_a_nonce_is_good_once(self, peer: Peer) -> None:
        nonce = await peer.nonce()
        assert (await peer.post("/new-account", {"termsOfServiceAgreed": True}, nonce=nonce)).status_code == 201
        again = await peer.post("/new-account", {"termsOfServiceAgreed": True}, nonce=nonce)
        assert (again.status_code, kind(again)) == (400, "badNonce")

    async def test_a_signature_by_another_key_is_malformed(self, peer: Peer) -> None:
        await peer.register()
        other = load_key(AcmeClient.new_account_key())
        assert kind(await peer.post("/new-order", {}, key=other)) == "malformed"

    async def test_a_url_signed_for_another_place_is_unauthorized(self, peer: Peer) -> None:
        answer = await peer.post("/new-account", {}, url="https://elsewhere.invalid/")
        assert (answer.status_code, kind(answer)) == (403, "unauthorized")

    async def test_an_unknown_account_does_not_exist(self, peer: Peer) -> None:
        peer.kid = f"{peer.base}/account/nobody"
        assert kind(await peer.post("/new-order", {})) == "accountDoesNotExist"

    async def test_another_content_type_is_415(self, peer: Peer) -> None:
        assert (await peer.post("/new-account", {}, content_type="application/json")).status_code == 415

    async def test_a_body_that_is_no_jws_is_malformed(self, peer: Peer) -> None:
        answer = await peer.http.post(
            f"{peer.base}/new-order", content="{}", headers={"Content-Type": "application/jose+json"}
        )
        assert kind(answer) == "malformed"


class TestAccounts:
    async def test_the_same_key_finds_its_account_again(self, peer: Peer) -> None:
        await peer.register()
        kid, peer.kid = peer.kid, None
        answer = await peer.post("/new-account", {"onlyReturnExisting": True})
        assert (answer.status_code, answer.headers["Location"]) == (200, kid)

    async def test_a_key_nobody_registered_is_told_so(self, peer: Peer) -> None:
        assert kind(await peer.post("/new-account", {"onlyReturnExisting": True})) == "accountDoesNotExist"

    async def test_the_terms_must_be_agreed_to(self, peer: Peer) -> None:
        answer = await peer.post("/new-account", {"termsOfServiceAgreed": False})
        assert (answer.status_code, kind(answer)) == (403, "userActionRequired")

    async def test_somebody_elses_order_is_not_shown(self, peer: Peer) -> None:
        await peer.register()
        order = (await peer.post("/new-order", {"identifiers": [{"type": "dns", "value": "a.slipway.test"}]})).headers
        stranger = Peer(peer.http, peer.base)
        await stranger.register()
        answer = await stranger.post(order["Location"].removeprefix(peer.base), None)
        assert (answer.status_code, kind(answer)) == (403, "unauthorized")


class TestOrders:
    @pytest.mark.parametrize(
        ("identifiers", "problem"),
        [
            ([], "malformed"),
            ([{"type": "ip", "value": "192.0.2.1"}], "unsupportedIdentifier"),
            ([{"type": "dns", "value": "no_underscore.example.com"}], "malformed"),
            ([{"type": "dns", "value": "a.*.example.com"}], "malformed"),
            ([{"type": "dns", "value": "localhost"}], "malformed"),
        ],
    )
    async def test_names_it_cannot_certify_are_refused(
        self, peer: Peer, identifiers: list[dict[str, str]], problem: str
    ) -> None:
        await peer.register()
        assert kind(await peer.post("/new-order", {"identifiers": identifiers})) == problem

    async def test_an_unknown_profile_is_refused(self, peer: Peer) -> None:
        await peer.register()
        order = {"identifiers": [{"type": "dns", "value": "a.slipway.test"}], "profile": "nonexistent"}
        assert kind(await peer.post("/new-order", order)) == "invalidProfile"

    async def test_finalizing_before_the_proof_is_not_ready(self, peer: Peer) -> None:
        await peer.register()
        order = await peer.post("/new-order", {"identifiers": [{"type": "dns", "value": "a.slipway.test"}]})
        answer = await peer.post(order.json()["finalize"].removeprefix(peer.base), {"csr": "AAAA"})
        assert (answer.status_code, kind(answer)) == (403, "orderNotReady")


async def start(config: Path) -> tuple[asyncio.subprocess.Process, dict[str, Any]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sandbox.acme_server", "--config", str(config), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    return process, json.loads(await asyncio.wait_for(process.stdout.readline(), 30))


async def test_root_and_accounts_survive_a_kill(tmp_path: Path) -> None:
    async with name_server("sandbox", tmp_path) as names:
        config = tmp_path / "acme.json"
        listen = f"127.0.0.1:{free_port()}"
        config.write_text(json.dumps({"listen": listen, "dns": names.dns, "state_dir": str(tmp_path / "acme")}))
        dns = names.client()
        solver = ChallengeSolver(dns, [names.dns], owner="d-1", interval=0.05)
        key, roots = AcmeClient.new_account_key(), []
        for sign in (signal.SIGKILL, signal.SIGTERM):
            process, ready = await start(config)
            roots.append(Path(ready["root_file"]).read_text())
            client = AcmeClient(ready["directory"], ca_file=Path(ready["ca_file"]))
            assert await client.issue(key, make_csr("kill.slipway.test"), solver=solver, deadline_seconds=60)
            process.send_signal(sign)
            code = await asyncio.wait_for(process.wait(), 30)
        await dns.close()
        assert roots[0] == roots[1]
        assert code == 0
