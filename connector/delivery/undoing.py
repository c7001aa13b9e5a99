"""Decide what to restore of one record, and what stays because somebody or something newer changed it since. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, NamedTuple

from connector.delivery.authors import AGAIN, TAKEN_BACK, UNDONE, left, restored, state, undone, version_of
from connector.delivery.consent import States, withholding
from connector.delivery.digests import Digest, digests_of
from connector.model import BLANK, Mark, Value
from connector.settlement.previous import KEPT, Former, KeptBefore, Step


class What(StrEnum):
    """What became of one field, or of one record that was created."""

    RESTORED = "restored"
    KEPT = "kept"
    REFUSED = "refused"
    WAITS = "not tried"
    CREATED = "created"
    DELETED = "deleted"


EDITED: Final = "somebody changed it in the CRM since"
NEWER: Final = "a newer event changed it since"
OTHER: Final = "another version of the mapping wrote it since, or what this one wrote was not confirmed"
UNKNOWN: Final = "the CRM did not show what it had before"
LOCKED: Final = "what it had before cannot be decrypted"
CONSENT: Final = "the customer has opted out since"
FLAG: Final = "it may be an opt-out, which is never lowered"
ELSEWHERE: Final = "the record is gone, merged or another customer's now"
UNSURE: Final = "what the CRM has is not known for certain after a restore or an interrupted write"
CREATED: Final = "there was nothing before"
MEANWHILE: Final = "the record was repaired or forgotten meanwhile: run the command again"
UNANSWERED: Final = "the CRM did not say what became of it: run the command again"


class End(NamedTuple):
    """What became of one field. field: empty for a whole record."""

    object: str
    crm_id: str
    field: str
    what: What
    why: str = ""


@dataclass(frozen=True, slots=True)
class Chance:
    """A field that may be restored. mark: the ledger's when this version had written it."""

    field: str
    kept: KeptBefore
    mark: Mark

    @property
    def value(self) -> Value:
        """What the CRM had before."""
        return self.kept.before.values[self.field]


@dataclass(slots=True)
class Restoration:
    """One record on its way back. chances: fields to restore if the CRM still has our value. edited: by a person."""

    of: Former
    chances: list[Chance] = field(default_factory=list)
    edited: list[Chance] = field(default_factory=list)
    ends: list[End] = field(default_factory=list)

    @property
    def crm_id(self) -> str:
        """The CRM's id, as far as it is known."""
        return (self.of.entry.crm_id if self.of.entry else None) or ""

    @property
    def planned(self) -> list[End]:
        """What would become of it."""
        able = (End(self.of.object, self.crm_id, chance.field, What.RESTORED) for chance in self.chances)
        return [*self.ends, *able]

    def end(self, name: str, what: What, why: str = "") -> None:
        """Note what became of a field."""
        self.ends.append(End(self.of.object, self.crm_id, name, what, why))


def weigh(former: Former, states: States) -> Restoration:
    """Decide each field as far as that is possible without the CRM. states: the customer's consent."""
    record = Restoration(former)
    created = list(_created_with(former))
    for name, kept in _first(former, created).items():
        reason = _stays(name, kept, former, states)
        mark = kept.begun.get(name) or (former.entry.fields.get(name) if former.entry else None)
        if reason or mark is None:
            record.end(name, What.KEPT, reason or OTHER)
        else:
            record.chances.append(Chance(name, kept, mark._replace(by=kept.before.by)))
    if created:
        record.ends += _creation(record)
    return record


def _creation(record: Restoration) -> Iterator[End]:
    """Note that a record was created, unless the CRM never said that it has it."""
    made = next((kept.made for kept in record.of.kept if kept.made), None)
    if crm_id := record.crm_id or made:
        yield End(record.of.object, crm_id, "", What.CREATED, CREATED)


def _created_with(former: Former) -> Iterator[str]:
    """The fields a record was created with. A creation that was never confirmed counts if the record has our key."""
    others = [kept for kept in former.kept if not kept.before.created]
    for kept in former.kept:
        if kept.before.created and not kept.done and (kept.made or not others or others[0].before.keyed):
            yield from kept.before.fields


def _first(former: Former, created: list[str]) -> dict[str, KeptBefore]:
    """Of each field, the first previous value of the record that is ours now."""
    known_as = former.entry.crm_id if former.entry else None
    of_existing = [kept for kept in former.kept if not kept.before.created]
    first: dict[str, KeptBefore] = {}
    for kept in sorted(
        of_existing, key=lambda own: own.before.crm_id != known_as
    ):  # that of a former record comes last
        for name in set(kept.before.fields).difference(created, kept.done):
            first.setdefault(name, kept)
    return dict(sorted(first.items()))


def _came_back(former: Former, name: str, first: KeptBefore) -> bool:
    """Whether the version wrote a field again after another one had."""
    own = (kept for kept in former.kept if kept.before.crm_id == first.before.crm_id and name not in kept.done)
    stamps = {kept.before.fields[name] for kept in own if name in kept.before.fields}
    return len(stamps) > 1


def _stays(name: str, kept: KeptBefore, former: Former, states: States) -> str:
    """Return why a field stays as it is; empty if it may be restored."""
    entry = former.entry
    if entry is None or entry.merged or entry.crm_id is None or entry.crm_id != kept.before.crm_id:
        return ELSEWHERE
    if not kept.readable:
        return LOCKED
    if reason := _written_since(entry.fields.get(name), kept, name):
        return reason
    if _came_back(former, name, kept):
        return NEWER
    if name not in kept.before.values:
        return UNKNOWN
    if name in kept.begun:  # an undo that was interrupted may have written what consent withholds now
        return ""
    return CONSENT if withholding(kept.before.guards.get(name, ()), states) else ""


