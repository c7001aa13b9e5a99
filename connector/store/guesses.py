"""How often something was tried: counted in the database, so that all processes slow it down together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import delete, select, update

from connector.store.database import Database
from connector.store.dialect import insert, lock_rows
from connector.store.session_tables import guesses


class Limit(NamedTuple):
    """At most `most` tries at once, and as many again spread over `within` (ms). whose: what shares the limit."""

    whose: str
    most: int
    within: int


class Guesses:
    """Each limit is one row: the time until which its tries count. A try moves it forward, and time catches up."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def take(self, limits: Sequence[Limit]) -> int:
        """Count a try against each limit and return 0; or count nothing and return how long to wait (ms)."""
        keys = [limit.whose for limit in limits]
        with self._db.transaction() as connection:
            now = int(connection.execute(select(self._db.now())).scalar_one())
            old = select(guesses.c.whose).where(guesses.c.until <= now, guesses.c.whose.not_in(keys))
            connection.execute(delete(guesses).where(guesses.c.whose.in_(old.with_for_update(skip_locked=True))))
            missing = insert(self._db.engine, guesses).on_conflict_do_nothing()
            connection.execute(missing, [{"whose": key, "until": 0} for key in sorted(keys)])
            lock_rows(connection, [guesses.c.whose], guesses.c.whose.in_(keys))
            known = select(guesses.c.whose, guesses.c.until).where(guesses.c.whose.in_(keys))
            until = {row.whose: row.until for row in connection.execute(known)}
            wait, after = decide(limits, until, now)
            for whose, moment in sorted(after.items()):
                connection.execute(update(guesses).where(guesses.c.whose == whose).values(until=moment))
        return wait

    def forgive(self, keys: Sequence[str]) -> None:
        """Forget the tries that count against these limits."""
        with self._db.transaction() as connection:
            connection.execute(delete(guesses).where(guesses.c.whose.in_(keys)))


def decide(limits: Sequence[Limit], until: Mapping[str, int], now: int) -> tuple[int, Mapping[str, int]]:
    """How long to wait (ms), and what to store."""
    known = {limit.whose: until.get(limit.whose, 0) for limit in limits}
    before = {limit.whose: min(max(known[limit.whose], now), now + limit.within) for limit in limits}
    after = {limit.whose: before[limit.whose] + limit.within // limit.most for limit in limits}
    if (wait := max(after[limit.whose] - limit.within - now for limit in limits)) <= 0:
        return 0, after
    return wait, {whose: at for whose, at in before.items() if at < known[whose]}  # the clock was set back
