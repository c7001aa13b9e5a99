"""Log and count everything that happens, in one place. No payload value passes through."""

from __future__ import annotations

import logging
import secrets
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import PurePath
from typing import Any, Final
from uuid import uuid4

import structlog
from prometheus_client import Counter, Histogram

from connector.carecycle.recognise import OddField
from connector.settlement import AttemptOutcome
from connector.telemetry import tracing

log: Final = structlog.get_logger("connector")

_accepted = Counter("connector_events_accepted_total", "Events stored in the inbox", ["agency", "type"])
_duplicates = Counter("connector_events_duplicate_total", "Messages received again", ["agency"])
_apart = Counter("connector_messages_apart_total", "Messages with the ID of another body", ["agency"])
_refused = Counter("connector_messages_refused_total", "Requests that were not careCycle messages", ["reason"])
_opt_outs = Counter("connector_opt_outs_paid_total", "Opt-outs tried on their own", ["destination", "flag", "state"])
_odd = Counter("connector_odd_fields_total", "Fields not as careCycle documents them", ["agency", "field", "used"])
_untranslated = Counter("connector_values_not_translated_total", "Values no table translates", ["destination", "field"])
_parked = Counter("connector_events_parked_total", "Genuine messages the catalogue cannot read", ["agency"])
_unavailable = Counter("connector_store_unavailable_total", "Times the database could not be used", ["where"])
_settled = Counter("connector_deliveries_settled_total", "Delivery attempts by outcome", ["destination", "outcome"])
_calls = Counter("connector_crm_calls_total", "HTTP calls to a CRM", ["destination", "method", "path", "status"])
_call_seconds = Histogram("connector_crm_call_seconds", "Duration of HTTP calls to a CRM", ["destination"])
_pauses = Counter("connector_lane_pauses_total", "Times a lane paused", ["destination", "code"])
_mappings = Counter("connector_mapping_changes_total", "Edited mappings loaded or refused", ["destination", "result"])
_leases_lost = Counter("connector_leases_lost_total", "Batches not recorded because another worker took over", ["lane"])
_clocks_wrong = Counter("connector_clock_wrong_total", "Times a machine's clock was found wrong", ["role"])
_clock_went_back = Counter("connector_database_clock_went_back_total", "Times the database's clock was set back")
_stuck = Counter("connector_lanes_stuck_total", "Lanes whose thread did not move, so that their worker ended", ["lane"])

_went_back = Counter("connector_history_went_back_total", "Times the database was older than before")
_alarms = Counter("connector_alarms_total", "Alarm messages sent or failed", ["agency", "result"])


def configure(level: str = "info", stream: object = None) -> None:
    """Log one JSON object per line to standard error; from libraries, only warnings and above."""
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
    # Texts of libraries and of unexpected exceptions may contain payload values: log only where they come from.
    logging.basicConfig(level=logging.WARNING, handlers=[_Places()], force=True)
    logging.captureWarnings(capture=True)
    sys.unraisablehook = lambda unraisable: fault("cleanup", unraisable.exc_value)
    sys.excepthook = lambda kind, error, trace: fault("process", error)
    threading.excepthook = lambda raised: fault(raised.thread.name if raised.thread else "thread", raised.exc_value)


