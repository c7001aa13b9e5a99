"""Which fields of a record are open items after a batch: left out because the CRM refuses them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from connector.delivery.answer import Answer
from connector.model import OpenItem, Plan, RecordKey, Stamp
from connector.settlement import Refusal

_NEVER = Stamp(-1, "")


def opened(answer: Answer) -> dict[str, OpenItem]:
    """Return the fields of a written record that were left out, where the store does not know that yet."""
    before, silent = answer.entry.open, answer.folded.write.silent
    return {
        name: item
        for name, item in answer.decision.left_out.items()
        if item != before.get(name)
        and (name not in before or item.stamp >= before[name].stamp)
        and silent.get(name, _NEVER) <= item.stamp
    }


def closed(answer: Answer) -> tuple[str, ...]:
    """Return the open items of a written record that are settled: nothing older than an item closes it."""
    items = answer.entry.open.items()
    return tuple(name for name, item in items if _settled_at(name, answer) >= item.stamp)


def _settled_at(name: str, answer: Answer) -> Stamp:
    """Return the newest stamp as of which a field has nothing left to write."""
    decision, write = answer.decision, answer.folded.write
    settled = [write.silent.get(name, _NEVER)]
    if name in decision.left_out:
        return max(settled)
    if mark := decision.marks.get(name):
        settled.append(mark.stamp)
    if name in decision.kept:
        settled.append(write.fields[name].stamp)
    return max(settled)


def left_out_of(plan: Plan, answers: Mapping[RecordKey, Answer]) -> Refusal | None:
    """Return why fields of an event were left out; None if none were. Of several causes, the first counts."""
    for write in plan.writes:
        items = answers[write.key].decision.left_out if write.key in answers else {}
        mine = {name: items[name] for name in sorted(items) if name in write.fields}
        if mine:
            first = next(iter(mine.values()))
            fields = tuple(name for name, item in mine.items() if item.code == first.code)
            held = Refusal(first.code, first.cause, first.action, fields, write.name).held_by(first.holder)
            return replace(held, cause=f"{held.cause}; the rest was written")
    return None


def codes(items: Mapping[str, OpenItem], fields: Iterable[str]) -> dict[str, str]:
    """Return the code of each of these fields that was left out."""
    return {name: items[name].code for name in sorted(items) if name in set(fields)}
