"""Check stages that the CRM moves only forward: a customer's status moves on, and the stage must not lead back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from connector.carecycle import catalogue
from connector.mapping.checks_tables import Table, entries_of
from connector.mapping.diagnostics import Severity
from connector.mapping.schema_sources import MappedField
from connector.mapping.scope import Scope
from connector.mapping.steps.texts import text
from connector.mapping.target import TargetField
from connector.model import Rule

_STATUS: Final = "customer.status"  # its values are listed in the order in which customers have them


def check(scope: Scope, object: str, name: str, source: MappedField, target: TargetField) -> None:
    """Warn of a status whose stage comes before that of an earlier status: the CRM will not take it."""
    crm, order = scope.file.crm, [option.value for option in target.options]
    if name not in crm.forward_only:
        return
    if source.write is Rule.FORWARD:
        _check_listed(scope.at("order"), f"{object}.{name}", [text(value) for value in source.order or ()], order)
    elif source.from_ == [_STATUS] and source.table is not None:
        _check_table(scope, object, name, source.table, order)


def _check_listed(scope: Scope, full: str, listed: Sequence[str], order: Sequence[str]) -> None:
    """Warn of a list that has stages in another order than the CRM."""
    known = [value for value in listed if value in order]
    if known != (right := sorted(known, key=order.index)):
        message = f"{full} only moves forward in {scope.file.crm.title}, where these stages have another order"
        scope.add("M214", message, f"write them as  [{', '.join(right)}]", Severity.WARNING)


def _check_table(scope: Scope, object: str, name: str, table: Table, order: Sequence[str]) -> None:
    crm = scope.file.crm
    entries = entries_of(scope.at("table"), table) or {}
    furthest = -1
    for status in catalogue.FIELDS[_STATUS].options:
        stage = entries.get(status)
        place = order.index(stage) if stage in order else furthest
        if place < furthest:
            before = f"'{stage}', for {status}, comes before '{order[furthest]}'"
            message = f"{object}.{name} only moves forward in {crm.title}: {before} and will not be taken"
            scope.add_at_key("M214", message, f"leave the stage alone:  {status}: null", Severity.WARNING)
        furthest = max(furthest, place)
