"""Every happening is told once, here: a log line and a count. No payload value passes through."""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import PurePath
from typing import Any, Final
from uuid import uuid4

import structlog
from prometheus_client import Counter, Histogram

from connector import tracing

log: Final = structlog.get_logger("connector")

_accepted = Counter("connector_events_accepted_total", "Events kept in the inbox", ["agency", "type"])
_duplicates = Counter("connector_events_duplicate_total", "Messages received again", ["agency"])
_refused = Counter("connector_messages_refused_total", "Requests that were no careCycle message", ["reason"])
_parked = Counter("connector_events_parked_total", "Genuine messages the catalogue cannot read", ["agency"])
_unavailable = Counter("connector_store_unavailable_total", "Times the database could not be used", ["where"])
_settled = Counter("connector_deliveries_settled_total", "Attempts by what became of them", ["destination", "outcome"])
_calls = Counter("connector_crm_calls_total", "HTTP calls to a CRM", ["destination", "method", "path", "status"])
_call_seconds = Histogram("connector_crm_call_seconds", "Duration of HTTP calls to a CRM", ["destination"])
_pauses = Counter("connector_lane_pauses_total", "Times a lane paused", ["destination", "code"])
_mappings = Counter("connector_mapping_changes_total", "Edited mappings taken or refused", ["destination", "result"])
_leases_lost = Counter("connector_leases_lost_total", "Batches not recorded because another worker took over", ["lane"])

_alarms = Counter("connector_alarms_total", "Messages about what is wrong or over", ["agency", "result"])


def configure(level: str = "info", stream: object = None) -> None:
    """Log one JSON object a line to standard error; libraries only from warnings up."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(file=_Lasting(stream or sys.stderr)),  # type: ignore[arg-type]  # any text file
    )
    # The texts of libraries, and of exceptions nobody expected, may echo values: the place they come from is enough.
    quiet = logging.StreamHandler()
    quiet.setFormatter(_Places("%(levelname)s %(name)s %(module)s:%(lineno)d"))
    logging.basicConfig(level=logging.WARNING, handlers=[quiet], force=True)
    logging.captureWarnings(capture=True)
    sys.unraisablehook = lambda told: fault("clearing up", told.exc_value)
    sys.excepthook = lambda kind, error, trace: fault("process", error)
    threading.excepthook = lambda told: fault(told.thread.name if told.thread else "thread", told.exc_value)


@contextmanager
def batch(lane: str) -> Iterator[None]:
    """One batch of a lane: what is logged inside, CRM calls and deliveries alike, carries the same `batch`."""
    name = uuid4().hex[:12]
    with structlog.contextvars.bound_contextvars(batch=name), tracing.span("deliver", lane=lane, batch=name):
        yield


class _Lasting:
    """A log on a full disk, or whose reader is gone, must not stop what it tells of."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, line: str) -> None:
        with suppress(OSError):
            self._stream.write(line)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()


class _Places(logging.Formatter):
    def formatException(self, ei: Any) -> str:  # noqa: N802  # the library's name
        return place(ei[1])


def place(error: BaseException | None) -> str:
    """What an unexpected exception was and where: its type, file and line, never its text."""
    frames = traceback.extract_tb(error.__traceback__) if error else []
    where = f" at {PurePath(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"


def fault(where: str, error: BaseException | None) -> None:
    """Something happened that the connector does not expect: a fault of its own."""
    log.error("fault of the connector itself, please report it", where=where, what=place(error))


def event_accepted(agency: str, type: str, message_id: str, duration_ms: float, *, new: bool) -> None:
    """An event is on disk, for the first time or once more, so long after it was verified."""
    (_accepted.labels(agency, type) if new else _duplicates.labels(agency)).inc()
    tracing.past("receive", duration_ms, agency=agency, type=type, message_id=message_id, new=new)
    log.info("event accepted" if new else "duplicate event", agency=agency, type=type, message_id=message_id)


