"""Tell people when the database cannot be written, and when it can again, without a database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, Protocol

from connector.backoff import DAY, HOUR, SECOND
from connector.insight import outage as messages
from connector.insight.alarms import MINUTE
from connector.insight.outage import AGAIN, PATIENCE, Outage, as_content, read_outage
from connector.insight.sending import Keeper, Letter, Subscriber, send_all
from connector.store.meaning import is_damage

LOOK: Final = MINUTE
"""How often a process that can write looks whether another one left an outage behind."""


class Proof(Protocol):
    """Whether this process can write to the database.

    written_at: when it last did, in monotonic seconds; 0: not yet. problem: why the last try failed, empty if it did
    not.
    """

    @property
    def written_at(self) -> float: ...

    @property
    def problem(self) -> str: ...


class Lock(Protocol):
    """What one process of this machine has at a time: it sends for all of them."""

    def acquire(self) -> bool:
        """Whether this process has it now."""

    def release(self) -> None:
        """Let another have it."""


class OutageWatch:
    """Sends the alarm that the database cannot be written, or is damaged, and its end. To be called once a second.

    name: of what is kept. where: this process, for people. proof: whether it can write. boot: identifies the machine's
    start. tick, wall: monotonic and epoch seconds. patience: ms.
    """

    def __init__(
        self,
        agencies: Sequence[Subscriber],
        keeper: Keeper,
        lock: Lock,
        name: str,
        where: str,
        proof: Proof,
        boot: str,
        tick: Callable[[], float],
        wall: Callable[[], float],
        patience: int = PATIENCE,
    ) -> None:
        self._addresses = {f"{own.agency} {way}": (own, send) for own in agencies for way, send in own.ways.items()}
        self._keeper, self._lock, self._name = keeper, lock, name
        self._where, self._proof, self._boot = where, proof, boot
        self._tick, self._wall, self._patience = tick, wall, patience
        self._outage: Outage | None = None
        self._started, self._rest_until, self._look_at = self._now(), 0, 0
        self._reported_at: int | None = None

    def __call__(self, *, ending: bool = False) -> None:
        """Look once. ending: this process ends because it cannot write."""
        if not self._addresses:
            return
        now, at = self._now(), int(self._proof.written_at * SECOND)
        last = at or self._started
        if ending or self._proof.problem or now - last >= self._patience // 3:
            if outage := self._begun(last, now):
                self._alarm(outage, now)
        elif at and (outage := self._outage or self._left_behind(now)):
            self._end(outage, at, now)

    def _now(self) -> int:
        return int(self._tick() * SECOND)

    def _begun(self, last: int, now: int) -> Outage | None:
        """The outage that goes on or begins; None if another process of this machine reports it."""
        if self._outage is None:
            if not self._lock.acquire():
                return None
            self._keep(self._recalled(now) or Outage(last))
        elif self._outage.until is not None:
            self._keep(replace(self._outage, until=None))
        if self._outage and not self._outage.damaged and is_damage(self._proof.problem):
            self._keep(self._outage.with_damage())
        return self._outage

    def _left_behind(self, now: int) -> Outage | None:
        """An outage that a process reported which is gone, if this one is to report its end."""
        if now < self._look_at:
            return None
        self._look_at = now + LOOK
        if not self._keeper.read(self._name) or not self._lock.acquire():
            return None
        self._outage = self._recalled(now)
        return self._outage

    def _recalled(self, now: int) -> Outage | None:
        return read_outage(self._keeper.read(self._name), self._boot, now)

    def _keep(self, outage: Outage | None) -> None:
        self._outage = outage
        self._keeper.write(self._name, as_content(outage, self._boot))

    def _alarm(self, outage: Outage, now: int) -> None:
        lasted = now - outage.since
        if now < self._rest_until or lasted < self._needed(outage, now):
            return
        problem = self._proof.problem or "no answer"
        alarm = messages.alarm(outage, self._where, problem, lasted, int(self._wall() * SECOND))
        due = [name for name, (own, _) in self._addresses.items() if outage.due(name, own.window, now)]
        letters = [
            Letter(own.agency, send, *messages.raised(own.agency, alarm), raised=[alarm.key])
            for own, send in map(self._addresses.__getitem__, due)
        ]
        for name in self._accepted(due, letters, now):
            outage = outage.accepted(name, now)
        if due:
            self._keep(outage)

    def _needed(self, outage: Outage, now: int) -> int:
        """How long an outage lasts before it is reported: longer where the database comes and goes."""
        if outage.damaged:
            return 0
        often = not outage.sent and self._reported_at is not None and now - self._reported_at < HOUR
        return self._patience * (AGAIN if often else 1)

    def _end(self, outage: Outage, at: int, now: int) -> None:
        if now < self._rest_until:
            return
        until = at if outage.until is None else outage.until
        lasted, ended = until - outage.since, int(self._wall() * SECOND) - (now - until)
        alarm = messages.alarm(outage, self._where, "", lasted, ended)
        knowing = [name for name in outage.sent if name in self._addresses]
        letters = [
            Letter(own.agency, send, *messages.over(own.agency, alarm, lasted, ended), over=[alarm.key])
            for own, send in map(self._addresses.__getitem__, knowing)
        ]
        self._reported_at = now if knowing else self._reported_at
        remaining = set(knowing) - set(self._accepted(knowing, letters, now))
        if remaining and now - until < DAY:
            self._keep(replace(outage, until=until, sent={name: outage.sent[name] for name in remaining}))
        else:
            self._keep(None)
            self._lock.release()

    def _accepted(self, names: Sequence[str], letters: Sequence[Letter], now: int) -> list[str]:
        """Send them; return the addresses that accepted theirs. After a failure, nothing is tried for a minute."""
        accepted = [name for name, worked in zip(names, send_all(letters), strict=True) if worked]
        if len(accepted) < len(names):
            self._rest_until = now + MINUTE
        return accepted
