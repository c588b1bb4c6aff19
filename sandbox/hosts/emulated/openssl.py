"""The program `openssl`, with real keys, requests and certificates."""

from __future__ import annotations

import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from sandbox.hosts.emulated.shell import Call, program, unknown


def _new_key() -> tuple[ec.EllipticCurvePrivateKey, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    return key, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@program("openssl", package="openssl")
async def openssl(call: Call) -> int:
    words = call.args
    if words[:3] == ["genpkey", "-algorithm", "EC"]:
        call.tree.write(call.value("-out"), _new_key()[1], who=call.who, mode=0o600)
        return 0
    if words[:1] == ["pkey"] and words[-1] == "-pubout":
        key = load_pem_private_key(call.tree.read(call.value("-in"), call.who), None)
        call.out(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode())
        return 0
    if words[:2] == ["req", "-new"]:
        return _request(call)
    if words[:2] == ["req", "-x509"]:
        return _self_signed(call)
    return await unknown(call)


def _request(call: Call) -> int:
    key = load_pem_private_key(call.tree.read(call.value("-key"), call.who), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        return call.fail("Could not read private key")
    kind, _, names = call.value("-addext").partition("=")
    if kind != "subjectAltName":
        return call.fail(f"Error checking request extension section: {kind}")
    san = x509.SubjectAlternativeName([x509.DNSName(n.removeprefix("DNS:")) for n in names.split(",")])
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).add_extension(san, critical=False)
    call.out(request.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode())
    return 0


def _self_signed(call: Call) -> int:
    key, pem = _new_key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, call.value("-subj").removeprefix("/CN="))])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=int(call.value("-days"))))
        .sign(key, hashes.SHA256())
    )
    call.tree.write(call.value("-keyout"), pem, who=call.who, mode=0o600)
    call.tree.write(call.value("-out"), certificate.public_bytes(Encoding.PEM), who=call.who)
    return 0
