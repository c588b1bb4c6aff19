"""What Pebble says that it issued, and when: its own log, which nothing of ours writes."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

# With TZ=UTC in its environment; to the second.
_ISSUED = re.compile(r"(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) Issued certificate serial ([0-9a-fA-F]+) for order")
_ORDERED = re.compile(r"There are now (\d+) orders in the db")


class IssuedByCa(NamedTuple):
    at: datetime
    serial: str  # hexadecimal, without leading zeros, as in our rows


def issued(log: Path) -> list[IssuedByCa]:
    found = _ISSUED.findall(log.read_text(errors="replace"))
    return [IssuedByCa(datetime.strptime(at, "%Y/%m/%d %H:%M:%S").replace(tzinfo=UTC), f"{int(serial, 16):x}")
            for at, serial in found]  # fmt: skip


def ordered(log: Path) -> int:
    """Orders that were placed since it was started."""
    counts = _ORDERED.findall(log.read_text(errors="replace"))
    return int(counts[-1]) if counts else 0


def fullest_minute(certificates: list[IssuedByCa]) -> int:
    moments, first, best = sorted(one.at for one in certificates), 0, 0
    for last, moment in enumerate(moments):
        while (moment - moments[first]).total_seconds() >= 60:
            first += 1
        best = max(best, last - first + 1)
    return best
