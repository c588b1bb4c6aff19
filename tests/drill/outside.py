"""The servers that serve the names, as a ledger: each has its own key, and a certificate that fits it.

Its own SQLite file, so that it outlives every worker. A second new certificate for a name is written down, not hidden.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from temporalio import activity

from activities._context import Deps
from activities._errors import mapped
from db.queries import certificates
from domain.certificates import Installation, Renewal, RenewalCsr
from providers.acme.csr import key_sha256
from providers.errors import Unhealthy

SCHEMA = """
create table if not exists hosts (name text primary key, key_pem text not null, serial text not null);
create table if not exists installed (name text, serial text, primary key (name, serial));
create table if not exists strangers (name text, told text);
"""


def opened(path: Path) -> sqlite3.Connection:
    ledger = sqlite3.connect(path, timeout=60, isolation_level=None)
    ledger.execute("pragma journal_mode=wal")
    ledger.executescript(SCHEMA)
    return ledger


def new_key() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def csr_of(key_pem: str, names: Sequence[str]) -> str:
    key = serialization.load_pem_private_key(key_pem.encode(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    wanted = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
    built = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).add_extension(wanted, critical=False)
    return built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


class Outside:
    def __init__(self, deps: Deps, path: Path) -> None:
        self._deps = deps
        self._path = path

    async def _in_ledger(self, act: Callable[..., Any], *arguments: object) -> Any:
        def work() -> Any:
            ledger = opened(self._path)
            try:
                ledger.execute("begin immediate")
                result = act(ledger, *arguments)
                ledger.execute("commit")
            finally:
                ledger.close()
            return result

        return await asyncio.to_thread(work)

    async def _chain(self, call: Installation) -> str:
        async with self._deps.db.begin() as session:
            return (await certificates.get(session, call.certificate_id)).chain_pem

    @activity.defn
    @mapped
    async def make_renewal_csr(self, renewal: Renewal) -> RenewalCsr:
        key_pem, _ = await self._in_ledger(_host, renewal.names[0])
        return RenewalCsr(renewal=renewal, csr_pem=csr_of(key_pem, renewal.names))

    @activity.defn
    @mapped
    async def install_renewal(self, call: Installation) -> None:
        await self._in_ledger(_install, call.renewal.names[0], await self._chain(call))

    @activity.defn
    @mapped
    async def verify_renewal(self, call: Installation) -> None:
        _, served = await self._in_ledger(_host, call.renewal.names[0])
        leaf = x509.load_pem_x509_certificate((await self._chain(call)).encode())
        if served != f"{leaf.serial_number:x}":
            raise Unhealthy(f"{call.renewal.names[0]} shows certificate {served} instead of {leaf.serial_number:x}")

    def replaced(self, activities: list[Callable[..., Any]]) -> list[Callable[..., Any]]:
        """The product's activities, those of this class in the place of their namesakes."""
        return [getattr(self, made.__name__, made) for made in activities]


def _host(ledger: sqlite3.Connection, name: str) -> tuple[str, str]:
    key_pem, serial = ledger.execute("select key_pem, serial from hosts where name = ?", (name,)).fetchone()
    return key_pem, serial


def _install(ledger: sqlite3.Connection, name: str, chain_pem: str) -> None:
    """As nginx would: a chain for another key or name is refused. The same one again is no second one."""
    leaf = x509.load_pem_x509_certificate(chain_pem.encode())
    key = serialization.load_pem_private_key(_host(ledger, name)[0].encode(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    wanted = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    names, serial = wanted.get_values_for_type(x509.DNSName), f"{leaf.serial_number:x}"
    if key_sha256(key.public_key()) != key_sha256(leaf.public_key()) or names != [name]:
        ledger.execute("insert into strangers values (?, ?)", (name, f"was given {serial}, which is not for it"))
        return
    others = ledger.execute("select serial from installed where name = ? and serial <> ?", (name, serial)).fetchall()
    if others:
        ledger.execute("insert into strangers values (?, ?)", (name, f"was given {serial} after {others[0][0]}"))
    ledger.execute("insert or ignore into installed values (?, ?)", (name, serial))
    ledger.execute("update hosts set serial = ? where name = ?", (serial, name))
