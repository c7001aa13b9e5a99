"""What a database's error codes mean, in words for an operator.

https://www.sqlite.org/rescode.html
https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from connector.errors import StoreDamaged, StoreUnavailable

_READ_ONLY: Final = "it is read-only"
_DAMAGED: Final = "is damaged"
_MEANINGS: Final = {
    "SQLITE_READONLY": f"{_READ_ONLY}: this user cannot write the file or its folder, or the disk is read-only",
    "SQLITE_FULL": "the disk is full",
    "SQLITE_IOERR": "the disk cannot be read or written",
    "SQLITE_CANTOPEN": "the file or one beside it cannot be opened",
    "SQLITE_BUSY": "another program holds it",
    "SQLITE_LOCKED": "another program holds it",
    "25006": f"{_READ_ONLY}, as a standby is",
    "42501": "the connector's user lacks a permission",
    "53100": "its disk is full",
    "53300": "it has no free connection",
    "55P03": "another program holds a lock",
    "57014": "it took too long, or another program holds a lock",
    "57P03": "it is starting or stopping",
}
"""By a code, or the beginning of one: SQLite's have endings."""

_DAMAGE: Final = {
    "SQLITE_CORRUPT": "its pages contradict each other",
    "SQLITE_NOTADB": "it does not begin as an SQLite database does",
    "XX001": "a page is damaged",
    "XX002": "an index is damaged",
    "58P01": "one of its files is missing",
    "42P01": "a table is missing",
}
_NO_TABLE: Final = "no such table"

_REFUSED: Final = {
    "no password supplied": "the server refuses this user or password",
    "authentication failed": "the server refuses this user or password",
    "pg_hba.conf": "the server lets neither this user nor this machine in",
    "not permitted to log in": "the server does not let this user in",
    "role ": "the server does not know this user",
    "does not exist": "the server has no database of this name",
    "no such database": "the server has no database of this name",
    "too many": _MEANINGS["53300"],
    "connection slots": _MEANINGS["53300"],
    "not currently accepting": "the server accepts no connections to it",
    "starting up": _MEANINGS["57P03"],
    "shutting down": _MEANINGS["57P03"],
    "Connection refused": "nothing listens at its address",
    "translate host name": "its host name is not known",
    "resolve host": "its host name is not known",
}
"""What a server says to a connection it does not accept, by a part of it: the driver passes no code on, only a text."""


def unavailable(error: BaseException | None) -> StoreUnavailable:
    """Say why the database cannot be used, from its driver's error, naming no value."""
    code = getattr(error, "sqlite_errorname", None) or getattr(error, "sqlstate", None) or ""
    if str(error).startswith(_NO_TABLE):  # SQLite has no code of its own for it
        code = "42P01"
    cause = f"{type(error).__name__} {code}".strip()
    if damage := _meaning(code, _DAMAGE):
        return StoreDamaged("database", damaged(f"{damage} ({cause})"))
    meaning = _meaning(code, _MEANINGS) if code else _refusal(str(error))
    return StoreUnavailable("database", f"cannot be used now: {f'{meaning} ({cause})' if meaning else cause}")


def is_read_only(problem: str) -> bool:
    """Whether the database cannot be used only because nothing can be written to it. problem: of a StoreUnavailable."""
    return _READ_ONLY in problem


def is_damage(problem: str) -> bool:
    """Whether the database cannot be used because it is damaged. problem: of a StoreUnavailable."""
    return problem.startswith(_DAMAGED)


def damaged(what: str) -> str:
    """What is shown wherever a damaged database is met. what: what is damaged, or the whole text already."""
    if is_damage(what):
        return what
    return f"{_DAMAGED}: {what}. Nothing is written to it until it is repaired or replaced by a backup"


def _refusal(said: str) -> str:
    return next((words for part, words in _REFUSED.items() if part in said), "")


def _meaning(code: str, meanings: Mapping[str, str]) -> str:
    return next((words for known, words in meanings.items() if code.startswith(known)), "")
