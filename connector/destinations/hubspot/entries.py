"""Read the entries of a list of which none may be missed: a record that passes for missing would be created twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from pydantic import ValidationError

from connector.destinations.base import Outcome, Verdict
from connector.destinations.hubspot.lenient import Values
from connector.destinations.hubspot.replies import Owner, Written
from connector.destinations.hubspot.values import folded
from connector.settlement import Refusal

UNREAD: Final = Outcome(
    Verdict.DEFERRED,
    refusal=Refusal(
        "UNREADABLE_REPLY",
        "HubSpot's answer to a search has an entry that cannot be read",
        "replay: the search is repeated",
    ),
)
"""The outcome of a record that may need such an entry."""


class Seen(Written):
    """A record that HubSpot shows. Without its properties it says nothing."""

    properties: Values


Entry = TypeVar("Entry", Seen, Owner)


@dataclass(slots=True)
class Listed(Generic[Entry]):
    """The entries of a list that can be read, and of the others what they show in the property that is searched by.

    is_odd: whether one of the others does not show even that.
    """

    read: list[Entry] = field(default_factory=list)
    shown: set[str] = field(default_factory=set)
    is_odd: bool = False

    def may_hide(self, value: str, *, is_found: bool) -> bool:
        """Whether an entry that cannot be read may have this value. One that shows no value may have any."""
        return folded(value) in self.shown or (self.is_odd and not is_found)

    def skip(self, shown: Any) -> None:
        """Note an entry that cannot be read. shown: what it has in the property that is searched by."""
        if isinstance(shown, str):
            self.shown.add(folded(shown))
        else:
            self.is_odd = True


def records(entries: Iterable[Any], name: str = "") -> Listed[Seen]:
    """Records that HubSpot lists. name: the property that each of them must show, null if it has no value."""
    return _listed(Seen, entries, lambda entry: entry["properties"][name] if name else None)


def owners(entries: Iterable[Any], name: str) -> Listed[Owner]:
    """HubSpot's users. name: what they are searched by, which they need not have."""
    return _listed(Owner, entries, lambda entry: entry.get(name))


def _listed(model: type[Entry], entries: Iterable[Any], value_of: Callable[[Any], Any]) -> Listed[Entry]:
    listed = Listed[Entry]()
    for entry in entries:
        value: Any = ...
        with suppress(ValidationError, TypeError, KeyError, AttributeError):
            value = value_of(entry)
            if isinstance(value, str | int | float | None):
                listed.read.append(model.model_validate(entry))
                continue
        listed.skip(value)
    return listed
