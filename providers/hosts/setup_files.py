"""The files step 1 leaves on a host, as pure text, and the version they add up to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from providers.hosts.blueprints import APPLICATIONS, CHALLENGES, TLS
from providers.hosts.challenges import location
from providers.hosts.commands import DEPLOY_USER

MARKER = "/etc/slipway/setup.json"
ROOT_IS_OFF = f"{APPLICATIONS}/.root-is-off"  # written by the deploy user once root was seen refused
SUDOERS = "/etc/sudoers.d/slipway"
SSHD_DROP_IN = "/etc/ssh/sshd_config.d/00-slipway.conf"
FIREWALL_UNIT = "slipway-docker-firewall.service"
FALLBACK_KEY = "/etc/slipway/fallback/key.pem"
FALLBACK_CERTIFICATE = "/etc/slipway/fallback/chain.pem"
DEFAULT_SITE = "/etc/nginx/sites-available/00-slipway-default.conf"
DEFAULT_SITE_LINK = "/etc/nginx/sites-enabled/00-slipway-default.conf"
DEBIAN_SITE_LINK = "/etc/nginx/sites-enabled/default"
AUTHORIZED_KEYS = f"/home/{DEPLOY_USER}/.ssh/authorized_keys"
ROOT_KEYS = "/root/.ssh/authorized_keys"
UPGRADES = "/etc/apt/apt.conf.d/20auto-upgrades"

PACKAGES = ("docker.io", "docker-cli", "docker-compose", "iptables", "ufw", "nginx", "openssl", "ca-certificates",
            "curl", "sudo")  # fmt: skip
WANTED_PACKAGES = ("unattended-upgrades",)  # installed where the host's sources offer them
OPEN_PORTS = (22, 80, 443)  # X14: 5432 stays closed
UNITS = ("docker.service", "nginx.service", FIREWALL_UNIT)

# Exactly the words the deploy user may say as root; sudo compares them letter by letter.
ALLOWED_AS_ROOT = (
    "/usr/sbin/nginx -t",
    "/usr/bin/systemctl reload nginx.service",
    "/usr/sbin/ufw status verbose",
)

_DROP_RULES = """\
*filter
:DOCKER-USER - [0:0]
-A DOCKER-USER -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN
-A DOCKER-USER -i docker0 -j RETURN
-A DOCKER-USER -i br-+ -j RETURN
-A DOCKER-USER -m conntrack --ctstate NEW,INVALID -j DROP
COMMIT
"""

_FIREWALL_SERVICE = """\
# Docker carries published ports past ufw. This chain is asked first: nothing from outside may open a connection to a
# container, whatever a compose file publishes. Docker keeps the content of the chain when it starts.
[Unit]
Description=Slipway: no new connections from outside to containers
Before=docker.service
After=ufw.service
Wants=network-pre.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/iptables-restore --noflush /etc/slipway/docker-user.rules
ExecStart=/usr/sbin/ip6tables-restore --noflush /etc/slipway/docker-user.rules
ExecReload=/usr/sbin/iptables-restore --noflush /etc/slipway/docker-user.rules
ExecReload=/usr/sbin/ip6tables-restore --noflush /etc/slipway/docker-user.rules

[Install]
WantedBy=multi-user.target
"""

_NGINX_COMMON = """\
# Shared by all sites of Slipway.
map $http_upgrade $slipway_connection {
    default upgrade;
    "" close;
}
server_names_hash_bucket_size 512;
"""

_DEFAULT_SITE = f"""\
# Answers names no site has, so that a new host is never dark and no application answers for another one's name.
server {{
    listen 80 default_server;
    listen [::]:80 default_server;
    server_name _;
    server_tokens off;
{location(CHALLENGES)}\
    location / {{
        return 404;
    }}
}}

server {{
    listen 443 ssl default_server;
    listen [::]:443 ssl default_server;
    server_name _;
    server_tokens off;
    ssl_certificate {FALLBACK_CERTIFICATE};
    ssl_certificate_key {FALLBACK_KEY};
    ssl_protocols TLSv1.2 TLSv1.3;
    return 404;
}}
"""

# The first value sshd reads wins, and this file is the first it reads.
SSHD = """\
PermitRootLogin no
PasswordAuthentication no
KbdInteractiveAuthentication no
AuthenticationMethods publickey
X11Forwarding no
"""

_UPGRADES = """\
APT::Periodic::Update-Package-Lists "1";
APT::Periodic::Unattended-Upgrade "1";
"""


def docker_daemon(insecure_registries: Iterable[str] = ()) -> str:
    """/etc/docker/daemon.json. Containers outlive an upgrade of the daemon; logs cannot fill the disk."""
    settings: dict[str, object] = {
        "log-driver": "json-file",
        "log-opts": {"max-size": "10m", "max-file": "3"},
        "live-restore": True,
    }
    if registries := sorted(insecure_registries):
        settings["insecure-registries"] = registries
    return json.dumps(settings, indent=2) + "\n"


def sudoers() -> str:
    return (
        f"Defaults:{DEPLOY_USER} !requiretty, env_reset\n"
        f"{DEPLOY_USER} ALL=(root) NOPASSWD: {', '.join(ALLOWED_AS_ROOT)}\n"
    )


def before_packages(insecure_registries: Iterable[str] = ()) -> dict[str, tuple[str, int]]:
    """Files that must lie there before Docker first starts: path -> (content, mode)."""
    return {
        "/etc/docker/daemon.json": (docker_daemon(insecure_registries), 0o644),
        "/etc/slipway/docker-user.rules": (_DROP_RULES, 0o644),
        f"/etc/systemd/system/{FIREWALL_UNIT}": (_FIREWALL_SERVICE, 0o644),
    }


def after_packages() -> dict[str, tuple[str, int]]:
    return {
        "/etc/nginx/conf.d/slipway.conf": (_NGINX_COMMON, 0o644),
        DEFAULT_SITE: (_DEFAULT_SITE, 0o644),
    }


def upgrades() -> tuple[str, str]:
    """(path, content) that switches unattended security upgrades on."""
    return UPGRADES, _UPGRADES


def directories() -> list[tuple[str, str, str, str]]:
    """(path, mode, owner, group): where the deploy user may write."""
    return [
        (APPLICATIONS, "0755", DEPLOY_USER, DEPLOY_USER),
        (TLS, "0700", DEPLOY_USER, DEPLOY_USER),
        ("/etc/nginx/sites-available", "0775", "root", DEPLOY_USER),
        ("/etc/nginx/sites-enabled", "0775", "root", DEPLOY_USER),
    ]


def version() -> str:
    """Changes with anything step 1 puts on a host, except what is configured for one installation."""
    parts = [PACKAGES, WANTED_PACKAGES, OPEN_PORTS, UNITS, ALLOWED_AS_ROOT, SSHD, _UPGRADES, directories(),
             sorted(before_packages().items()), sorted(after_packages().items())]  # fmt: skip
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]
