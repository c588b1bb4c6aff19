"""What administrators may send about products and prices, and documented examples of it."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

from pydantic import AfterValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from api.examples import described
from api.schemas import Text200
from api.schemas_clouds import Currency, Told
from db.queries.products import NewPrice
from domain.catalogue import Interval, Limits, ProductType
from domain.ids import is_slug

MAX_CENTS = 100_000_000  # a million; what is more is a slip
MAX_PRICES = 20


def _slug(value: str) -> str:
    """Unlike an instance's, it is no name in DNS of its own: none is reserved."""
    if not is_slug(value):
        raise PydanticCustomError(
            "slug",
            "slug must have 3 to 63 lower-case letters, digits or hyphens, begin and end with a letter or digit, "
            "and have no hyphens at its third and fourth place.",
        )
    return value


def _lines(value: str) -> str:
    if any((ord(character) < 32 and character not in "\r\n\t") or ord(character) == 127 for character in value):
        raise PydanticCustomError("control", "Control characters other than line breaks and tabs are not allowed.")
    return value


Slug = Annotated[str, AfterValidator(_slug)]
Description = Annotated[str, StringConstraints(strip_whitespace=True, max_length=5_000), AfterValidator(_lines)]


StripePrice = Annotated[str, StringConstraints(max_length=255, pattern="^[A-Za-z0-9_-]+$")]  # old plans have free names


class PriceAsked(Told):
    """`amount` in whole cents; fractions and texts are refused rather than rounded."""

    interval: Interval
    amount: Annotated[int, Field(ge=0, le=MAX_CENTS, strict=True)]
    currency: Currency = "EUR"
    limits: Limits = Field(default_factory=Limits)
    stripe_price_id: StripePrice | None = None  # what the payment service calls it

    def row(self) -> NewPrice:
        limits = dict(self.limits.kept())
        return NewPrice(self.interval, self.amount, self.currency, limits, self.stripe_price_id)


def _one_each(prices: list[PriceAsked]) -> list[PriceAsked]:
    if len({(price.interval, price.currency) for price in prices}) < len(prices):
        raise PydanticCustomError("twice", "prices must not name an interval and currency twice.")
    return prices


Prices = Annotated[list[PriceAsked], Field(max_length=MAX_PRICES), AfterValidator(_one_each)]


class ProductCreate(Told):
    """Body of POST /api/products (R041)."""

    name: Text200
    slug: Slug
    type: ProductType
    description: Description = ""
    active: bool = True
    prices: Prices = Field(default_factory=list)


class ProductChange(Told):
    """Body of PATCH /api/products/{id} (R042): what is missing stays as it is.

    Each of `prices` takes the place of the active price of its interval and currency, or tells `stripe_price_id` of the
    one that has the same amount and limits and none yet; `prices_removed` names active prices that end.
    """

    name: Text200 | None = None
    description: Description | None = None
    active: bool | None = None
    prices: Prices | None = None
    prices_removed: Annotated[list[uuid.UUID], Field(max_length=MAX_PRICES)] | None = None

    @model_validator(mode="after")
    def _something(self) -> ProductChange:
        if not self.model_fields_set:
            raise PydanticCustomError(
                "empty", "Say at least one of name, description, active, prices and prices_removed."
            )
        return self

    def given(self) -> dict[str, Any]:
        """Columns of the product itself."""
        return self.model_dump(include={"name", "description", "active"}, exclude_none=True)


# ---- examples

_PRICE: dict[str, Any] = {
    "id": "price-uuid", "interval": "month", "amount": 499, "currency": "EUR",
    "limits": {"disk_mb": 10_000, "mailboxes": 10},
}  # fmt: skip
_PUBLIC: dict[str, Any] = {
    "id": "product-uuid", "name": "Web Small", "slug": "web-small", "type": "hosting",
    "description": "One site with mail", "prices": [_PRICE],
}  # fmt: skip
_SHOWN = _PUBLIC | {
    "active": True,
    "prices": [_PRICE | {"active": True, "stripe_price_id": "price_1Qz", "created_at": "2025-01-19T10:30:00Z"}],
    "created_at": "2025-01-19T10:30:00Z",
    "updated_at": "2025-01-19T10:30:00Z",
}

CREATE_REQUEST: dict[str, Any] = {
    "name": "Web Small", "slug": "web-small", "type": "hosting", "description": "One site with mail", "active": True,
    "prices": [{"interval": "month", "amount": 499, "currency": "EUR", "limits": {"disk_mb": 10_000, "mailboxes": 10}}],
}  # fmt: skip
CHANGE_REQUEST: dict[str, Any] = {"active": True, "prices": [{"interval": "month", "amount": 599, "currency": "EUR"}]}
PUBLIC_REPLY: dict[str, Any] = {"products": [_PUBLIC]}
PRODUCT_REPLY: dict[str, Any] = {"product": _SHOWN}
PAGE_REPLY: dict[str, Any] = {
    "products": [_SHOWN],
    "pagination": {"page": 1, "limit": 20, "total": 1, "totalPages": 1, "hasNext": False, "hasPrev": False},
}

PUBLIC = described("Active products with their active prices; `amount` in cents", PUBLIC_REPLY)
PAGE = described("Products, the newest first, with their active prices; `amount` in cents", PAGE_REPLY)
PRODUCT = described("The product with all prices it ever had; `amount` in cents", PRODUCT_REPLY)
