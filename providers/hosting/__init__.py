"""Web hosting accounts on a shared server, over SSH: user, volume, site, SFTP, certificate, back-up, and their undo.

Every function takes a connected `Host` whose user is root: an account is a system user, a mount and three daemons'
configuration, so a narrower right would be root's by another name. Root signs in by key only, never by password.

    setup.set_up                    a web server, once
    accounts.ensure_account         user and volume (volumes.py), the folders inside
    sites.ensure_site               nginx site and PHP pool; suspension.suspend, resume
    sftp.ensure_keys, ensure_password
    limits.change_limits            an upgrade
    certificates.make_csr, install_certificate; challenges lie in account.CHALLENGES (providers/hosts/challenges.py)
    backups.back_up, fetch, restore, discard
    removal.remove, prove_absent    inspection.facts, room
"""
