"""Passwords of mailboxes as Dovecot stores them. Only hashes ever travel to a host."""

from __future__ import annotations

import re

import bcrypt
from pydantic import SecretStr

from providers.errors import InvalidInput

ROUNDS = 12
LONGEST = 72  # bytes; bcrypt reads no more
# Every scheme has its full form, so that a cut or a plain text never passes for a hash.
_HASHES = re.compile(
    r"\{BLF-CRYPT\}\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}"
    r"|\{SHA512-CRYPT\}\$6\$(?:rounds=\d+\$)?[./A-Za-z0-9]{1,16}\$[./A-Za-z0-9]{86}"
    r"|\{ARGON2ID\}\$argon2id\$v=\d+\$m=\d+,t=\d+,p=\d+\$[+/A-Za-z0-9]+\$[+/A-Za-z0-9]+"
)
# Well formed and the hash of nothing known: a sign-in fails as with any wrong password, in the same time.
LOCKED = "{BLF-CRYPT}$2b$12$" + "." * 53


def hash_password(password: SecretStr) -> SecretStr:
    """`{BLF-CRYPT}$2b$…`; takes a quarter of a second of a core. InvalidInput for what bcrypt would cut or misread."""
    text = password.get_secret_value().encode()
    if not text or len(text) > LONGEST or b"\0" in text:
        raise InvalidInput(f"a mailbox's password has 1 to {LONGEST} bytes", field="password")
    return SecretStr("{BLF-CRYPT}" + bcrypt.hashpw(text, bcrypt.gensalt(ROUNDS)).decode())


def checked_hash(given: SecretStr | None) -> SecretStr | None:
    if given is not None and not _HASHES.fullmatch(given.get_secret_value()):
        raise InvalidInput("this is not a password hash Dovecot can be given", field="password_hash")
    return given
