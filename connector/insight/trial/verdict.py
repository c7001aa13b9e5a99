"""What a trial reports: one line for each thing it tried."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from connector.destinations.base import Outcome
from connector.errors import DestinationUnusable


class Result(StrEnum):
    """What became of one thing that was tried."""

    WORKS = "works"
    FAILS = "does not work"
    UNTRIED = "not tried"


@dataclass(frozen=True, slots=True)
class Tried:
    """One thing that was tried. seen: what was observed. do: what to do about it. lines: of a mapping, to be pasted."""

    what: str
    result: Result
    seen: str = ""
    do: str = ""
    lines: str = ""


@dataclass(frozen=True, slots=True)
class Left:
    """Something of the trial that is still in the CRM. link: its page, if known. why: it could not be deleted."""

    object: str
    id: str
    link: str = ""
    why: str = ""


KEPT: Final = "kept, as you asked; the next trial deletes it"
"""Why something is left of a trial that was to delete nothing."""

REPORT: Final = "send the trial's report to the makers of the connector"


def works(what: str, seen: str = "") -> Tried:
    """Something works."""
    return Tried(what, Result.WORKS, seen)


def fails(what: str, seen: str, do: str = REPORT) -> Tried:
    """Something does not work."""
    return Tried(what, Result.FAILS, seen, do)


def untried(what: str, seen: str, do: str = "") -> Tried:
    """Something could not be tried."""
    return Tried(what, Result.UNTRIED, seen, do)


def refused(what: str, outcome: Outcome) -> Tried:
    """Something the CRM refused."""
    why = outcome.refusal
    return fails(what, f"{why.cause or 'no reason given'} ({why.code or outcome.verdict})", why.action or REPORT)


def unusable(what: str, error: DestinationUnusable) -> Tried:
    """Something that the state of the account, or a fault of ours, made impossible."""
    return fails(what, error.problem, f"docs/operating.md says what to do about a pause for `{error.reason}`")
