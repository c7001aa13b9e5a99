"""Passwords of the console: which are good enough, how they are hashed, and how one is checked."""

from __future__ import annotations

import gzip
import hashlib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from threading import BoundedSemaphore
from typing import Final

from werkzeug.security import check_password_hash, generate_password_hash

from connector.errors import FixConfiguration
from connector.web.rights import Role

SHORTEST: Final = 12
LONGEST: Final = 256
VIEWER_SETTING: Final = "CONNECTOR_CONSOLE_VIEWER_PASSWORD_HASH"

_METHOD: Final = "scrypt:131072:8:1"
"""https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html#scrypt"""
_HASH: Final = re.compile(r"scrypt:(\d{1,9}):(\d{1,3}):(\d{1,3})\$[^$]+\$[0-9a-f]{128}")
_NOBODY: Final = f"{_METHOD}$nobody${'0' * 128}"
_COMMON: Final = Path(__file__).with_name("common-passwords.txt.gz")
_LEET: Final = str.maketrans("@$!013457", "asioieast")
_ROWS: Final = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890123",
    "1234567890",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "qwertzuiop",
)

_checking = BoundedSemaphore(1)  # one scrypt takes 128 MiB: concurrent guesses must not add up


def hash_password(text: str) -> str:
    """Hash a password, however its letters were typed (NFKC)."""
    return generate_password_hash(unicodedata.normalize("NFKC", text), method=_METHOD)


def check_password(text: str, hash: str) -> bool:
    """Whether the hash was made from this password."""
    if len(text) > LONGEST:
        return False
    typed = dict.fromkeys((unicodedata.normalize("NFKC", text), text))  # an older version hashed what was typed
    with _checking:
        return any(check_password_hash(hash, form) for form in typed)


def check_in_vain(text: str, hash: str = _NOBODY) -> None:
    """Take as long as a check would, so that a name nobody has does not show. hash: of somebody."""
    check_password(text, hash)


def is_hash(text: str) -> bool:
    """Whether it may be a hash made here or by an older version."""
    return _HASH.fullmatch(text) is not None


def is_old(hash: str) -> bool:
    """Whether it is cheaper to guess than one made today. No password cannot be guessed."""
    return bool(hash) and not hash.startswith(f"{_METHOD}$")


def problem_of(password: str, name: str = "") -> str:
    """Say why a password must not be used; empty if it may. name: of the person it is for."""
    plain = unicodedata.normalize("NFKC", password).lower()
    if len(plain) < SHORTEST:
        return f"is too short: use at least {SHORTEST} characters"
    if len(password) > LONGEST:
        return f"is too long: use at most {LONGEST} characters"
    if name and name.lower() in plain and len(plain) - len(name) < SHORTEST:
        return "contains the name"
    if _is_common(plain):
        return "is too common: use several words that do not belong together"
    return ""


def _is_common(plain: str) -> bool:
    """Whether a guesser tries it early: a common password, also repeated or with signs around it, or a row of keys."""
    core = re.sub(r"^[\W\d_]+|[\W\d_]+$", "", plain)
    tried = {plain, core, core.translate(_LEET), plain.translate(_LEET)}
    tried |= {unit for text in tuple(tried) for unit in _unit(text)}
    return bool(tried & _common()) or len(set(plain)) < 5 or any(_is_a_row(text) for text in (plain, core))


def _unit(text: str) -> Sequence[str]:
    """What a text repeats."""
    repeated = re.fullmatch(r"(.+?)[\W_]?(?:\1[\W_]?)+", text)
    return [repeated[1]] if repeated else []


def _is_a_row(text: str) -> bool:
    endless = [(row + row) for row in _ROWS]
    return len(text) >= SHORTEST // 2 and any(text in row or text[::-1] in row for row in endless)


@cache
def _common() -> frozenset[str]:
    return frozenset(gzip.decompress(_COMMON.read_bytes()).decode("ascii").split("\n")) - {""}


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may sign in. name: empty for a shared password. agencies: None for all of them.

    hash: empty without a password. openid: the account at the OpenID Connect provider, or empty.
    """

    name: str
    role: Role
    hash: str = field(repr=False)
    agencies: frozenset[str] | None = None
    openid: str = ""

    @property
    def proof(self) -> str:
        """A digest that another password, account, role or agency changes: a session lasts while its person has it."""
        of = [self.name, self.role, self.hash, *(["-"] if self.agencies is None else sorted(self.agencies))]
        of += [f"openid {self.openid}"] if self.openid else []
        return hashlib.sha256("\n".join(of).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Passwords:
    """The hashes of the shared passwords: one has every right, one looks. Raises FixConfiguration for a bad hash."""

    operator: str | None = field(default=None, repr=False)
    viewer: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        names = {"CONNECTOR_CONSOLE_PASSWORD_HASH": self.operator, VIEWER_SETTING: self.viewer}
        for name, text in names.items():
            if text is not None and not is_hash(text):
                hint = "make one with connector console password, and keep its $ signs"
                raise FixConfiguration(name, "is not a hash made by connector console password", hint)

    @property
    def people(self) -> Sequence[Person]:
        """Whom they stand for."""
        given = ((Role.ADMIN, self.operator), (Role.VIEWER, self.viewer))
        return [Person("", role, text) for role, text in given if text]
