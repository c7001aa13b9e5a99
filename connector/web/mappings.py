"""The pages of mappings: what runs, with its checks; and an edited text tried in memory, saved nowhere."""

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
from connector.store import Store
from connector.store.desk import Filter
from connector.web.gate import Gate
from connector.web.pages import asked

LAST: Final = 200
"""Stored events an edited mapping is compared over, the newest."""
_PATIENCE: Final = 10.0


@dataclass(frozen=True, slots=True)
class Mappings:
    """What the console shows and tries of mappings. `one` lets one text be tried at a time, whoever asks."""

    store: Store
    gate: Gate
    accounts: Sequence[Account]
    one: Lock = field(default_factory=Lock)

    def mappings(self) -> Response:
        """Every destination's mapping: which version runs, what its file holds now, its checks and tests."""
        running = {one["destination"]: one for one in self.store.mappings.all()}
        told = [self._told(account, running.get(account.name)) for account in self.accounts]
        return self.gate.show("mapping", told=told, others=[one for one in running if not named(self.accounts, one)])

    def _told(self, account: Account, running: Any) -> dict[str, Any]:
        loaded = account.read(_schema(account))
        tests = run_examples(loaded.mapping, timezone=account.timezone) if loaded.mapping else []
        return {
            "account": account,
            "running": running,
            "loaded": loaded,
            "file": PurePath(next(iter(loaded.texts), "")).name,
            "tests": tests,
            "passed": sum(one.ok for one in tests),
        }

    def try_form(self) -> Response:
        """The three panes: an event, the mapping's text, and what it makes."""
        account = self._account(asked("destination"))
        event_text = json.dumps(self._chosen(asked("event")), indent=2, ensure_ascii=False)
        return self._panes(account, event_text, self._written(account), posted=False)

    def try_mapping(self) -> Response:
        """The same with a text edited in the form; only the third pane for a page that updates itself."""
        account = self._account(request.form.get("destination", ""))
        return self._panes(account, request.form.get("event", ""), request.form.get("mapping", ""), posted=True)

    def compare(self) -> Response:
        """What the edited text would say otherwise of the newest stored events. No value is shown."""
        account = self._account(request.form.get("destination", ""))
        text = request.form.get("mapping", "")
        tried = self._tried(account, text, "{}")
        would_be = tried.loaded.mapping if tried.loaded else None
        told = self._compared(account, would_be) if would_be else None
        return self.gate.show("compare", account=account, tried=tried, told=told, last=LAST)

    def _compared(self, account: Account, would_be: Mapping) -> Any:
        mapping = account.mapping
        route = account.route(mapping) if mapping and mapping.crm == would_be.crm else None
        if route is None:
            return None
        comparison = Comparison(self.store, route, would_be, LAST)
        with self.one:
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
        if not self.one.acquire(timeout=_PATIENCE):
            abort(503)
        try:
            return try_mapping(text, event_text, timezone=account.timezone, schema=_schema(account))
        finally:
            self.one.release()

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
        if not payload or story[0]["type"] not in catalogue.EVENTS:
            abort(404)
        return masked(payload, story[0]["type"])

    def _written(self, account: Account) -> str:
        """The text of the mapping's own file, not of what it extends."""
        return next(iter(account.loaded().texts.values()), "")


def _schema(account: Account) -> TargetSchema | None:
    try:
        return account.schema()
    except FixConfiguration:
        return None  # the mapping's own checks are worth having without it
