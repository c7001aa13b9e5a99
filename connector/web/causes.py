"""The pages of problems: every cause of dead letters, one cause, and its replay or discard."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from flask import Response, request
from werkzeug.wrappers import Response as AnyResponse

from connector.insight.accounts import Account, named
from connector.insight.problems import Cause, Foretold, cause_of, find_causes, foretell
from connector.store import Store
from connector.web import words
from connector.web.gate import WHO, Gate
from connector.web.pages import expiring


@dataclass(frozen=True, slots=True)
class Causes:
    """Dead letters by cause, as pages."""

    store: Store
    gate: Gate
    accounts: Sequence[Account]
    clock: Callable[[], float]

    def problems(self) -> Response:
        """Every cause, the most first."""
        paused = [lane for lane in self.store.desk.lanes() if lane["paused"]]
        causes = find_causes(self.store, self.accounts)
        return self._show("problems", causes=causes, paused=paused, **expiring(self.store))

    def cause(self, id: str) -> AnyResponse:
        """One cause: what it is, what to do, whom it is about."""
        cause = self._cause(id)
        if cause is None:
            return self._nothing_dead()
        newest = self.store.desk.deliveries(cause.chosen, 10)
        return self._show("cause", cause=cause, newest=newest, foretold=self._foretold(cause))

    def confirm(self, id: str, action: str) -> AnyResponse:
        """Ask before the dead letters of one cause are replayed or discarded."""
        cause = self._cause(id)
        if cause is None or not cause.code:
            return self._nothing_dead()
        foretold = self._foretold(cause) if action == "replay" else None
        return self._show("confirm_cause", action=action, cause=cause, foretold=foretold)

    def turn(self, id: str, action: str) -> AnyResponse:
        """Replay or discard every dead letter of one cause, if they are those the operator saw."""
        cause, seen = self._cause(id), request.form.get("seen", "")
        if cause is None or not cause.code:
            return self._nothing_dead()
        if seen != cause.seen:
            changed = "Nothing was changed: there are more or fewer dead letters of that cause by now. Look again."
            return self.gate.back("console.problems", changed)
        desk, chosen = self.store.desk, replace(cause.chosen, before=cause.newest + 1)
        count = desk.replay(chosen, WHO) if action == "replay" else desk.discard(chosen, WHO)
        done = "replayed: ready to be written again" if action == "replay" else "discarded: kept on record as skipped"
        return self.gate.back("console.problems", f"{words.counted(count, 'delivery', 'deliveries')} {done}.")

    def _foretold(self, cause: Cause) -> Foretold | None:
        account = named(self.accounts, cause.destination)
        return foretell(self.store, account, cause) if account else None

    def _cause(self, id: str) -> Cause | None:
        return cause_of(find_causes(self.store, self.accounts), id)

    def _nothing_dead(self) -> AnyResponse:
        return self.gate.back("console.problems", "Nothing was changed: no dead letter of that cause is left.")

    def _show(self, page: str, **values: Any) -> Response:
        return self.gate.show(page, now=int(self.clock() * 1000), **values)
