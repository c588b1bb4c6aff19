from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.errors import InvalidInput
from providers.payments.currencies import decimals, to_decimal, to_minor


@pytest.mark.parametrize(
    ("amount", "currency", "value"),
    [(1099, "EUR", "10.99"), (1099, "eur", "10.99"), (1099, "JPY", "1099"), (1090, "KWD", "1.09"), (500, "ISK", "5"),
     (0, "EUR", "0")],
)  # fmt: skip
def test_amounts_are_counted_as_stripe_counts_them(amount: int, currency: str, value: str) -> None:
    assert to_decimal(amount, currency) == Decimal(value)
    assert to_minor(Decimal(value), currency) == amount


@pytest.mark.parametrize(
    ("value", "currency"),
    [("10.999", "EUR"), ("10.5", "JPY"), ("5.5", "ISK"), ("5.124", "KWD"), ("NaN", "EUR"), ("Infinity", "EUR"),
     ("1e40", "EUR"), ("5", "UGX")],
)  # fmt: skip
def test_what_a_currency_cannot_express_is_refused_and_never_rounded(value: str, currency: str) -> None:
    with pytest.raises(InvalidInput):
        to_minor(Decimal(value), currency)


@given(amount=st.integers(0, 10**12), currency=st.sampled_from(["EUR", "USD", "JPY", "KRW", "XOF"]))
def test_there_and_back_is_the_same_amount(amount: int, currency: str) -> None:
    assert to_minor(to_decimal(amount, currency), currency) == amount
    assert decimals(currency) in {0, 2}
