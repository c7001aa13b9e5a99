"""Give memory back to the system as soon as it is free."""

from __future__ import annotations

import ctypes
from typing import Any, Final

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
"""Of glibc's malloc.h."""

_SETTINGS: Final = {
    # Larger blocks are mapped alone and vanish when freed. With the first large payload glibc would raise this, and
    # keep the space of later ones.
    _MMAP_THRESHOLD: 256 * 1024,
    _TRIM_THRESHOLD: 1024 * 1024,
    _ARENA_MAX: 2,  # each arena keeps its own free space; by default there are eight for each core
}


def give_back_early() -> None:
    """Set up the C library's allocator, before other threads start. Another C library is left as it is."""
    mallopt: Any = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for name, value in _SETTINGS.items():
            mallopt(name, value)