def _written_since(mark: Mark | None, kept: KeptBefore, name: str) -> str:
    if mark is None:
        return OTHER
    if restored(mark) == kept.before.by:  # what came after was undone, and this is there again
        return "" if mark.digest else UNSURE
    if version_of(mark) != kept.before.version:
        return OTHER
    if mark.by != kept.before.by:
        return NEWER
    begun = "" if name in kept.begun else EDITED
    by_turn = {UNDONE: begun, TAKEN_BACK: begun, KEPT: EDITED, AGAIN: NEWER}
    return by_turn.get(state(mark), "" if mark.digest else UNSURE)


def compare(record: Restoration, current: Mapping[str, Value] | None, states: States, digest: Digest) -> None:
    """Leave the chances that the CRM's current values still allow. current: None where the record is not there."""
    chances, record.chances = record.chances, []
    for chance in chances:
        if reason := _changed(chance, current, states, digest):
            record.end(chance.field, What.KEPT, reason)
            record.edited += [chance] if reason == EDITED else []
        else:
            record.chances.append(chance)


def leave_unread(record: Restoration, why: str) -> None:
    """Leave a record that the CRM refused to show: the command can be run again."""
    for chance in record.chances:
        record.end(chance.field, What.WAITS, f"the CRM did not show it: {why}")
    record.chances = []


def _changed(chance: Chance, current: Mapping[str, Value] | None, states: States, digest: Digest) -> str:
    if current is None:
        return ELSEWHERE
    if chance.field not in current:
        return UNKNOWN
    now = current[chance.field]
    if chance.mark.digest not in digests_of(now, digest) and not has_value(chance, now, digest):
        return EDITED
    return FLAG if _may_expose(now, chance.value, states) else ""


def kept_back(chance: Chance, now: Value, states: States) -> str:
    """Return why consent keeps a field as it is; empty if it may be restored."""
    if withholding(chance.kept.before.guards.get(chance.field, ()), states):
        return CONSENT
    return FLAG if _may_expose(now, chance.value, states) else ""


def has_value(chance: Chance, now: Value, digest: Digest) -> bool:
    """Whether the CRM has the previous value already: an undo was interrupted before it noted that."""
    return chance.field in chance.kept.begun and digest(now) == digest(chance.value)


def _may_expose(now: Value, before: Value, states: States) -> bool:
    """Whether restoring a checkbox could take an opt-out back: it is never unchecked, and checked again only for
    customers who opted out of nothing, because it may be an opt-in.
    """
    if _checked(now) is None and _checked(before) is None:
        return False
    if _checked(now):
        return not _checked(before)
    return bool(_checked(before)) and any(state.value or state.spoken or state.owed for state in states.values())


def _checked(value: Value) -> bool | None:
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(value.lower()) if isinstance(value, str) else None


def leaving(record: Restoration) -> Step:
    """Return what is noted of the fields that stay as a person has changed them, by no event as old as ours."""
    former, entry = record.of, record.of.entry or BLANK
    marks = {chance.field: left(chance.mark) for chance in record.edited}
    kept = tuple(_row_after(own, record.edited, {}) for own in former.kept)
    noted = replace(former, kept=kept, entry=replace(entry, fields={**entry.fields, **marks}))
    return Step(noted, {name: entry.fields[name] for name in marks})


def before_writing(record: Restoration) -> Step:
    """Return what is noted of a record before it is written: which of the values the CRM has is not known then."""
    former, entry = record.of, record.of.entry or BLANK
    marks = {chance.field: undone(chance.mark, "", former.run) for chance in record.chances}
    kept = []
    for own in former.kept:
        mine = {chance.field: chance.mark for chance in record.chances if chance.kept.row == own.row}
        kept.append(replace(own, begun={**own.begun, **mine}))
    noted = replace(former, kept=tuple(kept), entry=replace(entry, fields={**entry.fields, **marks}))
    return Step(noted, {name: entry.fields[name] for name in marks})


def after_writing(
    former: Former, chances: Iterable[Chance], ends: Mapping[str, What], digest: Digest, blank: Collection[str] = ()
) -> Step:
    """Return what is noted of a record after it was written. ends: of the fields of which the CRM said what became.

    blank: fields that were cleared, because consent withholds what an undo had written.
    """
    entry = former.entry or BLANK
    settled = [chance for chance in chances if chance.field in ends]
    marks = {chance.field: _mark_after(chance, ends[chance.field], digest, former.run) for chance in settled}
    marks |= {
        chance.field: undone(chance.mark, digest(None), former.run) for chance in settled if chance.field in blank
    }
    kept = tuple(_row_after(own, settled, ends) for own in former.kept)
    noted = replace(former, kept=kept, entry=replace(entry, fields={**entry.fields, **marks}))
    return Step(noted, {name: entry.fields[name] for name in marks})


def _mark_after(chance: Chance, what: What, digest: Digest, run: str) -> Mark:
    if what is not What.RESTORED:
        return chance.mark
    before = chance.kept.before
    is_ours = chance.field in before.ours or chance.value is None
    return undone(chance.mark, digest(chance.value) if is_ours else "", run, before.authors.get(chance.field, ""))


def _row_after(own: KeptBefore, chances: Iterable[Chance], ends: Mapping[str, What]) -> KeptBefore:
    mine = {chance.field for chance in chances if chance.kept.row == own.row}
    begun = {name: mark for name, mark in own.begun.items() if name not in mine}
    return replace(own, begun=begun, done=own.done | {name for name in mine if ends.get(name) is What.RESTORED})
