"""The files of a mail host, as pure text: Dovecot 2.4 and Postfix 3.10 of Debian 13, and the version they add up to.

Who has a mailbox is known by Dovecot alone, from one file per mailbox. Postfix asks Dovecot's quota-status before it
takes a mail, so that an unknown, full or suspended mailbox is answered while the sender is still on the line, and a
change needs no reload. Postfix itself knows the domains only.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

PACKAGES = ("postfix", "dovecot-imapd", "dovecot-lmtpd", "ssl-cert", "openssl", "ca-certificates")
UNITS = ("dovecot.service", "postfix.service")
PORTS = (25, 587, 993)

HOME = "/etc/slipway/mail"
MARKER = f"{HOME}/setup.json"
ACCOUNTS = f"{HOME}/accounts"
DRAFTS = f"{HOME}/drafts"
DOMAINS = f"{HOME}/domains"
SENDERS = f"{HOME}/senders"
PROGRAM = "/usr/local/libexec/slipway/mail-replace"
LOCK = "/run/lock/slipway-mail.lock"
MAIL = "/var/vmail"
BACKUPS = f"{MAIL}/.removed"
MAIL_USER = "vmail"
DOVECOT_CONF = "/etc/dovecot/dovecot.conf"
POSTFIX_CONF = "/etc/postfix/main.cf"
BEFORE = ".before-slipway"  # what stood there when we came
PENDING = ".reload"  # a change whose reload has not succeeded yet

OURS = "# Written by Slipway; changes are overwritten."
SNAKEOIL = ("/etc/ssl/certs/ssl-cert-snakeoil.pem", "/etc/ssl/private/ssl-cert-snakeoil.key")
LARGEST_MAIL = 26_214_400  # bytes as sent: some 18 MB of attachments

# The whole change in one process of the host: a connection that is lost leaves it done or not begun, reload and all.
REPLACE = f"""\
#!/bin/sh
# mail-replace BASE DRAFT TARGET [UNIT]: DRAFT takes the place of TARGET, "-" removes TARGET, then UNIT is reloaded.
# Only if TARGET still has the SHA-256 BASE, or is "absent"; else 75, and nothing was done. Runs under flock(1).
set -eu
base=$1 draft=$2 target=$3 unit=${{4:-}}
found=absent
if [ -e "$target" ]; then found=$(sha256sum < "$target" | cut -c 1-64); fi
[ "$found" = "$base" ] || exit 75
[ -z "$unit" ] || : > "$target{PENDING}"
if [ "$draft" = - ]; then
    rm -f -- "$target"
else
    [ -e "$draft" ] || exit 75
    # Dovecot takes a file of the same size and second for unchanged. So the date is made of the content.
    touch --date="@$((0x$(sha256sum < "$draft" | cut -c 1-7)))" "$draft"
    mv -f --no-target-directory -- "$draft" "$target"
fi
if [ -n "$unit" ]; then
    systemctl reload "$unit"
    rm -f -- "$target{PENDING}"
fi
find {DRAFTS} -type f -mmin +60 -delete
"""

# Whoever is signed in may send as his own address, with or without a detail behind `+`.
SENDERS_TABLE = r"""/^([^+@]+)(\+[^@]*)?@([^@]+)$/ ${1}@${3}
"""

SUBMISSION = ("submission/inet", "submission inet n - y - - smtpd")
SUBMISSION_OPTIONS = (
    ("syslog_name", "postfix/submission"),
    ("smtpd_tls_security_level", "encrypt"),
    ("smtpd_sasl_auth_enable", "yes"),
    ("smtpd_relay_restrictions", "reject_sender_login_mismatch,permit_sasl_authenticated,reject"),
)

_DOVECOT = """\
{ours}
dovecot_config_version = 2.4.1
dovecot_storage_version = 2.4.1

protocols {{
  imap = yes
  lmtp = yes
}}

mail_driver = maildir
mail_home = {mail}/%{{user | domain}}/%{{user | username}}
mail_path = ~/Maildir
mail_uid = {user}
mail_gid = {user}
mail_plugins {{
  quota = yes
}}
protocol imap {{
  mail_plugins {{
    imap_quota = yes
  }}
}}
namespace inbox {{
  inbox = yes
  separator = /
  mailbox Drafts {{
    auto = subscribe
    special_use = \\Drafts
  }}
  mailbox Junk {{
    auto = subscribe
    special_use = \\Junk
  }}
  mailbox Sent {{
    auto = subscribe
    special_use = \\Sent
  }}
  mailbox Trash {{
    auto = subscribe
    special_use = \\Trash
  }}
}}

auth_mechanisms = plain login
passdb passwd-file {{
  passwd_file_path = {accounts}/%{{user | domain}}/%{{user | username}}
}}
userdb passwd-file {{
  passwd_file_path = {accounts}/%{{user | domain}}/%{{user | username}}
}}

# Each mailbox brings its own limit, and nothing beyond it is lent.
quota Mailbox {{
}}
quota_storage_grace = 0
quota_exceeded_message = Mailbox is full
quota_status_success = DUNNO
quota_status_nouser = 550 5.1.1 No such mailbox here
quota_status_overquota = 552 5.2.2 Mailbox is full
# 2.4.1 answers nothing at all to a mail larger than the whole mailbox unless this is set.
quota_status_toolarge = 552 5.3.4 Mail is larger than the mailbox

