"""Failure texts stay small and keep what matters: how they begin and how they end."""

from __future__ import annotations

from domain.errors import MAX_MESSAGE, clip


def test_short_text_is_kept() -> None:
    assert clip("no space left") == "no space left"


def test_long_text_keeps_both_ends() -> None:
    text = "begin " + "x" * 10_000 + " the cause"
    short = clip(text)
    assert len(short) <= MAX_MESSAGE
    assert short.startswith("begin ")
    assert short.endswith(" the cause")
