"""What the page of a sandbox needs from it: records to look at, and what people may do to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from connector.sandbox.history import History
from connector.sandbox.wire import Wire


class NotDone(Exception):
    """The CRM refuses what a person wants to do; its text says why."""


@dataclass(frozen=True, slots=True)
class Row:
    """A record in a list. about: what tells it from others, such as its key."""

    kind: str
    id: str
    title: str
    about: str
    is_deleted: bool = False


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a record."""

    name: str
    value: Any
    is_editable: bool


@dataclass(frozen=True, slots=True)
class Card:
    """A record with its fields, and the records it is linked with: how -> which."""

    row: Row
    fields: Sequence[Field]
    links: Sequence[tuple[str, Row]]


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something to break. plan: for how many of the next requests."""

    name: str
    label: str
    about: str
    plan: Callable[[int], None]


class Desk(Protocol):
    """One sandbox as people see it. Callers hold its lock."""

    crm: str

    @property
    def wire(self) -> Wire: ...

    @property
    def history(self) -> History: ...

    @property
    def troubles(self) -> Mapping[str, Trouble]: ...

    def counts(self) -> Mapping[str, tuple[int, int]]:
        """Object -> how many records there are, and how many were deleted."""
        ...

    def rows(self, kind: str, words: str, *, deleted: bool) -> list[Row]:
        """The records with these words in any field, newest first."""
        ...

    def card(self, kind: str, id: str) -> Card | None:
        """One record, deleted or not; None if there never was one."""
        ...

    def opted_out(self) -> list[tuple[str, Row | None]]:
        """The addresses that opted out of email, with their record if there is one."""
        ...

    def create(self, kind: str, texts: Mapping[str, str]) -> str:
        """Make a record by hand; return its id. Raises NotDone."""
        ...

    def edit(self, kind: str, id: str, field: str, text: str) -> None:
        """Change a field by hand; an empty text clears it. Raises NotDone."""
        ...

    def delete(self, kind: str, id: str) -> None:
        """Delete a record by hand."""
        ...

    def restore(self, kind: str, id: str) -> None:
        """Take back that a record was deleted. Raises NotDone."""
        ...

    def merge(self, kind: str, loser: str, winner: str) -> str:
        """Merge a record into another; return the id of what became of them. Raises NotDone."""
        ...