class Seldom:
    """Lets a line that comes again and again through once a minute. Safe from any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._lines: dict[tuple[str, str], tuple[float, int]] = {}  # when it was last let through, and held back since

    def __call__(self, where: str, what: str) -> int | None:
        """How often this line was held back since it was last let through; None if it is now. Numbers do not matter."""
        line = (where, what.translate(_WITHOUT_DIGITS))
        with self._lock:
            now = self._clock()
            then, held_back = self._lines.get(line, (now - _MINUTE, 0))
            if now - then < _MINUTE:
                self._lines[line] = (then, held_back + 1)
                return None
            if len(self._lines) >= _MOST_LINES:
                self._lines.clear()
            self._lines[line] = (now, 0)
            return held_back


_MINUTE: Final = 60.0
_MOST_LINES: Final = 1_000
_WITHOUT_DIGITS: Final = str.maketrans("", "", "0123456789")
_seldom = Seldom()


def _repeats(held_back: int) -> dict[str, int]:
    return {"not_logged": held_back} if held_back else {}


@contextmanager
def batch(lane: str) -> Iterator[None]:
    """Mark one batch of a lane: everything logged inside, CRM calls included, carries the same `batch`."""
    name = uuid4().hex[:12]
    with structlog.contextvars.bound_contextvars(batch=name), tracing.span("deliver", lane=lane, batch=name):
        yield


class _Lasting:
    """A log stream that ignores write errors: a full disk, or what was closed, must not stop the connector."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, line: str) -> None:
        with suppress(OSError, ValueError):
            self._stream.write(line)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()


class _Places(logging.Handler):
    """Logs where a library's line comes from, each line once a minute. asyncio, Flask and others log faults so."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one JSON line, whatever the library says in how many."""
        line = f"{record.module}:{record.lineno}"
        what = place(record.exc_info[1]) if record.exc_info else ""
        more = _seldom(f"{record.name} {line} {what}", "")
        if more is not None:
            write = log.error if record.levelno >= logging.ERROR else log.warning
            write("a library reports", library=record.name, line=line, what=what, **_repeats(more))


def place(error: BaseException | None) -> str:
    """Describe an unexpected exception by its type, file and line, never its text."""
    frames = traceback.extract_tb(error.__traceback__) if error else []
    where = f" at {PurePath(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"


def fault(where: str, error: BaseException | None) -> None:
    """Log an unexpected exception, a bug in the connector, once a minute: a request that hits it may come again."""
    what = place(error)
    if (more := _seldom(f"{where} {what}", "")) is not None:
        log.error("bug in the connector, please report it", where=where, what=what, **_repeats(more))


def page_failed(page: str, error: BaseException, code: str = "") -> str:
    """A page of the console could not be shown. Returns the reference that its reader sees."""
    reference = secrets.token_hex(4)
    log.error("page not shown", page=page, reference=reference, code=code, what=place(error))
    return reference


def probe_answered(agency: str) -> None:
    """A signed message of doctor's was answered like an event; it is not kept."""
    log.info("probe answered", agency=agency)


def event_accepted(agency: str, type: str, message_id: str, duration_ms: float, *, new: bool) -> None:
    """An event is on disk. new: for the first time; duration_ms: since it was verified."""
    (_accepted.labels(agency, type) if new else _duplicates.labels(agency)).inc()
    tracing.past("receive", duration_ms, agency=agency, type=type, message_id=message_id, new=new)
    log.info("event accepted" if new else "duplicate event", agency=agency, type=type, message_id=message_id)


def kept_apart(agency: str, message_id: str, kept_as: str) -> None:
    """A message with the ID of another body is on disk, as an event of its own."""
    _apart.labels(agency).inc()
    log.warning("message ID of another body", agency=agency, message_id=message_id, kept_as=kept_as)


def odd_fields(agency: str, message_id: str, odd: Sequence[OddField]) -> None:
    """An event with fields in another form than careCycle documents is on disk."""
    for field in odd:
        _odd.labels(agency, field.path, "yes" if field.used else "no").inc()
    log.warning("odd fields", agency=agency, message_id=message_id, fields=[str(field) for field in odd])


def value_not_translated(destination: str, field: str) -> None:
    """A field was not written because the mapping does not translate its value."""
    _untranslated.labels(destination, field).inc()


def event_parked(agency: str, message_id: str, problem: str) -> None:
    """A genuine message was stored as a dead letter. problem: names fields only."""
    _parked.labels(agency).inc()
    log.error("event parked", agency=agency, message_id=message_id, problem=problem)


def message_refused(agency: str, reason: str) -> None:
    """A request was not a careCycle message."""
    _refused.labels(reason).inc()
    if (more := _seldom("refused", f"{agency} {reason}")) is not None:
        log.warning("message refused", agency=agency, reason=reason, **_repeats(more))


