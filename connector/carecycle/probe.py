"""What doctor sends to show that events arrive: signed as careCycle signs, and nobody's event."""

from __future__ import annotations

from typing import Final

_START: Final = b'{"event_type":"connector.probe","note":"'
_END: Final = b'"}'


def probe(size: int = 0) -> bytes:
    """A body of at least this many bytes. A receiver of an earlier version keeps it as an event of an unknown type."""
    return _START + b"sent by connector doctor " * ((size - len(_START)) // 25 + 1) + _END


def is_probe(body: bytes) -> bool:
    """Whether a genuine message is one: it is answered like an event, and not kept."""
    return body.startswith(_START)
