"""Stripe's API v1 as far as we need it (https://docs.stripe.com/api): look at payments, give money back, end
subscriptions or change their price, and read the events that a webhook lost. What is
sold, and to whom, is the shop's.

Plain HTTP and not the `stripe` library: we use nine calls of it, and it repeats failed ones by itself and makes up
their Idempotency-Key where none is given. What may be repeated here, and under which key, is decided by a row.

Every POST carries the caller's Idempotency-Key: the same key with the same arguments is one effect, for a day. After
that, and after Unconfirmed, look first (`refunds_of`); `ensure_refund` always does. Amounts are whole numbers of the
currency's smallest unit (currencies.py).
"""

from __future__ import annotations

import builtins
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Literal
from urllib.parse import quote

import httpx
from pydantic import SecretStr

from providers.cloud.http import Line
from providers.errors import Conflict, InvalidInput, NotFound
from providers.payments import objects as wire
from providers.payments.events import ACTED_ON
from providers.payments.objects import MARK, Json, Malformed, PaymentIntent, Refund, Subscription
from providers.payments.stripe_errors import PROVIDER, READER, from_response, wait_of
from providers.payments.webhook import Event, EventMalformed, event_of

BASE_URL = "https://api.stripe.com"
VERSION = "2026-10-28.endive"  # of answers; events keep the version of their account
PAGE = 100  # the most there is
MAX_PAGES = 1000  # a guard against a list that never ends
MAX_KEY = 255  # characters
MAX_TYPES = 20

Reason = Literal["duplicate", "fraudulent", "requested_by_customer"]


