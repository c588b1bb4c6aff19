"""AccountCheck: asks a cloud whether it accepts an account's credentials, while somebody waits for the answer."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow

from activities.accounts import AccountActivities
from domain.accounts import AccountCall, AccountChecked
from domain.provisioning import RunPolicy
from workflows._options import activity_options


@workflow.defn
class AccountCheck:
    @workflow.run
    async def run(self, call: AccountCall) -> AccountChecked:
        options = activity_options("validate_account", call.provider, RunPolicy(), account=call.provider_id)
        # A cloud that is away is said so, not waited for.
        options["schedule_to_close_timeout"] = timedelta(seconds=15)
        return await workflow.execute_activity_method(AccountActivities.validate_account, call, **options)
