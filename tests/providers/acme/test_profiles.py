"""Which profile is asked for."""

from __future__ import annotations

import pytest

from providers.acme.profiles import choose_profile


class TestChooseProfile:
    @pytest.mark.parametrize(
        ("offered", "wanted", "chosen"),
        [
            (None, "", None),
            ({}, "classic", None),
            ({"classic": "", "shortlived": "", "tlsserver": ""}, "", "classic"),
            ({"shortlived": "", "default": ""}, "", "default"),
            ({"shortlived": "", "tlsserver": ""}, "", "tlsserver"),
            ({"shortlived": ""}, "", "shortlived"),
            ({"classic": "", "tlsserver": ""}, "tlsserver", "tlsserver"),
        ],
    )
    def test_one_is_always_asked_for_where_there_are_any(
        self, offered: dict[str, str] | None, wanted: str, chosen: str | None
    ) -> None:
        assert choose_profile(offered, wanted) == chosen
