"""`lanes resume` tries a new login, whatever the session met before."""

from __future__ import annotations

import pytest

from connector.delivery.route import Route, Running
from connector.mapping import shipped_folder
from connector.running.bootstrap import load_mapping
from connector.store import Store
from tests.builders import a_customer
from tests.conftest import Clock
from tests.contracts.test_pipeline import DESTINATION, LANE, SALESFORCE, House
from tests.destinations.salesforce_fixtures import client_credentials, sandbox_and_destination


@pytest.mark.parametrize(
    "refusal",
    [
        (401, "INVALID_SESSION_ID", "This session is not valid for use with the REST API"),
        (403, "API_DISABLED_FOR_ORG", "API is not enabled for this Organization or Partner"),
    ],
)
def test_a_session_that_was_of_no_use_is_not_used_again(
    store: Store, clock: Clock, refusal: tuple[int, str, str]
) -> None:
    store.lanes.open({LANE: DESTINATION})
    mapping = load_mapping(shipped_folder() / "salesforce-contact.yaml")
    with sandbox_and_destination(client_credentials()) as (sandbox, salesforce):
        house = House(store, clock, sandbox, Route(DESTINATION, salesforce, Running(mapping), "UTC"), SALESFORCE)
        sandbox.fail(*refusal, path="/composite/sobjects")
        (message_id,) = house.pass_on(a_customer())
        assert store.desk.lanes()[0].pause_code == "auth"
        store.desk.resume(LANE, "an operator")
        house.drain()
        assert house.state(message_id) == ("delivered", "")
        assert len(sandbox.calls("/oauth2/token")) == 2
