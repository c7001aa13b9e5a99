"""Find what makes a CRM fail as a whole by sending ever smaller parts, so that everything else goes through. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, Generic, TypeVar

from connector.destinations.base import Outcome
from connector.errors import ACCOUNT_WIDE, OF_ONE_EVENT, DestinationUnusable, PauseReason
from connector.settlement import Refusal

SUSPECTED: Final = 3
"""After this many pauses in a row, one event may be the cause."""

FAILURES: Final = 64
"""The most parts that may fail in one search. What is left waits for the next one."""

IN_A_ROW: Final = 5
"""The most items in a row that are blamed: if nothing in between gets through, more than these items is at fault."""

_ACTION: Final = (
    "look at what this event sends that the others do not, then replay; if it happens again, report it as a bug"
)

Item = TypeVar("Item")


class Sent(Enum):
    """What became of a part that the CRM did not fail over."""

    ANSWERED = auto()
    NOTHING_TO_SEND = auto()


Send = Callable[[Sequence[Item]], Sent | DestinationUnusable]
"""Writes a part and records what became of it, unless the CRM failed as a whole."""


def worth_a_search(code: str, failures: int) -> bool:
    """Whether the cause of these pauses in a row, the last with this code, is to be looked for among the events."""
    return failures >= SUSPECTED and code in OF_ONE_EVENT


def may_be_one_item(error: DestinationUnusable) -> bool:
    """Whether the CRM may have failed over a single item."""
    return error.reason in OF_ONE_EVENT


@dataclass(slots=True)
class Search(Generic[Item]):
    """A search for the items that make a CRM fail.

    blame: called for an item that the CRM fails over by itself, while others get through. may_be_one: whether an item
    may be the cause of a failure; any other failure ends the search.
    """

    send: Send[Item]
    blame: Callable[[Item, DestinationUnusable], None]
    may_be_one: Callable[[DestinationUnusable], bool] = may_be_one_item
    left: int = FAILURES

    def run(self, items: Sequence[Item], first: int) -> DestinationUnusable | None:
        """Send everything; return why the account cannot be used.

        first: the number of the item that is sent first. Nothing is blamed unless something gets through.
        """
        start = first % len(items) if items else 0
        alone = iter([*items[start:], *items[:start]])
        for item in alone:
            match self.send([item]):
                case Sent.ANSWERED:
                    return self._split(list(alone))
                case DestinationUnusable() as error:
                    return error
        return None

    def _split(self, rest: Sequence[Item]) -> DestinationUnusable | None:
        parts, in_a_row = list(halves(rest)), 0
        while parts and self.left > 0:
            part = parts.pop(0)
            match self.send(part):
                case Sent() as sent:
                    in_a_row = 0 if sent is Sent.ANSWERED else in_a_row
                    continue
                case error:
                    self.left -= 1
            if not self.may_be_one(error):
                return error
            if in_a_row == IN_A_ROW:
                if not self._still_answers(parts):
                    return error
                in_a_row = 0
            if len(part) > 1:
                parts = [*halves(part), *parts]
            else:
                in_a_row += 1
                self.blame(part[0], error)
        return None

    def _still_answers(self, parts: list[Sequence[Item]]) -> bool:
        """Send the last item alone; return whether the CRM answers."""
        if not parts:
            return False
        *others, last = parts.pop()
        parts += [others] if others else []
        return self.send([last]) is Sent.ANSWERED


def halves(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """The first and the second half of the items. Empty in, empty out."""
    middle = (len(items) + 1) // 2
    return iter([half for half in (items[:middle], items[middle:]) if half])


def unanswered(
    lane: str, outcomes: Iterable[Outcome | None], codes: Collection[str], *, alone: bool = False
) -> DestinationUnusable | None:
    """Return the error that pauses the lane, when the CRM's replies do not say what became of any record.

    codes: the CRM's for such a record. alone: a single record is enough.
    """
    sent = [outcome for outcome in outcomes if outcome]
    if len(sent) < (1 if alone else 2) or any(outcome.code not in codes for outcome in sent):
        return None
    return DestinationUnusable(lane, PauseReason.REPLY, sent[0].refusal.cause)


def blamed(error: DestinationUnusable) -> Refusal:
    """Why something is not sent that the CRM fails over by itself."""
    code = "UNANSWERED" if error.reason in (PauseReason.REPLY, PauseReason.OUTAGE) else error.reason.value.upper()
    return Refusal(code, f"the CRM fails whenever this is sent, and only then: {error.problem}", _ACTION)


def passes_by_itself(error: DestinationUnusable) -> bool:
    """Whether what the CRM failed over may succeed later."""
    return error.reason in ACCOUNT_WIDE
