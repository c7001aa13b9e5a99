"""Who is at the console: the password, the signed cookie, the token every form carries, the pace of wrong guesses."""

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
"""So many wrong passwords in so many seconds, and the next has to wait."""

OPERATOR: Final = "operator"
VIEWER: Final = "viewer"
VIEWER_SETTING: Final = "CONNECTOR_CONSOLE_VIEWER_PASSWORD_HASH"

_HASH: Final = re.compile(r"scrypt:\d{1,9}:\d{1,3}:\d{1,3}\$[^$]+\$[0-9a-f]{128}")
_checking = Lock()  # one scrypt takes 32 MiB: a crowd of guesses must not take them side by side


def hash_password(text: str) -> str:
    """A password as it may be written down, for CONNECTOR_CONSOLE_PASSWORD_HASH."""
    return generate_password_hash(text, method="scrypt")


def check_password(text: str, hash: str) -> bool:
    """Whether this is the password of that hash."""
    with _checking:
        return check_password_hash(hash, text)


@dataclass(frozen=True, slots=True)
class Passwords:
    """The hashes of the console's passwords: operators act, viewers see. Raises FixConfiguration for no hash at all."""

    operator: str | None
    viewer: str | None = None

    def __post_init__(self) -> None:
        names = {"CONNECTOR_CONSOLE_PASSWORD_HASH": self.operator, VIEWER_SETTING: self.viewer}
        for name, text in names.items():
            if text is not None and not _HASH.fullmatch(text):
                hint = "connector console password makes one; keep its $ signs"
                raise FixConfiguration(name, "is not a hash made by this program", hint)

    @property
    def by_role(self) -> Mapping[str, str]:
        """The hashes there are, by role."""
        return {role: text for role, text in ((OPERATOR, self.operator), (VIEWER, self.viewer)) if text}

    def role(self, password: str) -> str:
        """Whose password it is; empty for nobody's."""
        return next((role for role, text in self.by_role.items() if check_password(password, text)), "")


@dataclass(frozen=True, slots=True)
class Session:
    """What the cookie holds. until: epoch seconds. token: what each form must send back. notice: to be shown once.

    role: operator or viewer; empty in the login form's own.
    """

    until: int
    token: str
    role: str
    notice: str = ""

    @property
    def acts(self) -> bool:
        """Whether this one may change anything."""
        return self.role == OPERATOR


class Sessions:
    """Opens sessions and reads their cookies. A changed password ends every session."""

    def __init__(self, secret_key: bytes, passwords: Passwords, clock: Callable[[], float]) -> None:
        how = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
        salt = f"console session {passwords.operator} {passwords.viewer}"
        self._signer = URLSafeSerializer(secret_key, salt=salt, signer_kwargs=how)
        self._clock = clock

    def open(self, role: str = "") -> Session:
        """A new session: of somebody with a role, or that of the login form."""
        return Session(int(self._clock()) + LASTS, secrets.token_urlsafe(24), role)

    def write(self, session: Session) -> str:
        """The cookie of a session."""
        return str(self._signer.dumps(asdict(session)))

    def read(self, cookie: str, *, login: bool = False) -> Session | None:
        """The session of a cookie; None when it is forged, expired or of the other kind."""
        try:
            session = Session(**self._signer.loads(cookie))
        except (BadData, TypeError):  # TypeError: signed by an earlier version, which kept other things
            return None
        return session if bool(session.role) is not login and session.until > self._clock() else None


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
