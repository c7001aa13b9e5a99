"""The disk of an embedded database."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

LITTLE_SPACE: Final = 1 << 30


def free_space(folder: Path | None) -> int | None:
    """Bytes free where the database is; None for another server's, and where that cannot be read."""
    try:
        return None if folder is None else shutil.disk_usage(folder).free
    except OSError:
        return None


def space_words(free: int) -> str:
    """Say how much space is left.

    >>> space_words(1 << 29)
    "0.5 GiB free on the database's disk"
    """
    return f"{free / (1 << 30):.1f} GiB free on the database's disk"
