"""The pages that are read: overview, events, one event."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from flask import Response, g, request

from connector.carecycle import catalogue
from connector.insight.accounts import Account
from connector.insight.overview import agencies_of, overview, story, story_revealed
from connector.store import Store
from connector.store.agencies import NOTICE_DAYS
from connector.store.desk import PAGE, Filter
from connector.store.figures import HOUR
from connector.web import words
from connector.web.chart import chart
from connector.web.gate import WHO, Gate

_SEARCHED: Final = ("customer_id", "message_id", "type", "state", "destination", "code")


def asked(name: str) -> str:
    """One word of the address; PostgreSQL's text holds no NUL, so neither does a search."""
    return request.args.get(name, "").replace("\0", "").strip()


@dataclass(frozen=True, slots=True)
class Pages:
    """Everything the console shows."""

    store: Store
    gate: Gate
    clock: Callable[[], float]
    accounts: Sequence[Account] = ()

    def overview(self) -> Response:
        """Today, what waits, and the lanes."""
        now = int(self.clock() * 1000)
        return self.gate.show(
            "overview",
            view=overview(self.store, now),
            chart=chart(self.store.figures.hours(now - now % HOUR - 23 * HOUR), now),
            states=words.STATES,
            **expiring(self.store),
        )

    def events(self) -> Response:
        """Deliveries, newest first, by whatever is searched for."""
        searched: dict[str, Any] = {name: asked(name) for name in _SEARCHED}
        times: dict[str, Any] = {name: words.moment_of(asked(name)) for name in ("since", "until")}
        before = asked("before")
        wanted = Filter(**searched, **times, before=int(before) if before.isdecimal() and len(before) < 19 else 0)
        found = self.store.desk.deliveries(wanted, PAGE + 1)
        lanes = self.store.desk.lanes()
        searched |= {name: asked(name) if at else "" for name, at in times.items()}
        used = {name: value for name, value in searched.items() if value}
        return self.gate.show(
            "events",
            found=found[:PAGE],
            older={**used, "before": found[PAGE - 1]["id"]} if len(found) > PAGE else None,
            newest=used if wanted.before else None,
            searched=searched,
            used=used,
            types=catalogue.EVENTS,
            states=words.STATES,
            destinations=sorted({lane["destination"] for lane in lanes}),
            agencies=agencies_of(lanes),
        )

    def event(self, message_id: str) -> Response:
        """One event's story, with links to the records it became."""
        return self._event(message_id, None if "\0" in message_id else story(self.store, message_id))

    def reveal(self, message_id: str) -> Response:
        """One event's story with every value, in answer to a form alone: nothing of it stands in an address."""
        reason, who = request.form.get("reason", ""), f"{WHO}:{request.remote_addr}"
        told = None if "\0" in message_id else story(self.store, message_id)
        if told is None or not reason.strip():
            return self._event(message_id, told, "Say why first: it is kept with the time." if told else "")
        return self._event(message_id, story_revealed(self.store, message_id, who, reason), revealed=True)

    def _event(
        self, message_id: str, told: Mapping[str, Any] | None, problem: str = "", *, revealed: bool = False
    ) -> Response:
        if told is None:
            return self.gate.show("unknown_event", 404, message_id=message_id)
        first, links = told["deliveries"][0], {one.name: one.link for one in self.accounts}
        return self.gate.show(
            "event",
            400 if problem else 200,
            states=words.STATES,
            story=told,
            first=first,
            links=links,
            payload=words.by_privacy(told["payload"]),
            revealable=g.session.acts and self.store.reveal.allowed(first["agency"]) and not revealed,
            revealed=revealed,
            problem=problem,
        )


def expiring(store: Store) -> dict[str, Any]:
    """What the partial about dead letters near their end shows."""
    return {"expiring": sum(store.agencies.expiring().values()), "notice_days": NOTICE_DAYS}
