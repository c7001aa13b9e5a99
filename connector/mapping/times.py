"""Time zones."""

from __future__ import annotations

from datetime import tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo


def zone(name: object, fallback: tzinfo) -> tzinfo:
    """Return the time zone with this IANA name, or the fallback if there is none.

    >>> zone("America/Phoenix", ZoneInfo("UTC")), zone("Mars/Olympus", ZoneInfo("UTC"))
    (zoneinfo.ZoneInfo(key='America/Phoenix'), zoneinfo.ZoneInfo(key='UTC'))
    """
    return known(name) or fallback


def known(name: object) -> tzinfo | None:
    """Return the time zone with this IANA name; None if there is none."""
    return _zone(name) if isinstance(name, str) and name else None


@lru_cache(maxsize=1024)
def _zone(name: str) -> tzinfo | None:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # an unknown name, a malformed name, a folder's name
        return None
