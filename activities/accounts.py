"""Accounts at clouds: whether the credentials an administrator has entered are accepted."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities._context import Deps
from activities._errors import details_of, mapped
from activities._heartbeat import beating
from db.queries import providers
from domain.accounts import AccountCall, AccountChecked
from domain.errors import ErrorCode
from providers.errors import ProviderError

ACCEPTED = "The cloud accepts these credentials."
_PUBLIC = (ErrorCode.INVALID_CREDENTIALS, ErrorCode.RATE_LIMIT_EXCEEDED)


class AccountActivities:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    @activity.defn
    @mapped
    async def validate_account(self, call: AccountCall) -> AccountChecked:
        """Ask the cloud whether it accepts an account's credentials, of a disabled account too.

        Effect: when and how it ended, on the account's row, unless the account was changed meanwhile.
        Idempotency: asks again and writes the newer answer.
        Undo: none.
        Heartbeat: while the call is under way.
        """
        provider_id = uuid.UUID(call.provider_id)
        async with beating():
            async with self._deps.db.begin() as session:
                row = await providers.get(session, provider_id)
            checked = await self._asked(call.provider, provider_id)
            if row is not None:
                async with self._deps.db.begin() as session:
                    await providers.note_validation(
                        session, provider_id, checked.message, datetime.now(UTC), seen=row.updated_at)  # fmt: skip
        return checked

    async def _asked(self, provider: str, provider_id: uuid.UUID) -> AccountChecked:
        try:
            cloud = await self._deps.clouds.of_server(provider, provider_id)
            await cloud.verify_credentials()
        except ProviderError as error:
            code = error.code if error.code in _PUBLIC else ErrorCode.API_ERROR
            return AccountChecked(valid=False, code=code, message=error.message, retry_after=error.retry_after)
        except ApplicationError as error:
            if "code" not in details_of(error):
                raise
            return AccountChecked(valid=False, code=ErrorCode(details_of(error)["code"]), message=error.message)
        return AccountChecked(valid=True, message=ACCEPTED)
