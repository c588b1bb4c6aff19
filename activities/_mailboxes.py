"""The way to a mailbox: its mail server's adapter, or the one that keeps records only (R242)."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from activities._context import Deps
from activities._house import visit
from activities._log import Lines
from db.models_hosting import Server
from domain.journal import SubjectKind
from providers.hosts.packages import Say
from providers.mailboxes.base import MailboxAdapter
from providers.mailboxes.postfix import PostfixMailboxes
from providers.mailboxes.record_only import RecordOnlyMailboxes


@contextlib.asynccontextmanager
async def mailboxes(
    deps: Deps, server: Server | None, job_id: str, step: str
) -> AsyncIterator[tuple[MailboxAdapter, Say]]:
    """The adapter while the block lasts, and the way to say something in the job's log."""
    if server is None:
        async with Lines(deps, job_id, step, kind=SubjectKind.JOB) as log:
            yield RecordOnlyMailboxes(), log.say
        return
    async with visit(deps, server, job_id, step) as there:
        yield PostfixMailboxes(there.host), there.log.say
