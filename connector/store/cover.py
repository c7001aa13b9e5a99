"""Digests as they are stored, so that a copy of the database does not tell which values are equal.

What the rest of the program compares are digests of values alone, which are equal wherever the values are. Two boxes
that are checked would show it, and counting would tell which of two digests means "checked". So none is stored as it
is: those of a record are encrypted together, each time with another nonce; one that is alone is encrypted for its
record and field; the ledger's name of a record is a digest over its destination and object too.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV

from connector.store.seal import Digests

_BYTES: Final = 8
"""Of a value's digest."""

_NONCE: Final = 12
_OF_VALUES, _OF_ANY = b"v", b"a"

NEW: Final = "k"
"""Begins the ledger's name of a record. Those of earlier versions, hexadecimal throughout, come before it."""


class Cover:
    """Made of the database's digests, whose key it shares; changing the data key changes nothing here."""

    def __init__(self, digests: Digests, random: Callable[[int], bytes] = os.urandom) -> None:
        self._record = AESGCM(digests.secret("digests of a record", 32))
        self._alone = AESSIV(digests.secret("digests of a field", 64))
        self._names, self._random = digests.derived("names of records"), random

    def together(self, digests: Sequence[str]) -> str:
        """Cover the digests of one record."""
        nonce = self._random(_NONCE)
        covered = nonce + self._record.encrypt(nonce, _packed(digests), None)
        return base64.b64encode(covered).decode().rstrip("=")

    def apart(self, covered: str) -> list[str]:
        """The digests of one record again; none where somebody changed them, so that its values count as unknown."""
        try:
            content = base64.b64decode(covered + "=" * (-len(covered) % 4))
            shown = self._record.decrypt(content[:_NONCE], content[_NONCE:], None)
        except (InvalidTag, ValueError):
            return []
        return _unpacked(shown)

    def alone(self, digest: str, *place: str) -> str:
        """Cover one digest, always in the same way at the same place."""
        return self._alone.encrypt(digest.encode(), _named(place)).hex() if digest else ""

    def uncovered(self, covered: str, *place: str) -> str:
        """One digest again, also as an earlier version stored it; empty where it is of another place."""
        if len(covered) <= 2 * _BYTES:
            return covered
        try:
            return self._alone.decrypt(bytes.fromhex(covered), _named(place)).decode()
        except (InvalidTag, ValueError):
            return ""

    def key(self, destination: str, object: str, earlier: str) -> str:
        """Name a record, by how earlier versions named its key. Its ledger may be kept under an account's name."""
        served = destination.partition("@")[0]
        return NEW + self._names.of("record", served, object, earlier)[1:]

    def call(self, key: str, field: str, earlier: str) -> str:
        """Name a call that a field of a record counts. key: the record's."""
        return self._names.of("call", key, field, earlier)


def _packed(digests: Sequence[str]) -> bytes:
    """Digests of values in half their size; those of any other form as they are."""
    if {len(digest) for digest in digests} <= {2 * _BYTES}:
        with suppress(ValueError):
            return _OF_VALUES + bytes.fromhex("".join(digests))
    return _OF_ANY + "\n".join(digests).encode()


def _unpacked(content: bytes) -> list[str]:
    form, content = content[:1], content[1:]
    if form == _OF_ANY:
        return content.decode().split("\n")
    return [content[at : at + _BYTES].hex() for at in range(0, len(content), _BYTES)]


def _named(place: Sequence[str]) -> list[bytes]:
    return [part.encode("utf-8", "surrogatepass") for part in place]
