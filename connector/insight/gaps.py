"""Say what is missing from a database that went back in time, and what to do."""

from __future__ import annotations

from typing import Final

from connector.backoff import SECOND
from connector.insight.words import WriteTime, utc
from connector.settlement.gaps import Lost

_MINUTE: Final = 60 * SECOND


def what_is_missing(lost: Lost, write: WriteTime = utc) -> str:
    """What was acknowledged and is not in the database. write: how times are written."""
    if lost.another:
        return (
            "Another database is in the place of the one used before: all that was acknowledged until "
            f"{write(lost.until + _MINUTE)} is missing from it."
        )
    events = f"{lost.events:,} event{'' if lost.events == 1 else 's'}"
    span = f"between {write(lost.since)} and {write(lost.until + _MINUTE)}"
    many = f"{events} acknowledged {span}" if lost.events else f"what was delivered {span}"
    return f"The database is older than it was: it lacks {many}."


def what_to_replay(lost: Lost, write: WriteTime = utc) -> str:
    """What to do about it. write: how times are written."""
    until = write(lost.until + 2 * _MINUTE)
    since = "every message that careCycle still has" if lost.another else f"every message from {write(lost.since)}"
    return (
        f"In careCycle's dashboard, replay {since} until {until}; duplicates do no harm. Then run "
        "`connector restored`. "
        "Until then new events are kept, only opt-outs are written to the CRM, and those that are missing may not be "
        "in it."
    )