class Stripe:
    """One account. `transport` replaces the network, for tests."""

    name = PROVIDER

    def __init__(
        self,
        *,
        api_key: SecretStr,
        base_url: str = BASE_URL,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        token = api_key.get_secret_value().strip()
        if not (token.isascii() and token.isprintable() and token):
            raise ValueError("a Stripe account needs an API key")
        self._line = Line(READER, base_url, wait=wait_of, token=token, transport=transport)

    async def close(self) -> None:
        await self._line.close()

    async def verify_credentials(self) -> None:
        """Unauthorized when the key is not accepted, or may not read events."""
        await self._get("/v1/events", {"limit": 1})

    # ---- payments

    async def payment_intent(self, id_: str) -> PaymentIntent:
        """NotFound also where the key is of the other mode (test and live) or of another account."""
        return wire.payment_intent(await self._get(f"/v1/payment_intents/{_safe(id_)}"))

    async def payment_of_invoice(self, invoice: str) -> str | None:
        """The payment intent that paid, or shall pay, an invoice. None where it was paid in another way, or is free."""
        payments = [one async for one in self._newest("/v1/invoice_payments", {"invoice": invoice})]
        return wire.paying_intent(payments)

    # ---- refunds

    async def create_refund(
        self,
        *,
        payment_intent: str,
        key: str,
        amount: int | None = None,
        reason: Reason | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Refund:
        """Give `amount` back, or all that is left. The answer may be of an earlier try with this key, and its status of
        that time: `refund` tells today's.

        Conflict: refunded or disputed already, or the key was used for something else. QuotaExceeded: our balance does
        not cover it. Unconfirmed: only looking helps.
        """
        if amount is not None and amount <= 0:
            raise InvalidInput("a refund is more than nothing", provider=PROVIDER, field="amount")
        form: Json = {"payment_intent": payment_intent, "amount": amount, "reason": reason}
        form |= {f"metadata[{name}]": value for name, value in {**(metadata or {}), MARK: key}.items()}
        return wire.refund(await self._post("/v1/refunds", form, key=key))

    async def ensure_refund(
        self,
        *,
        payment_intent: str,
        key: str,
        amount: int | None = None,
        reason: Reason | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Refund:
        """The refund with this key: the one that is there, whatever has become of it, or a new one.

        Safe to repeat for ever, by one caller at a time. One that is `lost` stays so: try again with another key. A
        refund by hand, in Stripe's dashboard, has no key; a full one makes this a Conflict.
        """
        for refund in await self.refunds_of(payment_intent):
            if refund.metadata.get(MARK) == key:
                return refund
        return await self.create_refund(payment_intent=payment_intent, key=key, amount=amount, reason=reason,
                                        metadata=metadata)  # fmt: skip

    async def refund(self, id_: str) -> Refund:
        return wire.refund(await self._get(f"/v1/refunds/{_safe(id_)}"))

    async def refunds_of(self, payment_intent: str) -> builtins.list[Refund]:
        """All of them, newest first."""
        params = {"payment_intent": payment_intent}
        return [wire.refund(one) async for one in self._newest("/v1/refunds", params)]

    # ---- subscriptions

    async def subscription(self, id_: str) -> Subscription:
        return wire.subscription(await self._get(_subscription(id_)))

    async def cancel_subscription(self, id_: str, *, key: str) -> Subscription:
        """Let it end with its paid period. One that has ended, or will, is left as it is."""
        found = await self.subscription(id_)
        if found.ended or found.ends_at is not None:
            return found
        return wire.subscription(await self._post(_subscription(id_), {"cancel_at_period_end": True}, key=key))

    async def keep_subscription(self, id_: str, *, key: str) -> Subscription:
        """Undo `cancel_subscription`. Conflict where it has ended: that cannot be undone."""
        found = await self.subscription(id_)
        if found.ended:
            raise Conflict(f"subscription {id_} has ended", provider=PROVIDER)
        if not found.cancel_at_period_end:
            return found
        return wire.subscription(await self._post(_subscription(id_), {"cancel_at_period_end": False}, key=key))

    async def end_subscription(self, id_: str) -> Subscription:
        """End it at once; nothing is refunded by that. One that has ended is left as it is."""
        found = await self.subscription(id_)
        if found.ended:
            return found
        try:
            return wire.subscription(await self._send("DELETE", _subscription(id_)))
        except NotFound:  # ended between the two calls
            return await self.subscription(id_)

    async def change_price(self, id_: str, *, price: str, key: str) -> Subscription:
        """Charge for another price from now on, whatever of the period is left: the difference is on the next invoice.
        With another interval Stripe begins a new period and asks for its money at once.

        One that has this price is left as it is. Conflict where it has ended, or charges for more than one thing.
        """
        found = await self.subscription(id_)
        item, before = only_item(found)
        if before == price:
            return found
        form = {"items[0][id]": item, "items[0][price]": price, "proration_behavior": "create_prorations"}
        return wire.subscription(await self._post(_subscription(id_), form, key=key))

    # ---- events

    async def events_after(self, event: str, *, types: Sequence[str] = ACTED_ON) -> AsyncIterator[Event]:
        """Events newer than one, oldest first. Stripe keeps them for 30 days: NotFound where it has forgotten that one,
        then begin with `events_since`. Take the last event's id for the next time only when it has been dealt with."""
        _check_types(types)
        for _ in range(MAX_PAGES):
            body = await self._get("/v1/events", {"limit": PAGE, "ending_before": event, "types[]": [*types]})
            page = READER.complete(body, "data", key="id", path="/v1/events")
            for read in reversed(page):
                yield _event(read)
            if not page or not body.get("has_more"):
                return
            event = str(page[0]["id"])
        raise _endless("/v1/events")

    async def events_since(
        self, created: int, *, until: int | None = None, types: Sequence[str] = ACTED_ON
    ) -> builtins.list[Event]:
        """Events of this second (epoch) and later, up to and with the second `until`, oldest first: all or none."""
        _check_types(types)
        params: Json = {"created[gte]": created, "types[]": [*types]}
        if until is not None:
            params["created[lte]"] = until
        newest = [_event(read) async for read in self._newest("/v1/events", params)]
        return newest[::-1]

    # ---- the wire

    async def _newest(self, path: str, params: Json) -> AsyncIterator[Json]:
        """Every object of a list, newest first, over its pages."""
        cursor: Json = {}
        for _ in range(MAX_PAGES):
            body = await self._get(path, {**params, "limit": PAGE, **cursor})
            page = READER.complete(body, "data", key="id", path=path)
            for one in page:
                yield one
            if not page or not body.get("has_more"):
                return
            cursor = {"starting_after": str(page[-1]["id"])}
        raise _endless(path)

    async def _get(self, path: str, params: Json | None = None) -> Json:
        return await self._send("GET", path, params=params)

    async def _post(self, path: str, form: Json, *, key: str) -> Json:
        if not key or len(key) > MAX_KEY or not key.isascii() or not key.isprintable():
            raise InvalidInput(f"an Idempotency-Key has 1 to {MAX_KEY} printable characters", provider=PROVIDER,
                               field="key")  # fmt: skip
        data = {name: value for name, value in form.items() if value is not None}
        return await self._send("POST", path, data=data, headers={"Idempotency-Key": key})

    async def _send(self, method: str, path: str, *, headers: dict[str, str] | None = None, **request: Any) -> Json:
        headers = {"Stripe-Version": VERSION, **(headers or {})}
        response = await self._line.send(method, path, calls=("requests",), headers=headers, **request)
        if not response.is_success:
            raise from_response(response)
        return READER.object_of(response)


def only_item(found: Subscription) -> tuple[str, str]:
    """(item, price) of what a subscription charges for. Conflict where it has ended, or where that is not one thing."""
    if found.ended:
        raise Conflict(f"subscription {found.id} has ended", provider=PROVIDER)
    if len(found.items) != 1:
        raise Conflict(f"subscription {found.id} charges for {len(found.items)} things: which of them is meant must be "
                       "decided at Stripe", provider=PROVIDER)  # fmt: skip
    item = found.items[0]
    if item.id is None or item.price is None:
        raise Malformed(f"Stripe showed no item or price of subscription {found.id}", provider=PROVIDER)
    return item.id, item.price


def _safe(id_: str) -> str:
    """An id within a path. An empty one would ask for the list."""
    if not id_:
        raise InvalidInput("an id of Stripe's is not empty", provider=PROVIDER, field="id")
    return quote(id_, safe="")


def _subscription(id_: str) -> str:
    return f"/v1/subscriptions/{_safe(id_)}"


def _check_types(types: Sequence[str]) -> None:
    if len(types) > MAX_TYPES:
        raise ValueError(f"Stripe filters by {MAX_TYPES} types of events at most")


def _event(read: Json) -> Event:
    try:
        return event_of(read)
    except EventMalformed as error:
        raise Malformed(error.message, provider=PROVIDER) from None


def _endless(path: str) -> Malformed:
    return Malformed(f"Stripe's list at {path} has more than {MAX_PAGES} pages", provider=PROVIDER)
