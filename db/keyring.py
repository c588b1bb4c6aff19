"""Encryption of stored secrets: AES-256-GCM, a key ring with ids, each value bound to its row.

Rotation: add a key in front, restart, re-encrypt (`python -m deploy.rotate`, db/rotation.py), drop the old key.
"""

from __future__ import annotations

import base64
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES = 12


class KeyRingError(Exception):
    """A key is missing or malformed, or a value does not belong to its row. Never names the value."""


class KeyRing:
    def __init__(self, keys: dict[str, bytes]) -> None:
        if not keys:
            raise KeyRingError("SECRET_KEYS holds no key; write id:base64key, 32 bytes each")
        for name, key in keys.items():
            if len(key) != 32:
                raise KeyRingError(f"key {name!r} of SECRET_KEYS has {len(key)} bytes instead of 32")
        self._keys = {name: AESGCM(key) for name, key in keys.items()}
        self.current = next(iter(keys))

    @classmethod
    def parse(cls, text: str) -> KeyRing:
        """From `id:base64[,id:base64…]`, newest first."""
        keys: dict[str, bytes] = {}
        for part in filter(None, (p.strip() for p in text.split(","))):
            name, _, encoded = part.partition(":")
            try:
                keys[name] = base64.b64decode(encoded, validate=True)
            except ValueError as error:
                raise KeyRingError(f"key {name!r} of SECRET_KEYS is not base64") from error
        return cls(keys)

    @staticmethod
    def generate(name: str = "k1") -> str:
        return f"{name}:{base64.b64encode(os.urandom(32)).decode()}"

    def encrypt(self, plain: bytes, *, context: str) -> tuple[str, bytes]:
        """(key id, ciphertext). `context` names the place the value belongs to; elsewhere it cannot be read."""
        nonce = os.urandom(NONCE_BYTES)
        return self.current, nonce + self._keys[self.current].encrypt(nonce, plain, context.encode())

    def decrypt(self, key_id: str, blob: bytes, *, context: str) -> bytes:
        if key_id not in self._keys:
            raise KeyRingError(f"key {key_id!r} is not on the ring (SECRET_KEYS)")
        try:
            return self._keys[key_id].decrypt(blob[:NONCE_BYTES], blob[NONCE_BYTES:], context.encode())
        except InvalidTag as error:
            raise KeyRingError("a stored value does not belong to its row or was changed") from error

    def is_current(self, key_id: str) -> bool:
        return key_id == self.current
