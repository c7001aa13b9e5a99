"""Apply steps to a value, and know when an event happened.

That is by the event's own account, never the time of its processing: a replay gives the same.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, tzinfo
from typing import Any

from connector.carecycle import catalogue
from connector.carecycle.catalogue import ABSENT
from connector.mapping.functions import Get, Payload
from connector.mapping.steps.step import Format

Happened = Callable[[Payload], datetime | None]
"""payload -> when its event happened; None if it does not say."""

_TIMES = ("customer.updatedAt", "call.createdAt")


def happened(event: str) -> Happened:
    """Compile when an event happened: when its call began to exist, or its customer last changed, whichever is later.

    It is the time that a field made of both carries, so what is computed from it is as new as the field.
    """
    readers = [catalogue.reader(path, event) for path in _TIMES if event in catalogue.carried_by(path)]

    def latest(payload: Payload) -> datetime | None:
        written = (read(payload) for read in readers)
        return max((catalogue.parse_time(text) for text in written if isinstance(text, str)), default=None)

    return latest


def formatted(get: Get, step: Format, event: str) -> Get:
    """Write the value in a format; a value it can make nothing of is not sent."""
    apply = _with_time(step, event) if step.timed else _with_zone(step) if step.zoned else _alone(step)

    def reformat(payload: Payload, zone: tzinfo) -> Any:
        value = get(payload, zone)
        if value is None or value is ABSENT:
            return value
        result = apply(value, payload, zone)
        return ABSENT if result is None else None if result == "" else result

    return reformat


def _alone(step: Format) -> Callable[[Any, Payload, tzinfo], Any]:
    apply = step.apply
    return lambda value, payload, zone: apply(value)


def _with_zone(step: Format) -> Callable[[Any, Payload, tzinfo], Any]:
    apply = step.apply
    return lambda value, payload, zone: apply(value, zone)


def _with_time(step: Format, event: str) -> Callable[[Any, Payload, tzinfo], Any]:
    apply, when = step.apply, happened(event)

    def applied(value: Any, payload: Payload, zone: tzinfo) -> Any:
        moment = when(payload)
        return None if moment is None else apply(value, zone, moment)

    return applied
