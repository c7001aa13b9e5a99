"""Check what a look-up field is given: the id of a record, and one that may be used."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from connector.crm import is_same_id
from connector.mapping.schema_sources import Lookup, Source
from connector.mapping.scope import Scope, listed
from connector.mapping.target import TargetField

LOOK_UP: Final = "look the record up:  lookup: { object: ..., match: { ...: ... } }"


def check(scope: Scope, name: str, target: TargetField, values: Iterable[str]) -> None:
    """Report fixed values that are no ids, or not among those that the field may hold."""
    pattern = re.compile(scope.file.crm.id_pattern or ".*", re.DOTALL)
    no_ids = []
    unusable = []
    for value in dict.fromkeys(values):
        if not pattern.fullmatch(value):
            no_ids.append(f"'{value}'")
        elif target.options and not any(is_same_id(option.value, value) for option in target.options):
            unusable.append(f"'{value}'")
    if no_ids:
        scope.add("M207", f"{name} holds the id of a record, which {', '.join(no_ids)} is not", LOOK_UP)
    if unusable:
        usable = listed(f"{option.value} {option.label}".rstrip() for option in target.options)
        scope.add("M207", f"the connector's user may not use {', '.join(unusable)} as {name}", f"it may use: {usable}")


def check_returned(scope: Scope, name: str, source: Source, target: TargetField) -> None:
    """Report a look-up that gives no id, or the id of another kind of record, for a field that holds one."""
    if target.type != "reference" or scope.target is None:
        return
    for place, step in source.lookup.steps() if source.lookup else ():
        _check_step(scope.at("lookup", *place), name, step, target)


def _check_step(scope: Scope, name: str, lookup: Lookup, target: TargetField) -> None:
    crm, returned = scope.file.crm, lookup.return_
    described = scope.target.objects.get(lookup.object) if scope.target else None
    if returned and not crm.is_id(returned):
        own = described.fields.get(returned) if described else None
        if crm.id_pattern and own and own.type != "reference":
            message = f"{name} holds the id of a record, which {lookup.object}.{returned} is not"
            scope.at("return").add("M207", message, "remove  return:  to get the id")
    elif target.refers and lookup.object.lower() not in map(str.lower, target.refers):
        message = f"{name} holds the id of a {' or '.join(target.refers)}, not of a {lookup.object}"
        scope.at("object").add("M207", message, f"look one up in: {listed(target.refers)}")
