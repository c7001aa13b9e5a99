"""Reload edited mappings without a restart: a changed file is compiled, checked, and swapped in as a whole.

Where the CRM can be asked, a mapping is also checked against the CRM's own schema, from time to time even unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from connector import telemetry
from connector.delivery.route import Route, Running
from connector.errors import DestinationUnusable, PauseReason
from connector.mapping import Loaded, render
from connector.mapping.target import TargetSchema
from connector.store import Store

ASK_EVERY: Final = 6 * 3600.0
ASK_AGAIN: Final = 60.0
"""Seconds until the CRM is asked for its schema again: after it answered, and after it could not."""

Print = tuple[tuple[str, int, int], ...]
"""The state of some files: name, size and modification time of each."""


@dataclass(slots=True)
class Watched:
    """One destination's running mapping, how to load its file again, and the state it was last loaded from.

    cleared: the version that, by the CRM's own schema, sends health information to sensitive properties only.
    """

    route: Route
    load: Callable[[TargetSchema | None], Loaded]
    seen: Print
    ask_at: float = 0.0
    problem: str = ""
    cleared: str = ""

    def refresh(self, store: Store, now: float) -> None:
        """Put an edited mapping in place; refuse a broken one, loudly and once, and go on with the last good one.

        now: seconds of a clock that only goes forward.
        """
        before = fingerprint(Path(name) for name, _, _ in self.seen)
        if before == self.seen and now < self.ask_at:
            return
        plain = self.load(None)
        schema = self._schema(plain, now)
        loaded = self.load(schema) if schema else plain
        self.seen = _seen(before, fingerprint(loaded.files))
        ran, problem = self.route.running, self._problem(loaded)
        self.route.running = self._chosen(ran, plain, loaded, refused=bool(problem), checked=schema is not None)
        self._report(store, problem, ran.mapping.version)
        if self.route.running.barred:
            self.ask_at = now + ASK_AGAIN

    def _chosen(self, ran: Running, plain: Loaded, loaded: Loaded, *, refused: bool, checked: bool) -> Running:
        """The mapping to run from now on, with its own bar: that of an edit that was refused is not about it."""
        mapping = ran.mapping if refused or loaded.mapping is None else loaded.mapping
        bar = self._bar(plain, loaded, checked=checked)
        judged = loaded.mapping or plain.mapping
        return Running(mapping, bar if judged is not None and judged.version == mapping.version else ran.barred)

    def _schema(self, plain: Loaded, now: float) -> TargetSchema | None:
        """Ask for the CRM's own schema; None when the CRM cannot be reached or no mapping is there to check."""
        self.ask_at = now + ASK_AGAIN
        if plain.mapping is None:
            return None
        try:
            schema = self.route.destination.describe(plain.mapping.objects)
        except DestinationUnusable:
            return None
        self.ask_at = now + ASK_EVERY
        return schema

    def _bar(self, plain: Loaded, loaded: Loaded, *, checked: bool) -> DestinationUnusable | None:
        """Return why the mapping must send nothing: health information might go to fields not marked sensitive."""
        version = plain.mapping.version if plain.mapping else ""
        if checked and exposing(loaded):
            return _refused(loaded, exposing(loaded))
        if checked and loaded.mapping:
            self.cleared = version
        if not exposing(plain) or version == self.cleared:
            return None
        return self.route.running.barred or UNCHECKED

    def _report(self, store: Store, problem: str, before: str) -> None:
        """Record a mapping that was refused, or that runs from now on. before: the version that ran until now."""
        version = self.route.mapping.version
        if problem:
            if problem != self.problem:
                store.mappings.refused(self.route.name, problem)
                telemetry.mapping_refused(self.route.name, problem)
        elif self.problem or version != before:
            store.mappings.running(self.route.name, version)
            telemetry.mapping_changed(self.route.name, version)
        self.problem = problem

    def _problem(self, loaded: Loaded) -> str:
        if loaded.mapping is None:
            return render(loaded.diagnostics, loaded.texts)
        current, edited = self.route.mapping.crm, loaded.mapping.crm
        if current == edited:
            return ""
        return f"crm: {edited.name}: this destination is {current.title}'s, a restart is needed"


def exposing(loaded: Loaded) -> list[str]:
    """The mapping's findings about health information sent to a property not marked sensitive."""
    return [f"{finding.message} ({finding.hint})" for finding in loaded.diagnostics if finding.code == "M210"]


def _refused(loaded: Loaded, exposed: list[str]) -> DestinationUnusable:
    return DestinationUnusable(loaded.files[0].name, PauseReason.SENSITIVE, "; ".join(exposed), retry_after=ASK_AGAIN)


UNCHECKED: Final = DestinationUnusable(
    "the mapping",
    PauseReason.SENSITIVE,
    "sends health information to fields the CRM has not yet confirmed as sensitive",
    retry_after=2.0,
)


def _seen(before: Print, after: Print) -> Print:
    """The state that was loaded. Where the files are the same it is the state before: a later edit is then noticed."""
    return before if [name for name, _, _ in before] == [name for name, _, _ in after] else after


def fingerprint(files: Iterable[Path]) -> Print:
    """Return the current state of files; a missing file counts as empty."""
    return tuple((str(path), *_state(path)) for path in files)


def _state(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return (0, 0)
    return (status.st_size, status.st_mtime_ns)
