"""Reload edited mappings without a restart: a changed file is compiled, checked, and swapped in as a whole.

A mapping is also checked against the CRM's own schema, and cuts texts to its lengths. The schema is kept in the store,
and asked for again from time to time, even for an unchanged mapping.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from threading import RLock
from typing import Final, Protocol

from connector import telemetry
from connector.delivery.route import Route, Running
from connector.delivery.schemas import ASK_AGAIN, ASK_EVERY, Schema
from connector.errors import DestinationUnusable, PauseReason
from connector.mapping import Loaded, Severity, render
from connector.mapping.target import TargetSchema
from connector.store import Store

Print = tuple[tuple[str, int, int], ...]
"""The state of some files: name, size and modification time of each."""


class Load(Protocol):
    """Loads a mapping file for a schema. checked: against it too; otherwise its lengths and types are only used."""

    def __call__(self, schema: TargetSchema | None = None, *, checked: bool = True) -> Loaded: ...


@dataclass(slots=True)
class Watched:
    """One destination's running mapping, how to load its file again, and the state it was last loaded from.

    cleared: the version that, by the CRM's own schema, sends health information to sensitive properties only.
    ask_at: when the CRM is asked for its schema again. looked_at: when it was asked because a text did not fit.
    warned: the warnings last logged.
    measure_at: when to look once more for texts that waited for their length. clock: only goes forward.
    """

    route: Route
    load: Load
    seen: Print
    store: Store
    clock: Callable[[], float] = time.monotonic
    ask_at: float = 0.0
    problem: str = ""
    warned: str = ""
    cleared: str = ""
    looked_at: float = -inf
    measure_at: float = inf
    schema: Schema = field(init=False)
    lock: RLock = field(default_factory=RLock)

    def __post_init__(self) -> None:
        self.schema = Schema(self.route, self.store, self.clock)
        self.route.describing = self

    def refresh(self) -> None:
        """Put an edited mapping in place; refuse a broken one, loudly and once, and go on with the last good one."""
        with self.lock:
            before = fingerprint(Path(name) for name, _, _ in self.seen)
            is_edited = before != self.seen
            if is_edited or self.clock() >= self.ask_at:
                self._reload(before, afresh=is_edited)
            elif self.clock() >= self.measure_at:
                self._send_measured(inf)

    def missing(self) -> DestinationUnusable | None:
        """Ask for the CRM's schema if it is not known yet; return why the account cannot be used, if it cannot."""
        if self.schema.known is not None:
            return None
        with self.lock:  # the first lane asks, the others wait for its answer
            if self.schema.known is None and self.schema.may_ask():
                self._reload(self.seen, afresh=False)
            return self.schema.missing()

    def again(self) -> TargetSchema | None:
        """Return the CRM's schema as it is now, because a text did not fit; None if it cannot be had."""
        with self.lock:
            if self.clock() >= self.looked_at + ASK_AGAIN:
                self.looked_at = self.clock()
                self._reload(self.seen, afresh=True)
            return None if self.schema.failure else self.schema.known

    def forget(self) -> None:
        """Forget the schema: the destination serves another account from now on."""
        with self.lock:
            self.schema.forget()
            self.looked_at = -inf

    def _reload(self, before: Print, *, afresh: bool) -> None:
        """Load the files again. before: their state. afresh: for the CRM's schema of now, not the one that is kept."""
        was_known, plain = self.schema.known, self.load(None)
        is_checked, loaded = self._for_schema(plain, afresh=afresh)
        if plain.mapping and loaded.mapping and plain.mapping.version != loaded.mapping.version:
            return  # it was edited in between, and its own tests have not run: the next look sees that
        self.seen = _seen(before, fingerprint(loaded.files))
        ran, problem = self.route.running, self._problem(loaded)
        self.route.running = self._chosen(ran, plain, loaded, checked=is_checked, refused=bool(problem))
        self._report(problem, ran.mapping.version)
        self._warn(plain, loaded)
        if self.route.running.barred:
            self.ask_at = self.clock() + ASK_AGAIN
        if self.schema.known is not was_known:
            self._send_measured(self.clock() + ASK_AGAIN)  # a batch that began before may still leave texts out

    def _send_measured(self, again_at: float) -> None:
        """Deliver again what left out texts whose fields' lengths were not known. again_at: when to look once more."""
        self.measure_at = again_at
        self.store.mappings.measured(self.route.name)

    def _for_schema(self, plain: Loaded, *, afresh: bool) -> tuple[bool, Loaded]:
        """Load for the CRM's schema: the kept one if it is new enough and all of it fits, otherwise the one of now.

        Also return whether the mapping was checked against it.
        """
        self.ask_at = self.clock() + ASK_AGAIN
        if plain.mapping is None:
            return False, plain
        if not afresh and (age := self.schema.recall(plain.mapping)) < ASK_EVERY:
            loaded = self.load(self.schema.known)
            if loaded.mapping is not None:
                self.ask_at = self.clock() + ASK_EVERY - age
                return True, loaded
        if (has_asked := self.schema.ask(plain.mapping)) and not self.schema.is_partial:
            self.ask_at = self.clock() + ASK_EVERY
        is_checked = has_asked or self.schema.covers(plain.mapping)
        return is_checked, self.load(self.schema.known, checked=is_checked)

    def _chosen(self, ran: Running, plain: Loaded, loaded: Loaded, *, checked: bool, refused: bool) -> Running:
        """The mapping to run from now on, with its own bar: that of an edit that was refused is not about it."""
        mapping = ran.mapping if refused or loaded.mapping is None else loaded.mapping
        if refused and plain.mapping and plain.mapping.version == mapping.version:
            # What does not fit the CRM is refused field by field; that must not keep the other texts from being cut.
            mapping = self.load(self.schema.known, checked=False).mapping or mapping
        bar = self._bar(plain, loaded, checked=checked)
        judged = loaded.mapping or plain.mapping
        return Running(mapping, bar if judged is not None and judged.version == mapping.version else ran.barred)

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

    def _report(self, problem: str, before: str) -> None:
        """Record a mapping that was refused, or that runs from now on. before: the version that ran until now."""
        version = self.route.mapping.version
        if problem:
            if problem != self.problem:
                self.store.mappings.refused(self.route.name, problem)
                telemetry.mapping_refused(self.route.name, problem)
        elif self.problem or version != before:
            self.store.mappings.running(self.route.name, version, self.route.mapping.files)
            telemetry.mapping_changed(self.route.name, version)
        self.problem = problem

    def _warn(self, plain: Loaded, loaded: Loaded) -> None:
        """Log, once, the warnings that the CRM's schema raises."""
        of_schema = set(loaded.diagnostics) - set(plain.diagnostics)
        new = [
            finding for finding in loaded.diagnostics if finding in of_schema and finding.severity is Severity.WARNING
        ]
        warnings = "\n".join(map(str, new))
        if warnings and warnings != self.warned:
            telemetry.mapping_doubtful(self.route.name, warnings)
        self.warned = warnings

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


UNTESTED: Final = DestinationUnusable(
    "the mapping", PauseReason.TESTS, "its own tests fail: connector test says which", retry_after=2.0
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
