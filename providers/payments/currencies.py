"""Amounts as Stripe counts them: whole numbers of a currency's smallest unit (https://docs.stripe.com/currencies).

1099 is 10.99 EUR, 1099 JPY and 1.099 KWD. Inside Slipway an amount stays a whole number; it becomes a Decimal only for
people's eyes.
"""

from __future__ import annotations

from decimal import Decimal

from providers.errors import InvalidInput

PROVIDER = "stripe"
LARGEST = Decimal(10) ** 15  # more than Stripe takes, and few enough digits for exact arithmetic
ZERO_DECIMAL = frozenset(
    {"BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"}
)  # fmt: skip
THREE_DECIMAL = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})
# The last digits that Stripe wants to be 0: 500 is 5 ISK, and 550 is refused; 5.124 KWD must be 5120 or 5130.
TRAILING_ZEROS = {"ISK": 2} | dict.fromkeys(THREE_DECIMAL, 1)
# Without decimals by one page of Stripe's, with two for the sake of old clients by another: a wrong guess is a
# hundredfold amount.
UNSETTLED = frozenset({"UGX"})


def decimals(currency: str) -> int:
    """Digits behind the point in Stripe's amounts: 0, 2 or 3. InvalidInput where that is not settled."""
    code = currency.upper()
    if code in UNSETTLED:
        raise InvalidInput(f"it is not settled how Stripe counts {code}", provider=PROVIDER, field="currency")
    if code in ZERO_DECIMAL:
        return 0
    return 3 if code in THREE_DECIMAL else 2


def to_decimal(amount: int, currency: str) -> Decimal:
    """1099, "eur" -> Decimal("10.99")"""
    return Decimal(amount).scaleb(-decimals(currency))


def to_minor(value: Decimal, currency: str) -> int:
    """Decimal("10.99"), "eur" -> 1099. InvalidInput where the currency has no unit that small; nothing is rounded."""
    places = decimals(currency) - TRAILING_ZEROS.get(currency.upper(), 0)
    if not value.is_finite() or abs(value) >= LARGEST or value != value.quantize(Decimal(1).scaleb(-places)):
        raise InvalidInput(f"{value} is no amount in {currency.upper()}", provider=PROVIDER, field="amount")
    return int(value.scaleb(decimals(currency)))
