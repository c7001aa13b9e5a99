"""The Events page: one line for each event, its totals, and what is done with the lines that were chosen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from flask import Response, abort, g, request
from werkzeug.wrappers import Response as AnyResponse

from connector.carecycle import catalogue
from connector.insight.accounts import Account
from connector.insight.overview import agencies_of
from connector.settlement import DeliveryState
from connector.store import Store
from connector.store.desk import PAGE, REPLAYABLE, Filter
from connector.store.event_lists import EventLine, EventPage, Totals
from connector.web import words
from connector.web.gate import Gate
from connector.web.pages import asked, given_reason
from connector.web.times import Times

_TEXTS: Final = ("customer_id", "message_id", "type", "state", "destination", "code", "left_out", "agency")
_YES: Final = "yes"
_SHOWN: Final = 60


@dataclass(frozen=True, slots=True)
class Search:
    """What a page of events was asked for. fields: as text. wrong: the values that nothing can have, each in words."""

    wanted: Filter
    fields: dict[str, str]
    wrong: tuple[str, ...]

    @property
    def used(self) -> dict[str, str]:
        """The fields that narrow the search."""
        return {name: value for name, value in self.fields.items() if value}


@dataclass(frozen=True, slots=True)
class EventPages:
    """The list of events, and replaying and discarding from it."""

    store: Store
    gate: Gate
    accounts: Sequence[Account]

    def events(self) -> Response:
        """Show the events that match the search, newest first, with their totals."""
        lanes = [lane for lane in self.store.desk.lanes() if g.session.sees(lane.destination.partition("/")[0])]
        agencies = sorted({*agencies_of(lanes), *self._known_agencies()})
        destinations = sorted({lane.destination for lane in lanes})
        search = self._search(agencies, destinations)
        page, totals = self._found(search)
        zone = search.wanted.agency if search.wanted.agency in agencies else ""
        return self.gate.show(
            "events",
            lines=page.lines,
            totals=totals,
            older={**search.used, "before": page.before} if page.before else None,
            newest=search.used if search.wanted.before else None,
            searched=search.fields,
            used=search.used,
            wrong=search.wrong,
            types=catalogue.EVENTS,
            states=words.STATES,
            destinations=destinations,
            agencies=agencies,
            zone=Times.of(self.accounts).zone_name(self.store.database.time(), zone),
            in_zone=zone,
        )

    def _known_agencies(self) -> set[str]:
        return {account.agency for account in self.accounts if g.session.sees(account.agency)}

    def _found(self, search: Search) -> tuple[EventPage, Totals | None]:
        if search.wrong:
            return EventPage(()), None
        lists = self.store.event_lists
        return lists.page(search.wanted), lists.totals(search.wanted)

    def _search(self, agencies: Sequence[str], destinations: Sequence[str]) -> Search:
        fields = {name: asked(name) for name in (*_TEXTS, "opt_out", "since", "until")}
        known = {
            "type": ["", *catalogue.EVENTS],
            "state": ["", *words.STATES],
            "destination": ["", *destinations],
            "agency": ["", *agencies],
            "opt_out": ["", _YES],
        }
        wrong = [
            f"{_NAMES[name]} “{fields[name][:_SHOWN]}”" for name, values in known.items() if fields[name] not in values
        ]
        if g.session.agencies is not None and not fields["agency"]:
            fields["agency"] = next(iter(agencies), "none")  # one at a time, for who sees some alone
        times = Times.of(self.accounts)
        read = {name: times.read(fields[name], fields["agency"]) for name in ("since", "until")}
        wrong += [f"time “{fields[name][:_SHOWN]}”" for name, at in read.items() if fields[name] and not at]
        return Search(_filter(fields, read), fields, tuple(wrong))

    def confirm_events(self) -> AnyResponse:
        """Ask before the chosen events are replayed or discarded."""
        action = asked("action")
        if action not in ("replay", "discard"):
            abort(404)
        lines = self._chosen(request.args.getlist("event"))
        if not lines:
            return self.gate.back("console.events", "Nothing was changed: choose at least one event.")
        states = _states(lines)
        done = sum(count for state, count in states.items() if state in REPLAYABLE and state is not DeliveryState.DEAD)
        return self.gate.show(
            "confirm_events",
            action=action,
            lines=lines,
            dead=states[DeliveryState.DEAD],
            done=done,
            waiting=states[DeliveryState.READY],
            seen=_seen(lines),
        )

    def turn_events(self) -> AnyResponse:
        """Replay or discard the chosen events, if they are still what the operator saw."""
        form = request.form
        lines = self._chosen(form.getlist("event"))
        if form.get("action") not in ("replay", "discard"):
            abort(404)
        if not lines or form.get("seen") != _seen(lines):
            changed = "Nothing was changed: what became of these events has changed meanwhile. Check again."
            return self.gate.back("console.events", changed)
        chosen, who, reason, desk = _chosen(lines), g.session.name, given_reason(), self.store.desk
        if form["action"] == "discard":
            count, done = desk.discard(chosen, who, reason), "discarded: kept on record as skipped"
        else:
            asked_for = REPLAYABLE if form.get("also") == _YES else (DeliveryState.DEAD,)
            states = [state for state in asked_for if _states(lines)[state]]
            count = sum(desk.replay(replace(chosen, state=state), who, reason=reason) for state in states)
            done = "replayed: waiting to be written"
        only = {"message_id": lines[0].message_id} if len(lines) == 1 else {}
        return self.gate.back("console.events", f"{words.counted(count, 'delivery', 'deliveries')} {done}.", **only)

    def _chosen(self, ids: Sequence[str]) -> tuple[EventLine, ...]:
        numbers = [int(text) for text in ids[:PAGE] if text.isdecimal() and len(text) < 19]
        return tuple(line for line in self.store.event_lists.of(numbers) if g.session.sees(line.agency))


_NAMES: Final = {
    "type": "type",
    "state": "state",
    "destination": "CRM account",
    "agency": "agency",
    "opt_out": "choice of opt-outs",
}


def _filter(fields: Mapping[str, str], times: Mapping[str, int]) -> Filter:
    before = asked("before")
    return Filter(
        customer_id=fields["customer_id"],
        message_id=fields["message_id"],
        destination=fields["destination"],
        state=fields["state"],
        code=fields["code"],
        left_out=fields["left_out"],
        type=fields["type"],
        agency=fields["agency"],
        opt_out=fields["opt_out"],
        before=int(before) if before.isdecimal() and len(before) < 19 else 0,
        since=times["since"],
        until=times["until"],
    )


def _chosen(lines: Sequence[EventLine]) -> Filter:
    """Only these; of one agency, the audit log's entry is about that agency."""
    agencies = {line.agency for line in lines}
    return Filter(
        events={line.id: line.message_id for line in lines}, agency=agencies.pop() if len(agencies) == 1 else ""
    )


def _states(lines: Sequence[EventLine]) -> Counter[DeliveryState]:
    return Counter(delivery.state for line in lines for delivery in line.deliveries)


def _seen(lines: Sequence[EventLine]) -> str:
    """What tells that these events are still as they were shown."""
    return " ".join(f"{delivery.id}{delivery.state[:2]}" for line in lines for delivery in line.deliveries)
