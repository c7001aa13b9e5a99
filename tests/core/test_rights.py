"""What each role of the console may do."""

from __future__ import annotations

import pytest

from connector.web.rights import Right, Role
from connector.web.session import Session


def a_session(role: Role | None, agencies: frozenset[str] | None = None) -> Session:
    return Session("token", role, "console:ana", agencies)


class TestRights:
    @pytest.mark.parametrize(
        ("role", "rights"),
        [
            (None, set()),
            (Role.VIEWER, {Right.LOOK}),
            (Role.OPERATOR, {Right.LOOK, Right.OPERATE}),
            (Role.COMPLIANCE, {Right.LOOK, Right.COMPLY}),
            (Role.ADMIN, set(Right)),
        ],
    )
    def test_a_role_has_its_rights_and_no_others(self, role: Role | None, rights: set[Right]) -> None:
        assert {right for right in Right if a_session(role).may(right)} == rights

    def test_a_session_without_agencies_of_its_own_sees_each(self) -> None:
        assert a_session(Role.VIEWER).sees("sunrise")

    def test_a_session_with_agencies_of_its_own_sees_no_other(self) -> None:
        session = a_session(Role.ADMIN, frozenset({"sunrise"}))
        assert (session.sees("sunrise"), session.sees("sunset")) == (True, False)

    def test_a_session_with_no_agency_at_all_sees_none(self) -> None:
        assert not a_session(Role.ADMIN, frozenset()).sees("sunrise")
