"""What a process remembers of the alarms it sent, in case the database does not, or its clock jumps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from connector.insight.alarms import Sent, steady
from connector.insight.sending import Keeper
from connector.settlement.listings import SentAlarm
from connector.store.watches import AllSent, Turn, as_data, read_sent

_NAME: Final = "alarms"


class Memory:
    """What was sent each way to each agency's people, by the last check that this process made or its file names.

    tick: monotonic seconds.
    """

    def __init__(self, keeper: Keeper, tick: Callable[[], float]) -> None:
        self._keeper, self._tick = keeper, tick
        self._kept = _read(keeper.read(_NAME))
        self._sent_at: dict[tuple[str, str, str], tuple[int, float]] = {}

    def sent(self, agency: str, way: str, turn: Turn) -> Sent:
        """What was sent one way, with times by the clock as it is now.

        The database is right if another process has checked since this one did, and otherwise this process: what it
        sent may not have been stored, and the database may be an older one.
        """
        looked_at, mine = self._kept.get(agency, (-1, {}))
        sent = mine if looked_at >= turn.looked_at else turn.sent
        alarms = sent.get(way, sent.get("", {}))
        return {key: steady(alarm, turn.now, self._age(agency, way, key, alarm)) for key, alarm in alarms.items()}

    def _age(self, agency: str, way: str, key: str, alarm: SentAlarm) -> int | None:
        at, tick = self._sent_at.get((agency, way, key), (None, 0.0))
        return int((self._tick() - tick) * 1000) if at == alarm.at else None

    def keep(self, agency: str, turn: Turn, sent: AllSent) -> None:
        """Remember what was sent until this check."""
        changed = sent != self._kept.get(agency, (0, None))[1]
        self._kept[agency] = (turn.now, sent)
        for way, alarms in sent.items():
            for key, alarm in alarms.items():
                age = (turn.now - alarm.at) / 1000
                self._sent_at[agency, way, key] = (alarm.at, self._tick() - age)
        if changed:
            self._keeper.write(_NAME, {name: _entry(*kept) for name, kept in self._kept.items()})


def _entry(looked_at: int, sent: AllSent) -> Mapping[str, object]:
    return {"looked_at": looked_at, "sent": as_data(sent)}


def _read(content: Mapping[str, Any] | None) -> dict[str, tuple[int, AllSent]]:
    """What an earlier process kept. What cannot be read is left out: an alarm is then sent once more."""
    with suppress(AttributeError, KeyError, TypeError, ValueError):
        return {
            agency: (int(entry["looked_at"]), read_sent(entry["sent"])) for agency, entry in (content or {}).items()
        }
    return {}
