"""Limits of a price: known names, whole numbers, both ways of writing."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from db.models_shop import Price, Product
from domain.catalogue import MAX_LIMIT, Interval, Limits, ProductType


def test_what_is_missing_is_not_kept_and_zero_is() -> None:
    assert Limits().kept() == {}
    assert Limits.model_validate({"disk_mb": 0, "mailboxes": None, "domains": 3}).kept() == {"disk_mb": 0, "domains": 3}


def test_both_ways_of_writing_mean_the_same() -> None:
    snake = {"disk_mb": 1, "traffic_mb": 2, "mailboxes": 3, "mailbox_mb": 4, "domains": 5, "databases": 6}
    camel = {"diskMb": 1, "trafficMb": 2, "mailboxes": 3, "mailboxMb": 4, "domains": 5, "databases": 6}
    assert Limits.model_validate(camel) == Limits.model_validate(snake)
    assert Limits.model_validate(camel).kept() == snake


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"disk_gb": 10}, "disk_gb"),
        ({"diskMb": -1}, "disk_mb"),
        ({"domains": MAX_LIMIT + 1}, "domains"),
        ({"domains": 1.5}, "domains"),
        ({"domains": "5"}, "domains"),
        ({"domains": True}, "domains"),
    ],
)
def test_what_is_wrong_is_named_by_its_field(given: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Limits.model_validate(given)
    assert [problem["loc"] for problem in refused.value.errors()] == [(field,)]


@pytest.mark.parametrize(("table", "names"), [(Product, ProductType), (Price, Interval)])
def test_names_are_those_that_the_database_takes(table: Any, names: Any) -> None:
    rules = " ".join(str(getattr(rule, "sqltext", "")) for rule in table.__table__.constraints)
    assert "(" + ",".join(f"'{name}'" for name in names) + ")" in rules
