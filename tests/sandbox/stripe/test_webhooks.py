"""Events arrive signed, at least once, in any order, and again until somebody says 2xx."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from providers.payments.events import ACTED_ON
from sandbox.stripe.payments import Purchase
from tests.sandbox.stripe.receiver import SECRET, Receiver, calling, delivered, receiving, running

BUY = Purchase(amount=1099, email="jane@example.org")
SALE = ["customer.created", "charge.succeeded", "payment_intent.succeeded", "checkout.session.completed"]


async def test_each_event_arrives_once_signed_in_order(tmp_path: Path) -> None:
    async with receiving() as receiver, running(tmp_path, webhook=receiver.endpoint()) as server:
        server.account.payments.buy(BUY)
        await delivered(server)
        assert sorted(receiver.types()) == sorted(SALE)
        assert {one.state for one in server.account.journal.deliveries()} == {"delivered"}


@pytest.mark.parametrize("secret", ["whsec_old", "whsec_new"])
async def test_during_a_rotation_either_secret_verifies(tmp_path: Path, secret: str) -> None:
    async with receiving(secret) as receiver:
        endpoint = receiver.endpoint(secrets=["whsec_old", "whsec_new"])
        async with running(tmp_path, webhook=endpoint) as server:
            server.account.payments.buy(BUY)
            await delivered(server)
            assert len(receiver.events) == len(SALE)


async def test_copies_are_the_same_event_again(tmp_path: Path) -> None:
    async with receiving() as receiver:
        endpoint = receiver.endpoint(copies=3, shuffle=True, jitter=0.2)
        async with running(tmp_path, webhook=endpoint) as server:
            for _ in range(10):
                server.account.payments.buy(BUY)
            await delivered(server)
        assert set(Counter(event.id for event in receiver.events).values()) == {3}
        by_age = sorted(receiver.events, key=lambda event: event.id)
        assert receiver.events != by_age, "ninety-three events in order would be a wonder"


@pytest.mark.parametrize("refusal", [500, 404, 302, 0], ids=["500", "404", "redirect", "no answer"])
async def test_a_delivery_that_nobody_took_is_tried_again(tmp_path: Path, refusal: int) -> None:
    async with receiving() as receiver, running(tmp_path, webhook=receiver.endpoint(types=["charge.*"])) as server:
        receiver.answers = [refusal, refusal]
        server.account.payments.buy(BUY)
        await delivered(server)
        (delivery,) = server.account.journal.deliveries()
        assert receiver.types() == ["charge.succeeded"] * 3
        assert (delivery.answers, delivery.state) == ([refusal, refusal, 200], "delivered")


async def test_one_that_is_refused_for_ever_is_given_up(tmp_path: Path) -> None:
    async with receiving() as receiver:
        endpoint = receiver.endpoint(types=["charge.*"], retries=[0.01, 0.01])
        async with running(tmp_path, webhook=endpoint) as server:
            receiver.answers = [500] * 9
            server.account.payments.buy(BUY)
            await delivered(server)
            assert [one.state for one in server.account.journal.deliveries()] == ["failed"]
        assert len(receiver.events) == 3


async def test_what_was_on_its_way_survives_the_end_of_the_sender(tmp_path: Path) -> None:
    async with receiving() as receiver:
        nobody = Receiver()
        nobody.url = "http://127.0.0.1:9/"
        async with running(tmp_path, webhook=nobody.endpoint(retries=[0.05] * 1000)) as server:
            server.account.payments.buy(BUY)
        async with running(tmp_path, webhook=receiver.endpoint()) as server:
            await delivered(server)
            assert sorted(receiver.types()) == sorted(SALE)


async def test_without_an_endpoint_events_happen_and_are_listed(tmp_path: Path) -> None:
    async with receiving() as receiver:
        async with running(tmp_path, webhook=receiver.endpoint(enabled=False)) as server, calling(server) as http:
            server.account.payments.buy(BUY)
            await delivered(server)
            assert receiver.events == []
            listed = (await http.get("/v1/events", params={"limit": 100})).json()
            assert [event["type"] for event in listed["data"]] == SALE[::-1]


async def test_one_may_be_sent_again_by_hand(tmp_path: Path) -> None:
    async with receiving() as receiver, running(tmp_path) as server, calling(server) as http:
        server.account.payments.buy(BUY)
        event = server.account.journal.events()[-1]
        body = {**receiver.endpoint().model_dump(), "types": [*ACTED_ON]}
        shown = await http.put("/_sandbox/webhook", json=body)
        assert SECRET not in shown.text
        assert (await http.post(f"/_sandbox/events/{event.id}/resend", json={"copies": 2})).status_code == 204
        assert (await http.post("/_sandbox/events/evt_none/resend")).status_code == 404
        await delivered(server)
        assert [one.id for one in receiver.events] == [event.id, event.id]
