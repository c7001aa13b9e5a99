"""The Problems pages: every cause of dead letters, one cause, and its replay or discard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from flask import Response, request
from werkzeug.wrappers import Response as AnyResponse

from connector.insight.accounts import Account, named
from connector.insight.left_out import find_left_out
from connector.insight.oddities import in_order, what_comes, what_to_do
from connector.insight.problems import Cause, ReplayPreview, cause_of, find_causes, preview_replay
from connector.store import Store
from connector.web import words
from connector.web.gate import WHO, Gate
from connector.web.pages import expiring


@dataclass(frozen=True, slots=True)
class Causes:
    """The pages that show dead letters by cause, and what careCycle sends that is not as documented."""

    store: Store
    gate: Gate
    accounts: Sequence[Account]

    def problems(self) -> Response:
        """List every cause, the largest first."""
        paused = [lane for lane in self.store.desk.lanes() if lane.paused]
        causes = find_causes(self.store, self.accounts)
        oddities = [(oddity, what_comes(oddity), what_to_do(oddity)) for oddity in in_order(self.store.oddities.all())]
        listed = {"causes": causes, "left_out": find_left_out(self.store, self.accounts), "oddities": oddities}
        return self._show("problems", **listed, paused=paused, **expiring(self.store))

    def cause(self, id: str) -> AnyResponse:
        """Show one cause: what it is, what to do, which customers it affects."""
        cause = self._cause(id)
        if cause is None:
            return self._nothing_dead()
        newest = self.store.desk.deliveries(cause.chosen, 10)
        return self._show("cause", cause=cause, newest=newest, preview=self._preview(cause))

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
            changed = "Nothing was changed: the number of dead letters with that cause has changed. Check again."
            return self.gate.back("console.problems", changed)
        desk, chosen = self.store.desk, replace(cause.chosen, before=cause.newest + 1)
        count = desk.replay(chosen, WHO) if action == "replay" else desk.discard(chosen, WHO)
        done = "replayed: waiting to be written" if action == "replay" else "discarded: kept on record as skipped"
        return self.gate.back("console.problems", f"{words.counted(count, 'delivery', 'deliveries')} {done}.")

    def _preview(self, cause: Cause) -> ReplayPreview | None:
        account = named(self.accounts, cause.destination)
        return preview_replay(self.store, account, cause) if account else None

    def _cause(self, id: str) -> Cause | None:
        return cause_of(find_causes(self.store, self.accounts), id)

    def _nothing_dead(self) -> AnyResponse:
        return self.gate.back("console.problems", "Nothing was changed: no dead letters with that cause are left.")

    def _show(self, page: str, **values: Any) -> Response:
        return self.gate.show(page, now=self.store.database.time(), **values)
