"""Read a trial's records back from the CRM and compare them with what was written."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from connector.crm import is_same_id
from connector.delivery.answer import Answer
from connector.destinations.base import Destination, Outcome, Verdict
from connector.insight.trial.verdict import Result, Tried, fails, refused, works
from connector.insight.trial.way import Sent
from connector.model import Ref, Value, Write


def outcomes(sent: Sent, writes: Sequence[Write] | None = None) -> Iterator[Tried]:
    """Whether the CRM took each record of an event, or these of them, and each of their fields."""
    for write in sent.plan.writes if writes is None else writes:
        if answer := sent.answers.get(write.key):
            yield from _outcome(write, answer)


def _outcome(write: Write, answer: Answer) -> Iterator[Tried]:
    what, outcome = f"write the {write.name} ({write.key.object})", answer.outcome
    if outcome is not None and outcome.verdict in (Verdict.REJECTED, Verdict.DEFERRED):
        yield refused(what, outcome)
        return
    yield works(what, "" if outcome is None or outcome.verdict is Verdict.DELIVERED else outcome.refusal.cause)
    for name, item in answer.decision.left_out.items():
        yield fails(f"write {write.key.object}.{name}", f"{item.cause} ({item.code})", item.action)
    if outcome is not None and outcome.ignored.code:
        yield fails(what, outcome.ignored.cause, outcome.ignored.action)


def problems_of(sent: Sent) -> list[Tried]:
    """What the CRM refused of an event."""
    return [line for line in outcomes(sent) if line.result is not Result.WORKS]


def reading(destination: Destination, sent: Sent) -> Iterator[Tried]:
    """Whether each record that was written shows what was written, as far as it was."""
    for write in sent.plan.writes:
        answer = sent.answers.get(write.key)
        if answer is not None and answer.crm_id is not None and (expected := sent_values(answer)):
            yield from _compared(destination, write, answer.crm_id, expected)


def sent_values(answer: Answer) -> dict[str, Value]:
    """The fields of a record as they were sent, without those that were left out."""
    decision, outcome = answer.decision, answer.outcome
    if outcome is None or outcome.verdict is not Verdict.DELIVERED:
        return {}
    sent = {**decision.fields, **dict.fromkeys(decision.consent.values(), True)}
    return {name: value for name, value in sent.items() if name not in decision.left_out and value is not None}


def _compared(destination: Destination, write: Write, crm_id: str, expected: Mapping[str, Value]) -> Iterator[Tried]:
    kind = write.key.object
    what = f"read back the {write.name} ({kind})"
    shown = values(destination, kind, crm_id, expected)
    if isinstance(shown, Outcome):
        yield refused(what, shown)
        return
    normal = destination.normal
    differing = [name for name, own in expected.items() if not _alike(normal(own), normal(shown.get(name)))]
    yield from (_differs(f"{kind}.{name}", normal(expected[name]), normal(shown.get(name))) for name in differing)
    if kept := expected.keys() - set(differing):
        points = [name for name in kept if name in write.fields and isinstance(write.fields[name].value, Ref)]
        seen = f"{len(kept)} of {len(expected)} fields show what was written"
        yield works(what, f"{seen}; {', '.join(points)} points at the person" if points else seen)


def _differs(field: str, sent: str, shown: str) -> Tried:
    if not shown:
        problem, do = "it is empty", "check that the field may be read, and that no automation empties it"
        return fails(f"read back {field}", problem, do)
    do = "look for an automation that changes the field; if there is none, correct the mapping"
    return fails(f"read back {field}", f"'{sent}' was written, and it shows '{shown}'", do)


def _alike(sent: str, shown: str) -> bool:
    """Whether two texts differ in letter case, blanks and punctuation at most.

    >>> _alike("+1 602-555-0100", "+16025550100"), _alike("Mesa", "Yuma"), _alike("(", ")")
    (True, False, False)
    """
    bare = ["".join(filter(str.isalnum, text)).casefold() for text in (sent, shown)]
    return sent == shown or (bare[0] == bare[1] != "") or is_same_id(sent, shown)


def values(destination: Destination, kind: str, crm_id: str, names: Collection[str]) -> Mapping[str, Value] | Outcome:
    """What a record shows now; empty if it does not exist."""
    answer = destination.find(kind, destination.crm.id_field, [crm_id], names)[crm_id]
    if isinstance(answer, Outcome):
        return answer
    return answer[0].values if answer else {}
