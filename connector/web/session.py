"""Who is at the console: the password, the signed cookie, the token every form carries, the pace of wrong guesses."""

from __future__ import annotations

import hashlib
import math
import re
import secrets
from collections.abc import Callable
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
"""So many wrong passwords in so many seconds, and the next has to wait."""

_HASH: Final = re.compile(r"scrypt:\d{1,9}:\d{1,3}:\d{1,3}\$[^$]+\$[0-9a-f]{128}")
_checking = Lock()  # one scrypt takes 32 MiB: a crowd of guesses must not take them side by side


def hash_password(text: str) -> str:
    """A password as it may be written down, for CONNECTOR_CONSOLE_PASSWORD_HASH."""
    return generate_password_hash(text, method="scrypt")


def check_password(text: str, hash: str) -> bool:
    """Whether this is the password of that hash."""
    with _checking:
        return check_password_hash(hash, text)


def require_hash(text: str) -> str:
    """The hash itself. Raises FixConfiguration when no password could ever fit it."""
    if not _HASH.fullmatch(text):
        name, hint = "CONNECTOR_CONSOLE_PASSWORD_HASH", "connector console password makes one; keep its $ signs"
        raise FixConfiguration(name, "is not a hash made by this program", hint)
    return text


@dataclass(frozen=True, slots=True)
class Session:
    """What the cookie holds. until: epoch seconds. token: what each form must send back. notice: to be shown once."""

    until: int
    token: str
    operator: bool
    notice: str = ""


class Sessions:
    """Opens sessions and reads their cookies. A changed password ends every session."""

    def __init__(self, secret_key: bytes, password_hash: str, clock: Callable[[], float]) -> None:
        how = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
        self._signer = URLSafeSerializer(secret_key, salt=f"console session {password_hash}", signer_kwargs=how)
        self._clock = clock

    def open(self, *, operator: bool) -> Session:
        """A new session: an operator's, or that of the login form."""
        return Session(int(self._clock()) + LASTS, secrets.token_urlsafe(24), operator)

    def write(self, session: Session) -> str:
        """The cookie of a session."""
        return str(self._signer.dumps(asdict(session)))

    def read(self, cookie: str, *, operator: bool) -> Session | None:
        """The session of a cookie; None when it is forged, expired or of the other kind."""
        try:
            session = Session(**self._signer.loads(cookie))
        except BadData:
            return None
        return session if session.operator is operator and session.until > self._clock() else None


class Throttle:
    """Slows guessing down, by address, within this process."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._lock = clock, Lock()
        self._guesses: dict[str, list[float]] = {}

    def take(self, address: str) -> int:
        """Count a guess before it is checked: 0 when it may be, otherwise the seconds to wait."""
        with self._lock:
            since = self._clock() - WINDOW
            recent = {one: [at for at in times if at > since] for one, times in self._guesses.items()}
            self._guesses = {one: times for one, times in recent.items() if times}
            mine = self._guesses.setdefault(address, [])
            if len(mine) >= GUESSES:
                return max(1, math.ceil(mine[0] - since))
            mine.append(self._clock())
            return 0

    def forgive(self, address: str) -> None:
        """Forget the guesses of somebody who knew the password."""
        with self._lock:
            self._guesses.pop(address, None)
