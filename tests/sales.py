"""What orders need to be placed: a tenant, a product with a price, and payments nobody has ordered for yet."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from db.base import new_id
from db.models_sales import Tenant
from db.models_shop import Price, Product
from db.session import Database
from domain.orders import OrderAsked


@dataclass(frozen=True)
class Shop:
    tenant: Tenant
    product: Product
    price: Price

    def asked(self, **changes: Any) -> OrderAsked:
        values = {
            "tenant_slug": self.tenant.slug, "price_id": str(self.price.id), "customer_email": an_email(),
            "payment_intent": a_payment(),
        }  # fmt: skip
        return OrderAsked.model_validate(values | changes)

    def body(self, **changes: Any) -> dict[str, Any]:
        """Of POST /api/orders."""
        values = {
            "tenantSlug": self.tenant.slug, "priceId": str(self.price.id), "customerEmail": an_email(),
            "stripePaymentIntentId": a_payment(),
        }  # fmt: skip
        return values | changes


def a_payment() -> str:
    return f"pi_{uuid.uuid4().hex}"


def an_email() -> str:
    return f"owner-{uuid.uuid4().hex[:10]}@bakery.example.com"


async def open_shop(
    db: Database, *, kind: str = "hosting", interval: str = "month", cents: int = 995, disk_mb: int = 1024
) -> Shop:
    name = f"shop-{uuid.uuid4().hex[:10]}"
    async with db.begin() as session:
        tenant = Tenant(id=new_id(), slug=name, name=name)
        product = Product(id=new_id(), name=name, slug=name, type=kind, active=True)
        session.add_all([tenant, product])
        await session.flush()
        price = Price(id=new_id(), product_id=product.id, interval=interval, amount_cents=cents, currency="EUR",
                      limits_json={"disk_mb": disk_mb})  # fmt: skip
        session.add(price)
    return Shop(tenant, product, price)
