"""Who is killed when: drawn from a seed, so that a run of kills can be repeated."""

from __future__ import annotations

import random
from dataclasses import dataclass

PARTS = ("worker", "temporal", "api", "dns", "cloud", "host")
STEPS = 15  # of a dedicated order; the last one ends it
HOST_EXISTS = 3  # steps done (reserve, create, await) before there is a host to cut off


@dataclass(frozen=True)
class Kill:
    """One order, and the kill that falls into it: once `after_steps` steps are done, and `delay` seconds later."""

    number: int
    slug: str
    part: str
    after_steps: int
    delay: float
    off: float  # seconds a host stays without power; every other part is started again by its supervisor


def plan(count: int, seed: int) -> list[Kill]:
    """Every part comes equally often, in random order, at random moments from the first to the last step."""
    chance = random.Random(seed)
    parts: list[str] = []
    while len(parts) < count:
        parts += chance.sample(PARTS, len(PARTS))
    return [
        Kill(
            number=number,
            slug=f"kill-{seed}-{number}",
            part=part,
            after_steps=chance.randrange(HOST_EXISTS if part == "host" else 0, STEPS - 1),
            delay=chance.uniform(0, 1.5),
            off=chance.uniform(0.5, 4),
        )
        for number, part in enumerate(parts[:count], start=1)
    ]
