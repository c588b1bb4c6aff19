"""What Slipway asks of whoever keeps mailboxes, and the values that are passed.

`owner` is an opaque id of ours (letters, digits, dashes), the mark of ownership: what bears another mark, or none, is
somebody else's, is answered with Conflict and never touched. Every call may be repeated; a repeat finds its work done.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from pydantic import SecretStr


@dataclass(frozen=True)
class Outcome:
    """`text` is a sentence for the journal; it says "already present" or "already absent" where nothing `changed`."""

    changed: bool
    text: str


@dataclass(frozen=True)
class Removal(Outcome):
    """`backup` is where the mail lies until `discard_backup`, None when there is none; `size` counts its bytes."""

    backup: str | None = None
    size: int = 0


@dataclass(frozen=True)
class Archive:
    """A gzipped tar of a mailbox's mail where only root reads. `size` in bytes, `sha256` of the file as it lies."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class MailboxFacts:
    """`exists` without an `owner` is somebody else's. `used` is in bytes. `login`: somebody can sign in."""

    exists: bool
    owner: str | None = None
    quota_mb: int = 0
    used: int = 0
    suspended: bool = False
    login: bool = False


class MailboxAdapter(Protocol):
    """Errors: Conflict (somebody else's, or being removed), NotFound (no such domain or mailbox), InvalidInput (an
    address, an owner, a quota or a hash that cannot be), StillPresent, and those of the way there (Transient,
    HostUnreachable, CommandFailed, DiskFull). `password_hash` is what `passwords.hash_password` makes.
    """

    serves_mail: bool  # false: accounts are rows of ours and nothing else

    async def ensure_domain(self, domain: str, owner: str) -> Outcome: ...

    async def remove_domain(self, domain: str, owner: str) -> Outcome:
        """Conflict while it has mailboxes."""

    async def ensure_mailbox(
        self, address: str, owner: str, quota_mb: int, password_hash: SecretStr | None = None
    ) -> Outcome:
        """Make it in a domain of the same owner. One that is there keeps its password, quota and suspension."""

    async def set_password(self, address: str, owner: str, password_hash: SecretStr | None) -> Outcome:
        """None: nobody can sign in; mail still arrives."""

    async def change_quota(self, address: str, owner: str, quota_mb: int) -> Outcome:
        """Less than what is used is allowed: nothing is deleted, nothing more is taken."""

    async def suspend(self, address: str, owner: str) -> Outcome:
        """Nobody signs in, content stays, senders are told to try again later (450): no mail is refused for good."""

    async def resume(self, address: str, owner: str) -> Outcome: ...

    async def back_up(self, address: str, owner: str, name: str) -> Archive | None:
        """Pack the mail as it is under a name of the caller's; None where there is none to pack."""

    async def discard_archive(self, address: str, owner: str, name: str) -> Outcome:
        """Delete for good what `back_up` packed under that name, and nothing else."""

    async def remove(self, address: str, owner: str) -> Removal:
        """Take the mailbox away and keep its mail as a last backup."""

    async def discard_backup(self, address: str, owner: str) -> Outcome:
        """Delete for good what `remove` and `back_up` kept: all backups of this address and owner."""

    async def prove_absent(self, address: str) -> str:
        """A sentence that says how the absence was seen. StillPresent names what is left."""

    async def facts(self, address: str) -> MailboxFacts: ...
