"""What keeps a record from being sent: look-ups without a match, required fields without a value. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from connector.delivery.digests import Digest
from connector.delivery.fold import Folded
from connector.destinations.base import Outcome, Verdict
from connector.model import Entry, Lookup, OpenItem, Ref, Rule, Value, Write
from connector.settlement import Refusal

LookedUp = Mapping[str, Value | Outcome]
"""By field, the value of its look-up, or the outcome of a record that needs it, because the CRM cannot be asked."""

_UNRESOLVED: Final = (Ref, Lookup)


def unresolved(write: Write) -> dict[str, Ref | Lookup]:
    """The references and look-ups among a record's values, by field."""
    return {name: own.value for name, own in write.fields.items() if isinstance(own.value, _UNRESOLVED)}


def lookups_of(records: Iterable[Mapping[str, Ref | Lookup]]) -> set[Lookup]:
    """The look-ups among the values of these records."""
    return {value for values in records for value in values.values() if isinstance(value, Lookup)}


def by_field(values: Mapping[str, Ref | Lookup], answers: Mapping[Lookup, Value | Outcome]) -> LookedUp:
    """The answers to a record's look-ups."""
    return {name: answers[value] for name, value in values.items() if isinstance(value, Lookup)}


def no_match(fields: Mapping[str, Lookup]) -> Refusal:
    """Say that these fields' look-ups have no single match."""
    whose = " or ".join(dict.fromkeys(lookup.sought for lookup in fields.values()))
    cause = f"the CRM has no match, or more than one, for {{fields}}: looked for {whose}"
    action = "have exactly one record in the CRM with the event's value, or correct it in careCycle, then replay"
    return Refusal.of("LOOKUP_MISSING", cause, action, tuple(fields))


def required_empty(write: Write, entry: Entry) -> Outcome | None:
    """The outcome of a record without a required field: no event of the batch has a value for it, and the CRM has none
    from us either.
    """
    lacking = (name for name in write.lacking if name not in write.fields and name not in entry.fields)
    fields = tuple(dict.fromkeys(lacking))
    if not fields:
        return None
    cause = "the mapping requires {fields}, and the event has no value for it"
    action = "enter it in careCycle, which sends a new event, or map it with a `default:`, then replay"
    return Outcome(Verdict.REJECTED, refusal=Refusal.of("REQUIRED_EMPTY", cause, action, fields))


def refused_lookup(write: Write, looked_up: LookedUp) -> Outcome | None:
    """The outcome of a record that needs a look-up the CRM cannot be asked for, or that may be asked for later."""
    for name, answer in looked_up.items():
        lookup = write.fields[name].value
        if isinstance(lookup, Lookup) and isinstance(answer, Outcome) and _must_ask(lookup, answer):
            cause = f"the look-up for '{name}' failed: {answer.refusal.cause}"
            return replace(answer, refusal=replace(answer.refusal, cause=cause, fields=(name,)))
    return None


def _must_ask(lookup: Lookup, answer: Outcome) -> bool:
    return lookup.required or lookup.waits or answer.verdict is Verdict.DEFERRED


def lost_lookups(folded: Folded, looked_up: LookedUp) -> dict[str, Lookup]:
    """The fields that cannot do without a match, and have none.

    Where the batch's events look up different values, an older one may have a match: they are written one by one.
    """
    missing = ((name, folded.write.fields[name]) for name, answer in looked_up.items() if answer is None)
    return {
        name: write.value
        for name, write in missing
        if isinstance(write.value, Lookup)
        if write.value.required or write.required or name in folded.varied
    }


def unmatched_lookups(
    folded: Folded, looked_up: LookedUp, is_known: bool, digest: Digest, version: str
) -> Iterator[tuple[str, OpenItem]]:
    """The fields whose look-up has no single match, as open items. is_known: whether the ledger has the record."""
    for name, answer in looked_up.items():
        field_write = folded.write.fields[name]
        lookup = field_write.value
        if not isinstance(lookup, Lookup) or (is_known and field_write.rule is Rule.ON_CREATE):
            continue
        if answer is None or isinstance(answer, Outcome):
            why = answer.refusal if isinstance(answer, Outcome) else no_match({name: lookup})
            words = (why.code, why.cause, why.action, folded.write.name)
            searched = "\n".join(step.searched for step in lookup.chain())
            yield name, OpenItem(*words, digest(searched), field_write.stamp, version)
