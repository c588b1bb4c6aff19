"""SSH keys as text: host keys that are pinned, private keys that come in once, and new ones made here."""

from __future__ import annotations

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_ssh_private_key,
    load_ssh_public_key,
)

SMALLEST_RSA = 2048  # bits
COMMENT = "slipway"
_TYPES = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa")
_OPENSSH = "-----BEGIN OPENSSH PRIVATE KEY-----"

_Private = Ed25519PrivateKey | EllipticCurvePrivateKey | RSAPrivateKey


class KeyRefused(ValueError):
    """Says in a sentence what is wrong, and never repeats the key."""


def host_key(text: str) -> str:
    """`type base64` of a public key line (the format of /etc/ssh/ssh_host_*_key.pub), without its comment."""
    words = text.split()
    if len(words) < 2 or words[0] not in _TYPES:
        raise KeyRefused("must be one public key line of type ssh-ed25519, ecdsa-sha2-nistp… or ssh-rsa, as in "
                         "/etc/ssh/ssh_host_ed25519_key.pub.")  # fmt: skip
    try:
        key = load_ssh_public_key(" ".join(words[:2]).encode())
    except (ValueError, UnsupportedAlgorithm):
        raise KeyRefused("is not a readable public key.") from None
    if isinstance(key, RSAPublicKey) and key.key_size < SMALLEST_RSA:
        raise KeyRefused(f"is an RSA key of less than {SMALLEST_RSA} bits.")
    if not isinstance(key, Ed25519PublicKey | EllipticCurvePublicKey | RSAPublicKey):
        raise KeyRefused("is a key of a kind that is not taken.")
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def private_key(text: str) -> str:
    """A key in OpenSSH or PEM format, as OpenSSH writes it. Not one with a passphrase: nobody could unlock it."""
    try:
        load = load_ssh_private_key if _OPENSSH in text else load_pem_private_key
        key = load(text.strip().encode() + b"\n", None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyRefused("must be a private key in OpenSSH or PEM format without a passphrase.") from None
    if isinstance(key, RSAPrivateKey) and key.key_size < SMALLEST_RSA:
        raise KeyRefused(f"is an RSA key of less than {SMALLEST_RSA} bits.")
    if not isinstance(key, Ed25519PrivateKey | EllipticCurvePrivateKey | RSAPrivateKey):
        raise KeyRefused("must be an ed25519, ECDSA or RSA key.")
    return _written(key)


def new_private_key() -> str:
    """An ed25519 key in OpenSSH format (R330)."""
    return _written(Ed25519PrivateKey.generate())


def public_line(private: str) -> str:
    """What is put into authorized_keys, for a key as it is written here."""
    key = load_ssh_private_key(private.encode(), None).public_key()
    return f"{key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()} {COMMENT}"


def _written(key: _Private) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
