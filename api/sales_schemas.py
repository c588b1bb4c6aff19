"""What may be sent about tenants, orders and cases of payment, and documented examples of it."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

from pydantic import AfterValidator, EmailStr, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from api.examples import described
from api.product_schemas import Slug
from api.schemas import Asked, Text200, printable

PaymentIntent = Annotated[str, StringConstraints(pattern=r"^pi_[A-Za-z0-9_]{1,150}$")]
TenantSlug = Annotated[str, StringConstraints(min_length=1, max_length=63), AfterValidator(printable)]


class OrderCreate(Asked):
    """Body of POST /api/orders (R044). What `domain` may be stands in domain/hostnames.py."""

    tenant_slug: TenantSlug
    price_id: uuid.UUID
    customer_email: EmailStr = Field(max_length=320)
    stripe_payment_intent_id: PaymentIntent
    domain: Annotated[str, StringConstraints(max_length=253)] | None = None


class TenantCreate(Asked):
    """Body of POST /api/tenants."""

    slug: Slug
    name: Text200


class TenantChange(Asked):
    """Body of PATCH /api/tenants/{id}."""

    name: Text200 | None = None
    is_active: bool | None = None

    @model_validator(mode="after")
    def _something(self) -> TenantChange:
        if self.name is None and self.is_active is None:
            raise PydanticCustomError("empty", "Say at least one of name and is_active.")
        return self


class Settlement(Asked):
    """How a case was dealt with."""

    note: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500),
                    AfterValidator(printable)]  # fmt: skip


TENANT_REQUEST: dict[str, Any] = {"slug": "acme-hosting", "name": "Acme Hosting"}
TENANT_CHANGE: dict[str, Any] = {"is_active": False}
TENANT = described("The tenant", {"tenant": {
    "id": "tenant-uuid", "slug": "acme-hosting", "name": "Acme Hosting", "is_active": True,
    "created_at": "2026-11-28T12:00:00Z",
}})  # fmt: skip
ORDER_REQUEST: dict[str, Any] = {
    "tenantSlug": "acme-hosting",
    "priceId": "0198f2b4-6f00-7c3a-9a51-0a4d1f2e3b4c",
    "customerEmail": "owner@bakery.example.com",
    "stripePaymentIntentId": "pi_3Qw8aZ2eZvKYlo2C1abcdefg",
    "domain": "bakery.nl",
}
_PERIOD = {"current_period_start": "2026-11-28T12:00:00Z", "current_period_end": "2026-12-28T12:00:00Z"}
_ORDER: dict[str, Any] = {
    "id": "order-uuid", "tenant": "acme-hosting", "customer_id": "customer-uuid",
    "customer_email": "owner@bakery.example.com", "organization_id": "org-uuid",
    "price_id": "0198f2b4-6f00-7c3a-9a51-0a4d1f2e3b4c", "total_amount": 995, "currency": "EUR", "status": "PAID",
    "stripe_payment_intent_id": "pi_3Qw8aZ2eZvKYlo2C1abcdefg", "domain": "bakery.nl", "source": "marketing",
    "created_at": "2026-11-28T12:00:00Z", "updated_at": "2026-11-28T12:00:00Z", "started_at": None,
}  # fmt: skip
_SUBSCRIPTION: dict[str, Any] = {
    "id": "subscription-uuid", "order_id": "order-uuid", "tenant": "acme-hosting", "customer_id": "customer-uuid",
    "status": "INACTIVE", **_PERIOD, "cancel_at_period_end": False,
}  # fmt: skip
_JOB: dict[str, Any] = {"id": "job-uuid", "type": "PROVISION_DNS", "status": "PENDING", "attempts": 0}
PLACED = {"order": _ORDER, "subscription": _SUBSCRIPTION, "jobs": [_JOB], "created": True}
ORDERED = described("The order is kept, and its delivery begins; Location names it", PLACED)
ORDERED_BEFORE = described("This payment has this order already", PLACED | {"created": False})
