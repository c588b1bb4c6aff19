"""Tokens on a web server: looked at from here, and never a reason not to go on."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from providers.acme.wellknown import WellKnownSolver
from tests.providers.acme.web import Web, website
from tests.providers.dns.servers import free_port

PLACE = "http://a.slipway.test/.well-known/acme-challenge/token-1"


@pytest.fixture
async def web() -> AsyncIterator[Web]:
    async with website() as made:
        yield made


def solver(web: Web, *, patience: float = 20.0, port: int | None = None) -> WellKnownSolver:
    return WellKnownSolver(web, address=f"127.0.0.1:{port or web.port}", patience=patience, interval=0.02)


async def test_the_file_is_seen_under_its_name_and_taken_away_again(web: Web) -> None:
    made = solver(web)
    await made.present(PLACE, "token-1.thumb")
    await made.ready(PLACE, "token-1.thumb")
    assert web.files == {"token-1": "token-1.thumb"}
    assert web.asked == ["a.slipway.test"]
    await made.clean_up(PLACE, "token-1.thumb")
    await made.clean_up(PLACE, "token-1.thumb")
    assert web.files == {}


async def test_a_page_that_was_there_before_is_waited_out(web: Web) -> None:
    web.stale = 3
    made = solver(web)
    await made.present(PLACE, "value")
    await made.ready(PLACE, "value")
    assert len(web.asked) == 4


@pytest.mark.parametrize("trouble", ["absent", "moved", "down", "large"])
async def test_what_is_not_seen_from_here_is_no_reason_to_give_up(web: Web, trouble: str) -> None:
    web.moved = trouble == "moved"
    if trouble == "large":
        await web.put("token-1", "x" * 1_000_000)
    made = solver(web, patience=0.2, port=free_port() if trouble == "down" else None)
    await made.ready(PLACE, "value")
