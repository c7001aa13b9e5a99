"""State and Country picklists: an address takes only what is on the org's lists, by name or by code."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from connector.sandbox.salesforce.rows import Record
from connector.sandbox.salesforce.schema import Column, Table, add_column
from connector.sandbox.salesforce.values import Refused

COUNTRIES: Final = {"US": "United States", "CA": "Canada"}
_AMERICAN: Final = """
AL Alabama | AK Alaska | AZ Arizona | AR Arkansas | CA California | CO Colorado | CT Connecticut
DE Delaware | DC District of Columbia | FL Florida | GA Georgia | HI Hawaii | ID Idaho
IL Illinois | IN Indiana | IA Iowa | KS Kansas | KY Kentucky | LA Louisiana | ME Maine
MD Maryland | MA Massachusetts | MI Michigan | MN Minnesota | MS Mississippi | MO Missouri
MT Montana | NE Nebraska | NV Nevada | NH New Hampshire | NJ New Jersey | NM New Mexico
NY New York | NC North Carolina | ND North Dakota | OH Ohio | OK Oklahoma | OR Oregon
PA Pennsylvania | RI Rhode Island | SC South Carolina | SD South Dakota | TN Tennessee
TX Texas | UT Utah | VT Vermont | VA Virginia | WA Washington | WV West Virginia | WI Wisconsin
WY Wyoming
"""
STATES: Final = {
    "United States": {
        code: name for entry in re.split(r" \| |\n", _AMERICAN.strip()) for code, _, name in [entry.partition(" ")]
    },
    "Canada": {"ON": "Ontario", "QC": "Quebec"},
}
"""By name of the country: of other countries, a part of what an org has is enough."""

_SELECT: Final = "There's a problem with this {0}, even though it may appear correct. Please select a {0} from the list"


def add_codes(tables: Iterable[Table]) -> None:
    """Give every address the fields for codes."""
    for table in tables:
        for address in _beginnings(table, "Country"):
            every_state = tuple(code for states in STATES.values() for code in states)
            add_column(table, Column(f"{address}StateCode", "picklist", 10, options=every_state))
            add_column(table, Column(f"{address}CountryCode", "picklist", 10, options=tuple(COUNTRIES)))


def _beginnings(table: Table, end: str) -> list[str]:
    """List what comes before this end in the names of an object's fields: Mailing, or nothing on a lead."""
    names = [column.name for column in table.columns.values()]
    return [name.removesuffix(end) for name in names if name.endswith(end)]


def listed(table: Table, values: Record, row: Record) -> dict[str, Any]:
    """Return the names and codes of the states and countries written. Raises Refused."""
    written: dict[str, Any] = {}
    for address in _beginnings(table, "CountryCode"):  # without these fields, an address is free text
        country, state = f"{address}Country", f"{address}State"
        if _is_given(country, values):
            written |= _picked("country", country, values, COUNTRIES)
        if _is_given(state, values):
            written |= _state(state, values, written.get(country, row.get(country)))
    return written


def _is_given(name: str, values: Record) -> bool:
    return bool(values.keys() & {name, f"{name}Code"})


def _state(name: str, values: Record, country: str | None) -> dict[str, Any]:
    if country is None and (values.get(name) or values.get(f"{name}Code")):
        problem = "A country must be specified before specifying a state value for field: State/Province"
        raise Refused("FIELD_INTEGRITY_EXCEPTION", problem, [name])
    return _picked("state", name, values, STATES.get(country or "", {}))


def _picked(what: str, name: str, values: Record, offered: dict[str, str]) -> dict[str, Any]:
    """Return the name and the code of what was chosen by either of them."""
    code, chosen = values.get(f"{name}Code"), values.get(name)
    if code and code not in offered:
        problem = f"The {name}Code field contains {code}, which isn't an available {what}."
        raise Refused("FIELD_INTEGRITY_EXCEPTION", problem, [f"{name}Code"])
    if chosen and chosen not in offered.values():
        raise Refused("FIELD_INTEGRITY_EXCEPTION", f"{_SELECT.format(what)} of valid {what}s.", [name])
    code = code or next((code for code, own in offered.items() if own == chosen), None)
    return {name: offered.get(code or ""), f"{name}Code": code}
