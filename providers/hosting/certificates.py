"""HTTPS of an account: a key that never leaves the server, and the certificate that came back."""

from __future__ import annotations

from collections.abc import Sequence

from cryptography import x509

from domain.certificates import covers
from providers.errors import InvalidInput, NotFound
from providers.hosting import sites
from providers.hosting.account import Account
from providers.hosting.locks import exclusive
from providers.hosting.ownership import require_user
from providers.hosts import commands as general
from providers.hosts import host_keys
from providers.hosts.packages import Say
from providers.hosts.ssh import Host
from providers.hosts.tls import public_half, request_by, spki_of_certificate


async def make_csr(
    host: Host, account: Account, say: Say, *, names: Sequence[str] = (), fresh_key: bool = False
) -> str:
    """A CSR, PEM, for all names of the account or for those given; the key is made on first use and stays on the host.

    `fresh_key`: by one that is made beside it and takes its place with its certificate.
    """
    key_file = host_keys.next_of(account.key_file) if fresh_key else account.key_file
    async with exclusive(host):
        await require_user(host, account)
        return await request_by(host, key_file, names or account.domains, say)


async def install_certificate(host: Host, account: Account, chain_pem: str, say: Say) -> bool:
    """Serve HTTPS with the chain (leaf first, PEM) and send visitors there. Whether anything changed.

    InvalidInput when the leaf is for another key or lacks a name, CommandFailed when nginx refuses: then the former
    chain is in place and served.
    """
    try:
        leaf = x509.load_pem_x509_certificate(chain_pem.encode())
    except ValueError as error:
        raise InvalidInput("the certificate is not readable", field="chain") from error
    named = names_of(leaf)
    if missing := [name for name in account.domains if not covers(named, name)]:
        raise InvalidInput(f"the certificate is not for {', '.join(missing)}", field="chain")
    async with exclusive(host):
        await require_user(host, account)
        if not await host.exists(account.key_file):
            raise NotFound(f"the account {account.account_id} has no TLS key on this server yet")
        if not await host_keys.use(host, account.key_file, spki_of_certificate(leaf), public_half):
            raise InvalidInput("the certificate was issued for another key than the one on the server", field="chain")
        before = await host.read(account.chain_file)
        changed = await host.put(account.chain_file, chain_pem, mode=0o600)
        try:
            changed |= await sites.apply(host, account)
        except Exception:
            await host_keys.take_back(host, account.key_file)
            await _restore(host, account, before)
            raise
        await host_keys.forget_old(host, account.key_file)
    until = leaf.not_valid_after_utc.strftime("%Y-%m-%d")
    await say(
        f"https://{account.domains[0]}, certificate valid until {until}" + ("" if changed else ": already present")
    )
    return changed


async def _restore(host: Host, account: Account, before: str | None) -> None:
    if before is None:
        await host.run(general.remove_file(account.chain_file), show="command")
    else:
        await host.put(account.chain_file, before, mode=0o600)


def names_of(leaf: x509.Certificate) -> list[str]:
    """The host names that it is for, in lower case; none where it has no subject alternative names."""
    try:
        san = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [known.lower() for known in san.get_values_for_type(x509.DNSName)]
