"""Mailboxes on a host that `setup.set_up` has prepared: Postfix and Dovecot 2.4, over one SSH connection as root.

A mailbox is one small file (accounts.py), swapped in whole (store.py); Dovecot reads it at the next sign-in or mail, so
nothing is reloaded. Only a change of domains reloads Postfix. Mail lies in /var/vmail/<domain>/<local>/Maildir.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pydantic import SecretStr

from providers.errors import Conflict, InvalidInput, NotFound
from providers.hosts import commands as host_commands
from providers.hosts.ssh import Host
from providers.mailboxes import archives, commands, domain_table, host_files, leftovers, usage
from providers.mailboxes.accounts import Account, parse
from providers.mailboxes.addresses import Address, address_of, domain_of, owner_of
from providers.mailboxes.base import Archive, MailboxFacts, Outcome, Removal
from providers.mailboxes.passwords import checked_hash
from providers.mailboxes.store import change

# Dovecot looks whether a passwd-file has changed once in a second of the clock (db-passwd-file.c, passwd_file_sync).
NOTICED_AFTER = 1.1
ACCOUNT_MODE = 0o640  # root's, and Dovecot's sign-in may read it
TABLE_MODE = 0o644
MOST_MB = 10_000_000


class PostfixMailboxes:
    """A MailboxAdapter; `host` is open while this is used. By default sshd gives a connection ten sessions at once."""

    serves_mail = True

    def __init__(self, host: Host) -> None:
        self._host = host

    # ---- domains -----------------------------------------------------------------------------------------------------

    async def ensure_domain(self, domain: str, owner: str) -> Outcome:
        """InvalidInput for the host's own name, whose mail is that of the machine."""
        name, owner = domain_of(domain), owner_of(owner)
        own = await self._host.run(commands.postfix_setting("myhostname"), show="nothing")
        if own.stdout.strip().lower() == name:
            raise InvalidInput("the mail host's own name cannot be a mail domain", field="domain")
        changed = await change(
            self._host, host_files.DOMAINS, lambda table: domain_table.with_domain(table or b"", name, owner),
            mode=TABLE_MODE, reload="postfix.service",
        )  # fmt: skip
        # Behind the swap, which may have been refused. A domain without its folders takes no mailbox yet.
        for path, mode, user, group in host_files.domain_directories(name):
            made = host_commands.make_directories([path], mode=mode, owner=user, group=group)
            await self._host.run(made, show="nothing")
        return Outcome(changed, f"Mail domain {name}: {'taken up' if changed else 'already present'}")

    async def remove_domain(self, domain: str, owner: str) -> Outcome:
        name, owner = domain_of(domain), owner_of(owner)
        found = domain_table.owner_in(await self._host.content(host_files.DOMAINS) or b"", name)
        if found is not None:
            domain_table.refuse_foreign(found, name, owner)
            await leftovers.remove_empty_accounts(self._host, name)
        changed = await change(
            self._host, host_files.DOMAINS, lambda table: domain_table.without_domain(table or b"", name, owner),
            mode=TABLE_MODE, reload="postfix.service",
        )  # fmt: skip
        folder = commands.remove_empty(f"{host_files.MAIL}/{name}", tolerant=True)
        await self._host.run(folder, check=False, show="nothing")
        return Outcome(changed, f"Mail domain {name}: {'removed' if changed else 'already absent'}")

    async def _domain_is(self, name: str, owner: str) -> None:
        found = domain_table.owner_in(await self._host.content(host_files.DOMAINS) or b"", name)
        if found is not None:
            domain_table.refuse_foreign(found, name, owner)
        if found is None or not await self._host.exists(_folder(name)):
            raise NotFound(f"the mail domain {name} is not set up on this host", field="domain")

    # ---- mailboxes ---------------------------------------------------------------------------------------------------

    async def ensure_mailbox(
        self, address: str, owner: str, quota_mb: int, password_hash: SecretStr | None = None
    ) -> Outcome:
        """Conflict also where mail lies without an account: a new owner would read somebody else's."""
        where, owner = address_of(address), owner_of(owner)
        wanted = Account(address=str(where), owner=owner, quota_mb=_quota(quota_mb),
                         password_hash=checked_hash(password_hash))  # fmt: skip
        await self._domain_is(where.domain, owner)

        def edit(before: bytes | None) -> bytes:
            if before is None:
                return wanted.render()
            _standing(before, where, owner)
            return before

        if not await self._host.exists(_file(where)) and await self._host.exists(leftovers.mail_of(where)):
            raise Conflict(f"there is mail of an earlier {where} on the host, without an account", field="address")
        changed = await change(self._host, _file(where), edit, mode=ACCOUNT_MODE)
        return Outcome(changed, f"Mailbox {where}: {f'made, {quota_mb} MB' if changed else 'already present'}")

    async def set_password(self, address: str, owner: str, password_hash: SecretStr | None) -> Outcome:
        given = checked_hash(password_hash)
        changed, where = await self._update(address, owner, lambda a: a.model_copy(update={"password_hash": given}))
        return Outcome(changed, f"Mailbox {where}: password {'set' if changed else 'already present'}")

    async def change_quota(self, address: str, owner: str, quota_mb: int) -> Outcome:
        wanted = _quota(quota_mb)
        changed, where = await self._update(address, owner, lambda a: a.model_copy(update={"quota_mb": wanted}))
        return Outcome(changed, f"Mailbox {where}: {wanted} MB {'from now on' if changed else 'already present'}")

    async def suspend(self, address: str, owner: str) -> Outcome:
        changed, where = await self._update(address, owner, lambda a: a.model_copy(update={"state": "suspended"}))
        # In any case: an earlier attempt may have ended just before it.
        await self._end_sessions(where)
        return Outcome(changed, f"Mailbox {where}: {'suspended' if changed else 'suspension already present'}")

    async def resume(self, address: str, owner: str) -> Outcome:
        changed, where = await self._update(address, owner, lambda a: a.model_copy(update={"state": "active"}))
        return Outcome(changed, f"Mailbox {where}: {'in use again' if changed else 'in use, already present'}")

    async def _update(self, address: str, owner: str, update: Callable[[Account], Account]) -> tuple[bool, Address]:
        where, owner = address_of(address), owner_of(owner)

        def edit(before: bytes | None) -> bytes:
            if before is None:
                raise NotFound(f"there is no mailbox {where} on this host", field="address")
            return update(_standing(before, where, owner)).render()

        changed = await change(self._host, _file(where), edit, mode=ACCOUNT_MODE)
        if changed:
            await asyncio.sleep(NOTICED_AFTER)
        return changed, where

    async def _end_sessions(self, where: Address) -> None:
        await self._host.run(commands.end_sessions(str(where)), check=False, show="nothing")

    # ---- the end -----------------------------------------------------------------------------------------------------

    async def back_up(self, address: str, owner: str, name: str) -> Archive | None:
        where, owner = address_of(address), owner_of(owner)
        content = await self._host.content(_file(where))
        if content is not None:
            _ours(content, where, owner)
        return await archives.pack(self._host, where, owner, name)

    async def discard_archive(self, address: str, owner: str, name: str) -> Outcome:
        where, owner = address_of(address), owner_of(owner)
        changed = await archives.discard(self._host, where, owner, name)
        return Outcome(changed, f"Archive {name} of {where}: {'deleted for good' if changed else 'already absent'}")

    async def remove(self, address: str, owner: str) -> Removal:
        """First it is shut, then its mail is moved where only root reads, then the account goes: the mark goes last."""
        where, owner = address_of(address), owner_of(owner)

        def shut(before: bytes | None) -> bytes | None:
            return None if before is None else _ours(before, where, owner).model_copy(
                update={"state": "leaving"}).render()  # fmt: skip

        def gone(before: bytes | None) -> None:
            if before is not None:
                _ours(before, where, owner)

        await change(self._host, _file(where), shut, mode=ACCOUNT_MODE)
        changed = await self._host.exists(_file(where))
        if changed:
            await asyncio.sleep(NOTICED_AFTER)
            await self._end_sessions(where)
            await leftovers.put_away(self._host, where, owner)
            await change(self._host, _file(where), gone, mode=ACCOUNT_MODE)
            await asyncio.sleep(NOTICED_AFTER)
            # A mail that was on its way to the disk all the while has made the folder anew.
            await leftovers.put_away(self._host, where, owner)
        backup, size = await leftovers.backup_of(self._host, where, owner)
        kept = f"; its mail is kept in {backup} ({size} bytes)" if backup else "; it held no mail"
        return Removal(changed, f"Mailbox {where}: {'removed' if changed else 'already absent'}{kept}", backup, size)

    async def discard_backup(self, address: str, owner: str) -> Outcome:
        where, owner = address_of(address), owner_of(owner)
        changed = await leftovers.discard(self._host, where, owner)
        return Outcome(changed, f"Last backup of {where}: {'deleted for good' if changed else 'already absent'}")

    async def prove_absent(self, address: str) -> str:
        where = address_of(address)
        return await leftovers.prove_absent(self._host, where, _file(where))

    async def facts(self, address: str) -> MailboxFacts:
        where = address_of(address)
        content = await self._host.content(_file(where))
        if content is None:
            return MailboxFacts(exists=False)
        account = parse(content)
        if account is None:
            return MailboxFacts(exists=True)
        used = await usage.used(self._host, where, measured_by_dovecot=account.state == "active")
        return MailboxFacts(
            exists=True, owner=account.owner, quota_mb=account.quota_mb, used=used,
            suspended=account.state != "active", login=account.state == "active" and account.password_hash is not None,
        )  # fmt: skip


def _folder(domain: str) -> str:
    return f"{host_files.ACCOUNTS}/{domain}"


def _file(where: Address) -> str:
    return f"{_folder(where.domain)}/{where.local}"


def _quota(megabytes: int) -> int:
    if not 1 <= megabytes <= MOST_MB:
        raise InvalidInput(f"a mailbox has 1 to {MOST_MB} MB", field="quota_mb")
    return megabytes


def _ours(content: bytes, where: Address, owner: str) -> Account:
    account = parse(content)
    if account is None or account.owner != owner or account.address != str(where):
        raise Conflict(f"the mailbox {where} on this host is not ours to touch", field="address")
    return account


def _standing(content: bytes, where: Address, owner: str) -> Account:
    account = _ours(content, where, owner)
    if account.state == "leaving":
        raise Conflict(f"the mailbox {where} is being removed", field="address")
    return account
