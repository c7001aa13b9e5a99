"""Texts about clocks that differ, and about deletion that waits because of one."""

from __future__ import annotations

from connector.backoff import DAY, SECOND
from connector.insight.words import WriteTime, utc
from connector.settlement.clocks import CLOCK_TOLERANCE, Hold, ProcessClock


def about_clock(process: ProcessClock) -> str:
    """Say how a process's clock is wrong and what comes of it; empty if it is right."""
    if not process.differs:
        return ""
    agrees = process.crm_offset_ms is not None and abs(process.crm_offset_ms) <= CLOCK_TOLERANCE
    if agrees:
        return f"The database server's clock is {_apart(-process.offset_ms)} the CRMs': set it with NTP."
    offset = process.crm_offset_ms if process.halted and process.crm_offset_ms is not None else process.offset_ms
    whose = "the CRMs'" if offset == process.crm_offset_ms else "the database's"
    wrong = f"The clock of its machine is {_apart(offset)} {whose}: set it with NTP."
    if process.halted:
        return f"{wrong} Until then this worker takes no lane; other workers go on."
    if process.role == "receive":
        return f"{wrong} Messages whose time is more than five minutes off by this clock are refused."
    return wrong


def _apart(milliseconds: int) -> str:
    return f"{abs(milliseconds) / SECOND:,.0f} s {'ahead of' if milliseconds > 0 else 'behind'}"


def about_deletion(hold: Hold, write: WriteTime = utc) -> str:
    """Say why deletion waits, for how long, and what to do; empty if it does not. write: how times are written."""
    if not hold.left_ms:
        return ""
    return (
        f"Nothing is deleted for now: from {write(hold.since)} no worker ran, or the clock jumped. Retention would "
        f"delete the content of {hold.events:,} events, and {hold.dead_letters:,} dead letters. Check the clock of the "
        "database's server, and look at the dead letters. Deletion goes on by itself after "
        f"{hold.left_ms / DAY:.1f} days of running, or at once with `connector retention resume`."
    )
