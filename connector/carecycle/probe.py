"""What doctor sends to show that events arrive: signed as careCycle signs, and nobody's event."""

from __future__ import annotations

import re
from typing import Final

_START: Final = b'{"event_type":"connector.probe","note":"'
_SAID: Final = b"sent by connector doctor "
_END: Final = b'"}'
_WHOLE: Final = re.compile(re.escape(_START) + b"(?:" + re.escape(_SAID) + b")*" + re.escape(_END))


def probe(size: int = 0) -> bytes:
    """A body of at least this many bytes. A receiver of an earlier version keeps it as an event of an unknown type."""
    return _START + _SAID * ((size - len(_START)) // len(_SAID) + 1) + _END


def is_probe(body: bytes) -> bool:
    """Whether a genuine message is one, to the last byte: it is answered like an event, and not kept.

    >>> is_probe(probe(5_000)), is_probe(probe()[:-1]), is_probe(probe() + b" ")
    (True, False, False)
    """
    return body.startswith(_START) and _WHOLE.fullmatch(body) is not None
