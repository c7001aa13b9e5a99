"""The read-only pages: overview, events, one event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from flask import Response, g, request

from connector.carecycle import catalogue
from connector.insight.accounts import Account
from connector.insight.oddities import what_came
from connector.insight.overview import agencies_of, overview
from connector.insight.story import Story, story, story_revealed
from connector.store import Store
from connector.store.agencies import NOTICE_DAYS
from connector.store.desk import PAGE, Filter
from connector.store.figures import HOUR
from connector.web import words
from connector.web.chart import chart
from connector.web.gate import WHO, Gate

_SEARCHED: Final = ("customer_id", "message_id", "type", "state", "destination", "code", "left_out")


def asked(name: str) -> str:
    """A query parameter, without NUL, which PostgreSQL's text cannot hold."""
    return request.args.get(name, "").replace("\0", "").strip()


@dataclass(frozen=True, slots=True)
class Pages:
    """The overview and the pages of events."""

    store: Store
    gate: Gate
    accounts: Sequence[Account] = ()

    def overview(self) -> Response:
        """Show today's figures, what is waiting, and the lanes."""
        now = self.store.database.time()
        return self.gate.show(
            "overview",
            view=overview(self.store, now),
            chart=chart(self.store.figures.hours(now - now % HOUR - 23 * HOUR), now),
            states=words.STATES,
            **expiring(self.store),
        )

    def events(self) -> Response:
        """Show the deliveries that match the search, newest first."""
        wanted, searched = _search()
        deliveries = self.store.desk.deliveries(wanted, PAGE + 1)
        lanes = self.store.desk.lanes()
        used = {name: value for name, value in searched.items() if value}
        return self.gate.show(
            "events",
            deliveries=deliveries[:PAGE],
            older={**used, "before": deliveries[PAGE - 1].id} if len(deliveries) > PAGE else None,
            newest=used if wanted.before else None,
            searched=searched,
            used=used,
            types=catalogue.EVENTS,
            states=words.STATES,
            destinations=sorted({lane.destination for lane in lanes}),
            agencies=agencies_of(lanes),
        )

    def event(self, message_id: str) -> Response:
        """Show one event's story, with links to its CRM records."""
        return self._event(message_id, None if "\0" in message_id else story(self.store, message_id))

    def reveal(self, message_id: str) -> Response:
        """Show one event's story with its values, only in answer to a form: no URL contains the reason or a value."""
        reason, who = request.form.get("reason", ""), f"{WHO}:{request.remote_addr}"
        masked = None if "\0" in message_id else story(self.store, message_id)
        if masked is None or not reason.strip():
            return self._event(message_id, masked, "Enter a reason first." if masked else "")
        return self._event(message_id, story_revealed(self.store, message_id, who, reason), revealed=True)

    def _event(self, message_id: str, shown: Story | None, problem: str = "", *, revealed: bool = False) -> Response:
        if shown is None:
            return self.gate.show("unknown_event", 404, message_id=message_id)
        first, links = shown.deliveries[0], {account.name: account.link for account in self.accounts}
        return self.gate.show(
            "event",
            400 if problem else 200,
            states=words.STATES,
            story=shown,
            odd=[what_came(field) for field in shown.odd],
            first=first,
            links=links,
            payload=words.by_privacy(shown.payload),
            undecrypted=shown.undecrypted,
            revealable=g.session.acts and self.store.reveal.allowed(first.agency) and not revealed,
            revealed=revealed,
            problem=problem,
        )


def _search() -> tuple[Filter, dict[str, str]]:
    """The filter in the page's address, and the text to show again in each field of the search form."""
    fields: dict[str, Any] = {name: asked(name) for name in _SEARCHED}
    times: dict[str, Any] = {name: words.moment_of(asked(name)) for name in ("since", "until")}
    before = asked("before")
    wanted = Filter(**fields, **times, before=int(before) if before.isdecimal() and len(before) < 19 else 0)
    return wanted, fields | {name: asked(name) if at else "" for name, at in times.items()}


def expiring(store: Store) -> dict[str, Any]:
    """The figures of the notice about dead letters that will soon be discarded."""
    return {"expiring": sum(store.agencies.expiring().values()), "notice_days": NOTICE_DAYS}