def store_unavailable(where: str, problem: str) -> None:
    """The database could not be used."""
    _unavailable.labels(where).inc()
    if (more := _seldom(where, problem)) is not None:
        log.error("store unavailable", where=where, problem=problem, **_repeats(more))


def history_went_back(kind: str, lost_from: int, lost_until: int, events: int) -> None:
    """The database is an older one: what was acknowledged between these times (epoch ms) is not in it."""
    _went_back.inc()
    log.critical(
        "history went back: delivering pauses until connector restored is run",
        kind=str(kind),
        lost_from=lost_from,
        lost_until=lost_until,
        events=events,
    )


def other_database(file: str) -> None:
    """The database is not the one that the state outside it speaks of, and has another address."""
    log.warning("another database than before", file=file)


def audit_head(number: int, digest: str) -> None:
    """Log the newest entry of the audit log, which covers all of it."""
    log.info("audit log", head=f"{number}-{digest}")


def state_not_kept(file: str, problem: str) -> None:
    """A file outside the database cannot be written or read; what it would hold is kept in memory."""
    log.error("state not kept on disk", file=file, problem=problem)


def writer_stuck(seconds: float) -> None:
    """A commit of the inbox does not end. Events are refused until it does."""
    log.error("inbox writer stuck", seconds=round(seconds))


def database_damaged(problem: str) -> None:
    """The database was found to be damaged; from now on nothing is written to it."""
    log.error("database damaged", problem=problem)


def database_sound() -> None:
    """A database that was damaged was repaired or replaced."""
    log.warning("database sound again")


def delivery_settled(
    destination: str, message_id: str, outcome: AttemptOutcome, code: str, fields: tuple[str, ...]
) -> None:
    """An attempt to deliver an event has ended."""
    _settled.labels(destination, outcome.value).inc()
    tracing.note("delivery settled", message_id=message_id, outcome=outcome, code=code)
    write = log.warning if outcome in (AttemptOutcome.DEAD, AttemptOutcome.DEFERRED) else log.info
    write("delivery settled", destination=destination, message_id=message_id, outcome=outcome, code=code, fields=fields)


def crm_called(destination: str, method: str, path: str, status: int, duration_ms: float) -> None:
    """A CRM was called. path: a template, without ids or values."""
    _calls.labels(destination, method, path, str(status)).inc()
    _call_seconds.labels(destination).observe(duration_ms / 1000)
    tracing.past("crm call", duration_ms, destination=destination, method=method, path=path, status=status)
    log.debug("crm called", destination=destination, method=method, path=path, status=status, ms=round(duration_ms))


def not_compared(destination: str, problem: str) -> None:
    """Records could not be compared with their CRM; it is tried again."""
    log.warning("records not compared", destination=destination, problem=problem)


def account_unknown(destination: str) -> None:
    """The CRM does not say which account the credentials lead to."""
    log.warning("crm account unknown", destination=destination)


def lane_paused(lane: str, destination: str, code: str, reason: str, seconds: float) -> None:
    """A destination cannot be used for now, so its lane pauses."""
    _pauses.labels(destination, code).inc()
    log.error("lane paused", lane=lane, code=code, reason=reason, seconds=round(seconds, 1))


def opt_out_paid(destination: str, flag: str, state: str, code: str) -> None:
    """An opt-out was tried on its own: it is in the CRM now, or says why not."""
    _opt_outs.labels(destination, flag, state).inc()
    log.info("opt-out", destination=destination, flag=flag, state=str(state), code=code)


def lanes_emptied(rows: int) -> None:
    """What waited in lanes that are no longer configured was moved to those that are."""
    log.info("lanes emptied", rows=rows)


def retention_applied(agency: str, payloads: int, dead_letters: int, rows: int) -> None:
    """Payloads were purged, dead letters given up and events deleted at the end of their retention."""
    log.info("retention applied", agency=agency, payloads=payloads, dead_letters=dead_letters, rows=rows)


