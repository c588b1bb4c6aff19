"""The steps of what is done to a subscription that stands: one table for each kind of change."""

from __future__ import annotations

from domain.fulfilment_steps import TAKING_BACK
from domain.sales import JobType
from domain.step import Step, step

_SUSPEND_SITE = step("suspend_site", "Suspend site", "Switching the site and its file access off")
_SUSPEND_MAIL = step("suspend_mail", "Suspend mail", "Switching the mailbox off")

SUSPENSION: tuple[Step, ...] = (
    _SUSPEND_SITE,
    _SUSPEND_MAIL,
    step("record_suspension", "Record", "Telling the customer of the suspension", "suspend_site", "suspend_mail"),
)

RESUMPTION: tuple[Step, ...] = (
    step("resume_site", "Resume site", "Switching the site and its file access on"),
    step("resume_mail", "Resume mail", "Switching the mailbox on"),
    step("record_resumption", "Record", "Telling the customer of the resumption", "resume_site", "resume_mail"),
)

LIMITS: tuple[Step, ...] = (
    step("check_limits", "Check use", "Comparing what is used with the new limits", editable=("price_id",)),
    step("change_disk", "Change disk", "Changing the size of the site's volume", "check_limits"),
    step("change_mailbox_size", "Change mailbox", "Changing the size of the mailbox", "check_limits"),
    # What was never given need not be paid for, and sizes go back without a trace on anybody's invoice.
    step("change_price", "Change price", "Telling the payment service what to charge for",
         "change_disk", "change_mailbox_size", owner="billing"),
    step("record_limits", "Record", "Changing the price of the subscription", "change_price"),
)  # fmt: skip

TERMINATION_OF_SUBSCRIPTION: tuple[Step, ...] = (
    # Nothing may change between the last backup and the removal.
    _SUSPEND_SITE,
    _SUSPEND_MAIL,
    step("back_up_site", "Back up site", "Putting a last backup of the site away", "suspend_site"),
    step("back_up_mail", "Back up mail", "Putting a last backup of the mail away", "suspend_mail"),
    step("export_zone", "Back up zone", "Putting a last copy of the zone away"),
    # From here on there is no way back.
    step("end_billing", "End billing", "Ending the subscription at the payment service",
         "back_up_site", "back_up_mail", "export_zone", owner="billing"),
    step("withdraw_names", "Withdraw DNS", "Withdrawing zone and records", "end_billing"),
    step("end_account", "Remove site", "Removing the site from its server", "withdraw_names"),
    step("end_mailbox", "Remove mailbox", "Removing the mailbox from its server", "withdraw_names"),
    step("prove_removal", "Prove absence", "Proving that nothing is left but backups", "end_account", "end_mailbox"),
    step("end_subscription", "End", "Ending the subscription", "prove_removal"),
)  # fmt: skip

CANCELLATION: tuple[Step, ...] = (
    step("stop_renewal", "Stop renewal", "Telling the payment service that no period follows", owner="billing"),
    step("record_cancellation", "Record", "Recording the end with the paid period", "stop_renewal"),
)

KEEPING: tuple[Step, ...] = (
    step("go_on_renewing", "Renew again", "Telling the payment service that periods follow", owner="billing"),
    step("record_keeping", "Record", "Recording that the subscription goes on", "go_on_renewing"),
)

DISCARDING: tuple[Step, ...] = (step("discard_backups", "Discard backups", "Deleting backups whose time is over"),)
MAILBOX_PASSWORD: tuple[Step, ...] = (step("set_mailbox_password", "Set password", "Setting the mailbox's password"),)
SFTP_KEYS: tuple[Step, ...] = (step("set_sftp_keys", "Set keys", "Setting the keys for file access"),)
SFTP_PASSWORD: tuple[Step, ...] = (step("set_sftp_password", "Set password", "Setting the password for file access"),)

CHANGE_STEPS: dict[JobType, tuple[Step, ...]] = {
    JobType.SUSPEND: SUSPENSION,
    JobType.RESUME: RESUMPTION,
    JobType.CHANGE_LIMITS: LIMITS,
    JobType.TERMINATE: TERMINATION_OF_SUBSCRIPTION,
    JobType.REFUND: TAKING_BACK,
    JobType.CANCEL: CANCELLATION,
    JobType.KEEP: KEEPING,
    JobType.DISCARD_BACKUPS: DISCARDING,
    JobType.MAILBOX_PASSWORD: MAILBOX_PASSWORD,
    JobType.SFTP_KEYS: SFTP_KEYS,
    JobType.SFTP_PASSWORD: SFTP_PASSWORD,
}
CHANGES: tuple[Step, ...] = tuple(one for steps in CHANGE_STEPS.values() for one in steps)
