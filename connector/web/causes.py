"""The Problems pages: every cause of dead letters, one cause, and its replay or discard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import filterfalse
from typing import Any, Final, TypeVar

from flask import Response, g, make_response, request
from werkzeug.wrappers import Response as AnyResponse

from connector.backoff import DAY
from connector.errors import FixConfiguration
from connector.insight.accounts import Account, named
from connector.insight.cells import line
from connector.insight.left_out import LeftOut, find_left_out
from connector.insight.lowered import Lowered, find_lowered
from connector.insight.now import agency_of
from connector.insight.oddities import in_order, what_comes, what_to_do
from connector.insight.problems import Cause, ReplayPreview, cause_of, find_causes, preview_replay
from connector.settlement.listings import LaneStatus
from connector.store import Store
from connector.store.desk import Filter
from connector.store.handling import Replay
from connector.store.letters import Affected
from connector.web import words
from connector.web.gate import Gate
from connector.web.pages import expiring, given_reason

MOST: Final = 100_000
"""How many people are exported at most."""
Row = TypeVar("Row", Cause, Replay, Lowered, LeftOut, LaneStatus)
_SHOWN: Final = 20
_CHANGED: Final = "Nothing was changed: the number of dead letters with that cause has changed. Check again."
_DAYS: Final = ("1", "3", "7", "30")


@dataclass(frozen=True, slots=True)
class Causes:
    """The pages that show dead letters by cause, and what careCycle sends that is not as documented."""

    store: Store
    gate: Gate
    accounts: Sequence[Account]

    def problems(self) -> Response:
        """List every cause: those that hold opt-outs, then by people; muted ones apart."""
        causes = _seen(find_causes(self.store, self.accounts))
        oddities = [own for own in in_order(self.store.oddities.all()) if g.session.sees(own.agency)]
        return self._show(
            "problems",
            causes=list(filter(is_open, causes)),
            muted=list(filterfalse(is_open, causes)),
            replays=_seen(self.store.handling.replays()),
            lowered=_seen(find_lowered(self.store, self.accounts)),
            left_out=_seen(find_left_out(self.store, self.accounts)),
            oddities=[(oddity, what_comes(oddity), what_to_do(oddity)) for oddity in oddities],
            paused=[lane for lane in _seen(self.store.desk.lanes()) if lane.paused],
            **expiring(self.store),
        )

    def cause(self, id: str) -> AnyResponse:
        """Show one cause: what it is, what to do, whom it affects, and what came of its replays."""
        cause, replays = self._cause(id), self.store.handling.replays(id) if id.isalnum() else []
        if cause is None and replays and g.session.sees(agency_of(replays[0].destination)):
            return self._show("cause_over", replays=replays)
        if cause is None:
            return self._nothing_dead()
        people = self.store.letters.people(cause.destination, cause.key, _SHOWN)
        return self._show("cause", cause=cause, people=people, replays=replays, preview=self._preview(cause))

    def export_people(self, id: str) -> AnyResponse:
        """Export everybody whom a cause affects as CSV. It is written down."""
        cause = self._cause(id)
        if cause is None:
            return self._nothing_dead()
        people = self.store.letters.people(cause.destination, cause.key, MOST)
        exported = f"{cause.destination} {cause.code}: {len(people)} customers"
        self.store.audit.note(g.session.actor, "export people", exported, agency=agency_of(cause.destination))
        answer = make_response(as_csv(people))
        answer.headers["Content-Type"] = "text/csv; charset=utf-8"
        answer.headers["Content-Disposition"] = f'attachment; filename="people-{cause.id}.csv"'
        return answer

    def confirm(self, id: str, action: str) -> AnyResponse:
        """Ask before the dead letters of one cause are replayed or discarded."""
        cause = self._cause(id)
        if cause is None or not cause.code:
            return self._nothing_dead()
        preview = self._preview(cause) if action == "replay" else None
        return self._show("confirm_cause", action=action, cause=cause, preview=preview)

    def turn(self, id: str, action: str) -> AnyResponse:
        """Replay or discard every dead letter of one cause, if they are still the ones the operator saw."""
        cause, seen = self._cause(id), request.form.get("seen", "")
        if cause is None or not cause.code:
            return self._nothing_dead()
        if seen != cause.seen:
            return self.gate.back("console.problems", _CHANGED)
        if action == "replay":
            return self._replayed(cause, cause.chosen)
        count = self.store.desk.discard(cause.chosen, g.session.actor, given_reason())
        done = f"{words.counted(count, 'delivery', 'deliveries')} discarded: kept on record as skipped."
        return self.gate.back("console.problems", done)

    def replay_one(self, id: str) -> AnyResponse:
        """Replay the newest dead letter of a cause, to see what comes of it before the rest is replayed."""
        cause = self._cause(id)
        if cause is None or not cause.code:
            return self._nothing_dead()
        if request.form.get("seen", "") != cause.seen:
            return self.gate.back("console.cause", _CHANGED, id=id)
        newest = self.store.desk.deliveries(cause.chosen, 1)
        if not newest:
            return self._nothing_dead()
        return self._replayed(cause, replace(cause.chosen, message_id=newest[0].message_id))

    def mute(self, id: str) -> AnyResponse:
        """Keep who looks after a cause, until when and why; or forget it."""
        cause, days = self._cause(id), request.form.get("days", "")
        if cause is None:
            return self._nothing_dead()
        if days not in _DAYS:
            self.store.handling.unmute(cause.named, g.session.actor)
            return self.gate.back("console.cause", "The problem is no longer muted.", id=id)
        until = self.store.database.time() + int(days) * DAY
        try:
            self.store.handling.mute(cause.named, cause.count, until, g.session.actor, given_reason())
        except FixConfiguration:
            return self.gate.back("console.cause", "Nothing was changed: enter a reason.", id=id)
        return self.gate.back("console.cause", "The problem is muted.", id=id)

    def _replayed(self, cause: Cause, chosen: Filter) -> AnyResponse:
        count = self.store.handling.replay(cause.named, chosen, g.session.actor, given_reason())
        if not count:
            purged = "Nothing was changed: the content of these events has been purged."
            return self.gate.back("console.cause", purged, id=cause.id)
        done = f"{words.counted(count, 'delivery', 'deliveries')} replayed: waiting to be written."
        return self.gate.back("console.cause", f"{done} The result appears below.", id=cause.id)

    def _preview(self, cause: Cause) -> ReplayPreview | None:
        account = named(self.accounts, cause.destination)
        return preview_replay(self.store, account, cause) if account else None

    def _cause(self, id: str) -> Cause | None:
        cause = cause_of(find_causes(self.store, self.accounts), id)
        return cause if cause and g.session.sees(agency_of(cause.destination)) else None

    def _nothing_dead(self) -> AnyResponse:
        return self.gate.back("console.problems", "Nothing was changed: no dead letters with that cause are left.")

    def _show(self, page: str, **values: Any) -> Response:
        return self.gate.show(page, now=self.store.database.time(), **values)


def is_open(cause: Cause) -> bool:
    """Whether somebody has to look: a muted cause that holds opt-outs is never hidden."""
    return cause.muted is None or cause.opt_outs > 0


def _seen(rows: Sequence[Row]) -> list[Row]:
    """Those that this session may see."""
    return [row for row in rows if g.session.sees(agency_of(row.destination))]


def as_csv(people: Sequence[Affected]) -> str:
    """Write whom a cause affects as CSV: ids and times, no values."""
    lines = [line(["customer_id", "dead_letters", "since", "until", "newest_message_id", "opt_outs_not_in_crm"])]
    for person in people:
        times = (words.iso(person.since), words.iso(person.until))
        lines.append(line([person.customer_id, person.count, *times, person.message_id, " ".join(person.opt_outs)]))
    return "".join(lines)
