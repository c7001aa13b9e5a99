"""Which portal an access token belongs to."""

from __future__ import annotations

import json

import pytest
from flask import Response

from connector.crm import AccountKind, CrmAccount
from connector.errors import DestinationUnusable, PauseReason
from tests.destinations.hubspot_fixtures import sandbox_and_destination

ME = "/integrations/v1/me"


class TestThePortalOfAToken:
    @pytest.mark.parametrize(
        ("type", "kind"),
        [
            ("STANDARD", AccountKind.PRODUCTION),
            ("SANDBOX", AccountKind.SANDBOX),
            ("DEVELOPER_TEST", AccountKind.SANDBOX),
            ("NEVER_HEARD_OF", AccountKind.UNKNOWN),
        ],
    )
    def test_is_asked_for_once_with_its_type(self, type: str, kind: AccountKind) -> None:
        with sandbox_and_destination(portal_id=7, account_type=type) as (portal, hubspot):
            assert hubspot.account() == hubspot.account() == CrmAccount("7", kind)
            assert len(portal.seen) == 1

    @pytest.mark.parametrize(
        ("said", "pages"),
        [("app-eu1.hubspot.com", "app-eu1.hubspot.com"), ("https://app.hubspot.com", ""), ("hubspot.example.org", "")],
    )
    def test_says_where_people_see_its_records(self, said: str, pages: str) -> None:
        with sandbox_and_destination(ui_domain=said) as (_, hubspot):
            account = hubspot.account()
            assert account is not None
            assert account.pages == pages

    @pytest.mark.parametrize(
        ("version", "path"), [("legacy", "/account-info/v3/details"), ("2026-09", "/account-info/2026-09/details")]
    )
    def test_is_asked_for_in_the_version_of_the_agency_file(self, version: str, path: str) -> None:
        with sandbox_and_destination(version=version) as (portal, hubspot):
            hubspot.account()
            assert [call.path for call in portal.seen] == [path]

    def test_is_asked_for_at_the_older_address_where_the_newer_refuses(self) -> None:
        with sandbox_and_destination(portal_id=7) as (portal, hubspot):
            portal.fault("/account-info", portal.refused(403, "MISSING_SCOPES"))
            assert hubspot.account() == CrmAccount("7", AccountKind.PRODUCTION)
            assert portal.seen[-1].path == ME

    def test_is_unknown_where_both_refuse_and_not_asked_for_again(self) -> None:
        with sandbox_and_destination(account_info=False) as (portal, hubspot):
            assert (hubspot.account(), hubspot.account(), len(portal.seen)) == (None, None, 2)

    @pytest.mark.parametrize("body", [{}, [], {"portalId": None}, {"portalId": True}, None])
    def test_is_unknown_where_the_replies_name_none(self, body: object) -> None:
        with sandbox_and_destination() as (portal, hubspot):
            for path in ("/account-info", ME):
                portal.fault(path, Response(json.dumps(body), 200, content_type="application/json"))
            assert hubspot.account() is None

    def test_is_asked_for_again_after_the_portal_could_not_be_reached(self) -> None:
        with sandbox_and_destination(portal_id=7) as (portal, hubspot):
            portal.fault("/account-info", portal.html(502), times=3)
            with pytest.raises(DestinationUnusable) as caught:
                hubspot.account()
            assert caught.value.reason is PauseReason.OUTAGE
            assert hubspot.account() == CrmAccount("7", AccountKind.PRODUCTION)
