"""What a price allows to use: whole numbers under known names."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from domain.catalogue import Limits


def test_what_was_given_is_kept_and_nothing_else() -> None:
    assert Limits.model_validate({"diskMb": 10, "mailboxes": 0}).kept() == {"disk_mb": 10, "mailboxes": 0}
    assert Limits().kept() == {}


@pytest.mark.parametrize("given", [{"cpu": 1}, {"disk_mb": -1}, {"disk_mb": "5"}, {"disk_mb": 5.0}, {"disk_mb": True}])
def test_slips_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Limits.model_validate(given)
