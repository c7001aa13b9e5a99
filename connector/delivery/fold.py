"""Merge what a batch asks of each record, and decide what of it still has to be sent. Pure.

The CRM's final state is the same for every order of arrival: each field carries a watermark (its stamp), the greater
stamp wins here and against the ledger, and a raised opt-out always goes out. Only `on_create` and `if_blank` values
depend on who came first, and a field is held back by the newest consent known, not by the event's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from connector.delivery.consent import States, must_raise, observe, stands, withholding
from connector.model import Entry, FieldWrite, Mark, Mode, Plan, RecordKey, Rule, Stamp, Value, Withheld, Write

Digest = Callable[[Value], str]
"""A keyed digest of a value as the CRM would hand it back."""

_FIRST_COMES = frozenset({Rule.ON_CREATE, Rule.IF_BLANK})
_STRENGTH = {Mode.UPDATE: 0, Mode.CREATE: 1, Mode.UPSERT: 2}


@dataclass(frozen=True, slots=True)
class Folded:
    """All that a batch asks of one record. `flags`: consent flag -> (target field, stamp of its newest raise)."""

    write: Write
    customer_id: str | None
    deliveries: tuple[int, ...]
    flags: Mapping[str, tuple[str, Stamp]] = field(default_factory=dict)
    withheld: tuple[Withheld, ...] = ()


def fold(planned: Sequence[tuple[int, Plan]], known: Mapping[str, States]) -> tuple[list[Folded], dict[str, States]]:
    """Merge the plans of a batch (delivery id, plan) by record; also what is known of consent after hearing them.

    In the order to write: a record before those that point at it, opt-outs first, the oldest first.
    """
    after = _consents_after(planned, known)
    merged: dict[RecordKey, Folded] = {}
    for delivery_id, plan in planned:
        states = after.get(plan.customer_id or "", {})
        for write in plan.writes:
            one = _guarded(delivery_id, plan, write, states)
            if one is not None:
                merged[write.key] = _merge(merged[write.key], one) if write.key in merged else one
    return sorted(merged.values(), key=lambda one: (one.write.rank, not one.flags, one.write.stamp)), after


def _consents_after(planned: Iterable[tuple[int, Plan]], known: Mapping[str, States]) -> dict[str, States]:
    by_customer: dict[str, list[Plan]] = {}
    for _, plan in planned:
        if plan.customer_id is not None and (plan.consent or plan.spoken):
            by_customer.setdefault(plan.customer_id, []).append(plan)
    return {customer: observe(known.get(customer, {}), plans) for customer, plans in by_customer.items()}


def _guarded(delivery_id: int, plan: Plan, write: Write, states: States) -> Folded | None:
    """One event's write, less what the newest consent known of this customer keeps back, and with what it owes."""
    flags = {flag: (target, states[flag].stamp) for flag, target in write.carries if stands(states.get(flag))}
    flags |= {flag: (target, plan.stamp) for flag, target in write.flags.items()}
    if withholding(write.guards, states):
        erased = {name: one for name, one in write.fields.items() if one.erases}
        if not (erased or flags):
            return None
        write = replace(write, fields=erased, mode=Mode.UPDATE, guards=(), links=())
    kept = {name: one for name, one in write.fields.items() if not withholding(one.guards, states)}
    held = tuple(
        Withheld(write.name, name, withholding(one.guards, states) or "")
        for name, one in write.fields.items()
        if name not in kept
    )
    raised = {flag: target for flag, (target, _) in flags.items()}
    if held or raised != write.flags:
        # A flag that an earlier event raised opts out the address the customer has now, whatever this event says of it.
        unsubscribe = write.address if raised.keys() & write.address_flags else None
        write = replace(write, fields=kept, flags=raised, unsubscribe=unsubscribe)
    return Folded(write, plan.customer_id, (delivery_id,), flags, held)


def _merge(one: Folded, other: Folded) -> Folded:
    old, new = sorted((one, other), key=lambda folded: folded.write.stamp)
    fields = dict(old.write.fields)
    for name, candidate in new.write.fields.items():
        fields[name] = _winner(fields[name], candidate) if name in fields else candidate
    flags = dict(old.flags)
    for flag, (target, stamp) in new.flags.items():
        flags[flag] = max(flags.get(flag, (target, stamp)), (target, stamp), key=lambda pair: pair[1])
    write = replace(
        new.write,
        fields=fields,
        flags={flag: target for flag, (target, _) in flags.items()},
        mode=max(old.write.mode, new.write.mode, key=_STRENGTH.__getitem__),
        links=tuple(dict.fromkeys(old.write.links + new.write.links)),
        also_match=new.write.also_match or old.write.also_match,
        unsubscribe=new.write.unsubscribe or old.write.unsubscribe,
        rank=max(old.write.rank, new.write.rank),
    )
    customer = new.customer_id or old.customer_id
    return Folded(write, customer, one.deliveries + other.deliveries, flags, old.withheld + new.withheld)


def _winner(one: FieldWrite, other: FieldWrite) -> FieldWrite:
    first, last = sorted((one, other), key=lambda candidate: (candidate.spoken, candidate.stamp))
    return first if last.rule in _FIRST_COMES else last


