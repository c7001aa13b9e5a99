"""What can be written is written: a field the CRM refuses is left out, and stays open until the CRM takes it."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from connector.delivery.lookups import Lookups
from connector.delivery.plan_ahead import plan_all
from connector.delivery.prepare import prepare
from connector.delivery.route import Running
from connector.insight.explain import explain
from connector.insight.left_out import find_left_out
from connector.insight.overview import overview
from connector.sandbox.salesforce.states import add_codes
from connector.store.desk import Filter
from connector.store.problem_tables import open_items
from tests.builders import a_call, a_customer
from tests.contracts.test_pipeline import EARLIER, HUBSPOT, LATER, House, raised
from tests.promises.crm import ODD, REFUSED, Fault
from tests.promises.stage import LANE, MAPPINGS, ZONE, Stage, a_person, a_talk, compiled

AGENT = {"id": "u-1", "firstName": "Priya", "lastName": "Nair"}


def rows(stage: Any) -> list[Any]:
    """Every open item there is."""
    with stage.store.database.reading() as connection:
        return list(connection.execute(select(open_items).order_by(open_items.c.object, open_items.c.field)))


def items(stage: Any) -> list[tuple[str, str]]:
    return [(row.field, row.code) for row in rows(stage)]


def passed_on(stage: Stage, message_id: str, payload: dict[str, Any]) -> int:
    """Deliver an event; return how many calls it took."""
    before = stage.crm.calls
    stage.accept(message_id, payload)
    stage.drain()
    return stage.crm.calls - before


class TestAnOptionalField:
    def test_is_left_out_and_the_rest_is_written(self, stage: Stage) -> None:
        passed_on(stage, "m", a_person("c-1", 1, city=ODD, county="Gila"))
        assert (stage.contact()["LastName"], stage.contact()["County"]) == ("Delacroix", "Gila")
        assert "City" not in stage.contact()
        assert items(stage) == [("City", "ODD_VALUE")]

    def test_leaves_its_delivery_delivered_with_a_note(self, stage: Stage) -> None:
        passed_on(stage, "m", a_person("c-1", 1, city=ODD))
        delivery = stage.settled("m")
        assert (delivery.state, delivery.code, delivery.fields) == ("delivered", "ODD_VALUE", '["City"]')
        assert delivery.reason == "'City': odd; the rest was written"
        (note,) = delivery.tries[-1].records
        assert (note.left_out, "City" in note.fields) == ({"City": "ODD_VALUE"}, False)

    def test_keeps_no_call_of_the_person_out(self, stage: Stage) -> None:
        passed_on(stage, "m", a_talk("k-1", a_person("c-1", 1, city=ODD), 2))
        assert len(stage.crm.all("Call", "k-1")) == 1

    def test_is_left_out_with_all_others_in_one_more_call(self, stage: Stage) -> None:
        for number in range(50):
            stage.accept(f"m{number}", a_person(f"c-{number}", 1, city=ODD, county=ODD))
        stage.drain()
        assert (stage.crm.calls, len(rows(stage)), len(stage.crm.records)) == (2, 100, 50)

    def test_keeps_what_the_crm_had_before(self, stage: Stage) -> None:
        passed_on(stage, "m", a_person("c-1", 1, city="Mesa"))
        passed_on(stage, "n", a_person("c-1", 2, city=ODD, county="Gila"))
        assert (stage.contact()["City"], stage.contact()["County"]) == ("Mesa", "Gila")

    def test_alone_needs_no_other_call(self, stage: Stage) -> None:
        passed_on(stage, "m", a_person("c-1", 1, city="Mesa"))
        assert passed_on(stage, "n", a_person("c-1", 2, city=ODD)) == 1
        assert stage.settled("n").tries[-1].outcome == "unchanged"
        assert items(stage) == [("City", "ODD_VALUE")]

    def test_counts_for_nothing_where_the_record_is_refused_as_a_whole(self, stage: Stage) -> None:
        passed_on(stage, "m", a_person("c-1", 1, county=ODD, city=REFUSED))
        assert (stage.state("m"), items(stage)) == (("dead", "BAD_VALUE"), [])

    def test_that_the_crm_requires_is_named_as_the_cause(self, stage: Stage) -> None:
        passed_on(stage, "m", a_person("c-1", 1, lastName=ODD))
        assert (stage.state("m"), items(stage)) == (("dead", "ODD_VALUE"), [])
        assert stage.settled("m").reason == "'LastName': odd"

    def test_waits_with_its_record_where_the_account_fails_meanwhile(self, stage: Stage) -> None:
        stage.crm.meanwhile.append(("after", lambda: stage.crm.faults.append(Fault.DOWN)))
        passed_on(stage, "m", a_person("c-1", 1, city=ODD))
        assert (stage.state("m")[0], items(stage)) == ("ready", [])
        stage.drain_in_time()
        assert (stage.state("m")[0], items(stage)) == ("delivered", [("City", "ODD_VALUE")])


class TestTheSameValue:
    def test_is_not_sent_again(self, stage: Stage) -> None:
        passed_on(stage, "m", a_person("c-1", 1, city=ODD))
        assert passed_on(stage, "n", a_person("c-1", 2, city=ODD, county="Gila")) == 1
        assert passed_on(stage, "o", a_person("c-1", 3, city=ODD, county="Gila")) == 0
        assert items(stage) == [("City", "ODD_VALUE")]
        assert stage.state("o") == ("delivered", "ODD_VALUE")

    def test_stays_open_since_it_was_first_refused(self, stage: Stage) -> None:
        passed_on(stage, "m", a_person("c-1", 1, city=ODD))
        since = rows(stage)[0].since
        stage.clock.forward(60_000)
        passed_on(stage, "n", a_person("c-1", 2, city=ODD))
        assert rows(stage)[0].since == since

    def test_is_sent_again_by_an_edited_mapping(self, stage: Stage) -> None:
        passed_on(stage, "m", a_person("c-1", 1, city=ODD))
        stage.crm.strict = False
        stage.route.running = Running(MAPPINGS[1])
        passed_on(stage, "n", a_person("c-1", 2, city=ODD))
        assert (stage.contact()["City"], items(stage)) == (ODD, [])

    def test_is_sent_again_without_an_event_once_an_edited_mapping_runs(self, stage: Stage) -> None:
        stage.store.mappings.running("sunrise/crm", MAPPINGS[0].version)
        passed_on(stage, "m", a_person("c-1", 1, city=ODD))
        stage.crm.strict = False
        stage.route.running = Running(MAPPINGS[1])
        stage.store.mappings.running("sunrise/crm", MAPPINGS[1].version)
        stage.drain()
        assert (stage.contact()["City"], items(stage)) == (ODD, [])

    def test_is_sent_again_by_a_replay(self, stage: Stage) -> None:
        passed_on(stage, "m", a_person("c-1", 1, city=ODD))
        stage.crm.strict = False
        assert stage.store.desk.replay(Filter(state="delivered", code="ODD_VALUE"), "ana") == 1
        stage.drain()
        assert (stage.contact()["City"], items(stage), stage.state("m")) == (ODD, [], ("delivered", ""))

    def test_is_sent_again_by_the_replay_of_an_older_event_with_it(self, stage: Stage) -> None:
        passed_on(stage, "m", a_person("c-1", 1, city=ODD))
        passed_on(stage, "n", a_person("c-1", 2, city=ODD))
        stage.crm.strict = False
        stage.store.desk.replay(Filter(state="delivered", message_id="m"), "ana")
        stage.drain()
        assert stage.contact()["City"] == ODD


class TestAnItemCloses:
    def test_when_a_changed_value_is_taken(self, stage: Stage) -> None:
        passed_on(stage, "m", a_person("c-1", 1, city=ODD))
        assert passed_on(stage, "n", a_person("c-1", 2, city="Mesa")) == 1
        assert (stage.contact()["City"], items(stage)) == ("Mesa", [])

    def test_when_the_value_returns_to_what_the_crm_has(self, stage: Stage) -> None:
        for number, city in enumerate(["Mesa", ODD, "Mesa"]):
            passed_on(stage, f"m{number}", a_person("c-1", number, city=city))
        assert (stage.contact()["City"], items(stage)) == ("Mesa", [])

    def test_when_the_newest_event_has_no_value_for_it(self, stage: Stage) -> None:
        passed_on(stage, "m", a_person("c-1", 1, city=ODD))
        passed_on(stage, "n", a_person("c-1", 2, city=None))
        assert items(stage) == []

    def test_when_consent_withholds_it(self, stage: Stage) -> None:
        passed_on(stage, "m", a_person("c-1", 1, phoneNumber=ODD))
        assert items(stage) == [("Mobile", "ODD_VALUE")]
        passed_on(stage, "n", a_person("c-1", 2, phoneNumber=ODD, doNotSMS=True))
        assert items(stage) == []

    def test_not_when_another_value_is_refused(self, stage: Stage) -> None:
        passed_on(stage, "m", a_person("c-1", 1, city=ODD))
        assert passed_on(stage, "n", a_person("c-1", 2, city=ODD + "er")) == 1
        assert items(stage) == [("City", "ODD_VALUE")]
        assert passed_on(stage, "o", a_person("c-1", 3, city=ODD + "er")) == 0


HISTORY = (
    a_person("c-1", 1, city="Mesa", county="Gila"),
    a_person("c-1", 2, city=ODD, county="Pima"),
    a_person("c-1", 3, city=ODD, county="Yuma"),
    a_person("c-1", 4, lastName="Okafor", city=ODD + "er", county=ODD),
)


class TestWhateverComesFirst:
    @pytest.mark.slow
    @pytest.mark.parametrize("together", [1, 2, 4], ids="{}-at-once".format)
    def test_the_crm_ends_in_the_same_state_with_the_same_items(self, stage: Stage, together: int) -> None:
        ends = set()
        for order in itertools.permutations(range(len(HISTORY))):
            stage.wipe()
            for start in range(0, len(order), together):
                for number in order[start : start + together]:
                    stage.accept(f"m{number}", HISTORY[number])
                stage.drain()
            values = {name: value for name, value in stage.contact().items() if name != "Id"}
            ends.add((tuple(sorted(values.items(), key=str)), tuple((row.field, row.at) for row in rows(stage))))
        assert len(ends) == 1
        ((values_, open_),) = ends
        assert (dict(values_)["City"], dict(values_)["County"], dict(values_)["LastName"]) == ("Mesa", "Yuma", "Okafor")
        assert [name for name, _ in open_] == ["City", "County"]

    def test_an_older_event_neither_closes_nor_reopens_an_item(self, stage: Stage) -> None:
        passed_on(stage, "n", a_person("c-1", 3, city=ODD))
        at = rows(stage)[0].at
        passed_on(stage, "m", a_person("c-1", 1, city="Mesa"))
        assert (stage.contact()["City"], items(stage), rows(stage)[0].at) == ("Mesa", [("City", "ODD_VALUE")], at)
        passed_on(stage, "o", a_person("c-1", 4, city="Yuma"))
        passed_on(stage, "l", a_person("c-1", 2, city=ODD))
        assert (stage.contact()["City"], items(stage)) == ("Yuma", [])


class TestARefusalThatNamesNoField:
    @pytest.fixture(autouse=True)
    def _unnamed(self, stage: Stage) -> None:
        stage.crm.names_fields = False

    def test_has_its_field_found_by_halving(self, stage: Stage) -> None:
        calls = passed_on(stage, "m", a_person("c-1", 1, city=ODD, county="Gila", email="a@example.com"))
        assert (stage.contact()["County"], stage.contact()["Email"]) == ("Gila", "a@example.com")
        assert (items(stage), calls <= 1 + 2 * 3) == ([("City", "ODD_VALUE")], True)

    @pytest.mark.slow
    def test_costs_no_more_calls_for_many_records(self, stage: Stage) -> None:
        for number in range(100):
            stage.accept(f"m{number}", a_person(f"c-{number}", 1, city=ODD))
        stage.drain()
        assert (len(rows(stage)), len(stage.crm.records), stage.crm.calls <= 8) == (100, 100, True)

    def test_of_a_single_field_needs_no_other_call(self, stage: Stage) -> None:
        passed_on(stage, "m", a_person("c-1", 1, city="Mesa"))
        assert passed_on(stage, "n", a_person("c-1", 2, city=ODD)) == 1
        assert (stage.contact()["City"], items(stage)) == ("Mesa", [("City", "ODD_VALUE")])

    def test_is_a_dead_letter_where_no_single_field_is_to_blame(self, stage: Stage) -> None:
        passed_on(stage, "m", a_person("c-1", 1, lastName=ODD, city=ODD, county=ODD, status="Lead"))
        assert (stage.state("m")[0], items(stage), stage.crm.calls <= 5) == ("dead", [], True)

    def test_is_a_dead_letter_once_the_calls_of_the_batch_are_used_up(self, stage: Stage) -> None:
        stage.accept("m", a_person("c-1", 1, city=ODD))
        (folded,), _, writing = prepared(stage, again=1)
        writing.run([folded])
        assert stage.crm.calls == 3
        (answer,) = writing.answers.values()
        assert answer.outcome is not None

    def test_finds_an_older_value_that_is_taken(self, stage: Stage) -> None:
        stage.accept("m", a_person("c-1", 1, city="Mesa"))
        stage.accept("n", a_person("c-1", 2, city=ODD))
        stage.drain()
        assert (stage.contact()["City"], items(stage)) == ("Mesa", [("City", "ODD_VALUE")])


def prepared(stage: Stage, again: int) -> Any:
    """What a batch asks of each record, with so many calls left for sending records again."""
    due = stage.store.inbox.due(LANE, 10)
    mapping = stage.route.mapping
    planned, _ = plan_all(due, mapping, ZONE)
    digest, version = stage.store.database.digest, mapping.version
    return prepare(
        planned, stage.route, stage.store.ledger, digest, lambda _: None, stage.clock, version=version, again=again
    )


class TestAFlagThatCannotBeWritten:
    def test_keeps_neither_the_record_nor_the_other_flag_out(self, stage: Stage) -> None:
        stage.crm.unwritable.add("NoText")
        passed_on(stage, "m", a_person("c-1", 1, city="Mesa", doNotCall=True, doNotSMS=True))
        assert (stage.contact()["City"], stage.contact()["NoCall"]) == ("Mesa", True)
        assert (stage.state("m"), items(stage)) == (("delivered", ""), [])

    def test_is_an_obligation_and_never_an_open_item(self, stage: Stage) -> None:
        stage.crm.unwritable.add("NoText")
        passed_on(stage, "m", a_person("c-1", 1, city=ODD, doNotSMS=True))
        assert items(stage) == [("City", "ODD_VALUE")]
        (lane,) = stage.store.opt_outs.standing()
        assert (lane.refused, lane.waiting) == (1, 0)


def looking(extra: str = "", returns: str = "Id", els: str = "") -> Any:
    """A mapping whose contacts have an owner who is looked up. els: what is taken where nobody is found."""
    look = f"object: User, match: {{ Name: customer.agentName }}, return: {returns}" + (f", else: {els}" if els else "")
    return compiled(f"""\
