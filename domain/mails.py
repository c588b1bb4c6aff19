"""Mail that goes out: what a run is told of it. Neither the recipient nor a link's token is: they stand on rows."""

from __future__ import annotations

from datetime import timedelta

from pydantic import BaseModel

PASSWORD_RESET = "password-reset"  # noqa: S105 - the name of a template, and of a link's purpose
SITE_LIVE = "site-live"  # with a link to choose a password
SITE_LIVE_AGAIN = "site-live-again"  # to somebody who has one
REGISTRATION = "registration"  # with a link that opens the account once the password is told again
REGISTRATION_KNOWN = "registration-known"  # to somebody who has an account already
INVITATION = "invitation"  # the same link, to somebody whom an administrator added
PASSWORD_CHANGED = "password-changed"  # noqa: S105 - the name of a template
SITE_SUSPENDED = "site-suspended"
SITE_RESUMED = "site-resumed"
PLAN_CHANGED = "plan-changed"
SUBSCRIPTION_CANCELLED = "subscription-cancelled"  # it ends with the paid period
SUBSCRIPTION_KEPT = "subscription-kept"
SUBSCRIPTION_ENDED = "subscription-ended"
PAYMENT_DUE = "payment-due"
PAYMENT_RECEIVED = "payment-received"  # before anything was switched off

INVITED = timedelta(days=7)  # how long somebody new may choose a password by the link in the mail


class MailCall(BaseModel):
    """Input of the workflow SendMail: the row says the rest."""

    mail_id: str
    template: str = ""  # for people who read Temporal's list


class MailEnd(BaseModel):
    """Why a mail was given up, in a sentence."""

    mail_id: str
    message: str
