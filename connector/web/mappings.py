"""The Mapping pages: what runs, as a table and as files, and one event tried on a text, which is never saved."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from flask import Response, abort, g, request

from connector.carecycle import catalogue
from connector.insight.accounts import Account
from connector.insight.edits import reloaded
from connector.insight.mapping_rows import origin_of, table_of
from connector.insight.tryout import Tried, masked, sample, try_mapping
from connector.mapping import Loaded, run_examples
from connector.mapping.diagnostics import Place
from connector.settlement.listings import MappingStatus
from connector.store.desk import Filter
from connector.web.pages import asked
from connector.web.workbench import LAST, Workbench


@dataclass(frozen=True, slots=True)
class Mappings:
    """The pages that show mappings and try texts."""

    bench: Workbench

    def mappings(self) -> Response:
        """List every destination's mapping: the running version, the file's version, its checks and tests."""
        running = self._running()
        shown = [self._summary(account, running.get(account.name)) for account in self.bench.shown()]
        known = {account.name for account in self.bench.accounts}
        others = [name for name in running if name not in known and g.session.sees(name.partition("/")[0])]
        return self.bench.gate.show("mappings", mappings=shown, others=others)

    def mapping(self) -> Response:
        """Show one mapping: a table of what is written, and its files with line numbers."""
        account = self.bench.account(asked("destination"))
        running = self._running().get(account.name)
        summary = self._summary(account, running)
        loaded: Loaded = summary["loaded"]
        shown = self._as_running(account, running, loaded)
        mapping = shown.mapping if shown else None
        table = table_of(shown, account.home, self.bench.schema(account, mapping)) if shown else None
        files = [(origin_of(account.home, Place(name, 1, 1)), text.splitlines()) for name, text in loaded.texts.items()]
        drafts = self.bench.store.drafts.of(account.name)
        last = next(iter(self.bench.store.versions.all(account.name)), None)
        shown_too = {"table": table, "files": files, "drafts": drafts, "last": last, "of_running": shown is not loaded}
        return self.bench.gate.show("mapping", 200, **summary, **shown_too)

    def _running(self) -> dict[str, MappingStatus]:
        return {row.destination: row for row in self.bench.store.mappings.all()}

    def _summary(self, account: Account, running: MappingStatus | None) -> dict[str, Any]:
        loaded = account.read(account.saved_schema())
        tests = run_examples(loaded.mapping) if loaded.mapping else []
        file = origin_of(account.home, Place(str(loaded.files[0]), 1, 1)) if loaded.files else None
        return {
            "account": account,
            "running": running,
            "loaded": loaded,
            "file": file,
            "tests": tests,
            "passed": sum(test.ok for test in tests),
            "place_of": lambda finding: origin_of(account.home, Place(finding.file, finding.line, 1)),
        }

    def _as_running(self, account: Account, running: MappingStatus | None, loaded: Loaded) -> Loaded | None:
        """Load what runs: the files, or where they are something else by now, what the worker kept of them."""
        version = running.version if running else ""
        if not version or account.home is None or (loaded.mapping and loaded.mapping.version == version):
            return loaded
        known = next((own for own in self.bench.store.versions.all(account.name) if own.version == version), None)
        kept = self.bench.store.versions.get(known.id) if known else None
        return reloaded(account, account.home, kept[1]) if kept and kept[1] else loaded

    def try_form(self) -> Response:
        """Show the three panes: an event, the mapping's text, and the result."""
        account = self.bench.account(asked("destination"))
        event_text = json.dumps(self._chosen(asked("event")), indent=2, ensure_ascii=False)
        return self._panes(account, event_text, self._written(account), posted=False)

    def try_mapping(self) -> Response:
        """Show the same for edited text; an htmx request gets the third pane only."""
        account = self.bench.account(request.form.get("destination", ""))
        return self._panes(account, request.form.get("event", ""), request.form.get("mapping", ""), posted=True)

    def compare(self) -> Response:
        """Show what the edited mapping would change over the newest stored events, without values."""
        account = self.bench.account(request.form.get("destination", ""))
        text, event = request.form.get("mapping", ""), request.form.get("event", "")
        tried = self._tried(account, text, "{}")
        edited = tried.loaded.mapping if tried.loaded else None
        comparison = self.bench.compared(account, edited)
        shown = {"text": text, "event_text": event, "tried": tried}
        return self.bench.gate.show("compare", 200, account=account, comparison=comparison, last=LAST, **shown)

    def _panes(self, account: Account, event_text: str, text: str, *, posted: bool) -> Response:
        tried = self._tried(account, text, event_text)
        page = "tried" if posted and request.headers.get("HX-Request") else "try"
        newest = self.bench.store.desk.deliveries(Filter(destination=account.name), 10)
        return self.bench.gate.show(
            page, account=account, event_text=event_text, text=text, tried=tried, types=catalogue.EVENTS, newest=newest
        )

    def _tried(self, account: Account, text: str, event_text: str) -> Tried:
        with self.bench.alone():
            return try_mapping(text, event_text, timezone=account.timezone, schema=account.saved_schema())

    def _chosen(self, name: str) -> dict[str, Any]:
        """A sample by its type, or a stored event by its message id, masked."""
        if name in catalogue.EVENTS or not name:
            return sample(name or catalogue.EVENTS[0])
        story = self.bench.store.desk.story(name)
        payload = self.bench.store.desk.payload(name) if story else {}
        if not payload or story[0].type not in catalogue.EVENTS:
            abort(404)
        return masked(payload, story[0].type)

    def _written(self, account: Account) -> str:
        """The text of the mapping's own file, without the mapping it extends."""
        return next(iter(account.loaded().texts.values()), "")
