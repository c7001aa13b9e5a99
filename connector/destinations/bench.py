"""What a trial or an undo may do to an account besides delivering: delete what was made, read links, try things."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Added:
    """Whether a field has unique values after it was added. why: it has not, in our words.

    passing: for a reason that says nothing of what the CRM allows, such as a missing permission. made: whether there
    may be such a field now.
    """

    unique: bool = False
    why: str = ""
    passing: bool = False
    made: bool = False


@dataclass(frozen=True, slots=True)
class Touched:
    """What has happened to a record since it was created.

    gone: it was deleted. changed: it is not as it was created. attached: records that hang on it: object and id.
    unknown: what could not be looked up, in our words.
    """

    gone: bool = False
    changed: bool = False
    attached: frozenset[tuple[str, str]] = frozenset()
    unknown: str = ""


class UniqueFields(Protocol):
    """Fields with unique values that a trial adds and removes. Every method may raise DestinationUnusable.

    instead: object -> the CRM's own field that holds a key there which is not unique.
    """

    instead: Mapping[str, str]

    def add(self, object: str, name: str) -> Added:
        """Add a text field whose values are unique."""
        ...

    def remove(self, object: str, name: str) -> str:
        """Remove it; return why it is still there."""
        ...

    def remove_marked(self, object: str, mark: str) -> tuple[str, ...]:
        """Remove all whose names begin with `mark`; return the names of those that could not be removed."""
        ...


class Bench(Protocol):
    """Every method may raise DestinationUnusable.

    unique_fields: None where every object can have them, so that nothing is unproven.
    remains: what a record that was deleted leaves behind, for people. restorable: how long it can be restored.
    """

    unique_fields: UniqueFields | None
    remains: str
    restorable: str

    def touched(self, object: str, ids: Sequence[str]) -> dict[str, Touched]:
        """What has happened to each of these records. One of which the CRM does not say is left out."""
        ...

    def delete_all(self, object: str, ids: Sequence[str]) -> dict[str, str]:
        """Delete records so that people can restore them; return why each is still there, empty if it is gone."""
        ...

    def delete(self, object: str, crm_id: str) -> str:
        """Delete a record; return why it is still there, empty if it is gone."""
        ...

    def linked(self, object: str, crm_id: str, other: str) -> frozenset[str]:
        """The ids of the records of another object that a record is associated with."""
        ...
