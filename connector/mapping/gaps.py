"""What a value was made without: fields that an event does not state, or that have no value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, Final

from connector.carecycle.catalogue import ABSENT
from connector.mapping.compiled import FieldProgram
from connector.mapping.functions import Holds
from connector.model import Lookup, Ref, Value

_ADDITIONS: Final = frozenset({"address2", "middleName", "suffix", "salutation"})
"""What most people do not have: what is put together without it is whole all the same."""


@dataclass(slots=True)
class _Gaps:
    absent: bool = False
    lacking: bool = False
    """Whether what is absent is more than an addition."""
    empty: bool = False


class _Noting(Mapping[str, Any]):
    """A payload that notes which of what is asked of it is not there."""

    def __init__(self, payload: Mapping[str, Any], gaps: _Gaps) -> None:
        self._payload, self._gaps = payload, gaps

    def __getitem__(self, key: str) -> Any:
        value = self._payload.get(key, ABSENT)
        if value is ABSENT:
            self._gaps.absent = True
            self._gaps.lacking |= key not in _ADDITIONS
            raise KeyError(key)
        self._gaps.empty |= value is None or (isinstance(value, str) and not value.strip())
        return _Noting(value, self._gaps) if isinstance(value, Mapping) else value

    def __iter__(self) -> Iterator[str]:
        return iter(self._payload)

    def __len__(self) -> int:
        return len(self._payload)


def is_made_up(
    field: FieldProgram, value: Value | Ref | Lookup, payload: Mapping[str, Any], zone: tzinfo, *, fetched: bool
) -> bool:
    """Whether a field's value says nothing new of its customer, so that it may not replace what the CRM has.

    That is a default, or what `else:` gives, in place of what the event does not state. What was fetched may state a
    part only of what is known: there it is any default, and whatever is put together without what is not stated.
    """
    may_be = field.falls_back or value == field.default
    is_default = may_be and field.bare is not None and field.bare(payload, zone) in (None, ABSENT)
    if not (is_default or (fetched and field.pieced)):
        return False
    gaps = _Gaps()
    field.get(_Noting(payload, gaps), zone)
    if is_default:
        return gaps.absent or (fetched and gaps.empty)
    return gaps.lacking


def is_unsaid(holds: Holds, payload: Mapping[str, Any], zone: tzinfo) -> bool:
    """Whether a condition asks for what an event does not state."""
    gaps = _Gaps()
    holds(_Noting(payload, gaps), zone)
    return gaps.absent
