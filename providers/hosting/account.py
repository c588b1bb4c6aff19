"""What a hosting account is, and where each part of it lies on the web server."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints, field_validator

SITES = "/srv/sites"  # one volume each, mounted here; the root of the account's SFTP
STATE = "/etc/slipway/hosting"
LOCKS = f"{STATE}/locks"  # root's alone: whoever can open a lock file can keep it
VOLUMES = "/var/lib/slipway/hosting/volumes"
BACKUPS = "/var/backups/slipway"
CHALLENGES = "/var/lib/slipway/hosting/acme"  # served to everybody at /.well-known/acme-challenge/ of every site
NGINX_SITES = "/etc/nginx/slipway-sites"
PHP = "8.4"
PHP_POOLS = f"/etc/php/{PHP}/fpm/pool.d"
MARK = "slipway/"  # before the account's id in the GECOS field of its user

_LABEL = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
_DOMAIN = re.compile(rf"(?:{_LABEL}\.)+(?!-)(?=[a-z0-9-]*[a-z])[a-z0-9-]{{2,63}}(?<!-)")

AccountId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")]
# No dash: the name of a mount unit would need escapes. No upper case, no dot: useradd would refuse or warn.
SystemUser = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]{2,31}$")]


class Account(BaseModel, frozen=True):
    """A hosting account as ordered (R158, R241). `account_id` is the mark by which we know what is ours.

    `domains` are the site's names in lower case and IDNA form, the first is the main one. `quota_mb` is what the
    customer can store. `php_workers` are PHP processes at once, `php_memory_mb` what each may take.
    """

    account_id: AccountId
    system_user: SystemUser
    domains: tuple[str, ...] = Field(min_length=1, max_length=100)
    kind: Literal["static", "php"] = "static"
    quota_mb: int = Field(default=1024, ge=16, le=2_000_000)
    php_workers: int = Field(default=4, ge=1, le=64)
    php_memory_mb: int = Field(default=128, ge=32, le=2048)
    contact: str = Field(default="", max_length=254, pattern=r"^[^\s\x00-\x1f\x7f]*$")

    @field_validator("domains")
    @classmethod
    def _names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if len(name) > 253 or not _DOMAIN.fullmatch(name):
                raise ValueError(f"{name!r} is no domain name in lower case and IDNA form")
        if len(set(value)) != len(value):
            raise ValueError("a domain name stands twice")
        return value

    # ---- on the host ------------------------------------------------------------------------------------------------

    @property
    def gecos(self) -> str:
        return f"{MARK}{self.account_id}"

    @property
    def mark(self) -> str:
        """The first line of every file we write for the account, behind the file's comment sign."""
        return f"slipway account {self.account_id}: written by Slipway, changes are lost"

    @property
    def home(self) -> str:
        return f"{SITES}/{self.system_user}"

    @property
    def public(self) -> str:
        """The document root."""
        return f"{self.home}/public"

    @property
    def private(self) -> str:
        """For the customer's data that no browser may see."""
        return f"{self.home}/private"

    @property
    def scratch(self) -> str:
        """Uploads and sessions of PHP: inside the quota, outside the back-up."""
        return f"{self.home}/scratch"

    @property
    def volume(self) -> str:
        return f"{VOLUMES}/{self.system_user}.ext4"

    @property
    def mount_unit(self) -> str:
        return f"{SITES[1:].replace('/', '-')}-{self.system_user}.mount"

    @property
    def mount_file(self) -> str:
        return f"/etc/systemd/system/{self.mount_unit}"

    @property
    def mount_link(self) -> str:
        """Has the volume mounted at each boot."""
        return f"/etc/systemd/system/local-fs.target.wants/{self.mount_unit}"

    @property
    def site_file(self) -> str:
        return f"{NGINX_SITES}/{self.system_user}.conf"

    @property
    def pool_file(self) -> str:
        return f"{PHP_POOLS}/slipway-{self.system_user}.conf"

    @property
    def socket(self) -> str:
        return f"/run/php/slipway-{self.system_user}.sock"

    @property
    def logs(self) -> tuple[str, str]:
        """(access, error) of nginx. Readable by root alone; rotated by Debian's rule for /var/log/nginx."""
        start = f"/var/log/nginx/slipway-{self.system_user}"
        return f"{start}.access.log", f"{start}.error.log"

    @property
    def state(self) -> str:
        """The account's own folder of root's: key, chain, suspension."""
        return f"{STATE}/accounts/{self.system_user}"

    @property
    def suspension(self) -> str:
        return f"{self.state}/suspended"

    @property
    def key_file(self) -> str:
        return f"{self.state}/tls/key.pem"

    @property
    def chain_file(self) -> str:
        return f"{self.state}/tls/chain.pem"

    @property
    def keys_file(self) -> str:
        """Public keys that may use SFTP: root's file, so that a stolen session cannot add one."""
        return f"{STATE}/keys/{self.system_user}"

    @property
    def backups(self) -> str:
        return f"{BACKUPS}/{self.system_user}"
