"""Merge what a batch asks of each record. Pure.

The CRM's final state is the same for every order of arrival: each field carries a watermark (its stamp), the greater
stamp wins here and against the ledger, and a raised opt-out always goes out. Of a field that moves forward, the
furthest value wins, whenever it was. Only `on_create` and `if_blank` values
depend on who came first, and a field is held back by the newest consent known, not by the event's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce

from connector.delivery.consent import States, must_carry, observe, withholding, without_lowered
from connector.delivery.forward import furthest
from connector.model import (
    FieldWrite,
    Mode,
    OpenItem,
    Plan,
    RecordKey,
    Rule,
    Stamp,
    Withheld,
    Write,
)

_FIRST_COMES = frozenset({Rule.ON_CREATE, Rule.IF_BLANK})
_STRENGTH = {Mode.UPDATE: 0, Mode.CREATE: 1, Mode.UPSERT: 2}


@dataclass(frozen=True, slots=True)
class Folded:
    """All that a batch asks of one record. `flags`: consent flag -> (target field, stamp of its newest raise).

    earlier: what several events say of a field. varied: fields for which they differ.
    unmatched: fields that cannot be sent yet: their look-up has no single match, or their length is not known.
    """

    write: Write
    customer_id: str | None
    deliveries: tuple[int, ...]
    flags: Mapping[str, tuple[str, Stamp]] = field(default_factory=dict)
    withheld: tuple[Withheld, ...] = ()
    varied: frozenset[str] = frozenset()
    unmatched: Mapping[str, OpenItem] = field(default_factory=dict)
    earlier: Mapping[str, tuple[FieldWrite, ...]] = field(default_factory=dict)


def fold(planned: Sequence[tuple[int, Plan]], known: Mapping[str, States]) -> tuple[list[Folded], dict[str, States]]:
    """Merge the plans of a batch (delivery id, plan) by record; also return the consent known after them.

    In the order to write: a record before those that point at it, opt-outs first, the oldest first.
    """
    after = _consents_after(planned, known)
    by_record: dict[RecordKey, list[Folded]] = {}
    for delivery_id, plan in planned:
        states = after.get(plan.customer_id or "", {})
        for write in without_lowered(plan, states).writes:
            folded = _guarded(delivery_id, plan, write, states)
            if folded is not None:
                by_record.setdefault(write.key, []).append(folded)
    merged = (reduce(_merge, sorted(alike, key=lambda part: part.write.stamp)) for alike in by_record.values())
    return sorted(merged, key=_order), after


def _order(folded: Folded) -> tuple[int, bool, Stamp]:
    return folded.write.rank, not folded.flags, folded.write.stamp


def _consents_after(planned: Iterable[tuple[int, Plan]], known: Mapping[str, States]) -> dict[str, States]:
    by_customer: dict[str, list[Plan]] = {}
    for _, plan in planned:
        if plan.customer_id is not None and (plan.consent or plan.spoken):
            by_customer.setdefault(plan.customer_id, []).append(plan)
    return {customer: observe(known.get(customer, {}), plans) for customer, plans in by_customer.items()}


def _guarded(delivery_id: int, plan: Plan, write: Write, states: States) -> Folded | None:
    """Return one event's write without what the newest consent withholds, and with the flags the customer raised."""
    flags = _raised_flags(plan, write, states)
    if withholding(write.guards, states):
        erased = {name: field_write for name, field_write in write.fields.items() if field_write.erases}
        if not (erased or flags):
            return None
        write = write._replace(fields=erased, mode=Mode.UPDATE, guards=(), links=())
    write, held = _less_what_consent_keeps(write, states)
    raised = {flag: target for flag, (target, _) in flags.items()}
    if held or raised != write.flags:
        # A flag raised by an earlier event opts out the address the customer has now, even if this event is silent.
        unsubscribe = write.address if raised.keys() & write.address_flags else None
        write = write._replace(flags=raised, unsubscribe=unsubscribe)
    return Folded(write, plan.customer_id, (delivery_id,), flags, held)


def _raised_flags(plan: Plan, write: Write, states: States) -> dict[str, tuple[str, Stamp]]:
    """Return the flags a record must carry (flag -> target field, stamp): this event's, and earlier ones in force."""
    earlier = {flag: (target, states[flag].stamp) for flag, target in write.carries if must_carry(states.get(flag))}
    return earlier | {flag: (target, plan.stamp) for flag, target in write.flags.items()}


def _less_what_consent_keeps(write: Write, states: States) -> tuple[Write, tuple[Withheld, ...]]:
    """Split off the fields that consent withholds."""
    withheld = {
        name: flag for name, field_write in write.fields.items() if (flag := withholding(field_write.guards, states))
    }
    if not withheld:
        return write, ()
    kept = {name: field_write for name, field_write in write.fields.items() if name not in withheld}
    silent = {**write.silent, **{name: write.fields[name].stamp for name in withheld}}
    held = tuple(Withheld(write.name, name, flag) for name, flag in withheld.items())
    return write._replace(fields=kept, silent=silent), held


def _merge(old: Folded, new: Folded) -> Folded:
    """Merge two events' writes to one record, the older first."""
    fields, earlier = _merge_fields(old, new)
    flags = dict(old.flags)
    for flag, (target, stamp) in new.flags.items():
        flags[flag] = max(flags.get(flag, (target, stamp)), (target, stamp), key=lambda pair: pair[1])
    address = new.write.address or old.write.address  # the newest known, whichever event raises the flag
    write = new.write._replace(
        fields=fields,
        flags={flag: target for flag, (target, _) in flags.items()},
        mode=max(old.write.mode, new.write.mode, key=_STRENGTH.__getitem__),
        links=tuple(dict.fromkeys(old.write.links + new.write.links)),
        also_match=new.write.also_match or old.write.also_match,
        person=new.write.person or old.write.person,
        unsubscribe=address if flags.keys() & new.write.address_flags else None,
        address=address,
        rank=max(old.write.rank, new.write.rank),
        silent={**old.write.silent, **new.write.silent},
        lacking=old.write.lacking + new.write.lacking,
    )
    customer, withheld = new.customer_id or old.customer_id, old.withheld + new.withheld
    varied = old.varied | new.varied | _varied(old.write, new.write)
    return Folded(write, customer, old.deliveries + new.deliveries, flags, withheld, varied, earlier=earlier)


def _merge_fields(old: Folded, new: Folded) -> tuple[dict[str, FieldWrite], dict[str, tuple[FieldWrite, ...]]]:
    """Merge the fields; also return what each event says of those that both have."""
    ours, theirs = old.write.fields, new.write.fields
    fields = {**ours, **theirs, **{name: _winner(ours[name], theirs[name]) for name in ours if name in theirs}}
    said = {
        name: (*old.earlier.get(name, (ours[name],)), *new.earlier.get(name, (theirs[name],)))
        for name in ours
        if name in theirs
    }
    return fields, {**old.earlier, **new.earlier, **said}


def _varied(old: Write, new: Write) -> frozenset[str]:
    return frozenset(
        name for name, write in new.fields.items() if name in old.fields and old.fields[name].value != write.value
    )


def _winner(old: FieldWrite, new: FieldWrite) -> FieldWrite:
    first, last = sorted((old, new), key=lambda candidate: (candidate.spoken, candidate.stamp))
    if first.order and last.order:
        return furthest(first, last)
    return first if last.rule in _FIRST_COMES else last
