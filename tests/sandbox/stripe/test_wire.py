"""Manners on the wire where our own client never goes, and the shapes of the official specification."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox.stripe.payments import Purchase
from sandbox.stripe_server import StripeServer
from tests.providers.payments.recorded import RESOURCES
from tests.sandbox.stripe.receiver import KEY, calling, running

BUY = Purchase(amount=1099, email="jane@example.org")


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[StripeServer]:
    async with running(tmp_path) as server:
        yield server


@pytest.fixture
async def http(server: StripeServer) -> AsyncIterator[httpx.AsyncClient]:
    async with calling(server) as http:
        yield http


def error(answer: httpx.Response) -> tuple[int, str, str | None]:
    told = answer.json()["error"]
    return answer.status_code, told["type"], told.get("code")


class TestShapes:
    def same(self, shown: Any, official: Any, path: str) -> None:
        """Every member of ours is one of the specification's, and of its type where both show one."""
        if isinstance(shown, dict) and isinstance(official, dict):
            free = path.endswith((".metadata", ".previous_attributes"))
            assert free or set(shown) <= set(official), f"{path} has {set(shown) - set(official)}"
            for name in set(shown) & set(official):
                self.same(shown[name], official[name], f"{path}.{name}")
        elif isinstance(shown, list) and isinstance(official, list):
            for one in shown:
                if official:
                    self.same(one, official[0], f"{path}[]")
        elif shown is not None and official is not None:
            assert type(shown) is type(official), f"{path} is {shown!r}, not like {official!r}"

    async def test_objects_have_members_of_the_specification(self, server: StripeServer) -> None:
        account = server.account
        sold = account.payments.buy(BUY)
        with account.journal.store.transaction():
            account.payments.refund(sold.id, amount=99, reason=None, metadata={})
        account.payments.dispute(sold.id)
        begun = account.subscriptions.begin(BUY)
        account.subscriptions.renew(begun.id, succeeds=True)
        seen = set()
        for event in account.journal.events():
            kind = event.object["object"]
            seen.add(kind)
            self.same(event.object, RESOURCES[kind], kind)
        assert seen == {"customer", "charge", "payment_intent", "checkout.session", "refund", "dispute", "subscription",
                        "invoice"}  # fmt: skip
        shown = account.journal.wire.event(account.journal.events()[-1], 1)
        assert set(RESOURCES["event"]) - set(shown) <= {"account", "context", "data", "reason"}
        invoice = account.subscriptions.invoice(begun.latest_invoice or "")
        paid = account.journal.wire.invoice_payment(invoice, account.subscriptions.shown(invoice)[2])
        self.same({**paid, "payment": {}}, RESOURCES["invoice_payment"], "invoice_payment")

    async def test_the_version_of_a_call_decides_on_its_shape(self, server: StripeServer) -> None:
        begun = server.account.subscriptions.begin(BUY)
        async with calling(server, **{"Stripe-Version": "2024-06-20"}) as old, calling(server) as new:
            shown = (await old.get(f"/v1/subscriptions/{begun.id}")).json()
            assert shown["current_period_end"] == begun.period_end
            shown = (await new.get(f"/v1/subscriptions/{begun.id}")).json()
            assert "current_period_end" not in shown
            assert shown["items"]["data"][0]["current_period_end"] == begun.period_end
            invoice = (await old.get(f"/v1/invoices/{begun.latest_invoice}")).json()
            assert (invoice["subscription"], "parent" in invoice) == (begun.id, False)
            assert error(await new.get("/v1/events", headers={"Stripe-Version": "latest"}))[0] == 400


class TestAccess:
    async def test_basic_and_bearer_are_one_key(self, server: StripeServer) -> None:
        async with httpx.AsyncClient(base_url=server.url, trust_env=False) as http:
            assert (await http.get("/v1/events", auth=(KEY, ""))).status_code == 200
            assert error(await http.get("/v1/events")) == (401, "invalid_request_error", None)
            wrong = await http.get("/v1/events", headers={"Authorization": "Bearer sk_test_wrong_wrong_wrong"})
            assert error(wrong) == (401, "invalid_request_error", None)
            assert "wrong_wrong" not in wrong.text

    @pytest.mark.parametrize(("method", "path"), [("GET", "/v1/nothing"), ("PUT", "/v1/events"), ("GET", "/v2/events")])
    async def test_what_is_no_call_is_404(self, http: httpx.AsyncClient, method: str, path: str) -> None:
        assert error(await http.request(method, path)) == (404, "invalid_request_error", None)


class TestParameters:
    @pytest.mark.parametrize(
        ("form", "code"),
        [({}, "parameter_missing"), ({"amount": "x"}, "parameter_invalid_integer"),
         ({"colour": "1"}, "parameter_unknown"),
         ({"a[b][c]": "1"}, "parameter_unknown"), ({"metadata": "x"}, None), ({"reason": "whim"}, None),
         ({"amount": "0"}, "parameter_invalid_integer"), ({"payment_intent": "pi_none"}, "resource_missing")],
        ids=str,
    )  # fmt: skip
    async def test_what_is_not_understood_is_refused_and_not_kept(
        self, server: StripeServer, http: httpx.AsyncClient, form: dict[str, str], code: str | None
    ) -> None:
        sold = server.account.payments.buy(BUY)
        key = {"Idempotency-Key": "k-1"}
        answer = await http.post("/v1/refunds", data=form, headers=key)
        assert error(answer)[1:] == ("invalid_request_error", code)
        made = await http.post("/v1/refunds", data={"payment_intent": sold.id}, headers=key)
        assert (made.status_code, "Idempotent-Replayed" in made.headers) == (200, False)

    @pytest.mark.parametrize(
        "query", ["limit=0", "limit=101", "starting_after=evt_none", "ending_before=evt_none", "x=1"]
    )
    async def test_a_page_that_is_none_is_refused(self, http: httpx.AsyncClient, query: str) -> None:
        assert (await http.get(f"/v1/events?{query}")).status_code == 400

    async def test_pages_go_both_ways(self, server: StripeServer, http: httpx.AsyncClient) -> None:
        ids = [server.account.journal.emit("ping", {"object": "ping"}).id for _ in range(7)]

        async def page(**params: Any) -> tuple[list[str], bool]:
            shown = (await http.get("/v1/events", params=params)).json()
            return [event["id"] for event in shown["data"]], shown["has_more"]

        assert await page(limit=3) == (ids[:3:-1], True)
        assert await page(limit=3, starting_after=ids[4]) == ([ids[3], ids[2], ids[1]], True)
        assert await page(limit=3, starting_after=ids[1]) == ([ids[0]], False)
        assert await page(limit=3, ending_before=ids[0]) == ([ids[3], ids[2], ids[1]], True)
        assert await page(limit=3, ending_before=ids[5]) == ([ids[6]], False)


