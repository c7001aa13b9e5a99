"""Check what a look-up field is given: the id of a record, and one that may be used."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from connector.crm import is_same_id
from connector.mapping.schema_sources import Source
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
    """Report a look-up that returns something else than an id, for a field that holds one."""
    crm = scope.file.crm
    if target.type != "reference" or not crm.id_pattern or scope.target is None:
        return
    for lookup in [inner.lookup for inner in source.nested() if inner.lookup and inner.lookup.return_]:
        described = scope.target.objects.get(lookup.object)
        returned = described.fields.get(lookup.return_) if described else None
        if returned and returned.type != "reference" and not crm.is_id(lookup.return_):
            message = f"{name} holds the id of a record, which {lookup.object}.{lookup.return_} is not"
            scope.at("lookup", "return").add("M207", message, "remove  return:  to get the id")
