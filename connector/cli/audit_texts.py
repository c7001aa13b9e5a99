"""How `connector audit` words its entries, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from textwrap import wrap
from typing import Final

from connector.cli.options import moment_text, plain
from connector.settlement.auditing import AuditEntry, Checked, Fault, FaultKind
from connector.web.words import counted


def entry_lines(entry: AuditEntry, width: int) -> Iterator[str]:
    """Format an entry as a block. No id is broken, however long it is."""
    yield plain(f"{entry.number or '?'}  {_time(entry.at)}  {entry.who}: {entry.action}")
    for text in (entry.what, f"why: {entry.reason}" if entry.reason else ""):
        yield from wrap(
            plain(text),
            width,
            initial_indent="    ",
            subsequent_indent="    ",
            break_long_words=False,
            break_on_hyphens=False,
        )


def fault_text(fault: Fault) -> str:
    """Say what is wrong, and with which entry."""
    kind = fault.kind
    if kind is FaultKind.MISSING:
        return _missing(fault)
    return _TEXTS[kind].format(number=fault.number, last=fault.last, row=fault.id, at=_time(fault.at))


_TEXTS: Final[Mapping[FaultKind, str]] = {
    FaultKind.CHANGED: "Entry {number} ({at}, row {row}) was changed or moved, or its digest was.",
    FaultKind.UNCHAINED: "Row {row} ({at}) was added without the key, or by an older version of this program.",
    FaultKind.WRONG_HEAD: "Entry {number} ({at}) is the last, but not the one that the log counted as its newest.",
    FaultKind.HEAD_LOST: "Entry {number} ({at}) replaced a head that had been removed: earlier ones may be missing.",
    FaultKind.CUT: "Entry {last} was seen earlier, but the log ends at entry {number} ({at}): it was cut, or this is "
    "an older copy of the database.",
    FaultKind.NOT_AS_NOTED: "Entry {number} ({at}, row {row}) is not the one that was noted under this number.",
}


def _missing(fault: Fault) -> str:
    at = _time(fault.at)
    several = f"Entries {fault.number} to {fault.last} are"
    first = f"Entry {fault.number} is" if fault.last == fault.number else several
    if not fault.id:
        return f"{first} missing at the end: the last one there is was written at {at}."
    return f"{first} missing. Entry {fault.last + 1} ({at}, row {fault.id}), which follows, cannot be checked."


def verdict(checked: Checked) -> str:
    """Sum up a check; its last line is the head."""
    lines = [f"{counted(checked.entries, 'entry', 'entries')} checked: " + _sum(len(checked.faults))]
    if checked.earlier:
        which = "The first entry was" if checked.earlier == 1 else f"The first {checked.earlier:,} entries were"
        lines.append(
            f"{which} there before the log had digests ({_time(checked.begun_at)}): earlier changes do not show."
        )
    lines.append(f"head: {checked.head}" if checked.head else "No entry has a digest yet.")
    return "\n".join(lines)


def _sum(faults: int) -> str:
    return counted(faults, "fault") if faults else "each is as it was written, and none is missing."


def _time(at: int) -> str:
    """A time that somebody may have changed."""
    with suppress(TypeError, ValueError, OverflowError, OSError):
        return f"{moment_text(at)} UTC"
    return "at no possible time"
