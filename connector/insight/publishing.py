"""Put new contents in the place of files: all of each or nothing, with the owner and the mode it had."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from connector.insight.mapping_files import content_of, state_of

_NEW: Final = 0o644
_ENDING: Final = ".connector-new"
"""Of a file that is not complete yet; nothing reads it as a mapping or an agency file."""


class Obstacle(StrEnum):
    """Why files cannot be written."""

    READ_ONLY = "read only"
    OUTSIDE = "outside"
    """It is a link that leads out of the agency's folder."""
    OWNER = "owner"
    """It belongs to somebody whose file cannot be made by this process."""
    CHANGED = "changed"
    """It is not what it was when the edit began."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class NewContent:
    """What is to become of one file. state: of its present bytes, which must not have changed."""

    path: Path
    state: str
    content: bytes


@dataclass(slots=True)
class Publishing:
    """New contents beside their files. `put` puts them in place; what was not put is removed at the end."""

    folder: Path
    ready: list[tuple[Path, Path, NewContent]] = field(default_factory=list)

    def prepare(self, contents: Sequence[NewContent]) -> Obstacle | None:
        """Write everything beside its file; return why that cannot be."""
        for new in contents:
            if obstacle := self._prepare(new):
                return obstacle
        return None

    def _prepare(self, new: NewContent) -> Obstacle | None:
        try:
            target = new.path.resolve()
            if not target.is_relative_to(self.folder.resolve()):
                return Obstacle.OUTSIDE
            if state_of(content_of(target)) != new.state:
                return Obstacle.CHANGED
            draft = target.with_name(f".{target.name}{_ENDING}")
            draft.unlink(missing_ok=True)  # of a process that ended half-way
            self.ready.append((draft, target, new))
            _write(draft, new.content)
            return None if _as_before(draft, target) else Obstacle.OWNER
        except (PermissionError, FileNotFoundError):
            return Obstacle.READ_ONLY
        except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle
            read_only = isinstance(error, OSError) and error.errno == errno.EROFS
            return Obstacle.READ_ONLY if read_only else Obstacle.FAILED

    def put(self) -> Obstacle | None:
        """Put everything in its place, in the order given; return why that cannot be."""
        try:
            with _alone(self.folder):
                if any(state_of(content_of(target)) != new.state for _, target, new in self.ready):
                    return Obstacle.CHANGED
                for draft, target, _ in self.ready:
                    draft.replace(target)
                for folder in {target.parent for _, target, _ in self.ready}:
                    _sync(folder)
        except OSError:
            return Obstacle.FAILED
        return None

    def clear(self) -> None:
        """Remove what was not put in place."""
        for draft, _, _ in self.ready:
            with suppress(OSError):
                draft.unlink(missing_ok=True)


def _write(path: Path, content: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _as_before(draft: Path, target: Path) -> bool:
    """Give a new file the mode and the owner of the one it replaces; whether that could be."""
    if not target.exists():
        draft.chmod(_NEW)
        return True
    was, now = target.stat(), draft.stat()
    if (was.st_uid, was.st_gid) != (now.st_uid, now.st_gid):
        try:
            os.chown(draft, was.st_uid, was.st_gid)
        except PermissionError:
            return False
    draft.chmod(stat.S_IMODE(was.st_mode))
    return True


def _sync(folder: Path) -> None:
    with _opened(folder) as handle:
        os.fsync(handle)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one process at a time put files into a folder."""
    with _opened(folder) as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield handle
    finally:
        os.close(handle)
