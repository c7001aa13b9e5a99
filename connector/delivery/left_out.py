"""Take the fields that a CRM refuses out of a record, so that the rest of it is written. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple, TypeVar

from connector.delivery.answer import Answer
from connector.delivery.authors import for_version
from connector.destinations.base import Outcome, Row, Verdict
from connector.model import Entry, Mode, OpenItem, RecordKey, Value
from connector.settlement import LENGTH_UNKNOWN, Refusal

Kept = TypeVar("Kept")


class Sending(NamedTuple):
    """One record on its way: what is known of it, and the row that is sent."""

    answer: Answer
    row: Row


def turns(records: Iterable[Sending]) -> list[list[Sending]]:
    """Split records so that none of the CRM's is sent twice in one call."""
    turns: list[list[Sending]] = []
    seen: Counter[tuple[str, str]] = Counter()
    for sending in records:
        known = sending.row.key.object, sending.row.id or ""
        turn = seen[known] if sending.row.id else 0
        seen[known] += 1
        if turn == len(turns):
            turns.append([])
        turns[turn].append(sending)
    return turns


def without_refused(sending: Sending, outcome: Outcome, version: str, gone: Collection[str]) -> Sending | None:
    """Return a refused record without the fields the CRM refuses; None where it is refused as a whole.

    gone: the codes that may mean a lost record. A field that points at one of ours stays: that one is looked for.
    """
    named = {name.lower() for name in outcome.fields}
    names = frozenset(name for name in sending.row.fields if name.lower() in named)
    if outcome.verdict is not Verdict.REJECTED or not outcome.of_fields or not names:
        return None
    if sending.row.key.field.lower() in named or not may_miss(sending, names):
        return None
    if outcome.code in gone and _points_at_ours(sending, names):
        return None
    return without(sending, names, outcome, version)


def _points_at_ours(sending: Sending, names: Collection[str]) -> bool:
    fields = sending.answer.folded.write.fields
    return any(name in fields and fields[name].refers for name in names)


def may_miss(sending: Sending, names: Collection[str]) -> bool:
    """Whether the record may be written without these fields.

    Not where its events have different values: an older one may be accepted, so they are sent one after another.
    """
    folded, flags, fallbacks = sending.answer.folded, sending.row.consent, _fallbacks(sending, names)
    return all(
        name in flags or not ((folded.write.fields[name].required and name not in fallbacks) or name in folded.varied)
        for name in names
    )


def without(sending: Sending, names: Collection[str], refused: Outcome, version: str) -> Sending:
    """Take fields out: each becomes an open item, except a consent flag, which is owed as an obligation already.

    A field whose mapping names another value for this is sent with that value.
    """
    answer, row = sending
    why = refused.refusal
    decision, record, fallbacks = answer.decision, answer.folded.write.name, _fallbacks(sending, names)
    items = {
        name: OpenItem(why.code, why.cause, why.action, record, mark.digest, mark.stamp, version, refused.holder)
        for name in names
        if name not in row.consent and (mark := decision.marks[name])
    }
    # That the CRM has the other value is not remembered: the refused one, once accepted, is news.
    unsure = {name: decision.marks[name]._replace(digest="") for name in fallbacks}
    left = replace(
        decision,
        fields={**_less(decision.fields, names), **fallbacks},
        consent={flag: target for flag, target in decision.consent.items() if target not in names},
        marks={**_less(decision.marks, names), **unsure},
        left_out={**items, **decision.left_out},
    )
    fields = {**_less(row.fields, names), **fallbacks}
    return Sending(
        replace(answer, decision=left),
        replace(row, fields=fields, consent=row.consent & fields.keys(), compared=row.compared & fields.keys()),
    )


def as_first_refused(outcome: Outcome, left_out: Mapping[str, OpenItem]) -> Outcome:
    """Return an outcome with the reason a field was left out, where the CRM then missed just that field.

    A record waits for a text that is only left out until its field's length is known.
    """
    if outcome.verdict is not Verdict.REJECTED:
        return outcome
    missed = {name.lower() for name in outcome.fields}
    if name := next((name for name in left_out if name.lower() in missed), None):
        item = left_out[name]
        outcome = replace(outcome, refusal=Refusal(item.code, item.cause, item.action, (name,)))
    return replace(outcome, verdict=Verdict.DEFERRED) if outcome.code == LENGTH_UNKNOWN else outcome


def _fallbacks(sending: Sending, names: Collection[str]) -> dict[str, Value]:
    """The values to send in place of refused ones, and not refused themselves yet."""
    writes, sent = sending.answer.folded.write.fields, sending.row.fields
    others = {name: writes[name].fallback for name in names if name in writes}
    return {name: value for name, value in others.items() if value is not None and value != sent[name]}


def of_this_mapping(entries: Mapping[RecordKey, Entry], version: str) -> dict[RecordKey, Entry]:
    """Return the entries with what another mapping's values were refused or undone for open to a new try."""
    known = for_version(entries, version)
    return {key: _of_this_mapping(entry, version) if entry.open else entry for key, entry in known.items()}


def _of_this_mapping(entry: Entry, version: str) -> Entry:
    tried = {name: item if item.version == version else replace(item, digest="") for name, item in entry.open.items()}
    return replace(entry, open=tried)


def nothing_left(row: Row) -> bool:
    """Whether the CRM has all that is left of a row, or has no record to update."""
    return not (row.fields or row.links or row.unsubscribe) and (row.known is not None or row.mode is Mode.UPDATE)


def _less(of: Mapping[str, Kept], names: Collection[str]) -> dict[str, Kept]:
    return {name: value for name, value in of.items() if name not in names}
