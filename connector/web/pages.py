"""The pages that are read: overview, events, one event."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from flask import Response, g, request

from connector import catalogue
from connector.accounts import Account
from connector.backoff import DAY
from connector.operate import consent_standing, story, story_revealed
from connector.store import Store
from connector.store.agencies import NOTICE_DAYS
from connector.store.desk import PAGE, Filter
from connector.store.figures import HOUR
from connector.web import words
from connector.web.chart import chart
from connector.web.gate import WHO, Gate

_SEARCHED: Final = ("customer_id", "message_id", "type", "state", "destination", "code")
_LATE_MS: Final = 5 * 60 * 1000
"""An opt-out that waits longer than this is pointed out."""


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
        desk, now = self.store.desk, int(self.clock() * 1000)
        midnight = now - now % DAY
        figures, lanes = self.store.figures, desk.lanes()
        consent = consent_standing(self.store)
        oldest = max((one["oldest_ms"] for one in consent), default=0)
        return self.gate.show(
            "overview",
            midnight=midnight,
            now=now,
            came_today=figures.events_since(midnight),
            chart=chart(figures.hours(now - now % HOUR - 23 * HOUR), now),
            paces=figures.paces(),
            silence=figures.silence(),
            today=desk.states(midnight),
            states=words.STATES,
            waiting=desk.waiting(),
            dead=sum(group["count"] for group in desk.dead()),
            opt_outs=sum(one["waiting"] + one["dead"] for one in consent),
            consent=consent,
            oldest_opt_out=oldest,
            late=oldest > _LATE_MS,
            lanes=lanes,
            mappings=self.store.mappings.all(),
            calls=self._calls(lanes),
            agencies=_agencies(lanes),
            **expiring(self.store),
        )

    def _calls(self, lanes: Iterable[Mapping[str, Any]]) -> list[tuple[str, Mapping[str, Any]]]:
        """Each destination's API calls of the day, as the CRM last told them; empty where it never did."""
        told = {one["destination"]: one for one in self.store.usage.all()}
        return [(name, told.get(name, {})) for name in sorted({lane["destination"] for lane in lanes})]

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
            agencies=_agencies(lanes),
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


def _agencies(lanes: Iterable[Mapping[str, Any]]) -> list[str]:
    return sorted({lane["destination"].partition("/")[0] for lane in lanes})
