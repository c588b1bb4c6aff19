"""What an order asks for, and the period that it pays for. Pure: no rows, no HTTP."""

from __future__ import annotations

import calendar
from datetime import datetime

from pydantic import BaseModel, Field

from domain.catalogue import Interval
from domain.sales import OrderSource

_MONTHS = {Interval.MONTH: 1, Interval.YEAR: 12}


class OrderAsked(BaseModel, frozen=True):
    """R044's body, checked and in one spelling. `domain` is as domain/hostnames.py writes it."""

    tenant_slug: str
    price_id: str
    customer_email: str = Field(repr=False)
    payment_intent: str
    domain: str | None = None
    source: OrderSource = OrderSource.MARKETING


def period_end(interval: str, start: datetime) -> datetime | None:
    """When a period that begins at `start` is over; None for what is paid once.

    A month on: the same day, or the month's last where it has no such day.
    """
    if interval == Interval.ONCE:
        return None
    months = start.year * 12 + start.month - 1 + _MONTHS[Interval(interval)]
    year, month = divmod(months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return start.replace(year=year, month=month + 1, day=min(start.day, last))
