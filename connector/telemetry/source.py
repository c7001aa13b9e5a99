"""What is logged and counted of reading careCycle's API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import structlog
from prometheus_client import Counter

log: Final = structlog.get_logger("connector")

_calls = Counter("connector_source_calls_total", "HTTP calls to careCycle's API", ["agency", "path", "status"])


def called(agency: str, path: str, status: int) -> None:
    """careCycle's API was called. path: a template, without ids. status: 0 without an answer."""
    _calls.labels(agency, path, str(status)).inc()
    log.debug("careCycle called", agency=agency, path=path, status=status)


def unusable(agency: str, what: str, problem: str) -> None:
    """careCycle's API could not be asked, which stops nothing else. what: what it was to be asked for."""
    log.warning("careCycle's API cannot be asked", agency=agency, what=what, problem=problem)


def recording_found(agency: str, call_id: str) -> None:
    """A call's recording is there, and its link goes to the CRMs."""
    log.info("recording found", agency=agency, call_id=call_id)


def unreadable(agency: str, path: str, page: int, places: Sequence[int]) -> None:
    """Items of a page have no usable id and were left out. places: their numbers on the page, from 1."""
    log.warning("careCycle's items left out: no usable id", agency=agency, path=path, page=page, places=list(places))
