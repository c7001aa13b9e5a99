"""Which org a login leads to, and whether it is a sandbox."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Response

from connector.crm import AccountKind, CrmAccount
from connector.destinations.salesforce.account import Salesforce
from connector.destinations.salesforce.auth import Credentials
from connector.destinations.salesforce.org import full_id
from connector.errors import DestinationUnusable, PauseReason
from connector.sandbox.salesforce import INSTANCE_URL, ORG_ID
from tests.destinations.salesforce_fixtures import (
    a_contact,
    client_credentials,
    credentials,
    jwt,
    key_pair,
    password,
    sandbox_and_destination,
)

PRODUCTION = CrmAccount(ORG_ID, AccountKind.PRODUCTION)
OTHER = "00DHs0000000002MAA"
OPAQUE = "eyJ0bmsiOiJjb3JlIn0.made.up"
FLOWS = [client_credentials, jwt, password]


def without_identity(handle: Callable[[], Response]) -> Response:
    """A fault: a token reply that names no org, with a token that names none."""
    response = handle()
    body: dict[str, Any] = dict(response.get_json())
    del body["id"]
    response.set_data(Response(str(body).replace("'", '"')).data)
    return response


def opaque_session() -> Credentials:
    return credentials(flow="session", session_id=OPAQUE, instance_url=INSTANCE_URL)


class TestTheOrgOfALogin:
    @pytest.mark.parametrize("flow", FLOWS)
    def test_is_named_by_the_login_at_no_further_call(self, flow: Callable[[], Credentials]) -> None:
        with sandbox_and_destination(flow(), public_key=key_pair()[1]) as (sandbox, salesforce):
            assert salesforce.account() == salesforce.account() == PRODUCTION
            assert [call.path for call in sandbox.seen] == ["/services/oauth2/token"]

    @pytest.mark.parametrize("flow", FLOWS)
    def test_is_a_sandbox_where_the_login_was_one(self, flow: Callable[[], Credentials]) -> None:
        auth = jwt(domain="test") if flow is jwt else flow()
        with sandbox_and_destination(auth, public_key=key_pair()[1], is_sandbox=True) as (_, salesforce):
            assert salesforce.account() == CrmAccount(ORG_ID, AccountKind.SANDBOX)

    def test_is_the_same_with_15_or_18_characters(self) -> None:
        with sandbox_and_destination(client_credentials(), org_id=ORG_ID[:15]) as (_, salesforce):
            assert salesforce.account() == PRODUCTION
        assert full_id(ORG_ID) == full_id(ORG_ID[:15]) == ORG_ID

    def test_is_in_the_token_where_the_reply_does_not_name_it(self) -> None:
        with sandbox_and_destination(client_credentials()) as (sandbox, salesforce):
            sandbox.fault("/oauth2/token", without_identity)
            assert salesforce.account() == PRODUCTION


class TestTheOrgOfAnOpenSession:
    def test_is_in_its_token(self) -> None:
        with sandbox_and_destination() as (sandbox, salesforce):
            assert (salesforce.account(), sandbox.seen) == (PRODUCTION, [])

    @pytest.mark.parametrize(("is_sandbox", "kind"), [(True, AccountKind.SANDBOX), (False, AccountKind.PRODUCTION)])
    def test_is_asked_for_once_where_the_token_is_opaque(self, is_sandbox: bool, kind: AccountKind) -> None:
        with sandbox_and_destination(opaque_session(), is_sandbox=is_sandbox) as (sandbox, salesforce):
            sandbox.gate.tokens.add(OPAQUE)
            assert salesforce.account() == salesforce.account() == CrmAccount(ORG_ID, kind)
            assert len(sandbox.seen) == 1

    def test_is_unknown_where_the_user_may_not_ask(self) -> None:
        with sandbox_and_destination(opaque_session()) as (sandbox, salesforce):
            sandbox.gate.tokens.add(OPAQUE)
            del sandbox.org.tables["organization"]
            assert salesforce.account() is None
            assert salesforce.account() is None
            assert len(sandbox.seen) == 1


class TestAnOrgThatIsServed:
    def test_is_left_for_no_other_when_a_new_login_leads_there(self) -> None:
        with sandbox_and_destination(client_credentials()) as (sandbox, salesforce):
            salesforce.serve(PRODUCTION)
            sandbox.refresh(OTHER)
            with pytest.raises(DestinationUnusable, match=OTHER) as caught:
                salesforce.write([a_contact()])
            assert (caught.value.reason, sandbox.records("Contact")) == (PauseReason.ANOTHER_ACCOUNT, [])

    @pytest.mark.parametrize("ask", [Salesforce.account, lambda salesforce: None])
    def test_is_found_again_once_the_login_leads_back(self, ask: Callable[[Salesforce], object]) -> None:
        with sandbox_and_destination(client_credentials()) as (sandbox, salesforce):
            salesforce.serve(PRODUCTION)
            sandbox.refresh(OTHER)
            ask(salesforce)
            with pytest.raises(DestinationUnusable):
                salesforce.write([a_contact()])
            ask(salesforce)
            sandbox.refresh(ORG_ID)
            assert salesforce.account() == PRODUCTION
            assert len(salesforce.write([a_contact()])) == len(sandbox.records("Contact")) == 1

    def test_may_be_replaced_by_the_one_the_login_leads_to(self) -> None:
        with sandbox_and_destination(client_credentials()) as (sandbox, salesforce):
            salesforce.serve(PRODUCTION)
            salesforce.write([a_contact()])
            sandbox.refresh(OTHER)
            with pytest.raises(DestinationUnusable):
                salesforce.write([a_contact()])
            account = salesforce.account()
            assert account == CrmAccount(OTHER, AccountKind.PRODUCTION)
            salesforce.serve(account)
            assert salesforce.write([a_contact()])[0].id == sandbox.records("Contact")[0]["Id"]
