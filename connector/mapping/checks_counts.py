"""Check counts of calls: what is counted, and whether the number can follow."""

from __future__ import annotations

from typing import Final

from connector.mapping import event_paths
from connector.mapping.schema import Record
from connector.mapping.schema_sources import MappedField
from connector.mapping.scope import Scope
from connector.model import Mode, Rule

_NOT_FOR_COUNTS: Final = ("default", "cut", "if_null", "required")
_NOTHING_YET: Final = "remove it: before the first call nothing is written"


def check(scope: Scope, record: Record, field: MappedField) -> None:
    """Report a count that has nothing to count or cannot be kept right."""
    if field.count is None:
        return
    _check_record(scope.at("count"), record)
    if field.write not in (Rule.ALWAYS, Rule.UNLESS_EDITED):
        scope.at("write").add("M170", f"with '{field.write}' the number would not follow", "remove write:")
    for modifier in sorted(set(_NOT_FOR_COUNTS) & field.model_fields_set):
        scope.at(modifier).add_at_key("M170", f"'{modifier}' does not apply to a number of calls", _NOTHING_YET)


def _check_record(scope: Scope, record: Record) -> None:
    paths = [path for key in record.key.values() for path in event_paths.of_source(key.as_source())]
    if "call.completed" not in (scope.events or ()):
        scope.add("M170", "no calls: this record never runs on call.completed", "add it to  events:  of the record")
    elif any(not path.startswith("customer.") for path in paths):
        message = f"this counts a customer's calls, and the record's key is {', '.join(paths)}"
        scope.add("M170", message, "write it to a record with a key from customer.")
    if record.mode is Mode.CREATE:
        scope.add("M170", "with mode: create the record is never changed, so the number would stay", "remove mode:")
