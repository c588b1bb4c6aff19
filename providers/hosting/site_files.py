"""nginx sites and PHP pools of accounts as pure text. Everything in them was checked by `Account`."""

from __future__ import annotations

import hashlib
import re

from providers.hosting.account import CHALLENGES, Account
from providers.hosting.setup_files import SUSPENDED_PAGE
from providers.hosts.challenges import location

VERSION_PATH = "/.slipway/version"  # on the server itself a site tells which text of it is served
UPLOAD_MB = 64
SCRIPT_SECONDS = 60
# Starting programs is the way around open_basedir; what customers' PHP needs does without.
DISABLED_FUNCTIONS = "exec,passthru,shell_exec,system,proc_open,popen,pcntl_exec,pcntl_fork,dl"

_CHALLENGE = location(CHALLENGES)

_REDIRECT = """\
    location / {
        return 301 https://$host$request_uri;
    }
"""

# 503 is kept for search engines: the site comes back.
_SUSPENDED = f"""\
    error_page 503 /.slipway/suspended.html;
    location = /.slipway/suspended.html {{
        internal;
        alias {SUSPENDED_PAGE};
        add_header Cache-Control no-store always;
        add_header Retry-After 86400 always;
    }}
    location / {{
        return 503;
    }}
"""

# Dot files hold what is not meant for visitors: .git, .env, .htpasswd.
_HIDDEN = """\
    location ~ /\\.(?!well-known/) {
        return 404;
    }
"""

# A script left over from a PHP account is never shown as text.
_STATIC = """\
    index index.html index.htm;
    location ~ \\.php$ {
        return 404;
    }
    location / {
        try_files $uri $uri/ =404;
    }
"""


def site(account: Account, *, chain: str | None, suspended: bool) -> str:
    """The account's servers. `chain` is the digest of its certificate's chain, None while it has none.

    The digest stands in the text so that a renewed certificate is another text, which nginx has to read.
    """
    draft = _site(account, chain, suspended, "")
    return _site(account, chain, suspended, hashlib.sha256(draft.encode()).hexdigest())


def version_in(text: str) -> str:
    """What a server with this text answers at VERSION_PATH."""
    found = re.search(r'return 200 "([0-9a-f]*)";', text)
    return found[1] if found else ""


def _version(version: str) -> str:
    return f"""\
    location = {VERSION_PATH} {{
        access_log off;
        if ($remote_addr !~ "^(127\\.0\\.0\\.1|::1)$") {{
            return 404;
        }}
        return 200 "{version}";
    }}
"""


def _site(account: Account, chain: str | None, suspended: bool, version: str) -> str:
    content = _SUSPENDED if suspended else _content(account)
    # A suspended site says so on both ports: a redirect would hide it behind a certificate that runs out.
    plain = _SUSPENDED if suspended else _REDIRECT if chain else content
    both = ["listen 80;", "listen [::]:80;"]
    text = f"# {account.mark}\n" + _server(account, both, _version(version) + _CHALLENGE + plain)
    if chain:
        tls = ["listen 443 ssl;", "listen [::]:443 ssl;", "http2 on;", f"ssl_certificate {account.chain_file};",
               f"ssl_certificate_key {account.key_file};", "ssl_protocols TLSv1.2 TLSv1.3;",
               "ssl_session_timeout 1d;"]  # fmt: skip
        text += f"\n# certificate {chain}\n" + _server(account, tls, _CHALLENGE + content)
    return text


def _server(account: Account, lines: list[str], locations: str) -> str:
    access, errors = account.logs
    head = [
        *lines,
        f"server_name {' '.join(account.domains)};",
        "server_tokens off;",
        f"root {account.public};",
        f"access_log {access};",
        f"error_log {errors};",
        f"client_max_body_size {UPLOAD_MB}m;",
        # nginx may read every account: a link of one into another's files is not followed.
        "disable_symlinks if_not_owner from=$document_root;",
    ]
    return "server {\n" + "".join(f"    {line}\n" for line in head) + locations + "}\n"


def _content(account: Account) -> str:
    if account.kind == "static":
        return _HIDDEN + _STATIC
    return (
        _HIDDEN
        + f"""\
    index index.php index.html index.htm;
    location / {{
        try_files $uri $uri/ /index.php$is_args$args;
    }}
    location ~ \\.php$ {{
        try_files $uri =404;
        include /etc/nginx/fastcgi.conf;
        fastcgi_param HTTP_PROXY "";
        fastcgi_pass unix:{account.socket};
        fastcgi_read_timeout {SCRIPT_SECONDS + 5}s;
    }}
"""
    )


def pool(account: Account) -> str:
    """The account's PHP: its own user, its own folders, no process while nobody asks.

    Only the web server's group may connect, so that no account can have another one's PHP run anything.
    """
    user, folders = account.system_user, f"{account.public}:{account.private}:{account.scratch}"
    return f"""\
; {account.mark}
[{user}]
user = {user}
group = {user}
listen = {account.socket}
listen.owner = root
listen.group = www-data
listen.mode = 0660
pm = ondemand
pm.max_children = {account.php_workers}
pm.process_idle_timeout = 10s
pm.max_requests = 500
request_terminate_timeout = {SCRIPT_SECONDS}s
security.limit_extensions = .php
clear_env = yes
php_admin_value[open_basedir] = {folders}
php_admin_value[disable_functions] = {DISABLED_FUNCTIONS}
php_admin_value[opcache.restrict_api] = {account.home}/none
php_admin_value[upload_tmp_dir] = {account.scratch}
php_admin_value[sys_temp_dir] = {account.scratch}
php_admin_value[session.save_path] = {account.scratch}
php_value[session.gc_probability] = 1
php_admin_value[memory_limit] = {account.php_memory_mb}M
php_admin_value[post_max_size] = {UPLOAD_MB}M
php_admin_value[upload_max_filesize] = {UPLOAD_MB}M
php_admin_value[max_execution_time] = {SCRIPT_SECONDS}
php_admin_value[error_log] = {account.private}/php-errors.log
php_admin_flag[log_errors] = on
php_flag[display_errors] = off
"""
