"""Steps that write text in another form. Lengths are counted as CRMs count them: in UTF-16 code units."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from connector.carecycle.catalogue import Kind
from connector.mapping.steps import arguments
from connector.mapping.steps.step import LISTS, SINGLE, TEXTUAL, Example, Format, Longest, Step, at_most, same, unknown


def lower(value: str) -> str:
    """Lowercase letters.

    >>> lower("Priya@YourAgency.com")
    'priya@youragency.com'
    """
    return value.lower()


def upper(value: str) -> str:
    """Uppercase letters.

    >>> upper("inbound")
    'INBOUND'
    """
    return value.upper()


def trim(value: str) -> str:
    """The text without spaces at either end.

    >>> trim("  Mesa ")
    'Mesa'
    """
    return value.strip()


def digits(value: str) -> str:
    """The digits only.

    >>> digits("+1 (312) 847-1928")
    '13128471928'
    """
    return "".join(char for char in value if char in "0123456789")


def last4(value: str) -> str:
    """The last four letters or digits.

    >>> last4("1EG4-TE5-MK73")
    'MK73'
    """
    return "".join(char for char in value if char.isalnum())[-4:]


def list_(value: Sequence[str]) -> str:
    """A list in the form both CRMs use for multiple choices, each once.

    >>> list_(["AZ", "AR", "", "AZ"])
    'AZ;AR'
    """
    return ";".join(dict.fromkeys(choice for item in value if (choice := item.strip("; "))))


def text(value: Any) -> str:
    """Any value as text.

    >>> text(True), text(42000), text(["AZ", "AR"]), text("Mesa")
    ('true', '42000', 'AZ, AR', 'Mesa')
    """
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case list():
            return ", ".join(value)
        case float():
            return format(Decimal(str(value)), "f")
        case _:
            return str(value)


def replace(replaced: Mapping[str, str]) -> Format:
    """Each of these texts is replaced by what it becomes, upper and lower case apart; of two, the longer.

    >>> replace({"-": "", "St": "Street"}).apply("12-A St")
    '12A Street'
    """
    longest_first = sorted(replaced, key=len, reverse=True)
    pattern = re.compile("|".join(map(re.escape, longest_first)))
    growth = max(Fraction(len(new), len(old)) for old, new in replaced.items())

    def longest(length: int | None) -> int | None:
        return None if length is None else math.floor(length * max(growth, Fraction(1)))

    def apply(value: str) -> str:
        return pattern.sub(lambda place: replaced[place[0]], value)

    return Format("replace", apply, TEXTUAL, Kind.TEXT, longest, keeps=False)


def _step(example: Example, name: str, apply: Any, longest: Longest = same, *, keeps: bool = True) -> Step:
    return Step(name, example, Format(name, apply, TEXTUAL, Kind.TEXT, longest, keeps=keeps))


AS_TEXT: Final = Format("text", text, SINGLE, Kind.TEXT, same)
STEPS: Final = (
    _step(Example("Priya@YourAgency.com", "priya@youragency.com"), "lower", lower),
    _step(Example("inbound", "INBOUND"), "upper", upper),
    _step(Example(" Mesa ", "Mesa"), "trim", trim),
    _step(Example("+1 (312) 847-1928", "13128471928"), "digits", digits),
    _step(Example("1EG4-TE5-MK73", "MK73"), "last4", last4, at_most(4), keeps=False),
    Step("replace", Example("12-A St", "12A Street", {"-": "", "St": "Street"}), None, arguments.REPLACED, replace),
    Step("list", Example(["AZ", "AR"], "AZ;AR"), Format("list", list_, LISTS, Kind.TEXT, unknown)),
    Step("text", Example(True, "true"), AS_TEXT),
)
