"""Slows down guessing: by address, by person and in all, in every process together."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock
from typing import Final

from connector.errors import StoreUnavailable
from connector.store import Store
from connector.store.guesses import Limit, decide
from connector.web.origin import neighbourhood

_MINUTE: Final = 60_000
_ADDRESS: Final = (5, _MINUTE)
_PERSON: Final = (10, 10 * _MINUTE)
_EVERYBODY: Final = (60, _MINUTE)
_BROWSER: Final = (5, _MINUTE)
_NOTES: Final = (60, 60 * _MINUTE)
_MOST: Final = 1000


@dataclass(frozen=True, slots=True)
class Guess:
    """Somebody tries to sign in. name: as typed with a password; None: no password is guessed.

    browser: its id, if this person signed in from it before, or empty.
    """

    address: str
    name: str | None
    browser: str = ""


class _InMemory:
    """The same while the database cannot be written."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._lock = clock, Lock()
        self._until: dict[str, int] = {}

    def take(self, limits: Sequence[Limit]) -> int:
        with self._lock:
            now = int(self._clock() * 1000)
            if len(self._until) > _MOST:
                self._until = {whose: until for whose, until in self._until.items() if until > now}
            wait, after = decide(limits, self._until, now)
            self._until.update(after)
            return wait

    def forgive(self, keys: Sequence[str]) -> None:
        with self._lock:
            for key in keys:
                self._until.pop(key, None)


class Throttle:
    """Counts attempts in the database. A browser that a person signed in from has a limit of its own.

    So somebody who guesses all day keeps others of that name out, but not the person at their own machine.
    """

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store, self._own = store, _InMemory(clock)

    def take(self, guess: Guess) -> int:
        """Count a guess before it is checked: 0 if it may be checked, otherwise the seconds to wait."""
        limits = [Limit(self._address(guess), *_ADDRESS), Limit("all", *_EVERYBODY)]
        limits += [Limit(person, *_PERSON) for person in self._person(guess)]
        if guess.browser:
            limits = [Limit(f"browser {guess.browser}", *_BROWSER)]
        return math.ceil(self._take(limits) / 1000)

    def forgive(self, guess: Guess) -> None:
        """Forget the attempts of somebody who has the password."""
        keys = [self._address(guess), *self._person(guess), f"browser {guess.browser}"]
        self._own.forgive(keys)
        with suppress(StoreUnavailable):
            self._store.guesses.forgive(keys)

    def may_note(self) -> bool:
        """Whether another refusal may be written to the audit log, which must not be filled by strangers."""
        return self._take([Limit("notes", *_NOTES)]) == 0

    def _take(self, limits: Sequence[Limit]) -> int:
        try:
            return self._store.guesses.take(limits)
        except StoreUnavailable:
            return self._own.take(limits)

    def _address(self, guess: Guess) -> str:
        return f"address {neighbourhood(guess.address)}"

    def _person(self, guess: Guess) -> Sequence[str]:
        return [] if guess.name is None else [f"person {self._store.database.digest(guess.name)}"]
