"""The files that make a host a web server for accounts, as pure text, and the version they add up to."""

from __future__ import annotations

import hashlib
import json

from providers.hosting.account import BACKUPS, CHALLENGES, LOCKS, NGINX_SITES, PHP, PHP_POOLS, SITES, STATE, VOLUMES
from providers.hosting.commands import GROUP
from providers.hosts.challenges import WELL_KNOWN, location

MARKER = f"{STATE}/setup.json"
PACKAGES = ("nginx", f"php{PHP}-fpm", "openssh-sftp-server", "e2fsprogs", "mount", "procps", "ufw", "openssl",
            "logrotate", "curl", "ca-certificates")  # fmt: skip
OPEN_PORTS = (22, 80, 443)
UNITS = ("nginx.service", f"php{PHP}-fpm.service", "ssh.service")

SSHD_DROP_IN = "/etc/ssh/sshd_config.d/60-slipway-sites.conf"
NGINX_COMMON = "/etc/nginx/conf.d/slipway-hosting.conf"
DEFAULT_SITE = f"{NGINX_SITES}/000-default.conf"
DEBIAN_SITE = "/etc/nginx/sites-enabled/default"
DEBIAN_POOL = f"{PHP_POOLS}/www.conf"
CANDIDATE = f"{STATE}/candidate/site.conf"
CANDIDATE_MAIN = f"{STATE}/candidate/nginx.conf"
SUSPENDED_PAGE = f"{STATE}/pages/suspended.html"
WELCOME_PAGE = f"{STATE}/pages/index.html"
SUSPENDED_MARK = "slipway-site-suspended"  # in the page, by which the site's state is told from outside

# ClientAlive ends sessions whose other end is gone, and with them the locks they hold (locks.py).
# Keys are root's files: a customer can neither add one nor lose the last.
SSHD = f"""\
ClientAliveInterval 10
ClientAliveCountMax 3
Match Group {GROUP}
    ChrootDirectory {SITES}/%u
    ForceCommand internal-sftp -d /public -u 0022
    AuthorizedKeysFile {STATE}/keys/%u
    AuthenticationMethods publickey password
    PasswordAuthentication yes
    KbdInteractiveAuthentication no
    DisableForwarding yes
    PermitTTY no
    PermitUserRC no
    MaxSessions 4
Match all
"""

# Of http's own level: what all sites share. A challenge's folder is root's, so no account can answer for another.
_NGINX_COMMON = f"""\
server_names_hash_bucket_size 512;
server_names_hash_max_size 8192;
include {NGINX_SITES}/*.conf;
"""

# Names that no account has get nothing: no page of another customer, and no certificate that names one.
_DEFAULT_SITE = f"""\
server {{
    listen 80 default_server;
    listen [::]:80 default_server;
    server_name _;
{location(CHALLENGES)}    location / {{
        return 444;
    }}
}}

server {{
    listen 443 ssl default_server;
    listen [::]:443 ssl default_server;
    server_name _;
    ssl_reject_handshake on;
}}
"""

# A site is first tested alone, outside of what nginx reads: a broken one never lies where it could stop the others.
_CANDIDATE_MAIN = f"""\
pid {STATE}/candidate/nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    include /etc/nginx/mime.types;
    server_names_hash_bucket_size 512;
    include {CANDIDATE};
}}
"""

# php-fpm does not start without a pool, and a server may have no account; this one is nobody's and never asked.
# process_control_timeout lets running scripts end before a reload takes their process.
_IDLE_POOL = """\
[global]
process_control_timeout = 10s
[slipway-idle]
user = nobody
group = nogroup
listen = /run/php/slipway-idle.sock
listen.owner = root
listen.group = root
listen.mode = 0600
pm = ondemand
pm.max_children = 1
"""

# All pools share one opcode cache: without this an account could run a cached script that it may not read.
_PHP_INI = """\
opcache.validate_permission = 1
opcache.enable_cli = 0
expose_php = Off
"""

# A listener and two logs for each site: Debian's 1024 files would be the end at some three hundred.
_MANY_FILES = """\
[Service]
LimitNOFILE=65536
"""

_PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex">
<title>{title}</title>
<style>body {{ font: 18px/1.5 system-ui, sans-serif; max-width: 34em; margin: 20vh auto; padding: 0 1em }}</style>
<h1>{title}</h1>
<p>{text}</p>
{mark}</html>
"""


def suspended_page() -> str:
    text = (
        "This web site is not available at the moment. Its owner can have it switched on again at the hosting company."
    )
    return _PAGE.format(title="This site is suspended", text=text, mark=f"<!-- {SUSPENDED_MARK} -->\n")


def welcome_page() -> str:
    return _PAGE.format(title="This site is ready", text="Its owner has not put anything here yet.", mark="")


def directories() -> list[tuple[str, str]]:
    """(path, mode), all root's. Accounts are passed through but never listed."""
    return [
        (SITES, "0711"),
        (STATE, "0755"),
        (f"{STATE}/accounts", "0700"),
        (LOCKS, "0700"),
        (f"{STATE}/keys", "0755"),
        (f"{STATE}/pages", "0755"),
        (f"{STATE}/candidate", "0700"),
        (VOLUMES, "0700"),
        (BACKUPS, "0700"),
        (f"{CHALLENGES}{WELL_KNOWN.rstrip('/')}", "0755"),
        (NGINX_SITES, "0755"),
        ("/etc/systemd/system/local-fs.target.wants", "0755"),
        ("/etc/systemd/system/nginx.service.d", "0755"),
        (f"/etc/systemd/system/php{PHP}-fpm.service.d", "0755"),
    ]


def daemon_limits() -> dict[str, str]:
    return {
        "/etc/systemd/system/nginx.service.d/slipway.conf": _MANY_FILES,
        f"/etc/systemd/system/php{PHP}-fpm.service.d/slipway.conf": _MANY_FILES,
    }


def configuration() -> dict[str, str]:
    """path -> content of what is neither sshd's nor systemd's. The default site before what includes it."""
    return {
        DEFAULT_SITE: _DEFAULT_SITE,
        NGINX_COMMON: _NGINX_COMMON,
        CANDIDATE_MAIN: _CANDIDATE_MAIN,
        f"{PHP_POOLS}/slipway-idle.conf": _IDLE_POOL,
        f"/etc/php/{PHP}/fpm/conf.d/99-slipway.ini": _PHP_INI,
        SUSPENDED_PAGE: suspended_page(),
        WELCOME_PAGE: welcome_page(),
    }


def version() -> str:
    """Changes with anything that set-up puts on a host."""
    parts = [PACKAGES, OPEN_PORTS, UNITS, SSHD, directories(), sorted(daemon_limits().items()),
             sorted(configuration().items())]  # fmt: skip
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]
