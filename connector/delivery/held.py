"""Values that a CRM allows once: leave out one that another record has, and notice one that is given up. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from connector.delivery.answer import Answer
from connector.delivery.left_out import Sending
from connector.destinations.base import Verdict


def left_to_holder(refused: Sending, again: Sending, blank: str) -> Sending:
    """Return a record that is sent without values another record has, so that nobody is left with an outdated one.

    What we wrote to these fields before is cleared: the new value would have replaced it, and another record may wait
    for it. blank: the digest of no value.
    """
    before, decision = refused.answer.decision, again.answer.decision
    names = [name for name in refused.row.fields if name in decision.left_out and name not in before.left_out]
    known = refused.answer.entry.fields if refused.answer.crm_id is not None else {}
    cleared = {name: None for name in names if name in known and name not in again.row.fields}
    marks = {name: before.marks[name]._replace(digest=blank, by="", turn="") for name in names}
    left = replace(
        decision,
        fields={**decision.fields, **cleared},
        marks={**decision.marks, **marks},
    )
    return Sending(replace(again.answer, decision=left), replace(again.row, fields={**again.row.fields, **cleared}))


def given_up(answers: Iterable[Answer], blank: str) -> frozenset[str]:
    """Return the digests of the values that were replaced or cleared, which others may have now."""
    return frozenset(
        before.digest
        for answer in answers
        if answer.outcome is not None and answer.outcome.verdict is Verdict.DELIVERED
        for name in answer.decision.fields
        if (before := answer.entry.fields.get(name))
        and (now := answer.decision.marks.get(name))
        and before.digest not in ("", blank, now.digest)
    )