version: 1
crm: salesforce
consent: {{ flags: {{ doNotCall: contact.NoCall }}, waive: [doNotSMS, doNotEmail, doNotMail] }}
records:
  contact:
    object: Contact
    key: {{ Key: customer.id }}
    fields:
      LastName: customer.lastName
      City: {{ from: customer.city }}
      Owner: {{ lookup: {{ {look} }}{extra} }}
""")


class TestALookUpThatFindsNobody:
    def test_leaves_its_field_out_and_says_so(self, stage: Stage) -> None:
        stage.route.running = Running(looking())
        passed_on(stage, "m", a_person("c-1", 1, city="Mesa", agentName="Ana"))
        assert (stage.contact()["City"], "Owner" in stage.contact()) == ("Mesa", False)
        assert (items(stage), stage.state("m")) == ([("Owner", "LOOKUP_MISSING")], ("delivered", "LOOKUP_MISSING"))

    def test_closes_its_item_once_there_is_somebody(self, stage: Stage) -> None:
        stage.route.running = Running(looking())
        passed_on(stage, "m", a_person("c-1", 1, agentName="Ana"))
        stage.crm.add("User", Name="Ana")
        stage.route.lookups = Lookups(lambda: 0.0)
        stage.store.desk.replay(Filter(state="delivered", left_out="LOOKUP_MISSING"), "ana")
        stage.drain()
        assert (stage.contact()["Owner"], items(stage)) == ("002", [])

    def test_writes_the_default_meanwhile(self, stage: Stage) -> None:
        stage.route.running = Running(looking(", default: queue"))
        passed_on(stage, "m", a_person("c-1", 1, agentName="Ana"))
        assert (stage.contact()["Owner"], items(stage)) == ("queue", [("Owner", "LOOKUP_MISSING")])
        assert passed_on(stage, "n", a_person("c-1", 2, agentName="Ana")) == 0

    def test_writes_the_default_where_the_crm_refuses_whom_it_finds(self, stage: Stage) -> None:
        """As Salesforce refuses a user who was deactivated."""
        stage.route.running = Running(looking(", default: queue, required: true", returns="Alias"))
        stage.crm.add("User", Name="Ana", Alias=ODD)
        passed_on(stage, "m", a_person("c-1", 1, agentName="Ana"))
        assert (stage.contact()["Owner"], items(stage)) == ("queue", [("Owner", "ODD_VALUE")])
        assert passed_on(stage, "n", a_person("c-1", 2, agentName="Ana")) == 0

    def test_takes_what_else_there_is_and_is_content(self, stage: Stage) -> None:
        stage.route.running = Running(looking(els="{ value: queue }"))
        passed_on(stage, "m", a_person("c-1", 1, agentName="Ana"))
        assert (stage.contact()["Owner"], items(stage), stage.state("m")) == ("queue", [], ("delivered", ""))
        stage.crm.add("User", Name="Ana")
        stage.route.lookups = Lookups(lambda: 0.0)
        passed_on(stage, "n", a_person("c-1", 2, agentName="Ana"))
        assert stage.contact()["Owner"] == "002"

    def test_leaves_out_what_nothing_else_has_either(self, stage: Stage) -> None:
        stage.route.running = Running(looking(els="{ lookup: { object: Group, where: { Name: Medicare } } }"))
        passed_on(stage, "m", a_person("c-1", 1, agentName="Ana"))
        assert ("Owner" in stage.contact(), items(stage)) == (False, [("Owner", "LOOKUP_MISSING")])
        stage.crm.add("Group", Name="Medicare")
        stage.route.lookups = Lookups(lambda: 0.0)
        stage.store.desk.replay(Filter(state="delivered", left_out="LOOKUP_MISSING"), "ana")
        stage.drain()
        assert (stage.contact()["Owner"], items(stage)) == ("002", [])

    def test_of_what_else_there_is_none_replaces_what_a_payload_does_not_state(self, stage: Stage) -> None:
        stage.route.running = Running(looking(els="{ value: queue }"))
        user = stage.crm.add("User", Name="Ana")
        passed_on(stage, "m", a_person("c-1", 1, agentName="Ana"))
        passed_on(stage, "n", a_person("c-1", 2))
        assert stage.contact()["Owner"] == user["Id"]
        passed_on(stage, "o", a_person("c-1", 3, agentName=None))
        assert stage.contact()["Owner"] == "queue"

    def test_refuses_the_record_where_the_field_is_required(self, stage: Stage) -> None:
        stage.route.running = Running(looking(", required: true"))
        passed_on(stage, "m", a_person("c-1", 1, agentName="Ana"))
        assert (stage.state("m"), items(stage)) == (("dead", "LOOKUP_MISSING"), [])

    def test_leaves_the_older_match_whatever_comes_first(self, stage: Stage) -> None:
        stage.route.running = Running(looking())
        user = stage.crm.add("User", Name="Ben")
        stage.accept("m", a_person("c-1", 1, agentName="Ben"))
        stage.accept("n", a_person("c-1", 2, agentName="Ana"))
        stage.drain()
        assert (stage.contact()["Owner"], items(stage)) == (user["Id"], [("Owner", "LOOKUP_MISSING")])


class TestARequiredField:
    def test_without_a_value_keeps_a_new_record_out(self, stage: Stage) -> None:
        stage.route.running = Running(required_city())
        passed_on(stage, "m", a_person("c-1", 1, city=None))
        assert (stage.state("m"), stage.crm.records) == (("dead", "REQUIRED_EMPTY"), {})

    def test_without_a_value_keeps_the_one_the_crm_has(self, stage: Stage) -> None:
        stage.route.running = Running(required_city())
        passed_on(stage, "m", a_person("c-1", 1, city="Mesa"))
        passed_on(stage, "n", a_person("c-1", 2, city=None, lastName="Okafor"))
        assert (stage.contact()["City"], stage.contact()["LastName"]) == ("Mesa", "Okafor")

    def test_that_the_crm_refuses_refuses_its_record(self, stage: Stage) -> None:
        stage.route.running = Running(required_city())
        passed_on(stage, "m", a_person("c-1", 1, city=ODD))
        assert (stage.state("m"), items(stage)) == (("dead", "ODD_VALUE"), [])


def required_city() -> Any:
    return compiled("""\
