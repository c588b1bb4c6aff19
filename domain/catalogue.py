"""What the catalogue may hold: kinds of products, how often a price is due, and what a price allows to use."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

MAX_LIMIT = 2**53 - 1  # the largest number that every reader of JSON still reads exactly


class ProductType(StrEnum):
    HOSTING = "hosting"
    MAIL = "mail"
    DNS = "dns"
    VPS = "vps"


class Interval(StrEnum):
    """How often a price is due."""

    MONTH = "month"
    YEAR = "year"
    ONCE = "once"


# Strict: true, "5" and 5.0 are slips of whoever wrote the price, not numbers.
Limit = Annotated[int, Field(ge=0, le=MAX_LIMIT, strict=True)]


class Limits(BaseModel):
    """What a price allows to use. What is missing is not limited; 0 allows none. Unknown names are refused, because a
    limit that nobody enforces is a promise that nobody keeps."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        loc_by_alias=False,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    disk_mb: Limit | None = None
    traffic_mb: Limit | None = None  # a month
    mailboxes: Limit | None = None
    mailbox_mb: Limit | None = None  # each
    domains: Limit | None = None
    databases: Limit | None = None

    def kept(self) -> dict[str, int]:
        """As it is stored and shown: what was given, and nothing else."""
        return self.model_dump(exclude_none=True)
