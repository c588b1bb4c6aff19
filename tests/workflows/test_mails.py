"""A mail is tried until it is taken; where it is given up, its row says why and its link's token is gone."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from temporalio.client import Client

from db.models_mail import OutgoingMail
from db.queries import mails
from domain.mails import MailCall
from domain.starting import mail_start
from tests.workflows.world import World
from workflows.mails import SendMail

LONG_AGO = datetime(2024, 1, 1, tzinfo=UTC)


async def kept(world: World, call: MailCall) -> tuple[OutgoingMail, str | None]:
    mail_id = uuid.UUID(call.mail_id)
    async with world.db.begin() as session:
        row = await session.get_one(OutgoingMail, mail_id)
        return row, await mails.token_of(session, world.deps.keys, mail_id)


async def test_a_mail_is_tried_until_it_is_taken(world: World, client: Client) -> None:
    call = await world.mail()
    assert (await kept(world, call))[1] == "t0ken"
    world.fail("send_mail", "Transient", times=3, final=False)
    assert await client.execute_workflow(SendMail.run, call, **mail_start(call)) == "sent"
    row, token = await kept(world, call)
    assert (row.state, token) == ("sent", None)
    assert "t0ken" not in str(row.values)


async def test_a_mail_that_is_refused_says_why_and_loses_its_token(world: World, client: Client) -> None:
    call = await world.mail()
    world.fail("send_mail", "InvalidInput", "refused the recipient (550)")
    assert await client.execute_workflow(SendMail.run, call, **mail_start(call)) == "failed"
    row, token = await kept(world, call)
    assert (row.state, row.last_error, token) == ("failed", "refused the recipient (550)", None)


async def test_a_mail_whose_run_was_not_started_is_started_by_the_sweep(world: World, client: Client) -> None:
    call = await world.mail()
    async with world.db.begin() as session:
        (await session.get_one(OutgoingMail, uuid.UUID(call.mail_id))).created_at = LONG_AGO
    await client.execute_workflow("StartSweep", id="sweep-mails", task_queue="runs")
    assert await client.get_workflow_handle(f"mail/{call.mail_id}").result() == "sent"
    assert (await kept(world, call))[0].started_at is not None
