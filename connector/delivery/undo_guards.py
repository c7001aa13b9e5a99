"""What consent withholds now, whatever the mapping that is undone thought of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from connector.delivery.consent import States
from connector.mapping import Mapping as CompiledMapping
from connector.model import OLDEST, FlagState
from connector.settlement.previous import Former, KeptBefore
from connector.store import Store

Guards = Mapping[tuple[str, str], frozenset[str]]
"""(object, field) -> the consent flags that withhold it while they are true or unknown."""


def guards_of(mapping: CompiledMapping) -> Guards:
    """Collect the guards of every field that a mapping writes, those of its records included."""
    guards: dict[tuple[str, str], frozenset[str]] = {}
    for program in mapping.programs.values():
        for record in program.records:
            for own in record.fields:
                place = (record.object, own.target)
                guards[place] = guards.get(place, frozenset()) | {*own.guards, *record.guards}
    return guards


def guarded(former: Former, guards: Guards) -> Former:
    """Add them to those that the fields had when they were written."""
    return replace(former, kept=tuple(_guarded(kept, former.object, guards) for kept in former.kept))


def _guarded(kept: KeptBefore, kind: str, guards: Guards) -> KeptBefore:
    before = kept.before
    both = {
        name: tuple(sorted({*before.guards.get(name, ()), *guards.get((kind, name), ())})) for name in before.fields
    }
    return replace(kept, before=replace(before, guards=both))


def consents_of(store: Store, destination: str, customers: Collection[str]) -> dict[str, States]:
    """What is known of consent, with the opt-outs that were accepted and not delivered yet."""
    known: dict[str, States] = dict(store.ledger.consents(destination, customers))
    for customer, flag in store.obligations.open(destination, customers):
        state = known.get(customer, {}).get(flag, FlagState(OLDEST, None))
        known[customer] = {**known.get(customer, {}), flag: state._replace(value=True, owed=True)}
    return known
