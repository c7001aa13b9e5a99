"""What the CRM holds that no person entered: our values as it spells them, and what it filled into records we created.

The ledger counts such values as ours, beside those that were sent: nobody's edit is lost when they are replaced.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from connector.crm import Crm
from connector.delivery.answer import Answer
from connector.delivery.decide import Existing, to_read
from connector.delivery.digests import Digest, digests_of, plain
from connector.destinations.base import Destination, Verdict
from connector.errors import DestinationUnusable
from connector.model import Entry, Mode, RecordKey, Stamp, Value

_SETTLING: Final = timedelta(minutes=1)
"""How long a CRM's own automation goes on changing a new record; a person is not as fast."""


def read_back(
    destination: Destination, answers: Iterable[Answer], digest: Digest, *, later: bool = False
) -> dict[RecordKey, Answer]:
    """Read what the CRM made of the fields just written that people may edit, where its replies do not show it.

    Of a record it created, also what it filled in; later: these records are read later. One search for each object.
    Where it fails, the ledger keeps such a record's fields as unread.
    """
    unread: dict[str, dict[str, Answer]] = {}
    for answer in answers:
        written = answer.outcome is not None and answer.outcome.verdict is Verdict.DELIVERED
        wanted = _to_read(answer, digest, later=later)
        if written and answer.crm_id and wanted:
            unread.setdefault(answer.folded.write.key.object, {})[answer.crm_id] = answer
    read: dict[RecordKey, Answer] = {}
    with suppress(DestinationUnusable):  # the records are written: only what is known of them is less
        for kind, by_id in unread.items():
            read |= _read(destination, kind, by_id)
    return read


def _to_read(answer: Answer, digest: Digest, *, later: bool) -> frozenset[str]:
    if is_new(answer, digest):
        return frozenset() if later else unseen(answer)
    return _sent_unseen(answer)


def _read(destination: Destination, kind: str, by_id: Mapping[str, Answer]) -> dict[RecordKey, Answer]:
    names = frozenset[str]().union(*(answer.folded.write.shared for answer in by_id.values()))
    records = destination.find(kind, destination.crm.id_field, list(by_id), sorted(names))
    answered = {crm_id: records.get(crm_id) for crm_id in by_id}
    return {
        by_id[crm_id].folded.write.key: replace(by_id[crm_id], read_back=holders[0].values)
        for crm_id, holders in answered.items()
        if isinstance(holders, list) and len(holders) == 1
    }


def is_new(answer: Answer, digest: Digest) -> bool:
    """Whether the CRM created the record for this write: it says so, or the record was looked for and not there."""
    outcome = answer.outcome
    if outcome is None or outcome.verdict is not Verdict.DELIVERED:
        return False
    if outcome.created is not None:
        return outcome.created
    is_known = answer.entry.crm_id is not None or answer.found_id is not None
    return not is_known and (answer.creating or to_read(answer.folded, answer.entry, digest)[0])


def unseen(answer: Answer) -> frozenset[str]:
    """Return the fields shared with people whose value in the CRM is not known."""
    if answer.outcome and answer.outcome.is_whole:
        return _sent_unseen(answer)
    return answer.folded.write.shared - _seen(answer).keys()


def _sent_unseen(answer: Answer) -> frozenset[str]:
    return answer.folded.write.shared.intersection(answer.decision.fields) - _seen(answer).keys()


def unread_after(answer: Answer, digest: Digest) -> tuple[str, ...]:
    """Return the fields that the ledger keeps as unread after a write."""
    if is_new(answer, digest):
        return tuple(sorted(unseen(answer)))
    return tuple(name for name in answer.entry.unread if name not in answer.decision.marks and not answer.lost)


def unread_if_created(answer: Answer) -> tuple[str, ...]:
    """Return the fields to keep as unread before a write that may create the record, in case its answer is lost."""
    is_known = answer.entry.crm_id is not None or answer.found_id is not None
    if is_known or answer.folded.write.mode is Mode.UPDATE:
        return ()
    return tuple(sorted(unseen(answer) - answer.decision.fields.keys()))


def caught_up(entry: Entry, existing: Existing | None, crm: Crm, stamp: Stamp, digest: Digest) -> Entry:
    """Return an entry with the values of its unread fields as ours, if nobody changed the record after its creation.

    existing: the record as it was looked up, or None where it is not there.
    """
    current = existing.values if existing and _is_untouched(existing.values, crm) else {}
    digests = {name: digests_of(value, digest) for name in entry.unread if (value := current.get(name))}
    ours = {name: {**entry.meant.get(name, {}), **dict.fromkeys(sorted(own), stamp)} for name, own in digests.items()}
    return replace(entry, meant={**entry.meant, **ours}, unread=())


def _is_untouched(values: Mapping[str, Value], crm: Crm) -> bool:
    """Whether a record was last changed within a minute of its creation, and by its creator, as far as the CRM says."""
    try:
        created, changed = (datetime.fromisoformat(str(values[name])) for name in crm.stamp_fields)
        authors = {values.get(name) for name in crm.author_fields}
        return changed - created <= _SETTLING and len(authors) <= 1
    except (KeyError, TypeError, ValueError):
        return False


def further_digests(answer: Answer, digest: Digest) -> dict[str, dict[str, Stamp]]:
    """Return what the ledger's `meant` becomes: the further digests that count as ours after a write."""
    entry, marks = answer.entry, answer.decision.marks
    kept = {} if answer.lost else entry.meant
    before = {name: mark.digest for name, mark in entry.fields.items()}
    changed = {name for name, mark in marks.items() if answer.lost or before.get(name) != mark.digest}
    meant = {name: dict(values) for name, values in kept.items() if name not in changed}
    for name, values in _values(answer, changed, digest).items():
        mark = marks.get(name)
        digests = {each for value in values for each in digests_of(value, digest)} - {mark.digest if mark else ""}
        if digests:
            meant[name] = {**meant.get(name, {}), **dict.fromkeys(sorted(digests), answer.folded.write.stamp)}
    return meant


def _values(answer: Answer, changed: Iterable[str], digest: Digest) -> dict[str, list[Value]]:
    """The values of fields shared with people that count as ours: those written, and those the CRM has since."""
    write, decision = answer.folded.write, answer.decision
    written = {
        name: decision.fields[name] if name in decision.fields else plain(write.fields[name])
        for name in write.shared.intersection(changed, write.fields)
    }
    values = {name: [value] for name, value in written.items()}
    shown, is_created = _seen(answer), is_new(answer, digest)
    for name in write.shared & shown.keys():
        if name in decision.fields or (is_created and shown[name] not in (None, "")):
            values.setdefault(name, []).append(shown[name])
    return values


def _seen(answer: Answer) -> Mapping[str, Value]:
    """The values the record was seen to have after the write."""
    return {**(answer.outcome.shown if answer.outcome else {}), **answer.read_back}
