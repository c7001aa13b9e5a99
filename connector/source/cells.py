"""What a cell of a CSV file says of a field. Cells are texts that people and spreadsheets wrote."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from connector.carecycle.catalogue import ABSENT, Field, Kind
from connector.carecycle.coercions import COERCIONS
from connector.carecycle.kinds import EXPECTED, Unclear

_WRAPPED: Final = re.compile(r'="([^"]*)"\Z')
"""How exports keep a spreadsheet from changing a number: ="00123" is the text 00123."""

_MARKED: Final = re.compile(r"'(?![a-z]\s)(.*[^']|)\Z")
"""How spreadsheets mark a text that looks like a number: '00123 is the text 00123. A quoted text is left as it is."""

_NOTHING: Final = re.compile(
    r"(?i:[(<\[]?(null|none|nil|nan|nat|n/a|n\.a\.|not available|not applicable|undefined|blank|empty)[)>\]]?)"
    r"|NA|\\N|[-\u2013\u2014_.?*]+"
)
"""What databases, programs and people write for no value."""

_UNDECODED: Final = re.compile(r"[\udc80-\udcff]")
_SPOILED: Final = (
    (re.compile(r"="), "a formula"),
    (re.compile(r'[^"]*[^"\d\s]"\Z'), "a quote too many"),
    (re.compile(r"#(N/A|REF!|VALUE!|NAME\?|DIV/0!|NUM!|NULL!)\Z"), "a spreadsheet's error"),
    (re.compile(r"[+-]?\d([.,]\d+)?E[+-]\d{2,}\Z"), "a number that a spreadsheet has shortened"),
)
"""What a value looks like that is no longer what it was, and what to call it."""

_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
_POINT_ZERO: Final = re.compile(r"(\d+)\.0\Z")
_AMOUNT: Final = re.compile(r"\$? ?(\d{1,3}(?:,\d{3})+|\d+)(?:\.0+)?\Z")
_AMERICAN: Final = re.compile(
    r"(\d{1,2})([/-])(\d{1,2})\2(\d{4})(?:,? +(\d{1,2}:\d\d)(:\d\d)? ?([AP]M)?)?(?: ?(?:Z|UTC|GMT))?\Z", re.I
)
_SHORT_YEAR: Final = re.compile(r"\d{1,2}([/.-])(\d{1,2}|[A-Z]{3,9})\1\d\d(?!\d)", re.I)
_TWO_DIGITS: Final = Unclear("a year of two digits")
_WORDS: Final = {
    **dict.fromkeys(("true", "yes", "y", "t", "1", "1.0"), True),
    **dict.fromkeys(("false", "no", "n", "f", "0", "0.0"), False),
}
_ZIP_CODE: Final = "customer.postalCode"


def read_cell(text: str, field: Field) -> Any:
    """Return the value, ABSENT for an empty cell, or an Unclear that says why there is none."""
    text = _bare(text.strip())
    if not text:
        return ABSENT
    if _NOTHING.fullmatch(text):
        return Unclear("a word for no value") if _could_be_a_name(text, field) else ABSENT
    if _UNDECODED.search(text):
        return Unclear("text in another encoding")
    for spoiled, what in _SPOILED:
        if spoiled.match(text):
            return Unclear(what)
    reader = _READERS.get(field.kind) or COERCIONS[field.kind]
    value = reader(text, field)
    return Unclear(f"not {EXPECTED[field.kind]}") if value is None else value


def _bare(text: str) -> str:
    """A text without what spreadsheets put around it."""
    wrapped = _WRAPPED.match(text) or _MARKED.match(text)
    return wrapped[1].strip() if wrapped else text


def _could_be_a_name(text: str, field: Field) -> bool:
    """Some people are called Null, None or Na. Without a value the CRM's stays, so this is reported."""
    return text.isalpha() and field.path.endswith("Name")


def _text(text: str, field: Field) -> str | Unclear:
    """
    >>> from connector.carecycle.catalogue import FIELDS
    >>> _text("85204.0", FIELDS[_ZIP_CODE]), _text("2134", FIELDS[_ZIP_CODE]).what
    ('85204', 'a number that has lost its leading zeros')
    """
    whole = _POINT_ZERO.match(text)
    text = whole[1] if whole else text
    shortened = field.path == _ZIP_CODE and text.isdigit() and len(text) not in (5, 9)
    return Unclear("a number that has lost its leading zeros") if shortened else text


def own_id(text: Any) -> str | None:
    """An id of careCycle's: anything else is another system's number for the customer."""
    return text.lower() if isinstance(text, str) and _UUID.match(text.lower()) else None


def _date(text: str, field: Field) -> str | Unclear | None:
    """A day as careCycle has it, or as Americans write it.

    >>> _date("4/12/1958", None), _date("04-12-1958 0:00", None), _date("13/04/1958", None), _date("4/12/58", None).what
    ('1958-04-12', '1958-04-12', None, 'a year of two digits')
    """
    if _SHORT_YEAR.match(text):
        return _TWO_DIGITS
    american = _american(text)
    return f"{american:%Y-%m-%d}" if american else COERCIONS[Kind.DATE](text, field)


def _time(text: str, field: Field) -> str | Unclear | None:
    """A time as careCycle, a spreadsheet or a database shows it; of a day alone its beginning, in UTC.

    A time without a zone is taken as UTC: in America that is earlier than it was, and the earlier state gives way.

    >>> _time("6/17/2026 7:07 PM", None), _time("2026-06-17", None), _time("2026-06-17 19:07:23.5-07", None)
    ('2026-06-17T19:07:00Z', '2026-06-17T00:00:00Z', '2026-06-17T19:07:23.5-07:00')
    """
    if _SHORT_YEAR.match(text):
        return _TWO_DIGITS
    american = _american(text)
    if american:
        return f"{american:%Y-%m-%dT%H:%M:%SZ}"
    time: str | None = COERCIONS[Kind.DATETIME](f"{text} 00:00" if len(text) == len("2026-06-17") else text, field)
    return time


def _american(text: str) -> datetime | None:
    match = _AMERICAN.match(text)
    if not match:
        return None
    month, _, day, year, clock, seconds, half = match.groups()
    written = f"{month}/{day}/{year} {clock or '0:00'}{seconds or ':00'}{half or ''}+0000"
    try:
        return datetime.strptime(written, f"%m/%d/%Y {'%I' if half else '%H'}:%M:%S{'%p' if half else ''}%z")
    except ValueError:
        return None


def _integer(text: str, _: Field) -> int | None:
    """
    >>> _integer("$42,000.00", None), _integer("0", None), _integer("4,2", None), _integer("148.50", None)
    (42000, 0, None, None)
    """
    match = _AMOUNT.match(text)
    return COERCIONS[Kind.INTEGER](match[1].replace(",", ""), _) if match else None


def _boolean(text: str, _: Field) -> bool | None:
    return _WORDS.get(text.lower())


def _list(text: str, _: Field) -> list[str]:
    """
    >>> _list("AZ; AR|NM", None), _list('["AZ", "AR"]', None)
    (['AZ', 'AR', 'NM'], ['AZ', 'AR'])
    """
    return re.findall(r"[^\s;,|\[\]\"]+", text)


_READERS: Final[Mapping[Kind, Callable[[str, Field], Any]]] = {
    Kind.TEXT: _text,
    Kind.UUID: lambda text, _: own_id(text),
    Kind.DATE: _date,
    Kind.DATETIME: _time,
    Kind.INTEGER: _integer,
    Kind.BOOLEAN: _boolean,
    Kind.LIST: _list,
}
