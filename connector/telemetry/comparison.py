"""Log what comparisons with careCycle found."""

from __future__ import annotations

from collections.abc import Mapping

from connector.telemetry import log


def compared(agency: str, counts: Mapping[str, int], left: int) -> None:
    """A comparison has ended. left: what is missing still."""
    write = log.warning if left else log.info
    write("compared with careCycle", agency=agency, left=left, **counts)


def not_compared(agency: str, problem: str) -> None:
    """careCycle could not be asked; it is tried again."""
    log.warning("not compared with careCycle", agency=agency, problem=problem)
