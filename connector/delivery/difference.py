"""Compare a record with what its CRM has now. Pure: values go in, and names of fields come out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from connector.crm import is_same_id
from connector.delivery.digests import Digest
from connector.delivery.spellings import spellings
from connector.destinations.base import Current
from connector.mapping import Mapping as CompiledMapping
from connector.model import Entry, Rule, Value
from connector.settlement.verification import Difference, Held, Verified

_RAISED: Final = True


@dataclass(frozen=True, slots=True)
class Written:
    """What a mapping writes to an object. flags: consent flag -> its target fields. owned: fields it always writes.

    references: the fields that hold the id of another record, a user's excepted. keys: the key fields that the CRM does
    not keep unique.
    """

    fields: frozenset[str]
    flags: Mapping[str, tuple[str, ...]]
    owned: frozenset[str]
    keys: frozenset[str] = frozenset()
    references: frozenset[str] = frozenset()


def written(mapping: CompiledMapping, object: str, references: Iterable[str] = ()) -> Written:
    """What a mapping writes to an object."""
    records = [own for program in mapping.programs.values() for own in program.records if own.object == object]
    rules = [(field.target, field.rule) for own in records for field in own.fields]
    return Written(
        mapping.writes.get(object, frozenset()),
        {flag: mapping.flag_fields(object, flag) for flag in mapping.flags},
        frozenset(name for name, _ in rules) - {name for name, rule in rules if rule is not Rule.ALWAYS},
        frozenset(own.key_field for own in records if not own.unique),
        frozenset(references),
    )


def to_read(held: Held, written: Written) -> set[str]:
    """The fields to read of a record."""
    flags = {name for names in written.flags.values() for name in names}
    key = {held.key_field} - {""}
    return key | (flags & written.fields) | (held.entry.fields.keys() & written.fields)


def compare(held: Held, now: Current, written: Written, owed: frozenset[str], digest: Digest) -> Verified:
    """Compare a record with what the CRM has. owed: the customer's opt-outs that are in force and confirmed."""
    if now.id is None:
        return Verified(held, {Difference.MISSING: ()} if held.is_own else {})
    flags = _flags(held, now, written, owed, digest)
    if not held.is_own:
        return flags
    if not is_same_id(now.id, held.crm_id):
        return also(flags, {Difference.MERGED: ()})
    return _fields(flags, now, written, digest)


def _fields(verified: Verified, now: Current, written: Written, digest: Digest) -> Verified:
    """Add what differs in the fields that have not been judged as opt-outs."""
    held, judged = verified.held, {*verified.differences.get(Difference.LOWERED, ()), *verified.unreadable}
    names = sorted((held.entry.fields.keys() & written.fields) - judged)
    by_difference: dict[Difference, list[str]] = {}
    for name in names:
        if name in now.values and (difference := _differs(name, now.values[name], held, written, digest)):
            by_difference.setdefault(difference, []).append(name)
    unreadable = tuple(name for name in names if name not in now.values)
    return also(replace(verified, unreadable=verified.unreadable + unreadable), by_difference)


def _flags(held: Held, now: Current, written: Written, owed: frozenset[str], digest: Digest) -> Verified:
    """Which opt-outs in force the record shows."""
    targets = [(flag, name) for flag in sorted(owed) for name in written.flags.get(flag, ())]
    carried = [(flag, name) for flag, name in targets if _is_carried(held.entry, name, digest)]
    readable = [(flag, name) for flag, name in carried if name in now.values]
    is_up = digest(_RAISED)
    lowered = {name: flag for flag, name in readable if digest(now.values[name]) != is_up}
    raised = frozenset(flag for flag, _ in readable) - frozenset(lowered.values())
    unreadable = tuple(name for _, name in carried if name not in now.values)
    differences = {Difference.LOWERED: tuple(lowered)} if lowered else {}
    return Verified(held, differences, raised, frozenset(lowered.values()), unreadable)


def _is_carried(entry: Entry, name: str, digest: Digest) -> bool:
    """Whether we have raised a flag on this record, or must have: on what a customer's record became, or left."""
    return not entry.fields or entry.merged or digest(_RAISED) in _ours(entry, name)


def _ours(entry: Entry, name: str) -> frozenset[str]:
    """The digests of what counts as ours in a field."""
    mark = entry.fields.get(name)
    return frozenset({mark.digest if mark else "", *entry.meant.get(name, {})} - {""})


def _differs(name: str, value: Value, held: Held, written: Written, digest: Digest) -> Difference | None:
    """How a field differs; None where it is ours, or it is not known what we wrote."""
    ours, mark = _ours(held.entry, name), held.entry.fields[name]
    if digest(value) in ours or (value is False and digest(None) in ours):  # a check box cannot be blank
        return None
    if not mark.digest:  # what was sent last is in doubt: it may be this
        return None
    if value in (None, ""):
        if digest(False) in ours:
            return Difference.REFORMATTED
        return Difference.UNLINKED if name in written.references else Difference.CHANGED
    is_alike = any(digest(text) in ours for text in spellings(value))
    return Difference.REFORMATTED if is_alike else Difference.CHANGED


def also(verified: Verified, more: Mapping[Difference, Iterable[str]]) -> Verified:
    """Add what differs in another way."""
    known = verified.differences
    added = {own: tuple(dict.fromkeys((*known.get(own, ()), *more[own]))) for own in more}
    return replace(verified, differences={**known, **added})


def without(verified: Verified, difference: Difference, fields: frozenset[str]) -> Verified:
    """Leave out fields that do not differ so after all."""
    left = tuple(name for name in verified.differences.get(difference, ()) if name not in fields)
    others = {own: names for own, names in verified.differences.items() if own is not difference}
    return replace(verified, differences={**others, difference: left} if left else others)
