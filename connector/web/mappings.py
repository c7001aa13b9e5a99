"""The Mapping pages: the running mappings with their checks, and edits tried in memory, never saved."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from threading import Lock
from typing import Any, Final

from flask import Response, abort, request

from connector.carecycle import catalogue
from connector.errors import FixConfiguration
from connector.insight.accounts import Account, named
from connector.insight.comparison import Comparison
from connector.insight.tryout import Tried, masked, sample, try_mapping
from connector.mapping import Mapping, run_examples
from connector.mapping.target import TargetSchema
from connector.settlement.listings import MappingStatus
from connector.store import Store
from connector.store.desk import Filter
from connector.web.gate import Gate
from connector.web.pages import asked

LAST: Final = 200
"""How many stored events, the newest, an edited mapping is compared over."""
_LOCK_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Mappings:
    """The pages that show mappings and try edits. trying: lets one edit be tried at a time, for all users."""

    store: Store
    gate: Gate
    accounts: Sequence[Account]
    trying: Lock = field(default_factory=Lock)

    def mappings(self) -> Response:
        """Show every destination's mapping: the running version, the file's version, its checks and tests."""
        running = {row.destination: row for row in self.store.mappings.all()}
        shown = [self._mapping(account, running.get(account.name)) for account in self.accounts]
        others = [name for name in running if not named(self.accounts, name)]
        return self.gate.show("mapping", mappings=shown, others=others)

    def _mapping(self, account: Account, running: MappingStatus | None) -> dict[str, Any]:
        loaded = account.read(_schema(account))
        tests = run_examples(loaded.mapping, timezone=account.timezone) if loaded.mapping else []
        return {
            "account": account,
            "running": running,
            "loaded": loaded,
            "file": PurePath(next(iter(loaded.texts), "")).name,
            "tests": tests,
            "passed": sum(test.ok for test in tests),
        }

    def try_form(self) -> Response:
        """Show the three panes: an event, the mapping's text, and the result."""
        account = self._account(asked("destination"))
        event_text = json.dumps(self._chosen(asked("event")), indent=2, ensure_ascii=False)
        return self._panes(account, event_text, self._written(account), posted=False)

    def try_mapping(self) -> Response:
        """Show the same for edited text; an htmx request gets the third pane only."""
        account = self._account(request.form.get("destination", ""))
        return self._panes(account, request.form.get("event", ""), request.form.get("mapping", ""), posted=True)

    def compare(self) -> Response:
        """Show what the edited mapping would change over the newest stored events, without values."""
        account = self._account(request.form.get("destination", ""))
        text = request.form.get("mapping", "")
        tried = self._tried(account, text, "{}")
        edited = tried.loaded.mapping if tried.loaded else None
        comparison = self._compared(account, edited) if edited else None
        return self.gate.show("compare", account=account, tried=tried, comparison=comparison, last=LAST)

    def _compared(self, account: Account, edited: Mapping) -> Any:
        mapping = account.mapping
        route = account.route(mapping) if mapping and mapping.crm == edited.crm else None
        if route is None:
            return None
        comparison = Comparison(self.store, route, edited, LAST)
        with self.trying:
            for _ in comparison:
                continue
        return comparison.as_data()

    def _panes(self, account: Account, event_text: str, text: str, *, posted: bool) -> Response:
        tried = self._tried(account, text, event_text)
        page = "tried" if posted and request.headers.get("HX-Request") else "try"
        newest = self.store.desk.deliveries(Filter(destination=account.name), 10)
        return self.gate.show(
            page, account=account, event_text=event_text, text=text, tried=tried, types=catalogue.EVENTS, newest=newest
        )

    def _tried(self, account: Account, text: str, event_text: str) -> Tried:
        if not self.trying.acquire(timeout=_LOCK_SECONDS):
            abort(503)
        try:
            return try_mapping(text, event_text, timezone=account.timezone, schema=_schema(account))
        finally:
            self.trying.release()

    def _account(self, name: str) -> Account:
        account = named(self.accounts, name) if name else next(iter(self.accounts), None)
        if account is None:
            abort(404)
        return account

    def _chosen(self, name: str) -> dict[str, Any]:
        """A sample by its type, or a stored event by its message id, masked."""
        if name in catalogue.EVENTS or not name:
            return sample(name or catalogue.EVENTS[0])
        story = self.store.desk.story(name)
        payload = self.store.desk.payload(name) if story else {}
        if not payload or story[0].type not in catalogue.EVENTS:
            abort(404)
        return masked(payload, story[0].type)

    def _written(self, account: Account) -> str:
        """The text of the mapping's own file, without the mapping it extends."""
        return next(iter(account.loaded().texts.values()), "")


def _schema(account: Account) -> TargetSchema | None:
    try:
        return account.schema()
    except FixConfiguration:
        return None  # the mapping's own checks are useful without it
