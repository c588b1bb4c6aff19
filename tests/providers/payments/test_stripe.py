"""The client against the sandbox's Stripe over real connections: effects once, whatever becomes of answers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

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
from providers.payments.events import Paid, meaning
from providers.payments.objects import MARK, Malformed
from providers.payments.stripe import VERSION, Stripe
from sandbox.clouds.records import Fault, FaultMatch
from sandbox.stripe.payments import Purchase
from sandbox.stripe.records import Payment, Price, Refund
from sandbox.stripe_server import StripeServer

BUY = Purchase(amount=1099, email="jane@example.org", metadata={"tenantSlug": "acme", "priceId": "p-1"})


def spoil(server: StripeServer, method: str = "POST", path: str = "/refunds", **fault: Any) -> None:
    server.account.faults.add(Fault(match=FaultMatch(method=method, path=path), **fault))


def refunds(server: StripeServer) -> list[Refund]:
    return server.account.payments.refunds()


@pytest.fixture
def payment(server: StripeServer) -> Payment:
    return server.account.payments.buy(BUY)


class TestPayments:
    async def test_a_payment_intent_is_read(self, stripe: Stripe, payment: Payment) -> None:
        found = await stripe.payment_intent(payment.id)
        assert (found.amount, found.amount_received, found.currency, found.paid) == (1099, 1099, "EUR", True)
        assert (found.customer, found.charge, found.metadata) == (payment.customer, payment.charge, BUY.metadata)

    @pytest.mark.parametrize("id_", ["pi_none", "../refunds", "a/b"])
    async def test_one_that_is_not_there_is_not_found(self, stripe: Stripe, id_: str) -> None:
        with pytest.raises(NotFound):
            await stripe.payment_intent(id_)

    async def test_an_empty_id_is_not_asked_for(self, stripe: Stripe) -> None:
        with pytest.raises(InvalidInput):
            await stripe.payment_intent("")

    async def test_the_payment_of_an_invoice_is_found(self, server: StripeServer, stripe: Stripe) -> None:
        begun = server.account.subscriptions.begin(BUY)
        invoice = begun.latest_invoice or ""
        intent = await stripe.payment_of_invoice(invoice)
        assert intent
        assert (await stripe.payment_intent(intent)).paid
        with pytest.raises(NotFound):
            await stripe.payment_of_invoice("in_none")

    async def test_every_call_pins_the_version(self) -> None:
        seen: list[httpx.Request] = []

        def answer(request: httpx.Request) -> httpx.Response:
            seen.append(request)
            return httpx.Response(200, json={"object": "list", "data": [], "has_more": False})

        client = Stripe(api_key=SecretStr("sk_test_1"), transport=httpx.MockTransport(answer))
        await client.verify_credentials()
        assert await client.refunds_of("pi_1") == []
        await client.close()
        assert {request.headers["Stripe-Version"] for request in seen} == {VERSION}


class TestRefunds:
    async def test_all_that_is_left_is_given_back(self, server: StripeServer, stripe: Stripe, payment: Payment) -> None:
        part = await stripe.create_refund(payment_intent=payment.id, key="k-1", amount=99, metadata={"order": "o-1"})
        rest = await stripe.create_refund(payment_intent=payment.id, key="k-2", reason="requested_by_customer")
        assert (part.amount, rest.amount, rest.status, rest.currency) == (99, 1000, "succeeded", "EUR")
        assert part.metadata == {"order": "o-1", MARK: "k-1"}
        assert await stripe.refunds_of(payment.id) == [rest, part]
        assert await stripe.refund(part.id) == part

    async def test_the_same_key_is_one_refund(self, server: StripeServer, stripe: Stripe, payment: Payment) -> None:
        made = [await stripe.create_refund(payment_intent=payment.id, key="k-1", amount=99) for _ in range(3)]
        assert {one.id for one in made} == {refunds(server)[0].id}
        assert len(refunds(server)) == 1

    async def test_the_same_key_at_once_is_one_refund(
        self, server: StripeServer, stripe: Stripe, payment: Payment
    ) -> None:
        await asyncio.gather(
            *(stripe.create_refund(payment_intent=payment.id, key="k-1", amount=99) for _ in range(10))
        )
        assert len(refunds(server)) == 1

    async def test_a_key_for_something_else_is_a_conflict(self, stripe: Stripe, payment: Payment) -> None:
        await stripe.create_refund(payment_intent=payment.id, key="k-1", amount=99)
        with pytest.raises(Conflict, match="Idempotency-Key"):
            await stripe.create_refund(payment_intent=payment.id, key="k-1", amount=98)

    @pytest.mark.parametrize(
        "fault",
        [{"do": "lose_request"}, {"do": "lose_answer"}, {"do": "duplicate"}, {"do": "delay", "seconds": 0.1},
         {"do": "status", "status": 502, "body": "<html>Bad gateway</html>", "handled": True},
         {"do": "status", "status": 503}, {"do": "status", "status": 500}, {"do": "garbage"},
         {"do": "rate_limit", "seconds": 2}],
        ids=str,
    )  # fmt: skip
    async def test_whatever_becomes_of_an_answer_a_repeat_makes_one_refund(
        self, server: StripeServer, stripe: Stripe, payment: Payment, fault: dict[str, Any]
    ) -> None:
        spoil(server, **fault)
        try:
            first = await stripe.create_refund(payment_intent=payment.id, key="k-1", amount=99)
        except (Transient, RateLimited):
            first = None
        again = await stripe.create_refund(payment_intent=payment.id, key="k-1", amount=99)
        assert [one.id for one in refunds(server)] == [again.id]
        assert first in (None, again)

    async def test_a_500_that_stripe_keeps_is_settled_by_looking(
        self, server: StripeServer, stripe: Stripe, payment: Payment
    ) -> None:
        spoil(server, do="status", status=500, handled=True)
        with pytest.raises(Transient):
            await stripe.create_refund(payment_intent=payment.id, key="k-1", amount=99)
        with pytest.raises(Unconfirmed):
            await stripe.create_refund(payment_intent=payment.id, key="k-1", amount=99)
        found = await stripe.ensure_refund(payment_intent=payment.id, key="k-1", amount=99)
        assert [one.id for one in refunds(server)] == [found.id]

    async def test_a_key_that_stripe_has_forgotten_is_still_one_refund(
        self, server: StripeServer, stripe: Stripe, payment: Payment
    ) -> None:
        made = await stripe.ensure_refund(payment_intent=payment.id, key="k-1", amount=99)
        server.account.journal.options.keep_keys = 0
        assert await stripe.ensure_refund(payment_intent=payment.id, key="k-1", amount=99) == made
        await stripe.create_refund(payment_intent=payment.id, key="k-1", amount=99)
        assert len(refunds(server)) == 2, "without looking it would have been two"

    async def test_a_refund_that_failed_is_shown_and_not_made_again(
        self, server: StripeServer, stripe: Stripe, payment: Payment
    ) -> None:
        made = await stripe.ensure_refund(payment_intent=payment.id, key="k-1")
        server.account.payments.settle_refund(made.id, succeeds=False)
        found = await stripe.ensure_refund(payment_intent=payment.id, key="k-1")
        assert (found.id, found.lost, found.failure_reason) == (made.id, True, "expired_or_canceled_card")
        again = await stripe.ensure_refund(payment_intent=payment.id, key="k-2")
        assert (again.lost, again.amount) == (False, 1099)

    async def test_what_cannot_be_refunded_is_refused_for_good(
        self, server: StripeServer, stripe: Stripe, payment: Payment
    ) -> None:
        with pytest.raises(NotFound):
            await stripe.create_refund(payment_intent="pi_none", key="k-0")
        with pytest.raises(InvalidInput) as much:
            await stripe.create_refund(payment_intent=payment.id, key="k-1", amount=1100)
        assert much.value.field == "amount"
        with pytest.raises(InvalidInput):
            await stripe.create_refund(payment_intent=payment.id, key="k-2", amount=0)
        await stripe.create_refund(payment_intent=payment.id, key="k-3")
        with pytest.raises(Conflict):
            await stripe.create_refund(payment_intent=payment.id, key="k-4")
        disputed = server.account.payments.buy(BUY)
        server.account.payments.dispute(disputed.id)
        with pytest.raises(Conflict):
            await stripe.create_refund(payment_intent=disputed.id, key="k-5")

    @pytest.mark.parametrize("key", ["", "k" * 256, "ü", "a\nb"])
    async def test_a_key_that_no_header_can_hold_is_not_sent(self, stripe: Stripe, payment: Payment, key: str) -> None:
        with pytest.raises(InvalidInput):
            await stripe.create_refund(payment_intent=payment.id, key=key)

    async def test_more_refunds_than_a_page_holds_are_all_found(
        self, server: StripeServer, stripe: Stripe, payment: Payment
    ) -> None:
        for number in range(205):
            with server.account.journal.store.transaction():
                server.account.payments.refund(payment.id, amount=1, reason=None, metadata={"n": str(number)})
        found = await stripe.refunds_of(payment.id)
        assert [one.metadata["n"] for one in found] == [str(number) for number in reversed(range(205))]


def offer(server: StripeServer, name: str, amount: int) -> None:
    with server.account.journal.store.transaction():
        server.account.subscriptions.offer(Price(id=name, amount=amount, currency="eur", interval="month"))


class TestSubscriptions:
    async def test_one_ends_with_its_period_and_may_be_kept(self, server: StripeServer, stripe: Stripe) -> None:
        begun = server.account.subscriptions.begin(BUY)
        told = await stripe.cancel_subscription(begun.id, key="c-1")
        assert (told.ends_at, told.ended) == (begun.period_end, False)
        assert await stripe.cancel_subscription(begun.id, key="c-2") == told
        kept = await stripe.keep_subscription(begun.id, key="c-3")
        assert kept.ends_at is None
        assert await stripe.keep_subscription(begun.id, key="c-4") == kept

    async def test_one_that_is_ended_stays_so(self, server: StripeServer, stripe: Stripe) -> None:
        begun = server.account.subscriptions.begin(BUY)
        ended = await stripe.end_subscription(begun.id)
        assert ended.ended
        assert await stripe.end_subscription(begun.id) == ended
        assert await stripe.cancel_subscription(begun.id, key="c-1") == ended
        with pytest.raises(Conflict):
            await stripe.keep_subscription(begun.id, key="c-2")

    async def test_an_end_whose_answer_was_lost_is_repeated(self, server: StripeServer, stripe: Stripe) -> None:
        begun = server.account.subscriptions.begin(BUY)
        spoil(server, "DELETE", "/subscriptions", do="lose_answer")
        with pytest.raises(Transient):
            await stripe.end_subscription(begun.id)
        assert (await stripe.end_subscription(begun.id)).ended

    async def test_an_end_that_somebody_else_made_meanwhile_is_seen(self, server: StripeServer, stripe: Stripe) -> None:
        begun = server.account.subscriptions.begin(BUY)
        spoil(server, "DELETE", "/subscriptions", do="duplicate")
        assert (await stripe.end_subscription(begun.id)).ended

    async def test_another_price_is_charged_from_then_on_and_settled_with_the_next_invoice(
        self, server: StripeServer, stripe: Stripe
    ) -> None:
        account = server.account.subscriptions
        begun = account.begin(BUY)
        offer(server, "price_big", 2 * BUY.amount)
        told = await stripe.change_price(begun.id, price="price_big", key="p-1")
        assert [(item.id, item.price) for item in told.items] == [(begun.item, "price_big")]
        assert await stripe.change_price(begun.id, price="price_big", key="p-2") == told
        (changed,) = [one for one in server.account.journal.events() if one.type == "customer.subscription.updated"]
        assert changed.previous is not None
        assert changed.previous["items"]["data"][0]["price"]["id"] == begun.price
        account.renew(begun.id, succeeds=True)
        paid = [one.object for one in server.account.journal.events() if one.type == "invoice.paid"][-1]
        lines = {
            line["parent"]["subscription_item_details"]["proration"]: line["amount"] for line in paid["lines"]["data"]
        }
        assert lines[False] == 2 * BUY.amount
        assert 0 < lines[True] <= BUY.amount
        assert paid["amount_paid"] == sum(lines.values())

    async def test_there_and_back_again_costs_nothing(self, server: StripeServer, stripe: Stripe) -> None:
        begun = server.account.subscriptions.begin(BUY)
        offer(server, "price_big", 2 * BUY.amount)
        await stripe.change_price(begun.id, price="price_big", key="p-1")
        await stripe.change_price(begun.id, price=begun.price, key="p-2")
        assert abs(server.account.subscriptions.get(begun.id).unbilled) <= 1  # a cent of rounding

    @pytest.mark.parametrize("do", ["lose_answer", "duplicate"])
    async def test_a_change_of_price_whose_answer_was_lost_is_one_change(
        self, server: StripeServer, stripe: Stripe, do: str
    ) -> None:
        begun = server.account.subscriptions.begin(BUY)
        offer(server, "price_big", 2 * BUY.amount)
        spoil(server, "POST", "/subscriptions", do=do)
        with contextlib.suppress(ProviderError):
            await stripe.change_price(begun.id, price="price_big", key="p-1")
        await stripe.change_price(begun.id, price="price_big", key="p-1")
        told = [one for one in server.account.journal.events() if one.type == "customer.subscription.updated"]
        assert len(told) == 1

    async def test_a_price_that_stripe_does_not_know_is_refused_and_changes_nothing(
        self, server: StripeServer, stripe: Stripe
    ) -> None:
        begun = server.account.subscriptions.begin(BUY)
        with pytest.raises(NotFound):
            await stripe.change_price(begun.id, price="price_none", key="p-1")
        assert server.account.subscriptions.get(begun.id).price == begun.price
        await stripe.end_subscription(begun.id)
        with pytest.raises(Conflict):
            await stripe.change_price(begun.id, price="price_none", key="p-2")

    async def test_one_that_is_not_there_is_not_found(self, stripe: Stripe) -> None:
        with pytest.raises(NotFound):
            await stripe.cancel_subscription("sub_none", key="c-1")


class TestEvents:
    async def test_what_was_lost_is_caught_up_in_order(self, server: StripeServer, stripe: Stripe) -> None:
        seen = server.account.journal.emit("ping", {"object": "ping"})
        intents = [server.account.payments.buy(BUY).id for _ in range(120)]
        types = ["payment_intent.succeeded"]
        told = [meaning(event) async for event in stripe.events_after(seen.id, types=types)]
        assert [one.payment_intent for one in told if isinstance(one, Paid)] == intents
        assert [event async for event in stripe.events_after(told[-1].event, types=types)] == []

    async def test_types_that_we_do_not_act_on_are_left_out(self, server: StripeServer, stripe: Stripe) -> None:
        first = server.account.journal.emit("ping", {"object": "ping"})
        server.account.payments.buy(BUY)
        server.account.journal.emit("pong", {"object": "pong"})
        types = [event.type async for event in stripe.events_after(first.id)]
        assert types == ["payment_intent.succeeded", "checkout.session.completed"]

    async def test_where_the_last_one_is_forgotten_time_is_the_cursor(
        self, server: StripeServer, stripe: Stripe
    ) -> None:
        payment = server.account.payments.buy(BUY)
        with pytest.raises(NotFound):
            _ = [event async for event in stripe.events_after("evt_forgotten")]
        assert [event.type for event in await stripe.events_since(payment.created)] == [
            "payment_intent.succeeded", "checkout.session.completed",
        ]  # fmt: skip
        assert await stripe.events_since(payment.created + 100) == []

    async def test_a_page_that_is_lost_ends_the_list_with_an_error(self, server: StripeServer, stripe: Stripe) -> None:
        first = server.account.journal.emit("ping", {"object": "ping"})
        server.account.payments.buy(BUY)
        spoil(server, "GET", "/events", do="garbage", body='{"object": "list"}')
        with pytest.raises(Transient):
            _ = [event async for event in stripe.events_after(first.id)]


def error(status: int, code: str | None = None, type_: str = "invalid_request_error", **headers: str) -> httpx.Response:
    body = {"error": {"type": type_, "message": "A sentence with sk_live_abcDEF123 in it.", "param": "amount"}}
    if code:
        body["error"]["code"] = code
    return httpx.Response(status, json=body, headers=headers)


class TestErrors:
    @pytest.mark.parametrize(
        ("response", "kind"),
        [(error(400), InvalidInput), (error(400, "parameter_unknown"), InvalidInput),
         (error(400, "resource_missing"), NotFound), (error(404, "resource_missing"), NotFound), (error(404), NotFound),
         (error(400, type_="idempotency_error"), Conflict), (error(400, "charge_already_refunded"), Conflict),
         (error(400, "charge_disputed"), Conflict), (error(400, "balance_insufficient"), QuotaExceeded),
         (error(401), Unauthorized), (error(401, "api_key_expired"), Unauthorized), (error(403), Unauthorized),
         (error(402, "card_declined", "card_error"), Rejected), (error(409, "lock_timeout"), Transient),
         (error(409, "idempotency_key_in_use", "idempotency_error"), Transient), (error(409), Transient),
         (error(429, "lock_timeout"), Transient), (error(429, "rate_limit"), RateLimited), (error(424), Transient),
         (error(500, type_="api_error"), Transient), (httpx.Response(502, text="<html>"), Transient),
         (httpx.Response(301, headers={"Location": "/"}), Transient),
         (error(500, type_="api_error", **{"Idempotent-Replayed": "true"}), Unconfirmed),
         (error(400, "charge_already_refunded", **{"Idempotent-Replayed": "true"}), Conflict),
         (httpx.Response(200, text="{"), Transient), (httpx.Response(200, json=[]), Transient),
         (httpx.Response(200, json={"object": "charge", "id": "ch_1"}), Malformed),
         (httpx.Response(200, json={"object": "refund", "id": "re_1"}), Malformed)],
        ids=lambda value: value.__name__ if isinstance(value, type) else f"{value.status_code} {value.text[:90]}",
    )  # fmt: skip
    async def test_answers_mean_what_the_tree_of_errors_says(
        self, response: httpx.Response, kind: type[ProviderError]
    ) -> None:
        client = Stripe(api_key=SecretStr("sk_live_abcDEF123"), transport=httpx.MockTransport(lambda _: response))
        with pytest.raises(ProviderError) as raised:
            await client.create_refund(payment_intent="pi_1", key="k-1")
        await client.close()
        assert type(raised.value) is kind
        assert raised.value.provider == "stripe"
        assert "sk_live" not in f"{raised.value!r} {raised.value.message}"

    @pytest.mark.parametrize(("told", "wait"), [("7", 7.0), ("", 60.0), ("soon", 60.0), ("9999", 300.0)])
    async def test_a_rate_limit_says_how_long(self, told: str, wait: float) -> None:
        headers = {"Retry-After": told} if told else {}
        transport = httpx.MockTransport(lambda _: error(429, "rate_limit", **headers))
        client = Stripe(api_key=SecretStr("sk_test_1"), transport=transport)
        with pytest.raises(RateLimited) as raised:
            await client.verify_credentials()
        await client.close()
        assert raised.value.retry_after == wait

    async def test_a_wrong_key_is_told_from_everything_else(self, server: StripeServer) -> None:
        client = Stripe(api_key=SecretStr("sk_test_somebody_elses"), base_url=server.url)
        with pytest.raises(Unauthorized):
            await client.verify_credentials()
        await client.close()

    @pytest.mark.parametrize("key", ["", "  ", "sk_\ntest", "sk_ü"])
    def test_no_client_is_made_without_a_key(self, key: str) -> None:
        with pytest.raises(ValueError, match="needs an API key") as raised:
            Stripe(api_key=SecretStr(key))
        assert key.strip() == "" or key not in str(raised.value)

    async def test_the_key_is_in_no_representation(self) -> None:
        client = Stripe(api_key=SecretStr("sk_live_abcDEF123"))
        shown: list[Callable[[Any], str]] = [repr, str]
        assert all("sk_live" not in show(thing) for show in shown
                   for thing in (client, vars(client), client._line.http.headers))  # fmt: skip
        await client.close()

    async def test_a_server_that_is_not_there_is_transient(self) -> None:
        client = Stripe(api_key=SecretStr("sk_test_1"), base_url="http://127.0.0.1:9")
        with pytest.raises(Transient):
            await client.create_refund(payment_intent="pi_1", key="k-1")
        await client.close()
