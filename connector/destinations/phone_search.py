"""Search by phone number where the CRM compares the text: ask for the ways in which people write the number."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from connector.destinations.base import Answers, Found, Outcome
from connector.mapping import phones


def find_spelled(
    find: Callable[[Sequence[str]], Answers],
    numbers: Sequence[str],
    spell: Callable[[str], tuple[str, ...]] = phones.spellings,
) -> Answers:
    """Records by phone number: each of `numbers` -> its records. find: searches for texts. spell: the texts to try."""
    spelled = {number: spell(number) for number in numbers}
    answers = find(list(dict.fromkeys(text for texts in spelled.values() for text in texts)))
    return {number: _together([answers.get(text, []) for text in texts]) for number, texts in spelled.items()}


def _together(answers: Sequence[list[Found] | Outcome]) -> list[Found] | Outcome:
    """All records of several answers, each once; an answer that is unknown leaves the whole unknown."""
    records: dict[str, Found] = {}
    for answer in answers:
        if isinstance(answer, Outcome):
            return answer
        records |= {record.id: record for record in answer}
    return list(records.values())
