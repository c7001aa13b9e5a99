"""Which fields of a record are open items after a batch: left out because the CRM refuses them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from connector.delivery.answer import Answer
from connector.delivery.digests import Digest
from connector.delivery.forward import falls_short
from connector.model import FieldWrite, OpenItem, Plan, RecordKey, Stamp
from connector.settlement import Refusal

_NEVER = Stamp(-1, "")


def opened(answer: Answer, digest: Digest) -> dict[str, OpenItem]:
    """Return the fields of a written record that were left out, where the store does not know that yet."""
    before, silent = answer.entry.open, answer.folded.write.silent
    return {
        name: item
        for name, item in answer.decision.left_out.items()
        if item != before.get(name)
        and (name not in before or _replaces(name, item, before[name], answer, digest))
        and silent.get(name, _NEVER) <= item.stamp
    }


def _replaces(name: str, item: OpenItem, before: OpenItem, answer: Answer, digest: Digest) -> bool:
    write = _moving(name, answer)
    return not falls_short(write, before.digest, digest) if write else item.stamp >= before.stamp


def closed(answer: Answer, digest: Digest) -> tuple[str, ...]:
    """Return the open items of a written record that are settled."""
    return tuple(name for name, item in answer.entry.open.items() if _is_settled(name, item, answer, digest))


def _is_settled(name: str, item: OpenItem, answer: Answer, digest: Digest) -> bool:
    """Whether an item is settled: not by anything older or, on the list along which the field moves, further back."""
    if write := _moving(name, answer):
        return name not in answer.decision.left_out and not falls_short(write, item.digest, digest)
    return _settled_at(name, answer) >= item.stamp


def _moving(name: str, answer: Answer) -> FieldWrite | None:
    """Return what is to be written to a field that moves along a list; None for any other."""
    write = answer.folded.write.fields.get(name)
    return write if write and write.order else None


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
