"""Chance that can be repeated: every decision has its own dice, made from the seed and from what it is about."""

from __future__ import annotations

import hashlib
import random


def dice(seed: int, *about: object) -> random.Random:
    """The dice of one decision. Pure: the same seed and the same words throw the same, in any process, in any order."""
    words = "/".join(str(word) for word in (seed, *about))
    return random.Random(hashlib.blake2b(words.encode(), digest_size=8).digest())
