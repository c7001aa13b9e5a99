"""What nobody could prove of a CRM without an account: a trial tries it on the people it made up."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

from connector.destinations.base import Outcome, Row, Verdict
from connector.insight.trial.person import MARK
from connector.insight.trial.readback import problems_of
from connector.insight.trial.stage import Stage, Step, Written, with_person
from connector.insight.trial.verdict import Tried, fails, refused, untried, works
from connector.insight.trial.way import Sent
from connector.model import Value

_SECOND: Final = "write a second person with the same address"
_TWICE: Final = "opt out twice"
_BLANK: Final = "clear a check box"
_EMOJI: Final = "count an emoji as two characters"
_AGAIN: Final = "write a person whose record was deleted"
_FIELDS_TRIED: Final = 3


def unproven(stage: Stage) -> Iterator[Step]:
    """Yield what is unproven, in order."""
    yield _SECOND, partial(_second, stage)
    yield with_person(stage, _TWICE, _twice)
    yield with_person(stage, _BLANK, _blank, 1 if stage.person(1) else 0)
    yield with_person(stage, _EMOJI, _emoji)


def once_deleted(stage: Stage) -> Iterator[Step]:
    """Yield what is unproven of records that were deleted."""
    yield with_person(stage, _AGAIN, _again)


def _again(stage: Stage, person: Written) -> Iterator[Tried]:
    plain: dict[str, Value] = {
        name: written.value
        for name, written in person.write.fields.items()
        if isinstance(written.value, str) and name in stage.described(person.object)
    }
    outcome = stage.fence.write([Row(person.write.key, plain, unique=person.write.unique)])[0]
    if outcome.verdict is not Verdict.DELIVERED:
        yield refused(_AGAIN, outcome)
    else:
        yield works(_AGAIN, "the deleted record is back" if outcome.id == person.id else "a new record has the key")


def _second(stage: Stage) -> Iterator[Tried]:
    sent = stage.send(stage.made_up.created(stage.cast.second))
    second, first = stage.person(1), stage.person()
    if second is None:
        yield from problems_of(sent) or [untried(_SECOND, "the mapping writes no such person")]
    elif first is not None and second.write.key == first.write.key:
        yield works(_SECOND, "the mapping's key is the address, so the two are one record")
    elif first is not None and second.id == first.id:
        yield fails(_SECOND, "both people ended up in one record")
    else:
        yield from _shared(sent, second)


def _shared(sent: Sent, second: Written) -> Iterator[Tried]:
    """How the address that both have was dealt with."""
    left_out = sent.answers[second.write.key].decision.left_out
    held = [name for name, item in left_out.items() if item.holder is not None]
    if left_out.keys() - set(held):
        yield from problems_of(sent)
    elif held:
        yield works(_SECOND, f"the second record was written without {', '.join(held)}, as two may not share it")
    else:
        yield works(_SECOND, "both records have it")


def _twice(stage: Stage, person: Written) -> Iterator[Tried]:
    flags = stage.opt_outs(person.object)
    if not flags:
        yield untried(_TWICE, "the mapping maps no opt-out")
        return
    by_service = any(stage.mapping.unsubscribes(person.object, flag) for flag in stage.mapping.flags)
    address = stage.made_up.address if by_service else None
    _, outcome = (_wrote(stage, person, dict.fromkeys(flags, True), address) for _ in range(2))
    if outcome.verdict is not Verdict.DELIVERED:
        yield refused(_TWICE, outcome)
    elif outcome.subscription.code:
        yield fails(_TWICE, outcome.subscription.cause, outcome.subscription.action)
    else:
        yield works(_TWICE, "the second time changes nothing")


def _wrote(stage: Stage, written: Written, fields: dict[str, Value], address: str | None = None) -> Outcome:
    consent = frozenset(name for name, value in fields.items() if value is True)
    row = Row(written.write.key, fields, written.id, consent=consent, unsubscribe=address, keyed=False)
    return stage.fence.write([row])[0]


def _blank(stage: Stage, person: Written) -> Iterator[Tried]:
    boxes = [name for name, kind in _types(stage, person).items() if kind == "boolean"]
    if not boxes:
        yield untried(_BLANK, "the mapping writes no check box")
        return
    outcome = _wrote(stage, person, {boxes[0]: None})
    if outcome.verdict is Verdict.DELIVERED:
        yield works(_BLANK, f"{person.object}.{boxes[0]} takes it")
    elif outcome.of_fields:
        yield works(_BLANK, f"refused for that field alone ({outcome.code}): it is then left out of the record")
    else:
        yield refused(_BLANK, outcome)


def _types(stage: Stage, written: Written) -> dict[str, str]:
    """The types of the fields that the mapping writes to an object, as far as the account describes them."""
    names = stage.mapping.writes.get(written.object, frozenset())
    described = stage.described(written.object)
    return {name: described[name].type for name in sorted(names) if name in described}


def _emoji(stage: Stage, person: Written) -> Iterator[Tried]:
    for name, length in sorted(_lengths(stage, person).items(), key=lambda item: item[::-1])[:_FIELDS_TRIED]:
        whole = _wrote(stage, person, {name: "a" * length})
        if whole.verdict is Verdict.DELIVERED:
            yield _counted(stage, person, name, length)
            return
    yield untried(_EMOJI, "no field of the mapping takes any text that is as long as it says")


def _counted(stage: Stage, person: Written, name: str, length: int) -> Tried:
    fitting, longer = (f"{'a' * (length - 2 + more)}\N{WAVING HAND SIGN}" for more in range(2))
    first, second = (_wrote(stage, person, {name: text}) for text in (fitting, longer))
    where = f"{person.object}.{name}, {length} characters long"
    if first.verdict is not Verdict.DELIVERED:
        return fails(_EMOJI, f"{where}, refuses a text that should just fit ({first.code})")
    if second.verdict is Verdict.DELIVERED:
        return works(_EMOJI, f"{where}, counts it as one: texts are cut a little earlier than they need be")
    return works(_EMOJI, f"{where}, counts as the connector does ({second.code} beyond that)")


def _lengths(stage: Stage, person: Written) -> dict[str, int]:
    fields = stage.described(person.object)
    longest, address = stage.mapping.crm.longest_text, stage.mapping.crm.address_field
    return {
        name: length
        for name, written in person.write.fields.items()
        if name in fields and fields[name].type == "string" and not fields[name].unique and name != address
        if isinstance(written.value, str)
        and not MARK.search(written.value)
        and (length := fields[name].length or longest or 0) > 2
    }
