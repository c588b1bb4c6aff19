"""What is shared between those who wait saves calls, and never says that something is not there."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any, cast

import pytest

from activities._looks import CROWD, Looks, Shared
from providers.cloud.base import Cloud, CloudServer
from providers.errors import NotFound, RateLimited, Transient


class Sky:
    """The two looks at servers that a cloud offers, counted."""

    poll_interval = 0.2

    def __init__(self, *listed: str, lives: tuple[str, ...] = ()) -> None:
        self.listed, self.lives = list(listed), {*listed, *lives}
        self.asked: Counter[str] = Counter()
        self.refuses: Exception | None = None

    async def get(self, ref: str) -> CloudServer:
        self.asked["get"] += 1
        if ref not in self.lives:
            raise NotFound(f"no {ref}")
        return CloudServer(provider_ref=ref, status="active", running=True, address="192.0.2.1")

    async def list(self) -> list[CloudServer]:
        self.asked["list"] += 1
        await asyncio.sleep(0)
        if self.refuses is not None:
            raise self.refuses
        return [CloudServer(provider_ref=ref, status="new", running=False) for ref in self.listed]


def cloud_of(sky: Sky) -> Cloud:
    return cast(Cloud, sky)


MANY = [str(number) for number in range(40)]


class TestLooks:
    async def test_a_few_are_looked_at_one_by_one(self) -> None:
        sky, looks = Sky(*MANY), Looks()
        for ref in MANY[: CROWD - 1]:
            assert (await looks.at(cloud_of(sky), ref)).running
        assert sky.asked == {"get": CROWD - 1}

    async def test_a_crowd_shares_one_list(self) -> None:
        sky, looks = Sky(*MANY), Looks()
        seen = await asyncio.gather(*(looks.at(cloud_of(sky), ref) for ref in MANY))
        assert {server.provider_ref for server in seen} == set(MANY)
        assert sky.asked == {"get": CROWD - 1, "list": 1}

    async def test_who_is_not_in_the_list_is_asked_for(self) -> None:
        sky, looks = Sky(*MANY[:-2], lives=(MANY[-2],)), Looks()
        await asyncio.gather(*(looks.at(cloud_of(sky), ref) for ref in MANY[:-2]))
        assert (await looks.at(cloud_of(sky), MANY[-2])).running
        with pytest.raises(NotFound):
            await looks.at(cloud_of(sky), MANY[-1])

    async def test_an_old_list_is_not_used(self) -> None:
        sky, looks = Sky(*MANY), Looks()
        await asyncio.gather(*(looks.at(cloud_of(sky), ref) for ref in MANY))
        await asyncio.sleep(2 * sky.poll_interval)
        await asyncio.gather(*(looks.at(cloud_of(sky), ref) for ref in MANY))
        assert sky.asked["list"] == 2

    async def test_a_list_that_fails_holds_nobody_up(self) -> None:
        sky, looks = Sky(*MANY), Looks()
        sky.refuses = Transient("half an answer")
        assert all(s.running for s in await asyncio.gather(*(looks.at(cloud_of(sky), ref) for ref in MANY)))

    async def test_who_may_not_ask_now_does_not_ask_in_another_way(self) -> None:
        sky, looks = Sky(*MANY), Looks()
        sky.refuses = RateLimited("not now", retry_after=5)
        answers = await asyncio.gather(*(looks.at(cloud_of(sky), ref) for ref in MANY), return_exceptions=True)
        assert sum(isinstance(answer, RateLimited) for answer in answers) == len(MANY) - (CROWD - 1)
        assert sky.asked["get"] == CROWD - 1

    async def test_accounts_have_lists_of_their_own(self) -> None:
        ours, theirs, looks = Sky(*MANY), Sky("x"), Looks()
        await asyncio.gather(*(looks.at(cloud_of(ours), ref) for ref in MANY))
        assert (await looks.at(cloud_of(theirs), "x")).running
        assert theirs.asked == {"get": 1}


class TestShared:
    async def test_a_failure_is_not_kept(self) -> None:
        sky, shared, answers = cloud_of(Sky()), Shared(), iter([Transient("not now"), 7])

        async def ask() -> int:
            answer: Any = next(answers)
            if isinstance(answer, Exception):
                raise answer
            return int(answer)

        with pytest.raises(Transient):
            await shared.of(sky, "q", ask, seconds=10)
        assert await shared.of(sky, "q", ask, seconds=10) == 7
        assert await shared.of(sky, "q", ask, seconds=10) == 7

    async def test_questions_are_apart_and_too_many_are_forgotten(self) -> None:
        sky, shared, asked = cloud_of(Sky()), Shared(), Counter[str]()

        async def ask(question: str) -> str:
            asked[question] += 1
            return question

        for question in ("a", "b", *map(str, range(500)), "a"):
            answer = await shared.of(sky, question, lambda question=question: ask(question), seconds=10)  # type: ignore[misc]
            assert answer == question
        assert asked["a"] == 2