class TestIdempotency:
    async def refund(self, http: httpx.AsyncClient, payment: str, key: str, **form: str) -> httpx.Response:
        form = {"payment_intent": payment, **form}
        return await http.post("/v1/refunds", data=form, headers={"Idempotency-Key": key})

    async def test_the_same_request_is_answered_byte_for_byte(
        self, server: StripeServer, http: httpx.AsyncClient
    ) -> None:
        sold = server.account.payments.buy(BUY)
        first, again = [await self.refund(http, sold.id, "k-1", amount="99") for _ in range(2)]
        assert first.content == again.content
        assert ("Idempotent-Replayed" in first.headers, again.headers["Idempotent-Replayed"]) == (False, "true")
        other = await self.refund(http, sold.id, "k-1", amount="98")
        assert error(other) == (400, "idempotency_error", None)
        assert server.account.payments.get(sold.id).refunded == 99

    async def test_a_refusal_that_was_decided_is_kept_too(self, server: StripeServer, http: httpx.AsyncClient) -> None:
        sold = server.account.payments.buy(BUY)
        made = await self.refund(http, sold.id, "k-1")
        refused = await self.refund(http, sold.id, "k-2")
        assert error(refused) == (400, "invalid_request_error", "charge_already_refunded")
        server.account.payments.settle_refund(made.json()["id"], succeeds=False)
        again = await self.refund(http, sold.id, "k-2")
        assert (again.content, again.headers["Idempotent-Replayed"]) == (refused.content, "true")

    async def test_events_name_the_request_that_caused_them(
        self, server: StripeServer, http: httpx.AsyncClient
    ) -> None:
        sold = server.account.payments.buy(BUY)
        await self.refund(http, sold.id, "k-1")
        causes = {event.type: event.request for event in server.account.journal.events()}
        assert (causes["refund.created"], causes["payment_intent.succeeded"]) == ("k-1", None)


class TestAdmin:
    async def test_everything_is_shown_with_the_calls(self, server: StripeServer, http: httpx.AsyncClient) -> None:
        body = {"do": "rate_limit", "seconds": 3, "match": {"path": "/refunds"}}
        assert (await http.post("/_sandbox/faults", json=body)).status_code == 201
        limited = await http.get("/v1/refunds")
        assert (limited.status_code, limited.headers["Retry-After"]) == (429, "3")
        state = (await http.get("/_sandbox/state")).json()
        assert [(call["path"], call["status"], call["fault"]) for call in state["calls"]] == [
            ("/refunds", 429, "rate_limit"),
        ]  # fmt: skip
        assert state["faults"] == []

    @pytest.mark.parametrize(
        ("path", "body", "status"),
        [("payments", {}, 422), ("payments", {"amount": 0, "email": "a@b"}, 422), ("faults", {"do": "sing"}, 422),
         ("faults", {"do": "delay", "match": {"path": "("}}, 422), ("payments/pi_none/dispute", {}, 404),
         ("payments/pi_none/sing", {}, 404), ("subscriptions/sub_none/renew", {}, 404),
         ("disputes/dp_none/win", {}, 404),
         ("refunds/re_none/fail", {}, 404)],
    )  # fmt: skip
    async def test_what_makes_no_sense_is_said_so(
        self, http: httpx.AsyncClient, path: str, body: dict[str, Any], status: int
    ) -> None:
        assert (await http.post(f"/_sandbox/{path}", json=body)).status_code == status


async def test_a_program_that_is_killed_finds_everything_again(tmp_path: Path) -> None:
    config = tmp_path / "stripe.json"
    config.write_text(json.dumps({"state_dir": str(tmp_path / "state"), "listen": "127.0.0.1:0", "api_keys": [KEY]}))
    argv = [sys.executable, "-m", "sandbox.stripe_server", "--config", str(config)]
    key = {"Authorization": f"Bearer {KEY}", "Idempotency-Key": "k-1"}
    answers = []
    sold = ""
    for end in (signal.SIGKILL, signal.SIGTERM):
        process = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE)
        assert process.stdout
        url = json.loads(await process.stdout.readline())["url"]
        async with httpx.AsyncClient(base_url=url, trust_env=False, headers=key) as http:
            if not sold:
                sold = (await http.post("/_sandbox/payments", json=BUY.model_dump())).json()["id"]
            answers.append(await http.post("/v1/refunds", data={"payment_intent": sold}))
        process.send_signal(end)
        await process.wait()
    assert answers[0].content == answers[1].content
    assert answers[1].headers["Idempotent-Replayed"] == "true"
    assert process.returncode == 0
