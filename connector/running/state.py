"""Small JSON files outside the database: what a process must still know when the database is away, or another one."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from connector import telemetry
from connector.store.dialect import embedded_file, parse_url

MOST_BYTES: Final = 1_000_000
"""No file is larger. Larger content is kept in memory alone."""


class State:
    """Keeps small JSON objects by name, whatever happens to the folder. One instance for each process and folder.

    A file that cannot be written (a read-only or full disk) is reported once; until it can, what it would hold is kept
    in memory. Nothing here raises. Several processes may share a folder: a file is always a whole one.
    """

    def __init__(self, folder: Path, prefix: str = "connector") -> None:
        self._folder, self._prefix = folder, prefix
        self._lock = threading.Lock()
        self._unwritten: dict[str, dict[str, Any]] = {}
        self._complained = False

    def path(self, name: str) -> Path:
        """The file of this name, for messages to people."""
        return self._folder / f"{self._prefix}.{name}.json"

    def read(self, name: str) -> dict[str, Any] | None:
        """What was last written under this name; None if nothing was, or if it cannot be read."""
        with self._lock:
            if name in self._unwritten:
                return self._unwritten[name]
            try:
                return _read(self.path(name))
            except FileNotFoundError:
                return None
            except (OSError, ValueError, RecursionError) as error:
                self._complain(self.path(name), error)
                return None

    def write(self, name: str, content: Mapping[str, Any]) -> None:
        """Keep a JSON object under this name, on disk when this returns if the disk allows it. name: lower case."""
        with self._lock:
            try:
                _write(self.path(name), json.dumps(content).encode())
            except (OSError, ValueError) as error:
                self._unwritten[name] = dict(content)
                self._complain(self.path(name), error)
            else:
                self._unwritten.pop(name, None)
                self._complained = False

    def _complain(self, path: Path, error: Exception) -> None:
        if not self._complained:
            self._complained = True
            telemetry.state_not_kept(str(path), getattr(error, "strerror", None) or type(error).__name__)


def open_state(database_url: str, environment: Mapping[str, str]) -> State:
    """The state of the processes that use this database. Raises FixConfiguration if the address is not one.

    It is beside an embedded database. For a shared one it is in CONNECTOR_STATE_DIR, else beside the data key's file if
    that folder can be written, else in ./data.
    """
    if file := embedded_file(parse_url(database_url)):
        return State(Path(environment.get("CONNECTOR_STATE_DIR") or file.parent), file.name)
    if folder := environment.get("CONNECTOR_STATE_DIR"):
        return State(Path(folder))
    key_file = environment.get("CONNECTOR_DATA_KEY_FILE")
    if key_file and os.access(Path(key_file).parent, os.W_OK):
        return State(Path(key_file).parent)
    return State(Path("data"))


def _read(path: Path) -> dict[str, Any] | None:
    with path.open("rb") as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise ValueError
    content = json.loads(data)
    return content if isinstance(content, dict) else None


def _write(path: Path, data: bytes) -> None:
    """Replace a file as a whole: after a crash it is either the former one or this one."""
    if len(data) > MOST_BYTES:
        raise ValueError
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
