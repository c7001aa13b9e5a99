"""Find out which records hold one key, where the CRM only says that there are several."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from connector.delivery.answer import Answer
from connector.destinations.base import Destination, Outcome, Verdict
from connector.model import RecordKey
from connector.settlement import Refusal


def holders(destination: Destination, answers: Iterable[Answer]) -> dict[RecordKey, tuple[str, ...]]:
    """Return the ids of the records that hold each rejected record's key. Raises DestinationUnusable."""
    keys: dict[tuple[str, str], list[RecordKey]] = {}
    for answer in answers:
        if answer.outcome and answer.outcome.code in destination.crm.duplicated and not answer.candidates:
            key = answer.folded.write.key
            keys.setdefault((key.object, key.field), []).append(key)
    ids: dict[RecordKey, tuple[str, ...]] = {}
    for (kind, name), alike in keys.items():
        by_value = destination.find(kind, name, [key.value for key in alike], ())
        for key in alike:
            several = by_value.get(key.value, [])
            ids[key] = () if isinstance(several, Outcome) else tuple(sorted(holder.id for holder in several))
    return {key: several for key, several in ids.items() if len(several) > 1}


def several_match(ids: Sequence[str]) -> Outcome:
    """Return the outcome of a record of which the CRM has several."""
    cause = f"several records match: {', '.join(ids)}"
    action = "choose one (connector identity list), or merge them if they are the same person, and replay"
    return Outcome(Verdict.REJECTED, refusal=Refusal("AMBIGUOUS", cause, action))
