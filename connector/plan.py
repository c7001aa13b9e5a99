"""What one event asks of one destination."""

from __future__ import annotations

from dataclasses import replace

from connector.mapping import Mapping, planning
from connector.model import Event, Mode, Plan


def plan(event: Event, mapping: Mapping, *, timezone: str) -> Plan:
    """The writes an event asks for. Pure; never raises for an event the catalogue can read.

    timezone: the agency's IANA time zone, for dates of customers whose own is unknown.
    """
    return planning.plan(event, mapping, timezone=timezone)


def flags_alone(whole: Plan) -> Plan:
    """Of a plan, the opt-outs it raises and nothing else: on records that exist, as cheap as it can be said."""
    raising = (write for write in whole.writes if write.flags or write.unsubscribe is not None)
    return replace(whole, writes=tuple(replace(one, fields={}, mode=Mode.UPDATE, links=(), rank=0) for one in raising))
