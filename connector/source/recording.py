"""Which link to the recording of a call may be passed on."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

FIELD: Final = "call.recordingUrl"
_NAMES: Final = ("mainRecordingUrl", "recordingUrl")
"""The one meant for listening first."""

_LONGEST: Final = 2000


def recording_link(call: Any, hosts: Collection[str]) -> str | None:
    """The link of a call of the API; None while there is none, or where it leads to a host that is not listed.

    >>> recording_link({"recordingUrl": "https://api.carecycle.ai/recordings/1.mp3"}, ["api.carecycle.ai"])
    'https://api.carecycle.ai/recordings/1.mp3'
    >>> recording_link({"recordingUrl": "https://10.0.0.7/1.mp3"}, ["api.carecycle.ai"])
    """
    links = (call.get(name) for name in _NAMES) if isinstance(call, Mapping) else ()
    return next((link for link in links if isinstance(link, str) and _leads_to(link, hosts)), None)


def _leads_to(link: str, hosts: Collection[str]) -> bool:
    """Whether it is encrypted, leads to one of the hosts, and carries no name or password."""
    try:
        parts = urlsplit(link)
    except ValueError:
        return False
    is_plain = link.isascii() and link.isprintable() and " " not in link and len(link) <= _LONGEST
    return is_plain and parts.scheme == "https" and parts.netloc.lower() in hosts
