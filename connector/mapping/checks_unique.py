"""Check keys that must be unique: what an account lacks for one, and whether it has room for another."""

from __future__ import annotations

from collections.abc import Mapping

from connector.mapping.diagnostics import Severity
from connector.mapping.scope import Scope, listed
from connector.mapping.target import TargetField


def add(scope: Scope, object: str, name: str, fields: Mapping[str, TargetField]) -> None:
    """Report a key that is not unique."""
    crm, unique = scope.file.crm, [other for other, field in fields.items() if field.unique]
    hint = f"unique here: {listed(unique)}" if unique else f"{object} has no unique field: create one"
    hint += ", or add  unique_key: false" if not crm.keeps_keys_unique else ""
    hint = "; ".join(filter(None, (hint, _all_taken(scope, fields), crm.about_unique)))
    scope.add_at_key("M230", f"{object}.{name} is not unique, so it cannot be the key", hint)


def check_room(scope: Scope, full: str, fields: Mapping[str, TargetField]) -> None:
    """Warn of a key that does not exist and cannot be created, because the object has too many unique fields."""
    if taken := _all_taken(scope, fields):
        message = f"{full} cannot be created as a unique field"
        scope.add_at_key("M230", f"{message}: {taken}", "add  unique_key: false, or free one", Severity.WARNING)


def _all_taken(scope: Scope, fields: Mapping[str, TargetField]) -> str:
    """Say that the object has as many unique fields as the CRM allows; empty if it has fewer."""
    crm = scope.file.crm
    taken = sum(field.unique and field.writable and name != crm.address_field for name, field in fields.items())
    if not crm.most_unique or taken < crm.most_unique:
        return ""
    return f"it has {taken} already, and {crm.title} allows {crm.most_unique}"
