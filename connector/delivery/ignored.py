"""Fields that a CRM warned about although it accepted their record: they become open items. Pure."""

from __future__ import annotations

from dataclasses import replace

from connector.delivery.left_out import Sending
from connector.destinations.base import Outcome
from connector.model import OpenItem


def with_warnings(sending: Sending, outcome: Outcome, version: str) -> Sending:
    """Return a written record with an open item for each field that the CRM warned about.

    Whether it has the value is not known, so a replay sends it again, and an older event does not replace it.
    """
    answer, row = sending
    decision, why = answer.decision, outcome.ignored
    warned = {name: decision.marks[name] for name in decision.fields.keys() & set(why.fields) - row.consent}
    if not warned:
        return sending
    record = answer.folded.write.name
    items = {
        name: OpenItem(why.code, why.cause, why.action, record, mark.digest, mark.stamp, version)
        for name, mark in warned.items()
    }
    unsure = {name: mark._replace(digest="") for name, mark in warned.items()}
    decision = replace(decision, marks={**decision.marks, **unsure}, left_out={**decision.left_out, **items})
    return sending._replace(answer=replace(answer, decision=decision))
