"""Statements are built once in a process: building one takes several times as long as running it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeVar

from sqlalchemy import BigInteger, ColumnElement, bindparam

from connector.store import dialect

_KEPT: Final = 4
"""Of each statement, as many are kept: for both engines, each with its own clock and with one of the tests."""

_Built = TypeVar("_Built")
_BUILDERS: Final[list[Callable[[Sql], object]]] = []


@dataclass(frozen=True, slots=True)
class Sql:
    """What a statement depends on: the name of the dialect, and a clock in place of the database's own."""

    name: str
    clock: Callable[[], int] | None = None

    @property
    def dialect(self) -> Sql:
        """Itself, so that it can be passed where an engine is expected for its dialect alone."""
        return self

    def now(self) -> ColumnElement[int]:
        """The time of every lease and due date (epoch ms), read whenever a statement with it runs."""
        if self.clock is None:
            return dialect.now(self)
        return bindparam("now", callable_=self.clock, type_=BigInteger, unique=True)


def built_once(build: Callable[[Sql], _Built]) -> Callable[[Sql], _Built]:
    """Build each statement at its first use, and give it to every store that is opened later."""
    kept = lru_cache(_KEPT)(build)
    _BUILDERS.append(kept)
    return kept


def build_all(name: str) -> None:
    """Build the statements of a dialect now, so that forks of this process share them."""
    for build in _BUILDERS:
        build(Sql(name))
