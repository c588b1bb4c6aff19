"""The documented default (R242, "Mail account database record"): the account is a row of ours, and nothing outside.

It checks what it is given, so that what it takes could be made real later, and says in each sentence what it does not
do. No mail is taken, kept or served.
"""

from __future__ import annotations

from pydantic import SecretStr

from providers.errors import InvalidInput
from providers.mailboxes.addresses import address_of, domain_of, owner_of
from providers.mailboxes.base import Archive, MailboxFacts, Outcome, Removal
from providers.mailboxes.passwords import checked_hash

NOTHING = "kept as a record only; nothing was done on a mail server"


class RecordOnlyMailboxes:
    """A MailboxAdapter without an outside."""

    serves_mail = False

    async def ensure_domain(self, domain: str, owner: str) -> Outcome:
        return self._noted(f"Mail domain {domain_of(domain)}", owner)

    async def remove_domain(self, domain: str, owner: str) -> Outcome:
        return self._noted(f"Mail domain {domain_of(domain)}", owner)

    async def ensure_mailbox(
        self, address: str, owner: str, quota_mb: int, password_hash: SecretStr | None = None
    ) -> Outcome:
        checked_hash(password_hash)
        return await self.change_quota(address, owner, quota_mb)

    async def set_password(self, address: str, owner: str, password_hash: SecretStr | None) -> Outcome:
        checked_hash(password_hash)
        return self._noted(f"Mailbox {address_of(address)}", owner)

    async def change_quota(self, address: str, owner: str, quota_mb: int) -> Outcome:
        if quota_mb < 1:
            raise InvalidInput("a mailbox has 1 MB or more", field="quota_mb")
        return self._noted(f"Mailbox {address_of(address)}", owner)

    async def suspend(self, address: str, owner: str) -> Outcome:
        return self._noted(f"Mailbox {address_of(address)}", owner)

    async def resume(self, address: str, owner: str) -> Outcome:
        return self._noted(f"Mailbox {address_of(address)}", owner)

    async def back_up(self, address: str, owner: str, name: str) -> Archive | None:
        self._noted(f"Mailbox {address_of(address)}", owner)
        return None

    async def discard_archive(self, address: str, owner: str, name: str) -> Outcome:
        return self._noted(f"Archive {name} of {address_of(address)}", owner)

    async def remove(self, address: str, owner: str) -> Removal:
        return Removal(False, self._noted(f"Mailbox {address_of(address)}", owner).text)

    async def discard_backup(self, address: str, owner: str) -> Outcome:
        return self._noted(f"Last backup of {address_of(address)}", owner)

    async def prove_absent(self, address: str) -> str:
        return f"{address_of(address)} was never more than a record: no mail server is behind this adapter"

    async def facts(self, address: str) -> MailboxFacts:
        address_of(address)
        return MailboxFacts(exists=False)

    @staticmethod
    def _noted(what: str, owner: str) -> Outcome:
        owner_of(owner)
        return Outcome(False, f"{what}: {NOTHING}")
