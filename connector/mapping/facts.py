"""The facts of one event that planning its records needs: consent, times and time zone."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, tzinfo
from typing import Any, Final, NamedTuple

from connector.carecycle import catalogue
from connector.carecycle.catalogue import FLAGS
from connector.carecycle.recognise import credible
from connector.mapping import times
from connector.mapping.compiled import Clock
from connector.model import Event, Stamp

_CUSTOMER = {event: catalogue.reader("customer", event) for event in catalogue.EVENTS}


_NONE: Final = frozenset[str]()
_ALL: Final = frozenset(FLAGS)
_ALL_FALSE: Final = dict.fromkeys(FLAGS, False)
_FETCHED: Final = "!"
"""Less than every hexadecimal digit."""


class Facts(NamedTuple):
    """What every record of one event needs to know.

    raised: the flags that are true. blocked: those that withhold fields. spoken: those the event itself raises.
    unsaid: those of which the event, being fetched, says nothing that may be written over what is known.
    heard: what time its customer's consent is of. fetched: as of an event.
    """

    payload: Mapping[str, Any]
    zone: tzinfo
    stamps: tuple[Stamp, ...]
    raised: frozenset[str]
    blocked: frozenset[str]
    heard: Stamp
    spoken: frozenset[str] = frozenset()
    unsaid: frozenset[str] = frozenset()
    fetched: bool = False


def zone_of(event: Event, timezone: str) -> tzinfo:
    """Return the customer's time zone. timezone: the agency's, used if the customer's own is unknown."""
    customer = customer_of(event)
    return (customer and times.known(customer.get("timezone"))) or times.zone(timezone, UTC)


def consent_of(customer: Mapping[str, Any] | None) -> dict[str, bool | None]:
    """Read each flag from the customer snapshot; empty if the event has no customer."""
    if customer is None:
        return {}
    get = customer.get
    return {flag: value if (value := get(flag)) is True or value is False else None for flag in FLAGS}


def customer_of(event: Event) -> Mapping[str, Any] | None:
    """Return the customer snapshot of an event; None if it has no customer."""
    customer = _CUSTOMER[event.type](event.payload)
    return customer if isinstance(customer, (dict, Mapping)) else None  # asking for a dict first is much faster


def facts_of(event: Event, consent: Mapping[str, bool | None], spoken: frozenset[str], zone: tzinfo) -> Facts:
    """Return the facts of an event. consent: what it says of each flag.

    A flag it does not state withholds at once, except in a fetched event: there the customer's known consent, which
    is looked up later, decides.
    """
    raised = blocked = spoken
    if consent != _ALL_FALSE:
        raised = spoken.union([flag for flag, value in consent.items() if value is True])
        unsure = [flag for flag in FLAGS if consent.get(flag) is not False]
        blocked = raised if event.fetched else raised.union(unsure)
    unsaid = _ALL - raised if event.fetched else _NONE
    stamps = stamps_of(event)
    # What an edited mapping makes of an event wins over what an older one made of others of the same time: several say
    # the same of a customer, and not all are still stored. What was sent since wins over what was fetched. Consent has
    # nothing to do with it.
    written = tuple(stamp.after(event.again) for stamp in stamps) if event.again else stamps
    heard = stamps[Clock.CUSTOMER]
    return Facts(event.payload, zone, written, raised, blocked, heard, spoken, unsaid, event.fetched)


def own_stamp(event: Event) -> Stamp:
    """Return the time of the event itself. At equal times what was sent wins over what was fetched."""
    tie = hashlib.sha256(event.message_id.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return Stamp(event.source_time, f"{_FETCHED}{tie}" if event.fetched else tie)


def stamps_of(event: Event) -> tuple[Stamp, ...]:
    """Return the time of each part of the event, in the order of Clock; the event's own if a part is missing."""
    own = own_stamp(event)
    tie = own.tie
    snapshot = customer_of(event)
    updated = snapshot and snapshot.get("updatedAt")
    customer = Stamp(_moment(updated, event), tie) if isinstance(updated, str) else own
    if event.type != "call.completed":
        if event.fetched:  # of a time that has not come yet, it was accepted as of then
            customer = min(customer, own)
        return own, customer, customer, customer, customer
    created = event.payload.get("createdAt")
    call = Stamp(_moment(created, event), tie) if isinstance(created, str) else own
    return own, customer, call, max(customer, call), call.turned


def _moment(time: str, event: Event) -> int:
    return credible(catalogue.epoch_ms(time), event.received_at)
