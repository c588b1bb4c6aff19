"""Mail that goes out. The rule of this file: rather twice than never, and twins can be told by their Message-ID."""

from __future__ import annotations

import uuid

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities._context import Deps
from activities._errors import mapped
from activities._heartbeat import beating
from db.queries import mails
from domain.errors import Trouble
from domain.mails import MailCall
from providers.mail.letters import compose


class MailActivities:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    @activity.defn
    @mapped
    async def send_mail(self, call: MailCall) -> None:
        """Send the mail that a row describes.

        Effect: one mail at the mail server; state and tries on our row, the link's token destroyed.
        Idempotency: a row that is sent or given up is left alone. After an unanswered try it is sent again, with the
            Message-ID of its row, so that receivers can drop the twin.
        Undo: none; a mail cannot be taken back.
        Heartbeat: while the mail server is spoken to.
        """
        mail_id = uuid.UUID(call.mail_id)
        async with self._deps.db.begin() as session:
            mail = await mails.begin_try(session, mail_id)
            token = await mails.token_of(session, self._deps.keys, mail_id)
        if mail is None:
            return
        client = self._deps.mail
        if client is None:
            # Retried, unlike other missing settings: whoever sets up a mail server now still gets it out.
            raise ApplicationError("no mail server is set up (SMTP_HOST)", type=Trouble.MISSING_SETTING)
        message = compose(
            mail.template, mail.values | ({"token": token} if token is not None else {}), mail_id=call.mail_id,
            sender=client.sender, recipient=mail.recipient, date=mail.created_at,
        )  # fmt: skip
        async with beating():
            await client.send(message)
        async with self._deps.db.begin() as session:
            await mails.sent(session, mail_id)
