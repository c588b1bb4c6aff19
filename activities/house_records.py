"""Rows of the house's servers as their set-up goes on. Called as local activities, so they stay short; the journal's
batch is written in the same transaction."""

from __future__ import annotations

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities._context import Deps
from activities._errors import mapped
from db.queries import house_servers, journal
from domain.errors import Trouble
from domain.house_servers import HouseCall
from domain.journal import JournalBatch
from domain.sales import ServerStatus


class HouseRecordActivities:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    @activity.defn
    @mapped
    async def activate_house_server(self, call: HouseCall, batch: JournalBatch) -> None:
        """Open the server for new customers; one that is being emptied stays closed to them.

        Effect: status of the server's row.
        Idempotency: the same status again.
        Undo: stand_down_house_server.
        Heartbeat: none, one short transaction.
        """
        async with self._deps.db.begin() as session:
            await journal.record(session, batch)
            server = await house_servers.get(session, call.server_id, lock=True)
            if server.status == ServerStatus.REMOVED:
                raise ApplicationError(f"{server.hostname} was removed", type=Trouble.CONFLICT, non_retryable=True)
            if server.status == ServerStatus.PENDING:
                server.status = ServerStatus.ACTIVE

    @activity.defn
    @mapped
    async def stand_down_house_server(self, call: HouseCall, batch: JournalBatch) -> None:
        """Close the server to new customers, because its set-up was given up. What lives on it goes on.

        Effect: status of the server's row.
        Idempotency: the same status again.
        Undo: none; the next set-up opens it.
        Heartbeat: none, one short transaction.
        """
        async with self._deps.db.begin() as session:
            await journal.record(session, batch)
            server = await house_servers.get(session, call.server_id, lock=True)
            if server.status == ServerStatus.ACTIVE:
                server.status = ServerStatus.PENDING
