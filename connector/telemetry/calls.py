"""What is logged of how many requests a CRM answers in one call."""

from __future__ import annotations

from typing import Final

import structlog

log: Final = structlog.get_logger("connector")


def fewer_together(what: str, most: int, code: str) -> None:
    """A CRM did not answer as many requests in one call as it should, and is asked for fewer for a while.

    what: what they were for. most: how many are sent in one call now. code: of its refusal.
    """
    log.warning("fewer requests go into one call for a while", requests=what, most=most, code=code)
