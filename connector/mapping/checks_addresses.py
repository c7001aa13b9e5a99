"""Check addresses where the account takes only states and countries that are on its lists."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from connector.carecycle.states import STATES
from connector.mapping import shapes
from connector.mapping.diagnostics import Severity
from connector.mapping.schema import Record
from connector.mapping.scope import Scope
from connector.mapping.target import TargetField

_CODE: Final = re.compile("[A-Z]{2,3}")
_COUNTRY: Final = "{ value: United States }"


def check(scope: Scope, name: str, record: Record, fields: Mapping[str, TargetField]) -> None:
    """Warn of a state or country that is not given by its name on the list, and of a state without its country."""
    written = [*record.fields, *record.key]
    for field in record.fields:
        target = fields.get(field)
        if target is None:
            continue
        here = scope.at("fields", field)
        problems = []
        if target.coded_in and _may_be_code(here, record, field):
            problems.append("takes the full name that is on your org's list, and this source may give a code")
        country = fields.get(target.within)
        if country and not {target.within, country.coded_in} & {*written}:
            problems.append(f"is refused without {target.within}, which is not mapped")
        if problems:
            message = f"{record.object}.{field} {', and '.join(problems)}"
            here.add_at_key("M209", message, _ready(name, field, target, fields), Severity.WARNING)


def _may_be_code(scope: Scope, record: Record, field: str) -> bool:
    """Whether a source gives free text or a code; what is wrong with it has been reported already."""
    given = shapes.of_source(scope, record.fields[field])
    return any(shape.values is None or any(map(_CODE.fullmatch, shape.values)) for shape in given)


def _ready(record: str, field: str, target: TargetField, fields: Mapping[str, TargetField]) -> str:
    """The lines of a mapping that give what the lists have."""
    lines = ["write in your mapping file:"]
    if target.within and target.coded_in:
        lines += ["tables:", f"  us_states: {{ {_table(fields.get(target.coded_in))}, else: null }}"]
    lines += ["records:", f"  {record}:", "    fields:"]
    if target.within and target.coded_in:
        lines.append(f"      {field}: {{ from: customer.state, table: us_states }}")
    return "\n".join([*lines, f"      {target.within or field}: {_COUNTRY}"])


def _table(codes: TargetField | None) -> str:
    """careCycle's two-letter codes with their names, as far as the account has them."""
    offered: Iterable[str] = {option.value for option in codes.options} if codes and codes.options else STATES
    return ", ".join(f"{code}: {name}" for code, name in STATES.items() if code in offered)
