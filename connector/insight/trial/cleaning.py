"""Delete what trials made: this one's records, and those of earlier ones that were interrupted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from connector.delivery.deliver import fault_in
from connector.destinations.base import Destination, Outcome
from connector.destinations.bench import Bench
from connector.errors import DestinationUnusable, PauseReason
from connector.insight.trial.fence import Fence, Record
from connector.insight.trial.person import MARK as MADE_UP
from connector.insight.trial.uniqueness import MARK
from connector.insight.trial.verdict import Left
from connector.model import RecordKey

NOT_YET: Final = "not deleted yet"
HOPELESS: Final = frozenset({PauseReason.AUTH, PauseReason.ANOTHER_ACCOUNT})
"""Why nothing else is tried: more logins could lock the user."""

SOMEBODYS: Final = "it has the key of a made-up person, but not the name: remove the key from it, or delete it"
_UNSURE: Final = "no answer came; the next trial, a minute later, deletes it"

Link = Callable[[str, str], str]
Keys = Mapping[tuple[str, str], Mapping[str, int]]
"""(object, key field) -> key -> the slot of the trial it belongs to."""


@dataclass(slots=True)
class Cleaning:
    """link: the address of a record's page. left: what is still in the CRM, in order of creation."""

    bench: Bench
    link: Link
    left: dict[Record, Left] = field(default_factory=dict)
    _stopped: str = ""

    def note(self, records: Iterable[Record], why: str) -> None:
        """Count records as left."""
        self.left |= {record: Left(*record, self.link(*record), why) for record in records}

    def note_unsure(self, keys: Iterable[RecordKey]) -> None:
        """Count records as left of which it is unknown whether they were created."""
        self.left |= {
            (key.object, key.value): Left(key.object, "", "", f"it may exist, with {key.field} {key.value}: {_UNSURE}")
            for key in keys
        }

    def delete(self, records: Iterable[Record]) -> None:
        """Delete records, the newest first. What is not deleted is left, also where this is interrupted."""
        wanted = list(records)
        self.note(wanted, NOT_YET)
        for record in reversed(wanted):
            if why := self._deleted(record):
                self.left[record] = Left(*record, self.link(*record), why)
            else:
                del self.left[record]

    def _deleted(self, record: Record) -> str:
        """Delete one record; return why it is still there."""
        if self._stopped:
            return self._stopped
        why: list[str] = []

        def act() -> None:
            try:
                why.append(self.bench.delete(*record))
            except DestinationUnusable as error:
                why.append(error.problem)
                self._stopped = error.problem if error.reason in HOPELESS else ""

        fault = fault_in("trial", act)
        return fault.problem if fault else why[0]


def leftovers(
    destination: Destination, keys: Keys, telling: Mapping[str, Iterable[str]]
) -> Iterator[tuple[Record, int, bool]]:
    """The records with keys of earlier trials: each with its slot, and whether it is nobody else's by now.

    One may be: merged with a record that a trial left, it shows that record's key. telling: object -> the fields that
    show that a person is made up. Raises DestinationUnusable.
    """
    for (kind, key_field), slots in keys.items():
        names = sorted(telling.get(kind, ()))
        for value, answer in destination.find(kind, key_field, list(slots), names).items():
            for record in [] if isinstance(answer, Outcome) else answer:
                is_made_up = not names or any(MADE_UP.search(str(own)) for own in record.values.values())
                yield (kind, record.id), slots[value], is_made_up


def sweep(bench: Bench, kinds: Iterable[str]) -> list[str]:
    """Remove the fields that earlier trials made; return the names of those that are left."""
    fields = bench.unique_fields
    return [name for kind in kinds for name in fields.remove_marked(kind, MARK)] if fields else []


def missed(fence: Fence, keys: Keys, slot: int) -> None:
    """Look for records of this trial whose creation had no answer: the fence counts those as made.

    One that does not show is not there if its key is unique. Others show only once the CRM's search knows them.
    """
    for (kind, key_field), slots in keys.items():
        if mine := [value for value, own in slots.items() if own == slot]:
            answers = fence.find(kind, key_field, mine, ())
            shown = {value: answer for value, answer in answers.items() if not isinstance(answer, Outcome)}
            asked = [
                key for key in fence.unsure if (key.object, key.field) == (kind, key_field) and key.folded in shown
            ]
            for key in asked:
                if fence.unsure[key] or shown[key.folded]:
                    del fence.unsure[key]
