"""The public list of products, kept for a moment (R589): it is asked for without a token, and seldom changes."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

# A write in this process forgets the list at once. Other processes hear nothing of it: each of them may show an older
# list for up to this long after the write.
KEEP_SECONDS = 30.0


@dataclass(frozen=True)
class PublicList:
    """`fragment` is the JSON object without the envelope."""

    etag: str
    fragment: bytes


class ProductCache:
    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: PublicList | None = None
        self._until = 0.0
        self._writes = 0

    async def get(self, read: Callable[[], Awaitable[bytes]]) -> PublicList:
        """The list that is kept, or else what `read` brings."""
        if self._kept is not None and self._clock() < self._until:
            return self._kept
        began, writes = self._clock(), self._writes
        fragment = await read()
        found = PublicList(_etag(fragment), fragment)
        if writes == self._writes:  # else it may have been read before the write, and must not outlive it
            self._kept, self._until = found, began + KEEP_SECONDS
        return found

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Around a transaction that changes products. Also where it fails: a commit may stand although its answer was
        lost."""
        try:
            yield
        finally:
            self._writes += 1
            self._kept = None


def _etag(fragment: bytes) -> str:
    """Weak: it names what is listed, not the bytes, which carry the reply's own time and id."""
    return f'W/"{hashlib.blake2s(fragment, digest_size=12).hexdigest()}"'
