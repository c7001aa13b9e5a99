"""The page Now: one sentence, what needs a person, the lanes, the day and the week."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from flask import Response, current_app, g, url_for

from connector.insight.accounts import Account
from connector.insight.facts import Facts
from connector.insight.headline import headline
from connector.insight.needs import Fix, Need, Page, needs
from connector.insight.now import Reader
from connector.insight.unserved import works
from connector.store import Store
from connector.store.figures import HOUR
from connector.web import words
from connector.web.chart import Chart, chart, draw
from connector.web.gate import Gate
from connector.web.rights import Right
from connector.web.times import Times

_DAYS: Final = 7
_CONSENT: Final = "console.consent"
_Figures = dict[tuple[int, int, frozenset[str]], tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Way:
    """Where the button of an entry leads; or the command that helps."""

    label: str
    href: str = ""
    command: str = ""


@dataclass(frozen=True, slots=True)
class Now:
    """The first page. past: the figures of days that are over, which change no more."""

    store: Store
    gate: Gate
    accounts: Sequence[Account] = ()
    past: _Figures = field(default_factory=dict)

    def overview(self) -> Response:
        """Show how things are."""
        times, now = Times.of(self.accounts), self.store.database.time()
        facts = Reader(self.store, self.accounts, partial(times.midnight, now), g.session.sees, times.text).gather()
        listed = needs(facts)
        names = {lane.destination for lane in facts.lanes}
        usage = {row.destination: row for row in self.store.usage.all()}
        return self.gate.show(
            "now",
            facts=facts,
            now=now,
            headline=headline(facts, listed),
            entries=[(need, way(need)) for need in listed],
            to_do=len(listed),
            paces=self.store.figures.paces(),
            works=works(facts.processes),
            calls={name: usage.get(name) for name in sorted(names)},
            mappings=[own for seen in facts.seen.values() for own in seen.mappings],
            midnights={agency: times.midnight(now, agency) for agency in facts.today},
            starts=_starts(facts, times, now),
            hours=chart(self.store.figures.hours(now - now % HOUR - 23 * HOUR, names), now, times.hour),
            week=self._week(facts, times, names),
            states=words.STATES,
        )

    def _week(self, facts: Facts, times: Times, names: set[str]) -> Chart:
        figures = []
        for since, until in times.days(facts.now, _DAYS):
            key = (since, until, frozenset(names))
            counted = self.past.get(key) or self.store.figures.between(since, until, names)
            if until <= facts.now:
                self.past[key] = counted
            figures.append((since, *counted))
        return draw(figures, times.day)


def _starts(facts: Facts, times: Times, now: int) -> dict[str, str]:
    """When each agency's day began, as a search for events is given it; that of all of them if they have one zone."""
    starts = {name: f"{times.local(times.midnight(now, name), name):%Y-%m-%dT%H:%M}" for name in facts.today}
    if g.session.agencies is None and len({times.zone(name) for name in facts.today}) == 1:
        starts["all"] = next(iter(starts.values()))
    return starts


def way(need: Need) -> Way:
    """Find the page of a fix, as far as it exists and this person may use it."""
    fix = need.fix
    if fix.page is None or (fix.page is Page.CONSENT and _CONSENT not in current_app.view_functions):
        return Way(fix.label, "", fix.command)
    if fix.page is Page.LANE and not g.session.may(Right.OPERATE):
        return Way("See its lane", "#lanes")
    endpoint, values = _place(fix)
    return Way(fix.label, url_for(endpoint, **values))


def _place(fix: Fix) -> tuple[str, dict[str, Any]]:
    match fix.page:
        case Page.CAUSE:
            return "console.cause", {"id": fix.about}
        case Page.LANE:
            return "console.confirm_lane", {"action": "resume", "lane": fix.about}
        case Page.MAPPING:
            return "console.try_form", {"destination": fix.about}
        case Page.IDENTITY:
            return "console.identity", {}
        case Page.COMPLETE:
            return "console.complete", {}
        case Page.CONSENT:
            return _CONSENT, {}
        case _:
            return "console.problems", {"_anchor": fix.about} if fix.about else {}
