"""What is logged and counted of the console's sign-ins. Never a password, nor a name that nobody has."""

from __future__ import annotations

from typing import Final

import structlog
from prometheus_client import Counter

from connector.telemetry import Seldom

log: Final = structlog.get_logger("connector")
_seldom = Seldom()

_sign_ins = Counter("connector_console_sign_ins_total", "Attempts to sign in to the console", ["result"])
_refusals = Counter("connector_console_refusals_total", "Requests that the console refused", ["reason"])


def signed_in(who: str) -> None:
    """Somebody is signed in."""
    _sign_ins.labels("opened").inc()
    log.info("console sign-in", who=who)


def not_signed_in(who: str, result: str, name: str, why: str = "") -> None:
    """Somebody was not signed in. name: of a person there is, empty for a shared password, or `unknown name`."""
    _sign_ins.labels(result).inc()
    if (more := _seldom("sign-in", f"{result} {name} {why}")) is not None:
        log.warning("console sign-in refused", who=who, result=result, name=name, why=why, not_logged=more)


def refused(who: str, reason: str, page: str) -> None:
    """A request was refused. page: the name of what it asked for, never its address."""
    _refusals.labels(reason).inc()
    if (more := _seldom("refused", f"{reason} {page}")) is not None:
        log.warning("console request refused", who=who, reason=reason, page=page, not_logged=more)


def people_refused(file: str, problem: str) -> None:
    """An edited file of people cannot be used; the last good one still counts."""
    if _seldom("people", problem) is not None:
        log.error("file of people refused", file=file, problem=problem)
