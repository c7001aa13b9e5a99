"""Connections to PostgreSQL on which nothing waits for ever.

A dead server is noticed by TCP. A proxy, a firewall or a frozen server can keep a connection open and say nothing, so
each wait for an answer has a deadline here as well; after it, the connection is closed. Nothing is set for a session:
a pooler such as PgBouncer refuses such settings, loses them, or gives them to others.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from concurrent.futures import Future
from dataclasses import dataclass
from functools import cache, partial
from threading import Thread
from typing import TYPE_CHECKING, Any, Final, cast

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, ExceptionContext

if TYPE_CHECKING:
    import psycopg

LONG: Final = "connector_long"
"""The option of a transaction that may take long: a migration."""

READS: Final = "connector_reads"
"""The option of a transaction that only reads."""

POOL: Final[dict[str, Any]] = {"hide_parameters": True, "pool_size": 8, "max_overflow": 8, "pool_timeout": 5}

_LONGEST: Final = 1800.0
_IDLE, _IDLE_READING = 10.0, 60.0
"""Seconds. A process stopped in the middle of a transaction must not hold its locks against the others."""

_LINE: Final[dict[str, Any]] = {
    "autocommit": True,  # `_begin` begins transactions, not the driver
    "prepare_threshold": None,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 30_000,
}
"""https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS"""

_READ_ONLY: Final = "25006"


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds until a wait for PostgreSQL is given up.

    connect: for each host of the address. begin: until the server answers at all. statement: the server's own limit.
    """

    connect: float = 5.0
    begin: float = 5.0
    statement: float = 30.0


_LOOK: Final = 1.0
"""Seconds. The driver looks ten times as often whether an answer has come."""

_LONGER, _SHORTER = 1.2, 0.8
"""How much longer than the server's limit we wait for a statement, so that the server ends what is only slow; and how
much shorter for a commit, because a server whose limit ends the wait for a standby reports success.
"""

PATIENT: Final = Patience()
"""Of commands."""

SHOWING: Final = Patience(connect=3.0, begin=2.0, statement=5.0)
"""Of the console: people wait for its pages."""

WORKING: Final = Patience(statement=15.0)
"""Of workers: their lanes move again soon after new connections are possible."""

RECEIVING: Final = Patience(statement=10.0)
"""Of the inbox writer: careCycle waits for 15 seconds, and sends again."""


def lasting(seconds: float, clock: Callable[[], float] = time.monotonic) -> Callable[[], bool]:
    """Begin to wait some seconds: the function returned says, whenever it is called, whether they are over.

    A process that was frozen, as while its virtual machine is moved, has not waited: the answer may have come.
    """
    left, looked = seconds, clock()

    def is_over() -> bool:
        nonlocal left, looked
        now = clock()
        left, looked = left - min(now - looked, _LOOK), now
        return left < 0

    return is_over


@cache
def _line() -> type[Any]:
    """Return the driver's connection with deadlines. psycopg is 9 MB, which an embedded database does without."""
    import psycopg

    class Line(psycopg.Connection[Any]):
        """A connection whose waits end: `answer` seconds for a statement, `until_commit` for a commit."""

        answer = until_commit = PATIENT.begin

        def wait(self, gen: Any, *how: Any, **more: Any) -> Any:
            return super().wait(self._within(self.answer, gen), *how, **more)

        def commit(self) -> None:
            usual, self.answer = self.answer, self.until_commit
            try:
                super().commit()
            finally:
                self.answer = usual

        def _within(self, seconds: float, waiting: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
            is_over = lasting(seconds)
            try:
                state = next(waiting)
                while True:
                    ready = yield state
                    state = waiting.send(ready)  # what has arrived counts, also after the deadline
                    if is_over():
                        self.pgconn.finish()
                        raise psycopg.errors.ConnectionTimeout(f"no answer within {seconds:g} s")
            except StopIteration as end:
                return end.value

    return Line


def parameters(url: URL) -> dict[str, Any]:
    """What the driver connects with, for any of several hosts."""
    _, named = url.get_dialect()().create_connect_args(url)
    return {**named, **_LINE}


def connect(patience: Patience, wanted: dict[str, Any]) -> psycopg.Connection[Any]:
    """Connect within a time. Raises psycopg.OperationalError.

    In a thread: the driver's own limit is for each host, and covers no slow name server. Of several hosts the one that
    takes writes is chosen, unless the address says otherwise.
    """
    import psycopg

    hosts = str(wanted.get("host", "")).count(",") + 1
    each = max(2, int(patience.connect / hosts))
    several = {"target_session_attrs": "primary"} if hosts > 1 else {}
    made: Future[psycopg.Connection[Any]] = Future()
    call = partial(_line().connect, **{**several, **wanted, "connect_timeout": each})
    Thread(target=_fulfil, args=(made, call), name="connecting", daemon=True).start()
    within = max(each * hosts, patience.connect) + 1
    try:
        return made.result(within)
    except TimeoutError:
        made.add_done_callback(_hang_up)
        raise psycopg.errors.ConnectionTimeout(f"no connection within {within:g} s") from None


def _fulfil(made: Future[Any], call: Callable[[], Any]) -> None:
    import psycopg

    try:
        made.set_result(call())
    except psycopg.Error as error:
        made.set_exception(error)


def _hang_up(made: Future[Any]) -> None:
    if made.exception() is None:
        made.result().close()


def is_pooled(line: psycopg.Connection[Any]) -> bool:
    """Whether a pooler is between us and the server: it answers with the number of another session."""
    row = line.execute("SELECT pg_backend_pid()").fetchone()
    return row is None or row[0] != line.info.backend_pid


def open_engine(url: URL, patience: Patience) -> Engine:
    """An engine whose connections have deadlines, and whose transactions are durable."""

    def dial(_dialect: Any, _record: Any, _positional: Any, named: dict[str, Any]) -> Any:
        return connect(patience, {**named, **_LINE})

    engine = create_engine(url, **POOL)
    event.listen(engine, "do_connect", dial)
    event.listen(engine, "begin", partial(_begin, patience))
    event.listen(engine, "handle_error", _lost)
    return engine


def _begin(patience: Patience, connection: Connection) -> None:
    """Begin a transaction with its limits in one step; nothing of it outlasts the transaction."""
    options = connection.get_execution_options()
    reading, limit = options.get(READS), patience.statement
    idle = min(limit, _IDLE)
    if reading:
        idle = _IDLE_READING
    elif options.get(LONG):
        limit = idle = _LONGEST
    line = cast("Any", connection.connection.driver_connection)
    line.answer = patience.begin
    limits = f"SET LOCAL statement_timeout = {limit * 1000:.0f}"
    limits += f"; SET LOCAL idle_in_transaction_session_timeout = {idle * 1000:.0f}"
    connection.exec_driver_sql(f"BEGIN READ ONLY; {limits}" if reading else f"BEGIN; {limits}; {_DURABLY}")
    line.answer, line.until_commit = limit * _LONGER, limit * _SHORTER


_DURABLY: Final = (
    "SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit')"
    " WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, true)"
)
"""A commit is on the disk, and on those of synchronous standbys, before it is acknowledged, whatever the server, the
database or the role is set to.
"""


def _lost(context: ExceptionContext) -> None:
    """Leave a server that takes no writes any more: another one may, at the same address."""
    if getattr(context.original_exception, "sqlstate", None) == _READ_ONLY:
        context.is_disconnect = True
