"""Who may do what in the console: four roles, five rights, and the agencies a person works for."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Right(StrEnum):
    """What a page or a form needs."""

    LOOK = "look"
    OPERATE = "operate"
    """Pause, resume, replay, discard, set aside, decide who is who."""
    COMPLY = "comply"
    """Sign off, reveal, search by phone number or email address, forget, export people."""
    EDIT = "edit"
    """Publish a mapping."""
    ADMIN = "admin"
    """Manage accounts, end the sessions of others."""


class Role(StrEnum):
    """What a person is here for."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    COMPLIANCE = "compliance"
    ADMIN = "admin"


RIGHTS: Final[Mapping[Role, frozenset[Right]]] = {
    Role.VIEWER: frozenset({Right.LOOK}),
    Role.OPERATOR: frozenset({Right.LOOK, Right.OPERATE}),
    Role.COMPLIANCE: frozenset({Right.LOOK, Right.COMPLY}),
    Role.ADMIN: frozenset(Right),
}
