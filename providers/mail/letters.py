"""From a template and named values to a mail. A value that is missing is an error, never an empty place in a mail."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from pathlib import Path
from string import Template

from providers.errors import InvalidInput

FOLDER = Path(__file__).parent / "templates"
TEMPLATES = frozenset(path.stem for path in FOLDER.glob("*.txt"))


def render(template: str, values: Mapping[str, str]) -> tuple[str, str]:
    """(subject, text). A template's first line is the subject."""
    if template not in TEMPLATES:
        raise InvalidInput(f"there is no mail template {template}")
    try:
        text = Template((FOLDER / f"{template}.txt").read_text()).substitute(values)
    except KeyError as error:
        raise InvalidInput(f"the mail {template} misses its value {error.args[0]}") from None
    subject, _, body = text.partition("\n")
    return subject, body.lstrip("\n")


def compose(
    template: str, values: Mapping[str, str], *, mail_id: str, sender: str, recipient: str, date: datetime
) -> EmailMessage:
    """The same mail for the same row, however often it is made: receivers tell a twin by its Message-ID."""
    subject, body = render(template, values)
    message = EmailMessage(policy=SMTP.clone(cte_type="7bit"))
    try:
        message["From"], message["To"], message["Subject"] = sender, recipient, subject
    except ValueError:
        raise InvalidInput("the address cannot be written in a mail", field="recipient") from None
    message["Date"] = format_datetime(date)
    message["Message-ID"] = f"<{mail_id}@{parseaddr(sender)[1].rpartition('@')[2] or 'localhost'}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(body)
    return message
