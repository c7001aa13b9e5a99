"""Payloads at rest: AES-256-GCM, bound to the row they belong to, and keyed digests for comparisons."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from connector.errors import CannotDecrypt

_ID, _NONCE, _TAG = 4, 12, 16


class Seal:
    """Closes with the first key and opens with any of them, so that keys can be changed without a pause."""

    def __init__(self, keys: list[bytes], random: Callable[[int], bytes] = os.urandom) -> None:
        self._ciphers = {hashlib.sha256(key).digest()[:_ID]: AESGCM(key) for key in keys}
        self.fingerprints = tuple(self._ciphers)
        """Each key's prefix, which begins everything sealed with it; the first key is the one that seals."""
        self.active = self.fingerprints[0]
        self._random = random

    def close(self, content: bytes, row: str) -> bytes:
        """Encrypt; the result opens only for the same row name."""
        nonce = self._random(_NONCE)
        return self.active + nonce + self._ciphers[self.active].encrypt(nonce, content, row.encode())

    def open(self, sealed: bytes, row: str) -> bytes:
        """Decrypt. Raises CannotDecrypt."""
        key = sealed[:_ID]
        if len(sealed) < _ID + _NONCE + _TAG:
            raise CannotDecrypt(row, key.hex(), missing=False)
        if key not in self._ciphers:
            raise CannotDecrypt(row, key.hex(), missing=True)
        try:
            return self._ciphers[key].decrypt(sealed[_ID : _ID + _NONCE], sealed[_ID + _NONCE :], row.encode())
        except InvalidTag:
            raise CannotDecrypt(row, key.hex(), missing=False) from None


class Digests:
    """Keyed digests: equal values compare equal, and nobody without the key can test a guess."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def __call__(self, text: str, *, size: int = 8) -> str:
        """`2 * size` hexadecimal digits of a keyed BLAKE2b."""
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), key=self._key, digest_size=size).hexdigest()

    def of(self, *parts: str, size: int = 16) -> str:
        """Digest several texts, each by its own: ("ab", "c") is not ("a", "bc")."""
        return self("".join(f"{len(part)}:{part}" for part in parts), size=size)

    def secret(self, purpose: str, size: int) -> bytes:
        """A key of `size` bytes for something else."""
        return hashlib.blake2b(purpose.encode(), key=self._key, person=b"secret", digest_size=size).digest()

    def derived(self, purpose: str) -> Digests:
        """Digests with a key of their own: none of them can be had as a digest of something else."""
        return Digests(hashlib.blake2b(purpose.encode(), key=self._key, person=b"derived").digest()[:32])