version: 1
crm: salesforce
consent: { waive: [doNotCall, doNotSMS, doNotEmail, doNotMail] }
records:
  contact:
    object: Contact
    key: { Key: customer.id }
    fields: { LastName: customer.lastName, City: { from: customer.city, required: true } }
""")


class TestForgetting:
    def test_takes_the_open_items_with_it(self, stage: Stage) -> None:
        passed_on(stage, "m", a_person("c-1", 1, city=ODD))
        stage.store.forget.run("c-1", "ana")
        assert rows(stage) == []


class TestNoValue:
    def test_is_kept_of_what_was_refused(self, stage: Stage) -> None:
        passed_on(stage, "m", a_person("c-1", 1, city=ODD + " canary"))
        assert "canary" not in str(rows(stage))
        assert "canary" not in str(stage.store.desk.story("m"))


def left_out(house: House) -> list[tuple[str, str]]:
    return [(row.field, row.code) for row in rows(house)]


def writes(house: House) -> int:
    """How many calls wrote something so far."""
    paths = ("/batch/up", "/batch/create", "/composite/sobjects")
    return sum(call.method != "GET" and any(path in call.path for path in paths) for call in house.sandbox.calls())


class TestOnBothCrms:
    def test_a_person_is_written_without_an_invalid_address_and_all_their_calls_go_through(self, house: House) -> None:
        person = a_customer(email="no address")
        sent = house.pass_on(person, a_call(person), a_call(person, id="another"))
        assert (house.person()["state"], house.person()["email"] or None, len(house.calls())) == ("AZ", None, 2)
        assert [house.state(message_id)[0] for message_id in sent] == ["delivered"] * 3
        assert [name for name, _ in left_out(house)] == [house.names["email"]]

    def test_the_same_value_costs_no_rejected_call_again(self, house: House) -> None:
        house.pass_on(a_customer(email="no address", updatedAt=EARLIER))
        before = writes(house)
        house.pass_on(a_customer(email="no address", city="Yuma", updatedAt=LATER))
        assert (house.person()["city"], writes(house) - before) == ("Yuma", 1)

    def test_a_corrected_address_is_written_and_closes_its_item(self, house: House) -> None:
        house.pass_on(a_customer(email="no address", updatedAt=EARLIER))
        house.pass_on(a_customer(email="right@example.com", updatedAt=LATER))
        assert (house.person()["email"], left_out(house)) == ("right@example.com", [])

    def test_an_unwritable_flag_costs_neither_the_record_nor_the_other_flag(self, house: House) -> None:
        lock(house, "no_text")
        house.pass_on(a_customer(doNotCall=True, doNotSMS=True))
        assert (house.person()["state"], raised(house.person()["no_call"])) == ("AZ", True)
        assert (raised(house.person()["no_text"]), left_out(house)) == (False, [])

    def test_a_required_field_insists(self, house: House) -> None:
        house.insist()
        (message_id,) = house.pass_on(a_customer(email="no address"))
        assert (house.state(message_id)[0], house.people(), left_out(house)) == ("dead", [], [])

    def test_an_inactive_owner_is_left_out(self, house: House) -> None:
        if house.names is HUBSPOT:
            pytest.skip("HubSpot takes any owner it lists")
        house.sandbox.change(house.sandbox.people[0]["Id"], IsActive=False)
        house.pass_on(a_customer(assignedUser={**AGENT, "email": house.sandbox.people[0]["Email"]}))
        assert (house.person()["state"], left_out(house)) == ("AZ", [("OwnerId", "INACTIVE_OWNER_OR_USER")])

    def test_a_state_that_is_not_on_the_list_is_left_out(self, house: House) -> None:
        only_states_of_its_list(house)
        house.pass_on(a_customer(state="Freedonia", firstName="Marcus"))
        assert (house.person()["state"] or "", len(house.people())) == ("", 1)
        assert [name for name, _ in left_out(house)] == [house.names["state"]]

    def test_a_taken_address_is_left_out(self, house: House) -> None:
        taken(house, "taken@example.com")
        house.pass_on(a_customer(email="taken@example.com", city="Yuma"))
        (person,) = [person for person in house.people() if person["city"] == "Yuma"]
        assert not person["email"]
        assert [name for name, _ in left_out(house)] == [house.names["email"]]


def lock(house: House, name: str) -> None:
    """Make a field read-only for the connector's user."""
    if house.names is HUBSPOT:
        contacts = house.sandbox.definitions.schema["contacts"]
        contacts[house.names[name]] = replace(contacts[house.names[name]], read_only=True)
    else:
        house.sandbox.keep_from_editing("Contact", house.names[name])


