"""SSH public keys as clouds look at them."""

from __future__ import annotations

import base64
import binascii
import hashlib


def blob_of(key: str) -> bytes:
    """The binary part of an OpenSSH public key, or nothing where it is none."""
    parts = key.split()
    try:
        return base64.b64decode(parts[1], validate=True) if len(parts) > 1 else b""
    except (binascii.Error, ValueError):
        return b""


def fingerprint(blob: bytes) -> str:
    """MD5, in pairs: what clouds call a key."""
    return ":".join(f"{byte:02x}" for byte in hashlib.md5(blob).digest())
