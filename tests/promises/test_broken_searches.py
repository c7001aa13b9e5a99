"""A search that the CRM cannot answer for one value costs that value's records, and nothing else."""

from __future__ import annotations

from typing import Any

from connector.delivery.route import Running
from connector.destinations.base import Outcome, Verdict
from connector.settlement import Refusal
from tests.promises.stage import HOUR, Stage, a_person, compiled

MAPPING = """\
version: 1
crm: salesforce
consent: {{ flags: {{ doNotCall: contact.NoCall }}, waive: [doNotSMS, doNotEmail, doNotMail] }}
records:
  contact:
    object: Contact
    key: {{ Key: customer.id }}
    also_match: [{{ Email: customer.email }}]
    fields:
      LastName: customer.lastName
      Email: customer.email
      Owner: {{ lookup: {{ object: User, match: {{ Name: customer.agentName }}, missing: {missing} }} }}
"""
A_NAME = {"FirstName": "Marcus", "LastName": "Delacroix"}
CANNOT = Outcome(Verdict.REJECTED, refusal=Refusal("UNQUERYABLE", "'Email' cannot be searched", "search by another"))
NOT_NOW = Outcome(Verdict.DEFERRED, refusal=Refusal("QUERY_TIMEOUT", "the query took too long", "replay"))


def served(stage: Stage, missing: str = "keep", **unsearchable: Outcome) -> None:
    """Serve the mapping, in a CRM that has one user and cannot be searched for some values."""
    stage.route.running = Running(compiled(MAPPING.format(missing=missing)))
    stage.crm.records["005"] = {"Id": "005", "object": "User", "Name": "Sam"}
    stage.crm.unsearchable = unsearchable


def two_people(stage: Stage, **changes: Any) -> None:
    """Send a person with an odd value, and one without."""
    good = {"email": "a@example.com", "agentName": "Sam"}
    stage.accept("odd", a_person("c-1", 1, **{**good, "email": "b@example.com", **changes}))
    stage.accept("good", a_person("c-2", 1, **good))
    stage.drain()


class TestALookup:
    def test_that_cannot_be_asked_rejects_its_record_and_names_the_field(self, stage: Stage) -> None:
        served(stage, "reject", Odd=CANNOT)
        two_people(stage, agentName="Odd")
        assert (stage.state("odd"), stage.state("good")) == (("dead", "UNQUERYABLE"), ("delivered", ""))
        assert "the look-up for 'Owner' failed: 'Email' cannot be searched" in str(stage.settled("odd"))

    def test_that_nobody_has_to_answer_leaves_its_field_out(self, stage: Stage) -> None:
        served(stage, Odd=CANNOT)
        two_people(stage, agentName="Odd")
        assert stage.state("odd") == ("delivered", "UNQUERYABLE")
        assert "Owner" not in stage.contact("c-1")
        assert stage.contact("c-2")["Owner"] == "005"

    def test_that_records_wait_for_does_not_wait_for_ever(self, stage: Stage) -> None:
        served(stage, "wait", Odd=CANNOT)
        two_people(stage, agentName="Odd")
        assert (stage.state("odd"), stage.state("good")) == (("dead", "UNQUERYABLE"), ("delivered", ""))

    def test_that_cannot_be_asked_now_is_asked_again_later(self, stage: Stage) -> None:
        served(stage, Odd=NOT_NOW)
        stage.crm.records["006"] = {"Id": "006", "object": "User", "Name": "Odd"}
        two_people(stage, agentName="Odd")
        assert (stage.state("odd")[0], stage.state("good")) == ("ready", ("delivered", ""))
        stage.crm.unsearchable.clear()
        stage.clock.forward(HOUR)
        stage.drain()
        assert stage.contact("c-1")["Owner"] == "006"

    def test_holds_back_no_opt_out(self, stage: Stage) -> None:
        served(stage, "reject", Odd=CANNOT)
        two_people(stage, doNotCall=False)
        stage.accept("again", a_person("c-1", 2, agentName="Odd", doNotCall=True))
        stage.drain()
        assert stage.state("again") == ("dead", "UNQUERYABLE")
        assert stage.contact("c-1")["NoCall"] is True
        assert not stage.lane().paused


class TestAMatch:
    def test_that_cannot_be_asked_rejects_its_record_instead_of_creating_another(self, stage: Stage) -> None:
        served(stage, odd=CANNOT)
        two_people(stage, email="odd")
        assert (stage.state("odd"), stage.state("good")) == (("dead", "UNQUERYABLE"), ("delivered", ""))
        assert stage.crm.all("Contact", "c-1") == []

    def test_that_cannot_be_asked_now_is_asked_again_later(self, stage: Stage) -> None:
        served(stage, odd=NOT_NOW)
        stage.crm.records["007"] = {"Id": "007", "object": "Contact", "Email": "odd", **A_NAME}
        two_people(stage, email="odd")
        assert stage.state("odd")[0] == "ready"
        stage.crm.unsearchable.clear()
        stage.clock.forward(HOUR)
        stage.drain()
        assert stage.contact("c-1")["Id"] == "007"
