"""A comparison with careCycle, in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from connector.settlement.source import Comparison, Counted


def summary(done: Comparison, *, complete: bool = True) -> Iterator[str]:
    """Say what was compared, what was missing, and what is missing still: a sentence each."""
    calls = f", and the calls of {done[Counted.CALLS_ASKED]:,}" if done[Counted.CALLS_ASKED] else ""
    customers = _count(done[Counted.LISTED], "customer")
    yield f"Compared: {customers} of careCycle's{calls}." if complete else f"Compared so far: {customers}{calls}."
    if done.missing:
        yield f"Missing: {missing(done)}."
    elif complete and done.shows_all:
        yield "All of these are here, as careCycle knows them."
    if fetched := done[Counted.FETCHED_CUSTOMERS] + done[Counted.FETCHED_CALLS]:
        yield f"{fetched:,} of these were fetched and are delivered like any event."
    yield from (text.format(_count(done[what], noun)) for what, noun, text in _REST if done[what])


_REST: Final = (
    (Counted.LEFT_OUT, "customer", "Left out, because last updated before --since: {}."),
    (Counted.DELETED, "customer", "Not fetched, because deleted here, and not changed since: {}."),
    (Counted.REPEATED, "state", "Not fetched, because it came before or its customer was deleted here: {}."),
    (Counted.UNANSWERED, "customer", "careCycle did not answer about {}: compare again."),
    (Counted.UNDETAILED, "customer", "Taken as listed, because careCycle has no details of them: {}."),
    (Counted.UNREADABLE, "item", "Without a usable id: {}. The log says where they are in the list."),
    (
        Counted.SHRUNK,
        "time",
        "The list had fewer customers than it said, {}: somebody may have been passed over, compare again.",
    ),
)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def missing(done: Comparison) -> str:
    """List what careCycle had and we did not.

    >>> missing(Comparison({"unknown": 2, "newer": 1, "missing_calls": 1}))
    '2 customers unknown here, 1 customer with a newer state there and 1 call'
    """
    parts = [
        f"{_count(done[what], noun)}{rest}"
        for what, noun, rest in (
            (Counted.UNKNOWN, "customer", " unknown here"),
            (Counted.NEWER, "customer", " with a newer state there"),
            (Counted.MISSING_CALLS, "call", ""),
        )
        if done[what]
    ]
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
