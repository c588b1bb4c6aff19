"""The gate before each call to a cloud: one account's budget, shared by all processes through PostgreSQL.

Without the budget nothing is called: a cloud that is asked too often may close the account.
"""

from __future__ import annotations

import asyncio
import logging
import random
import uuid
from collections.abc import Iterable
from contextvars import ContextVar
from datetime import timedelta

from sqlalchemy.exc import SQLAlchemyError

from db.queries import budgets
from db.session import Database
from domain.budgets import LONGEST_PATIENCE, Pace, pace_of
from providers.cloud.base import CallLimit
from providers.errors import RateLimited, Transient

logger = logging.getLogger("slipway.gate")

# A slot so near is waited for in place: coming back through Temporal costs more than the wait.
PATIENCE = timedelta(seconds=2)
# Who has made a call already is waited for longer: sent away, it would have to repeat that call, and under a full load
# nobody would ever end. Well below the shortest try of an activity at a cloud (workflows/_options.py).
PATIENCE_UNDER_WAY = LONGEST_PATIENCE
JITTER = 0.2

# Accounts at which the task of this context, an activity's try, has made a call.
_under_way: ContextVar[frozenset[uuid.UUID]] = ContextVar("slipway_calls_under_way", default=frozenset())


class AccountGate:
    """CallGate of providers/cloud/base.py for the account of a row of service_providers."""

    def __init__(self, db: Database, account: uuid.UUID, limits: Iterable[CallLimit] = ()) -> None:
        self._db = db
        self._account = account
        self._paces: dict[str, Pace] = {}
        self.keep_to(limits)

    def keep_to(self, limits: Iterable[CallLimit]) -> None:
        """The client's `call_limits`: its cloud's, with the counts of the account's configuration["limits"], which maps
        classes of calls to whole numbers from 1 on. ValueError where a limit lets nothing through."""
        self._paces = {limit.calls: pace_of(limit.count, limit.seconds) for limit in limits}

    async def enter(self, *calls: str) -> None:
        """Returns when the call may be made. RateLimited where that would take too long, Transient where PostgreSQL
        does not answer; nothing was taken then. KeyError for a class that is in no limit."""
        patience = PATIENCE_UNDER_WAY if self._account in _under_way.get() else PATIENCE
        paces = {name: self._paces[name] for name in calls}
        try:
            async with self._db.begin() as session:
                answer = await budgets.take(session, self._account, paces, patience=patience)
        except (SQLAlchemyError, OSError) as error:
            raise Transient(f"the account's budget of calls cannot be read ({type(error).__name__})") from None
        if not answer.granted:
            wait = answer.wait * random.uniform(1, 1 + JITTER)  # noqa: S311 - spreads, hides nothing
            raise RateLimited("the account's limit of calls is reached", retry_after=wait)
        _under_way.set(_under_way.get() | {self._account})
        await asyncio.sleep(answer.wait)

    async def refused(self, calls: str, retry_after: float) -> None:
        """The cloud answered 429 to a call of this class. If PostgreSQL is away, the next `enter` says so."""
        logger.warning("the cloud refused a call of the class %s", calls, extra={"account": str(self._account)})
        try:
            async with self._db.begin() as session:
                await budgets.block(session, self._account, calls, self._paces[calls], retry_after)
        except (SQLAlchemyError, OSError) as error:
            logger.warning("a refusal of the cloud was not written down: %s", type(error).__name__)
