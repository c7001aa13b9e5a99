"""That a database is damaged: remembered for every process, and after a restart, until it is repaired or replaced.

The mark is a file beside an embedded database, and a row of a shared one, at which each process looks every few
seconds. While it is there nothing is written: what can still be saved must not be overwritten.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, delete, select

from connector import telemetry
from connector.errors import StoreDamaged, StoreUnavailable
from connector.store import dialect
from connector.store.tables import settings

_LOOK: Final = 2.0
"""Seconds between two looks at the row of a shared database."""

_ROW: Final = "damage"


class Damage:
    """What is known of a database's damage. Safe from any thread."""

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.monotonic) -> None:
        self._engine, self._clock, self._lock = engine, clock, threading.Lock()
        file = dialect.embedded_file(engine.url)
        self.file = Path(f"{file}.damaged") if file else None
        self._met, self._seen, self._look_at = "", "", 0.0

    def known(self) -> str:
        """What is damaged, in words for an operator; empty if nothing is. Raises StoreUnavailable."""
        if self._met and self._clock() >= self._look_at:
            self._keep_met()
        if self._met:
            return self._met
        if self.file is not None:
            self._seen = _read(self.file)
        elif self._clock() >= self._look_at:
            self._seen, self._look_at = self._row(), self._clock() + _LOOK
        return self._seen

    def remembered(self) -> str:
        """The same as of the last look, without another: where nothing may wait for the database or its disk."""
        return self._met or self._seen

    def note(self, problem: str) -> None:
        """Remember damage that was met."""
        with self._lock:
            if self._met or (self.file is not None and _read(self.file)):
                return
            self._met = problem
        telemetry.database_damaged(problem)
        self._keep_met()

    def _keep_met(self) -> None:
        """Keep it for every process, so that it is cleared for every process; if that fails, again a little later."""
        met, self._look_at = self._met, self._clock() + _LOOK
        with suppress(OSError, StoreUnavailable):
            self._keep(met)
            self._met, self._seen = "", met

    def clear(self) -> None:
        """Forget it: the database was checked and is sound. Raises StoreUnavailable."""
        self._met = self._seen = ""
        if self.file is not None:
            self.file.unlink(missing_ok=True)
        else:
            with dialect.transaction(self._engine) as connection:
                connection.execute(delete(settings).where(settings.c.name == _ROW))
        self._engine.dispose()  # other connections may hold pages from before

    def _keep(self, problem: str) -> None:
        if self.file is not None:
            self.file.write_text(problem, "utf-8")
            return
        with dialect.transaction(self._engine) as connection:
            made = {"name": _ROW, "value": problem.encode()}
            connection.execute(dialect.insert(self._engine, settings).on_conflict_do_nothing(), made)

    def _row(self) -> str:
        with dialect.reading(self._engine) as connection:
            mine = select(settings.c.value).where(settings.c.name == _ROW)
            return bytes(connection.execute(mine).scalar() or b"").decode("utf-8", "replace")


@contextmanager
def noting_damage(damage: Damage) -> Iterator[None]:
    """Remember damage that is met within the block."""
    try:
        yield
    except StoreDamaged as error:
        damage.note(error.problem)
        raise


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8", "replace") or "is damaged"
    except FileNotFoundError:
        return ""
    except OSError:
        return "is damaged"
