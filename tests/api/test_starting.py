"""What is behind an answer that is out already never breaks it: it is counted, and left to the sweep."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolExhausted

from api import starting
from domain.mails import MailCall
from tests.api.world import World


@pytest.mark.parametrize("error", [PoolExhausted(), OperationalError("", {}, Exception("gone")), OSError("reset")])
async def test_a_database_that_is_away_behind_the_answer_leaves_the_start_to_the_sweep(
    world: World, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    async def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr("db.queries.mails.started", fails)
    held = world.app.state.services
    (before, *_) = held.metrics.starts_failed.collect()[0].samples
    await starting.start_mail(held, MailCall(mail_id="01a22269-dfd9-73ec-97ea-bfe11bcabac6"))
    (after, *_) = held.metrics.starts_failed.collect()[0].samples
    assert after.value == before.value + 1
