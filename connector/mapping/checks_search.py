"""Check the fields that records are searched by: a search by an encrypted field or a long text is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from connector.mapping.diagnostics import Severity
from connector.mapping.scope import Scope, target_field
from connector.mapping.target import TargetField

_OTHERWISE: Final = "search by another field; one that Shield encrypts needs deterministic encryption"


def check(scope: Scope, object: str, fields: Mapping[str, TargetField], name: str) -> None:
    """Report a field, named by the key here, that does not exist or cannot be searched by."""
    target = target_field(scope, object, fields, name)
    if target is not None:
        check_searchable(scope, f"{object}.{name}", target)


def check_searchable(scope: Scope, full: str, target: TargetField, severity: Severity | None = None) -> None:
    """Report a field that cannot be searched by."""
    if not target.searchable:
        message = f"{full} cannot be searched by: it is encrypted, or a long text"
        scope.add_at_key("M208", message, _OTHERWISE, severity)
