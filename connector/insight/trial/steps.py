"""The ordinary steps of a trial: write, read back, link, change, change too late, opt out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Final

from connector.delivery.answer import Answer
from connector.destinations.base import Outcome, Verdict
from connector.insight.trial.readback import outcomes, problems_of, reading, values
from connector.insight.trial.stage import Stage, Step, Written, with_person
from connector.insight.trial.verdict import Result, Tried, fails, refused, untried, works

_CHANGES: Final = {"firstName": "Changed", "city": "Flagstaff", "postalCode": "86001"}
_OLDER: Final = "leave out an older change"
_LATE: Final = {"firstName": "Late", "city": "Yuma", "postalCode": "85364"}


def ordinary(stage: Stage) -> Iterator[Step]:
    """Yield the ordinary steps, in order."""
    yield "write a person", partial(_written, stage, stage.cast.created)
    for call in stage.cast.calls:
        yield "write a call", partial(_written, stage, call)
    yield with_person(stage, "change the person", _changed)
    yield with_person(stage, _OLDER, _older)
    for flag in stage.mapping.flags:
        yield with_person(stage, f"opt out: {flag}", partial(_opted_out, flag))
    if stage.mapping.crm.associates:  # late: some CRMs show a link only after a while
        yield "link a call and its person", partial(_linked, stage)
    yield "write every field", partial(_never_written, stage)


def _written(stage: Stage, payload: Mapping[str, Any]) -> Iterator[Tried]:
    before = set(stage.written)
    sent = stage.send(payload)
    if not sent.plan.writes:
        yield untried(f"write a {payload['event_type']} event", f"the mapping writes nothing: {sent.plan.reason}")
    yield from outcomes(sent, [write for write in sent.plan.writes if write.key not in before])
    yield from reading(stage.fence, sent)


def _linked(stage: Stage) -> Iterator[Tried]:
    for written in list(stage.written.values()):
        for key in written.write.links:
            if end := stage.written.get(key):
                what = f"link the {written.write.name} and the {end.write.name}"
                linked = stage.bench.linked(written.object, written.id, end.object)
                yield works(what) if end.id in linked else fails(what, f"the {written.write.name} shows no such link")


def _changed(stage: Stage, person: Written) -> Iterator[Tried]:
    sent = stage.send(stage.made_up.updated(stage.cast.first, **_CHANGES))
    problems = [line for line in (*outcomes(sent), *reading(stage.fence, sent)) if line.result is not Result.WORKS]
    yield from problems or [works("change the person", "the record shows what was changed")]


def _older(stage: Stage, person: Written) -> Iterator[Tried]:
    names = [name for name in person.write.fields if name in stage.described(person.object)]
    before = values(stage.fence, person.object, person.id, names)
    sent = stage.send(stage.made_up.older(stage.cast.first, **_LATE))
    after = values(stage.fence, person.object, person.id, names)
    if isinstance(after, Outcome):
        yield refused(_OLDER, after)
    elif before != after:
        yield fails(_OLDER, "an event older than the last one changed the record")
    else:
        yield from problems_of(sent) or [works(_OLDER, "the record is as it was")]


def _opted_out(flag: str, stage: Stage, person: Written) -> Iterator[Tried]:
    what = f"opt out: {flag}"
    sent = stage.send(stage.made_up.updated(stage.cast.first, **{flag: True}))
    targets = stage.mapping.flag_fields(person.object, flag)
    shown = values(stage.fence, person.object, person.id, targets)
    if isinstance(shown, Outcome):
        yield refused(what, shown)
    elif missing := [name for name in targets if stage.fence.normal(shown.get(name)) != stage.fence.normal(True)]:
        yield from problems_of(sent)
        yield fails(what, f"{', '.join(missing)} is not set", "docs/consent.md says how opt-outs reach the CRM")
    else:
        yield works(what, f"{', '.join(targets)} is set")
    if stage.mapping.unsubscribes(person.object, flag):
        yield _by_service(f"{what}, by subscription", sent.answers.get(person.write.key))


def _by_service(what: str, answer: Answer | None) -> Tried:
    outcome = answer.outcome if answer else None
    if outcome is None or outcome.verdict is not Verdict.DELIVERED:
        return fails(what, "the address was not opted out")
    why = outcome.subscription
    return fails(what, why.cause, why.action) if why.code else works(what, "the address is opted out of email")


def _never_written(stage: Stage) -> Iterator[Tried]:
    """Name the fields of the mapping for which made-up events have no value."""
    events = (stage.cast.created, *stage.cast.calls)
    writes = [write for event in events for write in stage.way.plan(event).writes]
    for kind, names in stage.mapping.writes.items():
        tried = {name for own in writes if own.key.object == kind for name in (own.key.field, *own.fields)}
        if missing := sorted(names - tried.union(stage.opt_outs(kind))):
            yield untried(f"write {kind}: {', '.join(missing)}", "the made-up events have no value for it")
