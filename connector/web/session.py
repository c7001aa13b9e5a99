"""Console sessions: passwords, signed cookies, form tokens, and a throttle on wrong passwords."""

from __future__ import annotations

import hashlib
import math
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from threading import Lock
from typing import Final

from itsdangerous import BadData, URLSafeSerializer
from werkzeug.security import check_password_hash, generate_password_hash

from connector.errors import FixConfiguration

LASTS: Final = 8 * 3600
"""Seconds until an operator has to log in again."""
GUESSES: Final = 5
WINDOW: Final = 60
"""After this many wrong passwords in this many seconds, the next has to wait."""

OPERATOR: Final = "operator"
VIEWER: Final = "viewer"
VIEWER_SETTING: Final = "CONNECTOR_CONSOLE_VIEWER_PASSWORD_HASH"

_HASH: Final = re.compile(r"scrypt:\d{1,9}:\d{1,3}:\d{1,3}\$[^$]+\$[0-9a-f]{128}")
_checking = Lock()  # one scrypt takes 32 MiB: concurrent guesses must not add up


def hash_password(text: str) -> str:
    """Hash a password for CONNECTOR_CONSOLE_PASSWORD_HASH."""
    return generate_password_hash(text, method="scrypt")


def check_password(text: str, hash: str) -> bool:
    """Whether the hash was made from this password."""
    with _checking:
        return check_password_hash(hash, text)


@dataclass(frozen=True, slots=True)
class Passwords:
    """The hashes of the console's passwords: operators act, viewers look. Raises FixConfiguration for a bad hash."""

    operator: str | None
    viewer: str | None = None

    def __post_init__(self) -> None:
        names = {"CONNECTOR_CONSOLE_PASSWORD_HASH": self.operator, VIEWER_SETTING: self.viewer}
        for name, text in names.items():
            if text is not None and not _HASH.fullmatch(text):
                hint = "make one with connector console password, and keep its $ signs"
                raise FixConfiguration(name, "is not a hash made by connector console password", hint)

    @property
    def by_role(self) -> Mapping[str, str]:
        """The hashes that are set, by role."""
        return {role: text for role, text in ((OPERATOR, self.operator), (VIEWER, self.viewer)) if text}

    def role(self, password: str) -> str:
        """The role a password belongs to; empty if it is wrong."""
        return next((role for role, text in self.by_role.items() if check_password(password, text)), "")


@dataclass(frozen=True, slots=True)
class Session:
    """What the cookie holds. until: epoch seconds. token: what each form must send back. notice: shown once.

    role: operator or viewer; empty in the login form's session.
    """

    until: int
    token: str
    role: str
    notice: str = ""

    @property
    def acts(self) -> bool:
        """Whether this session may change anything."""
        return self.role == OPERATOR


class Sessions:
    """Opens sessions and reads their cookies. A changed password ends every session."""

    def __init__(self, secret_key: bytes, passwords: Passwords, clock: Callable[[], float]) -> None:
        how = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
        salt = f"console session {passwords.operator} {passwords.viewer}"
        self._signer = URLSafeSerializer(secret_key, salt=salt, signer_kwargs=how)
        self._clock = clock

    def open(self, role: str = "") -> Session:
        """Start a session for a role, or for the login form."""
        return Session(int(self._clock()) + LASTS, secrets.token_urlsafe(24), role)

    def write(self, session: Session) -> str:
        """Sign a session as a cookie."""
        return str(self._signer.dumps(asdict(session)))

    def read(self, cookie: str, *, login: bool = False) -> Session | None:
        """Read a cookie's session; None when it is forged, expired or of the other kind."""
        try:
            session = Session(**self._signer.loads(cookie))
        except (BadData, TypeError):  # TypeError: signed by an earlier version with other fields
            return None
        return session if bool(session.role) is not login and session.until > self._clock() else None


class Throttle:
    """Slows down password guessing by address, within this process."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._lock = clock, Lock()
        self._guesses: dict[str, list[float]] = {}

    def take(self, address: str) -> int:
        """Count a guess before it is checked: 0 if it may be checked, otherwise the seconds to wait."""
        with self._lock:
            since = self._clock() - WINDOW
            recent = {known: [at for at in times if at > since] for known, times in self._guesses.items()}
            self._guesses = {known: times for known, times in recent.items() if times}
            guesses = self._guesses.setdefault(address, [])
            if len(guesses) >= GUESSES:
                return max(1, math.ceil(guesses[0] - since))
            guesses.append(self._clock())
            return 0

    def forgive(self, address: str) -> None:
        """Forget an address's guesses after a correct password."""
        with self._lock:
            self._guesses.pop(address, None)
