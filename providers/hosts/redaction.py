"""Keeps known secret values out of lines, outputs and errors: redacted where text comes off a host."""

from __future__ import annotations

import json
from collections.abc import Iterable
from urllib.parse import quote

MARK = "[REDACTED]"
SHORTEST = 4  # a shorter value would blank out ordinary words


class Redactor:
    """Replaces each value, each line of it, and the ways programs print it again (URL-quoted, escaped)."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        forms: set[str] = set()
        for value in values:
            for part in {value, *value.splitlines()}:
                escaped = json.dumps(part)[1:-1]
                forms |= {part, quote(part, safe=""), escaped, escaped.replace("$", "\\$"), part.replace("$", "$$")}
        # Longest first: a value that contains another one must go as a whole.
        self._forms = sorted((f for f in forms if len(f.strip()) >= SHORTEST), key=len, reverse=True)

    def __call__(self, text: str) -> str:
        for form in self._forms:
            if form in text:
                text = text.replace(form, MARK)
        return text
