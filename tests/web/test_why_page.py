"""The console's page that tells why."""

from __future__ import annotations

from dataclasses import replace

from flask.testing import FlaskClient

from connector.store import Store
from tests.builders import CUSTOMER, a_customer, an_arrival
from tests.web.conftest import RECORD, settle

WRITTEN = replace(RECORD, record="contact", fields=("FirstName",), withheld={"MobilePhone": "doNotCall"})


class TestWhy:
    def test_it_asks_for_an_id(self, operator: FlaskClient) -> None:
        page = operator.get("/console/why")
        assert (page.status_code, "ID of a customer, a call or a message" in page.text) == (200, True)

    def test_each_field_is_told_with_its_line_and_event(self, operator: FlaskClient, store: Store) -> None:
        store.inbox.accept([an_arrival("msg_one", a_customer(city="Zebulonville"))])
        settle(store, "delivered", records=[WRITTEN])
        page = operator.get(f"/console/why?id={CUSTOMER}").text
        assert "<code>MailingCity</code>" in page
        assert "salesforce-contact.yaml:" in page
        assert "msg_one</a>" in page
        assert "Zebulonville" not in page

    def test_what_consent_withheld_names_the_flag(self, operator: FlaskClient, store: Store) -> None:
        store.inbox.accept([an_arrival("msg_one", a_customer(doNotSMS=True))])
        settle(store, "delivered")
        assert "withheld by consent (doNotSMS)" in operator.get("/console/why?id=msg_one").text

    def test_an_id_nobody_knows_is_told(self, operator: FlaskClient) -> None:
        answer = operator.get("/console/why?id=<nobody>")
        assert answer.status_code == 404
        assert "Nothing is known about" in answer.text
        assert "<nobody>" not in answer.text

    def test_nonsense_is_survived(self, operator: FlaskClient) -> None:
        assert operator.get("/console/why?id=%00").status_code == 200
        assert operator.get("/console/why", query_string={"id": "x" * 5000}).status_code == 404
