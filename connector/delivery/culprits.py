"""Find by halving which fields of a record its CRM refuses, where the refusal names none. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from connector.delivery.left_out import Sending, may_miss, nothing_left, without
from connector.destinations.base import Outcome, Verdict
from connector.settlement import CauseKey

FEW: Final = 3
"""Records of a batch that are halved for one cause. Others with the cause are tried once, without what those lacked."""


class Tried(NamedTuple):
    """A record as it was last sent, and its outcome; None where nothing was left to send."""

    sending: Sending
    outcome: Outcome | None


Refused = tuple[Sending, Outcome]
Send = Callable[[Sequence[Sending]], Sequence[Outcome] | None]
"""Sends records; None where no more may be sent."""
Search = Generator[Sending, Outcome | None, Tried]
"""Yields what to send next, and is sent its outcome: None where no more may be sent. Returns how the record ends."""


def is_unnamed(sending: Sending, outcome: Outcome) -> bool:
    """Whether a record was refused for fields that the CRM does not name. A new one is looked for first."""
    if sending.row.new:
        return False
    named = {name.lower() for name in outcome.fields}
    ours = {name.lower() for name in (*sending.row.fields, sending.row.key.field)}
    # Where its events have different values, they are sent one after another first.
    about = outcome.verdict is Verdict.REJECTED and outcome.of_fields and not named & ours
    return about and not sending.answer.folded.varied and bool(_suspects(sending))


def _suspects(sending: Sending) -> tuple[str, ...]:
    return tuple(name for name in sending.answer.decision.fields if may_miss(sending, [name]))


def halving(refused: Sending, outcome: Outcome, version: str) -> Search:
    """Send a record without one half of the suspects, then without the other, until one alone is missing.

    Where it is refused without either half, it ends as it was refused: the culprits are in both, or there are none.
    """
    suspects, best = _suspects(refused), Tried(refused, outcome)
    while suspects:
        tried, suspects = yield from _narrowed(refused, outcome, suspects, version)
        if tried is None:
            continue
        if tried.outcome is not None and tried.outcome.verdict is not Verdict.DELIVERED:
            return tried if best.outcome is outcome else best
        best = tried
        if tried.outcome is not None:
            refused = _as_created(refused, tried.outcome)
    return best


def _narrowed(
    refused: Sending, outcome: Outcome, suspects: tuple[str, ...], version: str
) -> Generator[Sending, Outcome | None, tuple[Tried | None, tuple[str, ...]]]:
    """Try a record without each half of the suspects: return how that ended, None if refused, and who is left."""
    middle = len(suspects) // 2
    for part in (suspects[:middle], suspects[middle:]) if middle else (suspects,):
        shortened = without(refused, part, outcome, version)
        if nothing_left(shortened.row):
            return Tried(shortened, None), ()
        answer = yield shortened
        if answer is None:
            break
        if answer.verdict is not Verdict.REJECTED:
            return Tried(shortened, answer), part if len(part) > 1 else ()
        if needed := set(answer.fields) & set(part):  # the CRM takes no record without these
            return None, tuple(name for name in suspects if name not in needed)
    return None, ()


def once(refused: Sending, outcome: Outcome, names: Collection[str], version: str) -> Search:
    """Send a record without some fields once; it ends as it was refused where that is refused, too."""
    shortened = without(refused, names, outcome, version)
    if nothing_left(shortened.row):
        return Tried(shortened, None)
    answer = yield shortened
    return Tried(shortened, answer) if answer and answer.verdict is not Verdict.REJECTED else Tried(refused, outcome)


def _as_created(sending: Sending, outcome: Outcome) -> Sending:
    """Have a record that was created without a unique key written by its id from now on."""
    row = replace(sending.row, id=outcome.id) if sending.answer.creating else sending.row
    return Sending(sending.answer, row)


def find_culprits(refused: Sequence[Refused], version: str, send: Send) -> list[Tried]:
    """Return how records end that were refused for fields the CRM does not name."""
    first, rest = _few_of_each(refused)
    ended = _side_by_side([halving(*pair, version) for pair in first], send)
    culprits: dict[CauseKey, set[str]] = {}
    for (sending, outcome), tried in zip(first, ended, strict=True):
        known = sending.answer.decision.left_out
        culprits.setdefault(_cause(sending, outcome), set()).update(
            tried.sending.answer.decision.left_out.keys() - known
        )
    return ended + _side_by_side([_as_the_others(*pair, culprits, version) for pair in rest], send)


def _few_of_each(refused: Sequence[Refused]) -> tuple[list[Refused], list[Refused]]:
    """Split what was refused into the first few of each cause and the rest."""
    seen: Counter[CauseKey] = Counter()
    first: list[Refused] = []
    rest: list[Refused] = []
    for pair in refused:
        cause = _cause(*pair)
        seen[cause] += 1
        (first if seen[cause] <= FEW else rest).append(pair)
    return first, rest


def _cause(sending: Sending, outcome: Outcome) -> CauseKey:
    return CauseKey(outcome.code, (), sending.answer.folded.write.name)


def _as_the_others(
    refused: Sending, outcome: Outcome, culprits: Mapping[CauseKey, Collection[str]], version: str
) -> Search:
    """Try a record once without the fields that the first of its cause ended without."""
    names = [name for name in _suspects(refused) if name in culprits[_cause(refused, outcome)]]
    return (yield from once(refused, outcome, names, version)) if names else Tried(refused, outcome)


def _side_by_side(searches: Sequence[Search], send: Send) -> list[Tried]:
    """Run searches side by side: what they want to send next goes out together."""
    ended: dict[int, Tried] = {}
    answers: Mapping[int, Outcome | None] = dict.fromkeys(range(len(searches)))  # None starts a search
    while answers:
        wanted: dict[int, Sending] = {}
        for n, answer in answers.items():
            try:
                wanted[n] = searches[n].send(answer)
            except StopIteration as end:
                ended[n] = end.value
        outcomes = send(list(wanted.values())) if wanted else []
        answers = dict(zip(wanted, outcomes, strict=True)) if outcomes is not None else dict.fromkeys(wanted)
    return [ended[n] for n in range(len(searches))]
