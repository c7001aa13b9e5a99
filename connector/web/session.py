"""Console sessions: kept by the server, named by a random token that only the browser has."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final

from itsdangerous import BadData, URLSafeSerializer

from connector.errors import StoreUnavailable
from connector.store import Store
from connector.store.sessions import IDLE, SignedIn
from connector.web.passwords import Passwords, Person
from connector.web.rights import RIGHTS, Right, Role
from connector.web.roster import Roster

FORM_LASTS: Final = 8 * 3600
"""Seconds until a login form has to be loaded again."""
KNOWN_LASTS: Final = 180 * 24 * 3600
"""Seconds for which a browser is known as one that a person signed in from."""
_MOST_KEPT: Final = 200


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody at a browser. token: what each form must send back. notice: shown once.

    role: None in the login form's session. name: who, in the audit log. person: empty for a shared password.
    agencies: None for all of them. id: of the stored session, 0 if it is not stored.
    """

    token: str
    role: Role | None = None
    name: str = ""
    agencies: frozenset[str] | None = None
    notice: str = ""
    person: str = ""
    id: int = 0

    @property
    def actor(self) -> str:
        """Who, where the address of a shared password's session does not matter."""
        return self.name if self.person else "console"

    def may(self, right: Right) -> bool:
        """Whether this session has a right."""
        return self.role is not None and right in RIGHTS[self.role]

    def sees(self, agency: str) -> bool:
        """Whether this session may know anything of an agency."""
        return self.agencies is None or agency in self.agencies

    def oversees(self, agencies: frozenset[str] | None) -> bool:
        """Whether it sees all that somebody with these agencies sees."""
        return self.agencies is None or (agencies is not None and agencies <= self.agencies)


class Everybody:
    """All who may sign in: those of the file, and whom the shared passwords stand for."""

    def __init__(self, passwords: Passwords, roster: Roster) -> None:
        self.passwords, self.roster = passwords, roster

    def __iter__(self) -> Iterator[Person]:
        yield from self.passwords.people
        yield from self.roster.people().values()

    def named(self, name: str) -> list[Person]:
        """Those of a name; an empty one is that of the shared passwords."""
        return [person for person in self if person.name == name]

    def whose(self, accounts: Sequence[str]) -> Person | None:
        """Who has one of these accounts at the OpenID Connect provider. The first that anybody has counts."""
        by_account = {person.openid: person for person in self.roster.people().values() if person.openid}
        return next((by_account[account] for account in accounts if account in by_account), None)


class Sessions:
    """Opens, reads and ends sessions. One ends with what its person was: a changed password, role or agency ends it.

    While the database cannot be written, new ones are kept in this process's memory, for as long as one may be idle.
    """

    def __init__(self, store: Store, secret_key: bytes, people: Everybody, clock: Callable[[], float]) -> None:
        self._store, self._key, self._people, self._clock = store, secret_key, people, clock
        self._lock = Lock()
        self._kept: dict[str, SignedIn] = {}
        self._ended: set[str] = set()

    def open(self, person: Person, address: str) -> str:
        """Start a session, and return its token."""
        token = secrets.token_urlsafe(32)
        try:
            self._store.sign_ins.begin(_digest(token), person.name, person.proof, address[:64])
        except StoreUnavailable:
            self._keep(_digest(token), person, address[:64])
        return token

    def read(self, token: str, address: str, *, active: bool) -> Session | None:
        """A browser's session, if it is not over. active: something is done in it. Raises StoreUnavailable."""
        digest = _digest(token)
        if digest in self._ended:
            self.end(token)
            return None
        if not token:
            return None
        row = self._remembered(digest) or self._store.sign_ins.find(digest, active=active)
        person = self.person_of(row) if row else None
        if row is None or person is None:
            return None
        who = f"console:{person.name or address}"
        return Session(self.form_token(token), person.role, who, person.agencies, person=person.name, id=row.id)

    def person_of(self, row: SignedIn) -> Person | None:
        """Whose session it is; None if that person is no longer as when signing in."""
        return next((person for person in self._people if person.proof == row.proof), None)

    def form_token(self, token: str) -> str:
        """What the forms of a session must send back."""
        return hmac.digest(self._key, f"form {token}".encode(), "sha256").hex()

    def end(self, token: str) -> None:
        """End a browser's session, at once in this process even if the database is away."""
        digest = _digest(token)
        with self._lock:
            self._kept.pop(digest, None)
        try:
            self._store.sign_ins.end(digest)
            self._ended.discard(digest)
        except StoreUnavailable:
            self._ended.add(digest)

    def _keep(self, digest: str, person: Person, address: str) -> None:
        now = int(self._clock() * 1000)
        with self._lock:
            kept = [(known, row) for known, row in self._kept.items() if now - row.began_at < IDLE]
            self._kept = dict(kept[-_MOST_KEPT:])
            self._kept[digest] = SignedIn(0, person.name, person.proof, address, now, now)

    def _remembered(self, digest: str) -> SignedIn | None:
        row = self._kept.get(digest)
        return row if row and 0 <= self._clock() * 1000 - row.began_at < IDLE else None


class Cookies:
    """Signs what a browser keeps besides its session: the login form's token, a notice, that a person knows it."""

    def __init__(self, secret_key: bytes, clock: Callable[[], float]) -> None:
        how = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
        self._signer = URLSafeSerializer(secret_key, salt="console cookies 2", signer_kwargs=how)
        self._clock = clock

    def write(self, kind: str, lasts: int, /, **values: str) -> str:
        """Sign values. kind: what they are for. lasts: in seconds."""
        return str(self._signer.dumps({"kind": kind, "until": int(self._clock()) + lasts, **values}))

    def read(self, kind: str, cookie: str) -> Mapping[str, str]:
        """The values of a cookie; none if it is forged, over, of another kind or of another version."""
        try:
            values: Any = self._signer.loads(cookie)
        except BadData:
            return {}
        if not isinstance(values, dict) or values.pop("kind", "") != kind or values.pop("until", 0) <= self._clock():
            return {}
        return values

    def login_form(self, former: str) -> tuple[Session, str]:
        """A session of a login form, and its cookie. former: the browser's, so that all its open forms stay valid."""
        token = self.read("form", former).get("token") or secrets.token_urlsafe(24)
        return Session(token), self.write("form", FORM_LASTS, token=token)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
