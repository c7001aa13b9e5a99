"""Check what a look-up field is given: the id of a record, and one that may be used."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from connector.crm import is_same_id
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
