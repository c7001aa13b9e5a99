"""Edited mappings without a restart: a changed file is compiled beside the running one, and takes its place whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from connector import telemetry
from connector.deliver import Route
from connector.mapping import Loaded, render
from connector.store import Store

Print = tuple[tuple[str, int, int], ...]
"""What tells one state of some files from another: name, size and time of change of each."""


@dataclass(slots=True)
class Watched:
    """One destination's running mapping, how to load its file again, and the state it was last loaded from."""

    route: Route
    load: Callable[[], Loaded]
    seen: Print

    def refresh(self, store: Store) -> None:
        """Put an edited mapping in place; refuse a broken one, loudly and once, and go on with the last good one."""
        before = fingerprint(Path(name) for name, _, _ in self.seen)
        if before == self.seen:
            return
        loaded = self.load()
        now = fingerprint(loaded.files)
        # The state before loading, where the files are the same: an edit made meanwhile is then seen next time.
        self.seen = before if [one[0] for one in before] == [one[0] for one in now] else now
        if problem := self._problem(loaded):
            store.mappings.refused(self.route.name, problem)
            telemetry.mapping_refused(self.route.name, problem)
        elif loaded.mapping is not None:
            self.route.mapping = loaded.mapping
            store.mappings.running(self.route.name, loaded.mapping.version)
            telemetry.mapping_changed(self.route.name, loaded.mapping.version)

    def _problem(self, loaded: Loaded) -> str:
        if loaded.mapping is None:
            return render(loaded.diagnostics, loaded.texts)
        was, would_be = self.route.mapping.crm, loaded.mapping.crm
        return "" if was == would_be else f"crm: {would_be}: this destination is {was}'s, a restart is needed"


def fingerprint(files: Iterable[Path]) -> Print:
    """The present state of files; one that is gone counts as empty."""
    return tuple((str(path), *_state(path)) for path in files)


def _state(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return (0, 0)
    return (status.st_size, status.st_mtime_ns)