@dataclass(frozen=True, slots=True)
class Existing:
    """What is known of the record in the CRM: its id, and the current values that were read."""

    id: str
    values: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decision:
    """What to send of one record (plain values), and what the ledger holds once the CRM confirmed it."""

    fields: Mapping[str, Value] = field(default_factory=dict)
    consent: Mapping[str, str] = field(default_factory=dict)
    marks: Mapping[str, Mark] = field(default_factory=dict)
    unsubscribe: str | None = None
    kept: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether nothing new would be said to the CRM."""
        return not (self.fields or self.consent or self.unsubscribe)


def standing(fields: Mapping[str, FieldWrite], entry: Entry, digest: Digest) -> dict[str, FieldWrite]:
    """The fields that the ledger does not already know as newer or as said."""
    return {name: one for name, one in fields.items() if _news(one, entry.fields.get(name), digest)}


def _news(one: FieldWrite, mark: Mark | None, digest: Digest) -> bool:
    if mark is None:
        return True
    return (one.spoken or one.stamp >= mark.stamp) and mark.digest != digest(plain(one))


def plain(one: FieldWrite) -> Value:
    """The value of a field whose references and look-ups were resolved."""
    assert one.value is None or isinstance(one.value, str | int | float | bool)  # resolve() came before
    return one.value


def to_read(folded: Folded, entry: Entry, digest: Digest) -> tuple[bool, tuple[str, ...]]:
    """Whether the record has to be looked for in the CRM before deciding, and which current values to read."""
    news = standing(folded.write.fields, entry, digest)
    compared = tuple(name for name, one in news.items() if one.rule in (Rule.IF_BLANK, Rule.UNLESS_EDITED))
    unknown = entry.crm_id is None and (
        entry.creating is not None
        or bool(folded.write.also_match)
        or folded.write.mode is Mode.CREATE
        or any(one.rule is not Rule.ALWAYS for one in news.values())
    )
    return unknown or bool(compared), compared


def decide(folded: Folded, entry: Entry, known: States, existing: Existing | None, digest: Digest) -> Decision:
    """What of one record goes out. `known`: the customer's consent, this batch's events heard."""
    exists = existing is not None or entry.crm_id is not None
    if folded.write.mode is Mode.CREATE and exists:
        return Decision(kept=tuple(folded.write.fields))
    news = standing(folded.write.fields, entry, digest)
    verdicts = {name: _by_rule(one, name, entry, existing, exists, digest) for name, one in news.items()}
    marks = _advanced(folded.write.fields, news, entry)
    marks |= {
        name: Mark(news[name].stamp, digest(plain(news[name])))
        for name, verdict in verdicts.items()
        if verdict != "kept"
    }
    consent = _raises(folded, entry, known, digest)
    marks |= {target: Mark(folded.flags[flag][1], digest(True)) for flag, target in consent.items()}
    unsubscribe = _address(folded, entry, digest)
    return Decision(
        fields={name: plain(news[name]) for name, verdict in verdicts.items() if verdict == "send"},
        consent=consent,
        marks=marks,
        unsubscribe=unsubscribe,
        kept=tuple(name for name, verdict in verdicts.items() if verdict == "kept"),
    )


def _raises(folded: Folded, entry: Entry, known: States, digest: Digest) -> dict[str, str]:
    """The raises to send: what never reached the CRM, and what this very record does not carry (it was made anew)."""
    carried = {name for name, mark in entry.fields.items() if mark.digest == digest(True)}
    return {
        flag: target
        for flag, (target, _) in folded.flags.items()
        if must_raise(known.get(flag)) or target not in carried
    }


def in_doubt(folded: Folded, decision: Decision, entry: Entry, digest: Digest) -> Entry:
    """A record's entry while nobody can tell whether the CRM took what was decided: kept before the write.

    Without it, a value written just before a crash would outlive a newer event that says again what the ledger
    remembers from before it, and would pass for a person's edit.
    """
    fields, meant = dict(entry.fields), dict(entry.meant)
    for name, value in decision.fields.items():
        before, write = entry.fields.get(name), folded.write.fields[name]
        if before is not None:
            fields[name] = Mark(before.stamp, "")
        if write.rule is Rule.UNLESS_EDITED:
            ours = {digest(value), before.digest if before else ""} - {""}
            meant[name] = {**meant.get(name, {}), **dict.fromkeys(ours, write.stamp)}
    return entry if fields == entry.fields and meant == entry.meant else replace(entry, fields=fields, meant=meant)


def _by_rule(one: FieldWrite, name: str, entry: Entry, existing: Existing | None, exists: bool, digest: Digest) -> str:
    """send, kept (the CRM's own value stays) or same (the CRM holds it already: remember it as ours)."""
    if one.rule is Rule.ALWAYS or not exists:
        return "send"
    if one.rule is Rule.ON_CREATE:
        return "kept"
    current = existing.values.get(name) if existing else None
    if current in (None, "") and (one.rule is Rule.IF_BLANK or name not in entry.fields):
        return "send"
    if digest(current) == digest(plain(one)):
        return "same"
    mark = entry.fields.get(name)
    ours = (mark is not None and mark.digest == digest(current)) or digest(current) in entry.meant.get(name, {})
    return "send" if one.rule is Rule.UNLESS_EDITED and ours else "kept"


def _advanced(fields: Mapping[str, FieldWrite], news: Mapping[str, FieldWrite], entry: Entry) -> dict[str, Mark]:
    """Marks of fields said again by a newer event with the same value: nothing to send, but the watermark moves."""
    return {
        name: Mark(one.stamp, entry.fields[name].digest)
        for name, one in fields.items()
        if name not in news and name in entry.fields and one.stamp > entry.fields[name].stamp
    }


def _address(folded: Folded, entry: Entry, digest: Digest) -> str | None:
    address = folded.write.unsubscribe
    mark = entry.unsubscribed
    return None if address is None or (mark and mark.digest == digest(address)) else address
