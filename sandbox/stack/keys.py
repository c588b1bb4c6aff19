"""The secrets of this stack: made once, kept in secrets.json (0600), the same over every restart."""

from __future__ import annotations

import secrets
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import BaseModel, Field

from db.keyring import KeyRing
from sandbox.stack.layout import Layout, write_private


def _token() -> str:
    return secrets.token_urlsafe(32)


class Secrets(BaseModel):
    # Names this state folder in places outside it (/var/lib/slipway/<instance> when run by root).
    instance: str = Field(default_factory=lambda: secrets.token_hex(6))
    jwt_secret: str = Field(default_factory=_token, repr=False)
    secret_keys: str = Field(default_factory=KeyRing.generate, repr=False)
    database_password: str = Field(default_factory=_token, repr=False)
    powerdns_api_key: str = Field(default_factory=_token, repr=False)
    digitalocean_token: str = Field(default_factory=lambda: f"dop_v1_{secrets.token_hex(32)}", repr=False)
    linode_token: str = Field(default_factory=lambda: secrets.token_hex(32), repr=False)
    marketing_secret: str = Field(default_factory=_token, repr=False)
    stripe_key: str = Field(default_factory=lambda: f"sk_test_{secrets.token_hex(16)}", repr=False)
    stripe_webhook_secret: str = Field(default_factory=lambda: f"whsec_{secrets.token_hex(16)}", repr=False)
    # Typed by a person once, so short words of letters and digits; 70 bits.
    admin_password: str = Field(default_factory=lambda: "-".join(_word() for _ in range(3)), repr=False)


def _word() -> str:
    letters = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ"
    return "".join(secrets.choice(letters) for _ in range(4)) + secrets.choice("23456789")


def load(layout: Layout) -> Secrets:
    """The kept secrets, and new ones for what is not there yet."""
    path = layout.root / "secrets.json"
    known = Secrets.model_validate(layout.read_json(path))
    write_private(path, known.model_dump_json(indent=2) + "\n")
    return known


def transip_key(layout: Layout) -> tuple[Path, str]:
    """(private key file, public key PEM) of the sandbox's TransIP account."""
    path = layout.root / "transip.key"
    if not path.exists():
        key = rsa.generate_private_key(65_537, 2048)
        plain = serialization.NoEncryption()
        pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        write_private(path, pem.decode())
    loaded = serialization.load_pem_private_key(path.read_bytes(), password=None)
    public = loaded.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return path, public.decode()
