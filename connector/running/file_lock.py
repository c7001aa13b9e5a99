"""What one process of a machine has at a time, for as long as it lives."""

from __future__ import annotations

import fcntl
from io import BufferedWriter
from pathlib import Path


class FileLock:
    """A locked file. Where the folder cannot be used, every process has it: better twice than never."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BufferedWriter | None = None

    def acquire(self) -> bool:
        """Whether this process has it now. It keeps it until it gives it back or ends."""
        if self._file is not None:
            return True
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = self._path.open("ab")
        except OSError:
            return True
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.close()
            return not isinstance(error, BlockingIOError)
        self._file = file
        return True

    def release(self) -> None:
        """Let another process have it."""
        if self._file is not None:
            self._file.close()
            self._file = None