ssl = required
ssl_min_protocol = TLSv1.2
ssl_server_cert_file = {certificate}
ssl_server_key_file = {key}

service imap-login {{
  inet_listener imap {{
    port = 0
  }}
  inet_listener imaps {{
    port = 993
    ssl = yes
  }}
}}
service auth {{
  unix_listener /var/spool/postfix/private/auth {{
    mode = 0600
    user = postfix
    group = postfix
  }}
}}
service lmtp {{
  unix_listener /var/spool/postfix/private/dovecot-lmtp {{
    mode = 0600
    user = postfix
    group = postfix
  }}
}}
service quota-status {{
  executable = quota-status -p postfix
  # Each smtpd keeps its line for minutes, and there may be a hundred on each of two ports.
  client_limit = 1
  process_limit = 250
  unix_listener /var/spool/postfix/private/quota-status {{
    mode = 0600
    user = postfix
    group = postfix
  }}
}}

!include_try local.conf
"""

_POSTFIX = """\
{ours}
compatibility_level = 3.9
myhostname = {hostname}
mydestination = $myhostname, localhost
mynetworks = 127.0.0.0/8 [::ffff:127.0.0.0]/104 [::1]/128
inet_interfaces = all
inet_protocols = all
alias_maps = hash:/etc/aliases
alias_database = hash:/etc/aliases
recipient_delimiter = +
smtpd_banner = $myhostname ESMTP
biff = no

# The value on a domain's line is its owner; for smtpd each line means: ask Dovecot about this recipient.
virtual_mailbox_domains = texthash:{domains}
virtual_transport = lmtp:unix:private/dovecot-lmtp
parent_domain_matches_subdomains =
smtpd_restriction_classes = slipway_mailbox
slipway_mailbox = check_policy_service unix:private/quota-status
slipway_recipient = check_recipient_access pipemap:{{texthash:{domains},static:slipway_mailbox}}

# Strangers bring mail for our domains and nothing else. Once more behind the text: only then is a mail's size known
# that was not announced.
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
smtpd_recipient_restrictions = reject_non_fqdn_recipient, $slipway_recipient
smtpd_end_of_data_restrictions = $slipway_recipient
smtpd_helo_required = yes
disable_vrfy_command = yes

message_size_limit = {largest}
smtpd_recipient_limit = 100
smtpd_client_connection_count_limit = 20
smtpd_client_auth_rate_limit = 30

smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {key}
smtpd_tls_security_level = may
smtpd_tls_auth_only = yes
smtp_tls_security_level = may
smtp_tls_CAfile = /etc/ssl/certs/ca-certificates.crt
smtp_tls_session_cache_database = btree:${{data_directory}}/smtp_scache

# Sign-in is offered on the submission port alone (master.cf).
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtpd_sender_login_maps = regexp:{senders}
"""


@dataclass(frozen=True)
class Certificate:
    """Paths on the host of a chain and its key, both PEM; the default is the self-signed pair Debian makes."""

    chain: str = SNAKEOIL[0]
    key: str = SNAKEOIL[1]


def dovecot_conf(certificate: Certificate) -> str:
    return _DOVECOT.format(
        ours=OURS, mail=MAIL, user=MAIL_USER, accounts=ACCOUNTS, certificate=certificate.chain, key=certificate.key
    )


def postfix_conf(hostname: str, certificate: Certificate) -> str:
    return _POSTFIX.format(
        ours=OURS, hostname=hostname, domains=DOMAINS, senders=SENDERS, largest=LARGEST_MAIL,
        certificate=certificate.chain, key=certificate.key,
    )  # fmt: skip


def directories() -> list[tuple[str, str, str, str]]:
    """(path, mode, owner, group). What Dovecot's sign-in reads carries its group, also on files made later."""
    return [
        ("/etc/slipway", "0755", "root", "root"),
        (HOME, "0755", "root", "root"),
        (ACCOUNTS, "2750", "root", "dovecot"),
        (DRAFTS, "2750", "root", "dovecot"),
        (PROGRAM.rpartition("/")[0], "0755", "root", "root"),
        (MAIL, "0751", "root", "root"),
        (BACKUPS, "0700", "root", "root"),
    ]


def domain_directories(domain: str) -> list[tuple[str, str, str, str]]:
    """(path, mode, owner, group) of what a mail domain needs."""
    return [
        (f"{ACCOUNTS}/{domain}", "2750", "root", "dovecot"),
        (f"{MAIL}/{domain}", "0700", MAIL_USER, MAIL_USER),
    ]


def version(hostname: str, certificate: Certificate) -> str:
    """Changes with anything set-up leaves on a host."""
    parts = [PACKAGES, UNITS, PORTS, REPLACE, SENDERS_TABLE, SUBMISSION, SUBMISSION_OPTIONS, directories(),
             dovecot_conf(certificate), postfix_conf(hostname, certificate)]  # fmt: skip
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]
