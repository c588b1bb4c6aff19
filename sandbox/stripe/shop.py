"""The marketing site (R239): a customer pays at Stripe's, then the site calls `POST /api/orders`, while Stripe's own
events are on their way to the webhook. Both tell of the same payment, and either may come first, or twice, or late.
"""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
from pydantic import BaseModel, Field, SecretStr

LOOK_AGAIN = 0.05  # seconds


class Order(BaseModel, extra="forbid"):
    """What a customer wants. Amounts in the currency's smallest unit; `price_id` is ours, not Stripe's."""

    tenant_slug: str
    price_id: str
    email: str
    domain: str | None = None
    amount: int = Field(1000, ge=1)
    currency: str = "eur"

    def metadata(self) -> dict[str, str]:
        """What the site leaves at Stripe, so that the webhook alone could make the order."""
        told = {"tenantSlug": self.tenant_slug, "priceId": self.price_id, "customerEmail": self.email}
        return told | ({"domain": self.domain} if self.domain else {})


class Sale(BaseModel):
    payment_intent: str
    events: list[str] = []  # ids
    answers: list[int] = []  # statuses of POST /api/orders; 0 where none came
    order: dict[str, Any] | None = None  # the body of the last answer that was 2xx


class Shop:
    """`stripe_url` is the sandbox's; `orders_url` ours, without it only the webhook tells of the sale."""

    def __init__(
        self, stripe_url: str, *, orders_url: str | None = None, internal_key: SecretStr | None = None, tries: int = 5,
    ) -> None:  # fmt: skip
        self._orders_url = orders_url
        self._headers = {"x-internal-key": internal_key.get_secret_value()} if internal_key else {}
        self._tries = tries
        # A connection of its own for each payment: one that is kept may be closed at the very moment it is used, and
        # a payment is not sent twice.
        alone = httpx.Limits(max_keepalive_connections=0)
        self._stripe = httpx.AsyncClient(base_url=f"{stripe_url}/_sandbox", trust_env=False, limits=alone, timeout=30)
        self._orders = httpx.AsyncClient(trust_env=False, timeout=30)

    async def __aenter__(self) -> Shop:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stripe.aclose()
        await self._orders.aclose()

    async def sell(self, order: Order, *, calls: int = 1) -> Sale:
        """Pay, and tell of it `calls` times, as a customer who reloads the page makes the site do."""
        body = {"amount": order.amount, "currency": order.currency, "email": order.email, "metadata": order.metadata()}
        paid = await self._stripe.post("/payments", json=body)
        paid.raise_for_status()
        sale = Sale(payment_intent=paid.json()["id"])
        if self._orders_url is not None:
            for _ in range(calls):
                await self._call(order, sale)
        return sale

    async def delivered(self, sale: Sale, *, patience: float = 30) -> Sale:
        """Wait until Stripe has nothing on its way of this payment. TimeoutError after so many seconds."""
        async with asyncio.timeout(patience):
            while True:
                answer = await self._stripe.get(f"/payments/{sale.payment_intent}")
                answer.raise_for_status()
                events = answer.json()["events"]
                if not any(event["pending"] for event in events):
                    return sale.model_copy(update={"events": [event["id"] for event in events]})
                await asyncio.sleep(LOOK_AGAIN)

    async def _call(self, order: Order, sale: Sale) -> None:
        """R044, until somebody says 2xx or that it cannot be."""
        body = {"tenantSlug": order.tenant_slug, "priceId": order.price_id, "customerEmail": order.email,
                "stripePaymentIntentId": sale.payment_intent}  # fmt: skip
        if order.domain:
            body["domain"] = order.domain
        for attempt in range(self._tries):
            try:
                answer = await self._orders.post(str(self._orders_url), json=body, headers=self._headers)
            except httpx.HTTPError:
                sale.answers.append(0)
            else:
                sale.answers.append(answer.status_code)
                if answer.is_success:
                    sale.order = answer.json()
                if answer.status_code < 500 and answer.status_code != 429:
                    return
            await asyncio.sleep(LOOK_AGAIN * 2**attempt)
