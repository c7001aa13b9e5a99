"""Open files that people name: regular ones alone, and where they must be within a folder, no link that leaves it."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK  # opening a pipe would wait for its writer
_KINDS: Final = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class NotRegularError(OSError):
    """What is no regular file, or lies outside. Its text is for people, as is that of every OSError."""


def read_file(path: Path, most: int, within: Path | None = None) -> bytes:
    """Return a file's content, at most that many bytes. within: a folder that its path must not leave.

    What is judged is what was opened, whatever takes its place meanwhile. Raises OSError, also for a name that no file
    can have.
    """
    try:
        handle = os.open(path, _FLAGS)
    except ValueError:  # it contains a null character
        raise NotRegularError(0, "no file can have this name") from None
    with os.fdopen(handle, "rb") as file:
        opened = os.fstat(handle)
        if not stat.S_ISREG(opened.st_mode):
            kind = next((name for is_it, name in _KINDS if is_it(opened.st_mode)), "something else")
            raise NotRegularError(0, f"it is {kind}, not a file")
        if within is not None and not _is_within(path, opened, within):
            raise NotRegularError(0, "it is outside the folder, or a link leads out of it")
        return file.read(most)


def _is_within(path: Path, opened: os.stat_result, folder: Path) -> bool:
    """Whether what was opened is in a folder. In Kubernetes, the files of a ConfigMap are links within theirs."""
    real = Path(os.path.realpath(path))
    now = os.stat(real)
    same = (now.st_dev, now.st_ino) == (opened.st_dev, opened.st_ino)
    return same and real.is_relative_to(os.path.realpath(folder))


def is_within(path: Path, folder: Path) -> bool:
    """Whether a file may be read there: its path, with its links, does not leave the folder."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))
