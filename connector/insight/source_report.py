"""A comparison with careCycle, in words."""

from __future__ import annotations

from collections.abc import Iterator

from connector.settlement.source import Comparison, Counted


def summary(done: Comparison) -> Iterator[str]:
    """Say what was compared, what was missing, and what is missing still: a sentence each."""
    calls = f" and the calls of {done[Counted.CALLS_ASKED]:,} of them" if done[Counted.CALLS_ASKED] else ""
    yield f"careCycle has {_count(done[Counted.LISTED], 'customer')}; all of them{calls} were compared."
    if not done.missing:
        yield "All are here, as careCycle knows them."
    else:
        yield f"Missing: {missing(done)}."
    if done[Counted.GONE]:
        yield f"No longer in careCycle when asked for: {_count(done[Counted.GONE], 'customer')}."
    if fetched := done[Counted.FETCHED_CUSTOMERS] + done[Counted.FETCHED_CALLS]:
        yield f"{fetched:,} of these were fetched and are delivered like any event."
    if done[Counted.UNREADABLE]:
        yield f"{_count(done[Counted.UNREADABLE], 'item')} had no usable id: the log says where they are in the list."
    if done[Counted.SHRUNK]:
        yield "The list became shorter while it was read, so that a customer may have been passed over: compare again."


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