def event_parked(agency: str, message_id: str, problem: str) -> None:
    """A genuine message was kept as a dead letter: `problem` names fields only."""
    _parked.labels(agency).inc()
    log.error("event parked", agency=agency, message_id=message_id, problem=problem)


def message_refused(agency: str, reason: str) -> None:
    """Something at the door was not a careCycle message."""
    _refused.labels(reason).inc()
    log.warning("message refused", agency=agency, reason=reason)


def store_unavailable(where: str, problem: str) -> None:
    """The database could not be used."""
    _unavailable.labels(where).inc()
    log.error("store unavailable", where=where, problem=problem)


def delivery_settled(destination: str, message_id: str, outcome: str, code: str, fields: tuple[str, ...]) -> None:
    """One delivery's attempt is over."""
    _settled.labels(destination, outcome).inc()
    tracing.note("delivery settled", message_id=message_id, outcome=outcome, code=code)
    tell = log.warning if outcome in ("dead", "deferred") else log.info
    tell("delivery settled", destination=destination, message_id=message_id, outcome=outcome, code=code, fields=fields)


def crm_called(destination: str, method: str, path: str, status: int, duration_ms: float) -> None:
    """A CRM was called: a path template, never an id or a value."""
    _calls.labels(destination, method, path, str(status)).inc()
    _call_seconds.labels(destination).observe(duration_ms / 1000)
    tracing.past("crm call", duration_ms, destination=destination, method=method, path=path, status=status)
    log.debug("crm called", destination=destination, method=method, path=path, status=status, ms=round(duration_ms))


def lane_paused(lane: str, destination: str, code: str, reason: str, seconds: float) -> None:
    """A destination cannot be used now."""
    _pauses.labels(destination, code).inc()
    log.error("lane paused", lane=lane, code=code, reason=reason, seconds=round(seconds, 1))


def retention_applied(agency: str, payloads: int, dead_letters: int, rows: int) -> None:
    """Payloads were purged, dead letters given up and events forgotten, because their time was over."""
    log.info("retention applied", agency=agency, payloads=payloads, dead_letters=dead_letters, rows=rows)


def alarm_told(agency: str, raised: list[str], over: list[str]) -> None:
    """People were told of what is wrong, or over."""
    _alarms.labels(agency, "told").inc()
    log.warning("alarm", agency=agency, raised=raised, over=over)


def alarm_not_told(agency: str, problem: str) -> None:
    """An alarm did not reach anybody this way."""
    _alarms.labels(agency, "failed").inc()
    log.error("alarm not told", agency=agency, problem=problem)


def dead_letters_expiring(agency: str, count: int, days: int) -> None:
    """Dead letters will be given up soon: the last call to free them."""
    log.warning("dead letters will be given up soon, free them or let them go", agency=agency, count=count, days=days)


def lease_lost(lane: str) -> None:
    """Another worker took this lane; nothing of the batch was recorded."""
    _leases_lost.labels(lane).inc()
    log.warning("lease lost", lane=lane)


def role_started(role: str, where: str) -> None:
    """A role is ready for work."""
    log.info("started", role=role, where=where)


def role_stopped(role: str) -> None:
    """A role finished what it had in hand."""
    log.info("stopped", role=role)


def role_died(role: str, status: int) -> None:
    """A role's process ended without being asked to."""
    log.error("role died, starting it again", role=role, status=status)


def settings_deprecated(destination: str, notice: str) -> None:
    """Something in an agency's file works today and will not for ever."""
    log.warning("deprecated setting", destination=destination, notice=notice)


def mapping_refused(destination: str, problem: str) -> None:
    """An edited mapping does not load, the last good one keeps running; the diagnostics name fields and lines only."""
    _mappings.labels(destination, "refused").inc()
    log.error("mapping refused", destination=destination, problem=problem)


def mapping_changed(destination: str, version: str) -> None:
    """An edited mapping took the place of the last one."""
    _mappings.labels(destination, "running").inc()
    log.info("mapping changed", destination=destination, version=version)
