"""Try whether an object can have a field with unique values, where a CRM's documentation does not say so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from connector.destinations.base import Row, Verdict
from connector.destinations.bench import Added, UniqueFields
from connector.insight.trial.stage import Stage, Step
from connector.insight.trial.verdict import Result, Tried, fails, refused, untried, works
from connector.model import RecordKey, Value, Write

MARK: Final = "carecycle_trial_"
"""How the name of every field begins that a trial makes."""

_RESTORED: Final = "make an archived field again"
_LAST: Final = 0xFF


def uniqueness(stage: Stage) -> Iterator[Step]:
    """Yield a step for each object whose records have keys, if the CRM has objects that cannot keep them unique."""
    fields = stage.bench.unique_fields
    if fields is None:
        return
    kinds: dict[str, list[Write]] = {}
    for write in stage.planned():
        kinds.setdefault(write.key.object, []).append(write)
    for kind, writes in kinds.items():
        yield f"keep keys unique on {kind}", partial(_kept_unique, stage, fields, writes)
    if kinds:
        yield _RESTORED, partial(_restored, stage, fields, next(iter(kinds)))


def _kept_unique(stage: Stage, fields: UniqueFields, writes: Sequence[Write]) -> Iterator[Tried]:
    kind = writes[0].key.object
    what = f"keep keys unique on {kind}"
    if any(write.unique and write.key in stage.written for write in writes):
        yield works(what, "the mapping's own key is unique there")
        return
    name, added = f"{MARK}{stage.made_up.run}", Added(made=True)
    try:
        added = fields.add(kind, name)
        if added.unique:
            yield _proposing(stage, fields, writes, _used(stage, writes[0], name))
        elif added.passing:
            yield untried(what, added.why, "remove the cause, and run the trial again")
        else:
            yield _proposing(stage, fields, writes, fails(what, added.why))
    finally:
        left = fields.remove(kind, name) if added.made else ""
    if left:
        yield _still_there(kind, name, left)


def _used(stage: Stage, write: Write, name: str) -> Tried:
    """Write a record twice by a key in the new field: the second time must meet the first record."""
    kind = write.key.object
    what = f"keep keys unique on {kind}"
    key = RecordKey(kind, name, stage.made_up.identity(_LAST))
    plain: dict[str, Value] = {
        field: own.value
        for field, own in write.fields.items()
        if isinstance(own.value, str | int | float | bool) and field != stage.mapping.crm.address_field
    }
    own = stage.described(kind).get(write.key.field)
    if own is not None and not own.unique:  # by which a later trial finds it, once the new field is gone
        plain[write.key.field] = write.key.value
    first, second = (stage.fence.write([Row(key, plain)])[0] for _ in range(2))
    for outcome in (first, second):
        if outcome.verdict is not Verdict.DELIVERED:
            return refused(what, outcome)
    if first.id != second.id:
        return fails(what, "a record that was sent twice was created twice")
    return works(what, "the account can have such a field, and a record sent twice is there once: connector provision")


def _proposing(stage: Stage, fields: UniqueFields, writes: Sequence[Write], tried: Tried) -> Tried:
    """Add to what failed the lines of a mapping that does without; such a mapping has no problem."""
    if tried.result is not Result.FAILS:
        return tried
    needing = [write for write in writes if write.unique]
    if not needing:
        return works(tried.what, f"{tried.seen}; the mapping does without (unique_key: false)")
    lines = ["records:"]
    for write in needing:
        lines += [f"  {write.name}:", "    unique_key: false"]
        if instead := fields.instead.get(write.key.object):
            lines.append(f"    key: {{ {instead}: {stage.sources.get(write.name, write.key.field)} }}")
    do = "put the lines below into your mapping: the connector then remembers which records it made"
    return replace(tried, do=do, lines="\n".join(lines))


def _restored(stage: Stage, fields: UniqueFields, kind: str) -> Iterator[Tried]:
    name, first = f"{MARK}{stage.made_up.run}_again", Added(made=True)
    try:
        first = fields.add(kind, name)
        if first.unique and not fields.remove(kind, name):
            again = fields.add(kind, name)
            lost = f"{again.why}: connector provision asks for another name"
            yield works(_RESTORED, "it keeps unique values" if again.unique else lost)
        else:
            yield untried(_RESTORED, first.why or "the field cannot be archived")
    finally:
        left = fields.remove(kind, name) if first.made else ""
    if left:
        yield _still_there(kind, name, left)


def _still_there(kind: str, name: str, why: str) -> Tried:
    return fails(f"remove the field {name} of {kind}", why, "delete it in the CRM's settings")
