"""Step 5 on the host: a key that never leaves it, a CSR for it, and nginx with the certificate that came back."""

from __future__ import annotations

from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from providers.errors import CommandFailed, InvalidInput
from providers.hosts import commands, host_keys
from providers.hosts.application import Application
from providers.hosts.commands import as_root
from providers.hosts.packages import Say
from providers.hosts.ssh import Host


async def make_csr(
    host: Host, app: Application, say: Say, *, names: Sequence[str] = (), fresh_key: bool = False
) -> str:
    """A CSR for the application's name or for those given, by the host's key, made on first use only. PEM.

    `fresh_key`: by one that is made beside it and takes its place with its certificate (host_keys.py).
    """
    key_file = host_keys.next_of(app.context.key_file) if fresh_key else app.context.key_file
    return await request_by(host, key_file, names or [app.context.fqdn], say)


async def request_by(host: Host, key_file: str, names: Sequence[str], say: Say) -> str:
    """A CSR for the names, by a key of the host, which is made where there is none. PEM."""
    await host.run(commands.make_directories([key_file.rpartition("/")[0]], mode="0700"), show="command")
    if await host.exists(key_file):
        await say("TLS key: already present")
    else:
        draft = f"{key_file}.new"
        await host.run(commands.make_key(draft), show="command")
        await host.run(commands.rename(draft, key_file), show="command")
        await say("TLS key made on the server; it never leaves it")
    result = await host.run(commands.make_request(key_file, names), show="command")
    start = result.stdout.find("-----BEGIN CERTIFICATE REQUEST-----")
    if start < 0:
        raise CommandFailed("openssl printed no CSR", exit_status=result.exit_status, output=result.tail())
    return result.stdout[start:].strip() + "\n"


async def key_on_host(host: Host, app: Application) -> bytes:
    """The public half of the host's TLS key, as DER (SubjectPublicKeyInfo)."""
    return await public_half(host, app.context.key_file)


async def public_half(host: Host, key_file: str) -> bytes:
    result = await host.run(commands.public_key(key_file), show="command")
    return spki(result.stdout)


def spki(public_pem: str) -> bytes:
    return load_pem_public_key(public_pem.encode()).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def spki_of_certificate(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


async def install_certificate(host: Host, app: Application, chain_pem: str, say: Say) -> bool:
    """Put chain and site in place, test, reload. If nginx refuses, all is as before and nothing was reloaded.

    Whether anything changed. A reload happens in any case: an earlier attempt may have ended just before it.
    """
    context = app.context
    leaf = x509.load_pem_x509_certificate(chain_pem.encode())
    if spki_of_certificate(leaf) != await key_on_host(host, app):
        raise InvalidInput("the certificate was issued for another key than the one on the server")
    before = {path: await host.read(path) for path in (context.chain_file, context.site_file)}
    was_linked = await host.exists(context.site_link)
    changed = await host.put(context.chain_file, chain_pem, mode=0o644)
    changed |= await host.put(context.site_file, app.blueprint.render_site(context), mode=0o644)
    await host.run(commands.link(context.site_file, context.site_link), show="command")
    test = await host.run(as_root(commands.check_nginx()), check=False)
    if not test.ok:
        await _restore(host, app, before, was_linked)
        raise CommandFailed(
            f"nginx refuses the new site; the old state was restored:\n{test.tail()}", exit_status=test.exit_status
        )
    await host.run(as_root(commands.reload_nginx()), show="command")
    until = leaf.not_valid_after_utc.strftime("%Y-%m-%d")
    await say(f"nginx serves https://{context.fqdn}, certificate valid until {until}"
              + ("" if changed or not was_linked else ": already present"))  # fmt: skip
    return changed or not was_linked


async def serve_challenges(host: Host, app: Application) -> None:
    """Have the site answer HTTP-01 where it was written before it could: as its blueprint is now, tested first.

    A site that is not there yet is answered for by the host's default one.
    """
    context = app.context
    before, wanted = await host.read(context.site_file), app.blueprint.render_site(context)
    if before is None or context.challenges in before or context.challenges not in wanted:
        return
    await host.put(context.site_file, wanted, mode=0o644)
    test = await host.run(as_root(commands.check_nginx()), check=False)
    if not test.ok:
        await host.put(context.site_file, before, mode=0o644)
        raise CommandFailed(
            f"nginx refuses the site with its challenges; the old one was restored:\n{test.tail()}",
            exit_status=test.exit_status,
        )
    await host.run(as_root(commands.reload_nginx()), show="command")


async def renew_chain(host: Host, app: Application, chain_pem: str, say: Say) -> None:
    """Put a renewed chain in the place of the old one, with its key where that is a fresh one; test, reload.

    The site is not rendered anew: a renewal changes nothing but the certificate. If nginx refuses, the old chain and
    key are back and nothing was reloaded.
    """
    context = app.context
    leaf = x509.load_pem_x509_certificate(chain_pem.encode())
    before = await host.read(context.chain_file)
    if not await host_keys.use(host, context.key_file, spki_of_certificate(leaf), public_half):
        raise InvalidInput("the certificate was issued for another key than the one on the server")
    changed = await host.put(context.chain_file, chain_pem, mode=0o644)
    test = await host.run(as_root(commands.check_nginx()), check=False)
    if not test.ok:
        await host_keys.take_back(host, context.key_file)
        if before is not None:
            await host.put(context.chain_file, before, mode=0o644)
        raise CommandFailed(
            f"nginx refuses the renewed chain; the old one was restored:\n{test.tail()}", exit_status=test.exit_status
        )
    await host.run(as_root(commands.reload_nginx()), show="command")
    await host_keys.forget_old(host, context.key_file)
    until = leaf.not_valid_after_utc.strftime("%Y-%m-%d")
    await say(f"{context.fqdn}: certificate valid until {until}" + ("" if changed else ": already present"))


async def _restore(host: Host, app: Application, before: dict[str, str | None], was_linked: bool) -> None:
    if not was_linked:
        await host.run(commands.remove_file(app.context.site_link), show="command")
    for path, content in before.items():
        if content is None:
            await host.run(commands.remove_file(path), show="command")
        else:
            await host.put(path, content, mode=0o644)
