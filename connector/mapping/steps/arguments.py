"""What may be written after a step's word: a number, one of a few words, texts to replace."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from difflib import get_close_matches
from typing import Any, Final

from connector.mapping.steps.step import Argument, WrongArgumentError

_LARGEST: Final = 10**9
_MOST_REPLACED: Final = 50


def count(smallest: int, largest: int) -> Argument:
    """A whole number within these limits."""

    def read(written: Any) -> int:
        if not isinstance(written, int) or isinstance(written, bool) or not smallest <= written <= largest:
            raise WrongArgumentError
        return written

    schema = {"type": "integer", "minimum": smallest, "maximum": largest}
    return Argument(f"a whole number from {smallest} to {largest}", read, schema)


def choice(words: Sequence[str]) -> Argument:
    """One of these words."""

    def read(written: Any) -> str:
        if not isinstance(written, str) or written not in words:
            near = get_close_matches(str(written).lower(), words, n=1)
            raise WrongArgumentError(hint=f"did you mean '{near[0]}'?" if near else "")
        return written

    return Argument(f"one of: {', '.join(words)}", read, {"enum": [*words]})


def _number(written: Any) -> Decimal:
    if isinstance(written, bool) or not isinstance(written, int | float) or not 0 < abs(written) <= _LARGEST:
        raise WrongArgumentError
    return Decimal(str(written))


def _texts(written: Any) -> dict[str, str]:
    if not isinstance(written, dict) or not 0 < len(written) <= _MOST_REPLACED or "" in written:
        raise WrongArgumentError
    if not all(isinstance(text, str) for text in written.values()):
        raise WrongArgumentError(hint='quote what it becomes, also nothing:  replace: { "-": "" }')
    return dict(written)


NUMBER: Final = Argument(
    f"a number other than 0, at most {_LARGEST:,}", _number, {"type": "number", "maximum": _LARGEST}
)
REPLACED: Final = Argument(
    "a block of texts and what each becomes",
    _texts,
    {"type": "object", "additionalProperties": {"type": "string"}, "minProperties": 1},
)
