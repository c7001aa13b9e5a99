"""Check stages that the CRM moves only forward: a customer's status moves on, and the stage must not lead back."""

from __future__ import annotations

from typing import Final

from connector.carecycle import catalogue
from connector.mapping.checks_tables import entries_of
from connector.mapping.diagnostics import Severity
from connector.mapping.schema_sources import Source
from connector.mapping.scope import Scope
from connector.mapping.target import TargetField

_STATUS: Final = "customer.status"  # its values are listed in the order in which customers have them


def check(scope: Scope, object: str, name: str, source: Source, target: TargetField) -> None:
    """Warn of a status whose stage comes before that of an earlier status: the CRM will not take it."""
    crm, order = scope.file.crm, [option.value for option in target.options]
    if name not in crm.forward_only or source.from_ != [_STATUS] or source.table is None:
        return
    entries = entries_of(scope.at("table"), source.table) or {}
    furthest = -1
    for status in catalogue.FIELDS[_STATUS].options:
        stage = entries.get(status)
        place = order.index(stage) if stage in order else furthest
        if place < furthest:
            before = f"'{stage}', for {status}, comes before '{order[furthest]}'"
            message = f"{object}.{name} only moves forward in {crm.title}: {before} and will not be taken"
            scope.add_at_key("M214", message, f"leave the stage alone:  {status}: null", Severity.WARNING)
        furthest = max(furthest, place)