def rewriting(rows: int) -> None:
    """Rows of an earlier version are rewritten, and nothing is delivered until that is done. rows: so far."""
    if (held_back := _seldom("rewriting", "")) is not None:
        log.info("rewriting the ledger after an upgrade", rows=rows, **_repeats(held_back))


def retention_held(payloads: int, dead_letters: int, days: float) -> None:
    """Nothing is deleted, because the clock jumped or no worker ran for long. days: of running until it goes on."""
    log.error(
        "retention waits: check the clock, then connector retention resume",
        payloads=payloads,
        dead_letters=dead_letters,
        days=round(days, 1),
    )


def clock_judged(role: str, seconds: float, *, wrong: bool) -> None:
    """This machine's clock has become wrong, or is right again. seconds: how far it is ahead."""
    if not wrong:
        log.warning("clock right again", role=role, seconds=round(seconds, 1))
        return
    _clocks_wrong.labels(role).inc()
    effect = "no lane is taken until it is right" if role == "work" else "messages more than 5 minutes off are refused"
    log.error("clock wrong, set it with NTP", role=role, seconds=round(seconds, 1), effect=effect)


def clock_went_back(seconds: float) -> None:
    """The database's clock was set back, or is another server's; times that lie in the future by it were moved back."""
    _clock_went_back.inc()
    log.error("the database's clock went back", seconds=round(seconds, 1))


def alarm_sent(agency: str, raised: list[str], over: list[str]) -> None:
    """An alarm was sent: what is wrong, or over."""
    _alarms.labels(agency, "told").inc()
    log.warning("alarm", agency=agency, raised=raised, over=over)


def alarm_failed(agency: str, problem: str) -> None:
    """An alarm could not be sent."""
    _alarms.labels(agency, "failed").inc()
    log.error("alarm not sent", agency=agency, problem=problem)


def heartbeat_failed(agency: str, problem: str) -> None:
    """The monitoring service that expects a heartbeat did not accept one. Logged once until one is accepted."""
    log.error("heartbeat not sent", agency=agency, problem=problem)


def dead_letters_expiring(agency: str, count: int, days: int) -> None:
    """Dead letters will be given up soon: the last chance to replay them."""
    log.warning("dead letters will be given up soon: replay or discard them", agency=agency, count=count, days=days)


def lease_lost(lane: str) -> None:
    """Another worker took this lane; nothing of the batch was recorded."""
    _leases_lost.labels(lane).inc()
    log.warning("lease lost", lane=lane)


def lane_stuck(lane: str, place: str) -> None:
    """The thread of a lane has not moved for longer than any wait may take. place: where it is, by file and line."""
    _stuck.labels(lane).inc()
    log.error("lane stuck, ending this worker", lane=lane, place=place)


def role_started(role: str, where: str) -> None:
    """A role is ready to work."""
    log.info("started", role=role, where=where)


def role_stopped(role: str) -> None:
    """A role finished its work and stopped."""
    log.info("stopped", role=role)


def role_died(role: str, status: int) -> None:
    """A role's process ended unexpectedly."""
    log.error("role died, restarting it", role=role, status=status)


def settings_deprecated(destination: str, notice: str) -> None:
    """A setting in an agency file still works but is deprecated."""
    log.warning("deprecated setting", destination=destination, notice=notice)


def mapping_refused(destination: str, problem: str) -> None:
    """An edited mapping has errors; the last good one keeps running. problem: names fields and lines only."""
    _mappings.labels(destination, "refused").inc()
    log.error("mapping refused", destination=destination, problem=problem)


def mapping_doubtful(destination: str, warnings: str) -> None:
    """The CRM's schema of now raises warnings about the mapping. warnings: name fields and lines only."""
    log.warning("mapping doubtful", destination=destination, warnings=warnings)


def mapping_changed(destination: str, version: str) -> None:
    """An edited mapping replaced the previous one."""
    _mappings.labels(destination, "running").inc()
    log.info("mapping changed", destination=destination, version=version)
