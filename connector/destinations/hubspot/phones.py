"""Find contacts by phone number: HubSpot calculates the digits of the two standard properties, for its own search.

https://developers.hubspot.com/docs/api-reference/search/guide
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from connector.destinations.base import Answers
from connector.destinations.hubspot.reads import Finder
from connector.destinations.phone_search import find_spelled
from connector.mapping import phones

_CALCULATED: Final = {
    "phone": "hs_searchable_calculated_phone_number",
    "mobilephone": "hs_searchable_calculated_mobile_number",
}


def find_phones(finder: Finder, object: str, field: str, numbers: Sequence[str], names: Sequence[str]) -> Answers:
    """Records by phone number. May raise DestinationUnusable."""
    calculated = _CALCULATED.get(field) if object in ("contacts", "0-1") else None
    answers: Answers = {}
    if calculated and (whole := [number for number in numbers if phones.digits(number)]):
        answers = find_spelled(lambda texts: finder.search(object, calculated, texts, names), whole, phones.digits)
    # A portal that does not offer the calculated property is searched for the common spellings.
    rest = [number for number in numbers if not isinstance(answers.get(number), list)]
    return answers | (find_spelled(lambda texts: finder.find(object, field, texts, names), rest) if rest else {})
