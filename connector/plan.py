"""What one event asks of one destination."""

from __future__ import annotations

from connector.mapping import Mapping, planning
from connector.model import Event, Plan


def plan(event: Event, mapping: Mapping, *, timezone: str) -> Plan:
    """The writes an event asks for. Pure; never raises for an event the catalogue can read.

    timezone: the agency's IANA time zone, for dates of customers whose own is unknown.
    """
    return planning.plan(event, mapping, timezone=timezone)
