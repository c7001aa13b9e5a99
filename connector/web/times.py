"""Times on the console's pages: in the agency's time zone, which is named; in UTC where several zones may be meant."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo

from flask import g, has_request_context
from markupsafe import Markup

from connector.insight.accounts import Account
from connector.store.evidence import OptOut
from connector.web import words

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBERS: Final = "+-"


@dataclass(frozen=True, slots=True)
class Times:
    """Writes and reads times. zones: the time zone of each agency that is known.

    An agency may be given as the name of one of its destinations.
    """

    zones: Mapping[str, tzinfo]

    @classmethod
    def of(cls, accounts: Iterable[Account]) -> Times:
        """Use the zones of these accounts' agencies."""
        return cls({account.name.partition("/")[0]: ZoneInfo(account.timezone) for account in accounts})

    def filters(self) -> dict[str, Callable[..., Any]]:
        """What the templates use, by name."""
        own = (self.moment, self.exact, self.zone_name, self.since, self.opt_out_words)
        return {write.__name__: write for write in own} | {"moment_text": self.text}

    def zone(self, agency: str = "") -> tzinfo:
        """The time zone of an agency; without one, that which all have. UTC if it is not known."""
        if agency:
            return self.zones.get(agency.partition("/")[0], UTC)
        every = set(self.zones.values())
        return every.pop() if len(every) == 1 else UTC

    def local(self, at: int, agency: str = "") -> datetime:
        """Epoch milliseconds as a time in the agency's zone."""
        return (_EPOCH + timedelta(milliseconds=at)).astimezone(self.zone(agency))

    def moment(self, at: int | None, agency: str = "") -> Markup:
        """Epoch milliseconds as a time element: "Nov 30, 21:12 MST"."""
        return _element(at, "" if at is None else self.text(at, agency))

    def exact(self, at: int | None, agency: str = "") -> Markup:
        """The same to the second: "Nov 30, 21:12:05 MST"."""
        return _element(at, "" if at is None else self._text(at, agency, "%H:%M:%S"))

    def text(self, at: int, agency: str = "") -> str:
        """Epoch milliseconds as text: "Nov 30, 21:12 MST". The year is named unless it is this one."""
        return self._text(at, agency, "%H:%M")

    def _text(self, at: int, agency: str, clock: str) -> str:
        when = self.local(at, agency)
        year = "" if _now() and self.local(_now(), agency).year == when.year else f", {when.year}"
        return f"{when:%b} {when.day}{year}, {when:{clock}} {name_of(when)}"

    def zone_name(self, at: int, agency: str = "") -> str:
        """Name the agency's zone as it is at a time (epoch ms): "MST"."""
        return name_of(self.local(at, agency))

    def day(self, at: int) -> str:
        """The day that begins at a time (epoch ms): "Mon 30"."""
        when = self.local(at)
        return f"{when:%a} {when.day}"

    def days(self, now: int, count: int) -> list[tuple[int, int]]:
        """The last days, the oldest first: when each began, and when the next did (epoch ms); the last ends now."""
        end, spans = now + 1, []
        for _ in range(count):
            began = self.midnight(end - 1)
            spans.append((began, end))
            end = began
        return spans[::-1]

    def hour(self, at: int) -> str:
        """The hour that begins at a time (epoch ms): "21:00"."""
        return f"{self.local(at):%H:%M}"

    def since(self, at: int, now: int, agency: str = "") -> str:
        """Format a start: "since 14:03 MST", "since Tuesday", "since June 3", "since June 3, 2025"."""
        when, today = self.local(at, agency), self.local(now, agency)
        days = (today.date() - when.date()).days
        if days == 0:
            return f"since {when:%H:%M} {name_of(when)}"
        if 0 < days < 7:
            return f"since {when:%A}"
        return f"since {when:%B} {when.day}" + ("" if when.year == today.year else f", {when.year}")

    def midnight(self, now: int, agency: str = "") -> int:
        """When the agency's day began (epoch ms). now: epoch ms."""
        day = self.local(now, agency).replace(hour=0, minute=0, second=0, microsecond=0)
        return int((day - _EPOCH) / timedelta(milliseconds=1))

    def read(self, text: str, agency: str = "") -> int:
        """Read a form's time, taken as the agency's, as epoch ms; 0 for none."""
        try:
            when = datetime.fromisoformat(text)
        except ValueError:
            return 0
        when = when.replace(tzinfo=when.tzinfo or self.zone(agency))
        return max(0, int((when - _EPOCH) / timedelta(milliseconds=1)))

    def opt_out_words(self, opt_out: OptOut) -> str:
        """Say where an opt-out of an event is, or why it is not in the CRM."""
        return words.opt_out_words(opt_out, lambda at: self.text(at, opt_out.destination))


def name_of(when: datetime) -> str:
    """Name a time's zone; one without a name by its distance: "UTC-03"."""
    name = when.tzname() or "UTC"
    return f"UTC{name}" if name[0] in _NUMBERS else name


def _element(at: int | None, text: str) -> Markup:
    if at is None:
        return Markup("&ndash;")
    return Markup('<time datetime="{}">{}</time>').format(words.iso(at), text)


def _now() -> int:
    """When this page is shown, if the database has said so (epoch ms)."""
    return int(g.get("now", 0)) if has_request_context() else 0
