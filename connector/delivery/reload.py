"""Edited mappings without a restart: a changed file is compiled beside the running one, and replaces it as a whole.

Where the CRM can be asked, a mapping is checked against the CRM's own schema too, now and then also an unchanged one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from connector import telemetry
from connector.delivery.deliver import Route, Running
from connector.errors import DestinationUnusable, PauseReason
from connector.mapping import Loaded, render
from connector.mapping.target import TargetSchema
from connector.store import Store

ASK_EVERY: Final = 6 * 3600.0
ASK_AGAIN: Final = 60.0
"""Seconds until the CRM is asked for its schema again, after it told it and after it could not."""

Print = tuple[tuple[str, int, int], ...]
"""What tells one state of some files from another: name, size and time of change of each."""


@dataclass(slots=True)
class Watched:
    """One destination's running mapping, how to load its file again, and the state it was last loaded from.

    cleared: the version that the CRM's own schema showed to send health information to sensitive properties only.
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
        after = fingerprint(loaded.files)
        # The state before loading, where the files are the same: an edit made meanwhile is then seen next time.
        self.seen = before if [one[0] for one in before] == [one[0] for one in after] else after
        was, problem = self.route.running, self._problem(loaded)
        mapping = was.mapping if problem or loaded.mapping is None else loaded.mapping
        bar = self._bar(plain, loaded, checked=schema is not None)
        checked = loaded.mapping or plain.mapping
        about_it = checked is not None and checked.version == mapping.version  # not about an edit that is refused
        self.route.running = Running(mapping, bar if about_it else was.barred)
        self._report(store, problem, was.mapping.version)
        if self.route.running.barred:
            self.ask_at = now + ASK_AGAIN

    def _schema(self, plain: Loaded, now: float) -> TargetSchema | None:
        """The CRM's own schema, where it can be had and there is a mapping to check by it."""
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
        """Why a mapping must send nothing: health information may go where nobody said it may."""
        version = plain.mapping.version if plain.mapping else ""
        if checked and exposing(loaded):
            return _refused(loaded, exposing(loaded))
        if checked and loaded.mapping:
            self.cleared = version
        if not exposing(plain) or version == self.cleared:
            return None
        return self.route.running.barred or UNCHECKED

    def _report(self, store: Store, problem: str, before: str) -> None:
        """Record a mapping that was refused, or that runs from now on. before: the version that ran."""
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
        was, would_be = self.route.mapping.crm, loaded.mapping.crm
        return (
            "" if was == would_be else f"crm: {would_be.name}: this destination is {was.title}'s, a restart is needed"
        )


def exposing(loaded: Loaded) -> list[str]:
    """What a mapping says of health information that may go to a property not marked sensitive; empty when nothing."""
    return [f"{one.message} ({one.hint})" for one in loaded.diagnostics if one.code == "M210"]


def _refused(loaded: Loaded, exposed: list[str]) -> DestinationUnusable:
    return DestinationUnusable(loaded.files[0].name, PauseReason.SENSITIVE, "; ".join(exposed), retry_after=ASK_AGAIN)


UNCHECKED: Final = DestinationUnusable(
    "the mapping",
    PauseReason.SENSITIVE,
    "sends health information to fields the CRM has not yet confirmed as sensitive",
    retry_after=2.0,
)


def fingerprint(files: Iterable[Path]) -> Print:
    """The present state of files; one that is gone counts as empty."""
    return tuple((str(path), *_state(path)) for path in files)


def _state(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return (0, 0)
    return (status.st_size, status.st_mtime_ns)