def taken(house: House, address: str) -> None:
    """Let a contact of another customer's have an address that must be unique."""
    if house.names is HUBSPOT:
        house.sandbox.put("contacts", email=address, carecycle_id="another")
    else:
        house.sandbox.keep_unique("Contact", "Email")
        house.sandbox.put("Contact", LastName="Other", Email=address, careCycle_Id__c="another")


def only_states_of_its_list(house: House) -> None:
    if house.names is HUBSPOT:
        contacts = house.sandbox.definitions.schema["contacts"]
        contacts["state"] = replace(contacts["state"], type="enumeration", field_type="select", options=("AZ", "CA"))
    else:
        add_codes(house.sandbox.org.tables.values())


class TestWhatIsShown:
    def test_problems_groups_open_items_by_code_and_field(self, stage: Stage) -> None:
        for number in range(3):
            stage.accept(f"m{number}", a_person(f"c-{number}", 1, city=ODD))
        stage.drain()
        (group,) = find_left_out(stage.store)
        assert (group.field, group.code, group.count, group.customers) == ("City", "ODD_VALUE", 3, 3)
        assert group.what == "'City': odd."

    def test_a_replay_of_the_group_sends_them_again(self, stage: Stage) -> None:
        passed_on(stage, "m", a_person("c-1", 1, city=ODD))
        stage.crm.strict = False
        (group,) = find_left_out(stage.store)
        assert stage.store.desk.replay(group.chosen, "ana") == 1
        stage.drain()
        assert (find_left_out(stage.store), stage.contact()["City"]) == ([], ODD)

    def test_the_overview_counts_them(self, stage: Stage) -> None:
        passed_on(stage, "m", a_person("c-1", 1, city=ODD, county=ODD))
        assert overview(stage.store, stage.clock()).open_items == 2

    def test_why_says_which_event_was_written_without_a_field(self, stage: Stage) -> None:
        passed_on(stage, "m", a_person("c-1", 1, city=ODD))
        why = explain(stage.store, "c-1")
        assert why is not None
        (field,) = [field for record in why.records for field in record.fields if field.field == "City"]
        assert [(said.verdict, said.by) for said in field.said] == [("left out", "ODD_VALUE")]
