"""What was fetched from careCycle's API or a file: mapped like what was sent, and weaker than it, on both databases."""

from __future__ import annotations

from functools import partial
from itertools import permutations
from typing import Any

import pytest

from connector.errors import UnreadableEvent
from connector.receive import Agency, Fetch, fetched
from connector.settlement.newest import Kind, Origin
from connector.store.inbox import Arrival
from tests.builders import NOON
from tests.promises.stage import AGENCY, LANE, Stage, a_person, a_talk, compiled

TWO = Agency("sunrise", AGENCY.verifier, {"crm": 1, "other": 1})
UNSTATED = dict.fromkeys(("doNotCall", "doNotSMS", "doNotEmail", "doNotMail"))


def a_fetch(stage: Stage, run: str = "r1", destination: str = "") -> Fetch:
    database = stage.store.database
    return Fetch(Origin.CARECYCLE, run, partial(database.digest, size=16), database.moment(), destination)


def fetch(stage: Stage, payload: dict[str, Any], *, agency: Agency = AGENCY, **how: str) -> bool:
    (new,) = stage.store.fetched.accept([fetched(agency, payload, a_fetch(stage, **how))])
    return new


def without(payload: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in payload.items() if name not in names}


def silent(customer: str, at: int, **changes: Any) -> dict[str, Any]:
    """What an API says that does not show consent."""
    return without(a_person(customer, at, **changes), *UNSTATED)


class TestOfSomebodyNew:
    def test_a_customer_is_written_as_if_an_event_had_come(self, stage: Stage) -> None:
        fetch(stage, a_person("c-1", 1, city="Oslo", phoneNumber="+12025550100"))
        stage.drain()
        assert (stage.contact()["City"], stage.contact()["Mobile"]) == ("Oslo", "+12025550100")

    def test_a_flag_that_is_not_stated_withholds(self, stage: Stage) -> None:
        fetch(stage, silent("c-1", 1, phoneNumber="+12025550100"))
        stage.drain()
        assert "Mobile" not in stage.contact()

    def test_a_raised_flag_reaches_the_crm(self, stage: Stage) -> None:
        fetch(stage, a_person("c-1", 1, doNotCall=True))
        stage.drain()
        assert stage.contact()["NoCall"] is True

    def test_the_same_content_again_changes_nothing(self, stage: Stage) -> None:
        assert fetch(stage, a_person("c-1", 1))
        stage.drain()
        writes = len(stage.crm.writes)
        assert not fetch(stage, a_person("c-1", 1), run="r2")
        stage.drain()
        assert len(stage.crm.writes) == writes

    def test_what_is_no_event_is_refused_before_it_is_stored(self, stage: Stage) -> None:
        with pytest.raises(UnreadableEvent):
            fetch(stage, {"event_type": "customer.updated", "id": None})


class TestOfSomebodyKnown:
    def test_a_newer_state_replaces_an_older_one(self, stage: Stage) -> None:
        stage.accept("sent", a_person("c-1", 1, city="Oslo"))
        fetch(stage, a_person("c-1", 2, city="Rome"))
        stage.drain()
        assert stage.contact()["City"] == "Rome"

    def test_an_older_state_replaces_nothing(self, stage: Stage) -> None:
        stage.accept("sent", a_person("c-1", 2, city="Rome"))
        stage.drain()
        fetch(stage, a_person("c-1", 1, city="Oslo", county="Viken"))
        stage.drain()
        assert stage.contact()["City"] == "Rome"

    @pytest.mark.parametrize("first", ["sent", "fetched"])
    def test_at_equal_times_what_was_sent_counts(self, stage: Stage, first: str) -> None:
        acts = {
            "sent": lambda: stage.accept("sent", a_person("c-1", 1, city="Rome")),
            "fetched": lambda: fetch(stage, a_person("c-1", 1, city="Oslo")),
        }
        for act in sorted(acts, key=lambda name: name != first):
            acts[act]()
            stage.drain()
        assert stage.contact()["City"] == "Rome"

    def test_no_flag_is_lowered(self, stage: Stage) -> None:
        stage.accept("sent", a_person("c-1", 1, doNotSMS=True, phoneNumber="+12025550100"))
        stage.drain()
        fetch(stage, a_person("c-1", 2, doNotSMS=False, phoneNumber="+12025550199"))
        stage.drain()
        assert stage.contact()["NoText"] is True
        assert "Mobile" not in stage.contact()

    def test_a_flag_that_is_not_stated_stays_as_it_is_known(self, stage: Stage) -> None:
        stage.accept("sent", a_person("c-1", 1, phoneNumber="+12025550100"))
        stage.drain()
        fetch(stage, silent("c-1", 2, phoneNumber="+12025550199"))
        stage.drain()
        assert stage.contact()["Mobile"] == "+12025550199"

    def test_without_a_time_it_fills_only_what_nobody_wrote(self, stage: Stage) -> None:
        stage.accept("sent", a_person("c-1", 1, city="Rome", county=None))
        stage.drain()
        fetch(stage, without(a_person("c-1", 9, city="Oslo", email="l@example.com"), "updatedAt", "createdAt"))
        stage.drain()
        assert (stage.contact()["City"], stage.contact()["Email"]) == ("Rome", "l@example.com")

    def test_a_field_made_of_a_flag_is_not_changed_unless_the_flag_is_raised(self, stage: Stage) -> None:
        stage.route.running = type(stage.route.running)(CALLABLE)
        stage.accept("sent", a_person("c-1", 1, doNotCall=True))
        stage.drain()
        fetch(stage, a_person("c-1", 2, doNotCall=False))
        stage.drain()
        assert stage.contact()["Callable"] == "no"


class TestWhatIsNotStated:
    """A file may have a few columns only, and a list not every field."""

    @pytest.mark.parametrize("said", [{}, {"lastName": None}, {"lastName": " "}])
    def test_a_default_replaces_nothing(self, stage: Stage, said: dict[str, Any]) -> None:
        stage.accept("sent", a_person("c-1", 1, lastName="Delacroix"))
        stage.drain()
        fetch(stage, {**without(a_person("c-1", 2, city="Rome"), "lastName"), **said})
        stage.drain()
        assert (stage.contact()["LastName"], stage.contact()["City"]) == ("Delacroix", "Rome")

    def test_a_default_fills_in_for_somebody_new_and_gives_way(self, stage: Stage) -> None:
        fetch(stage, without(a_person("c-1", 2), "lastName"))
        stage.drain()
        assert stage.contact()["LastName"] == "Unknown"
        stage.accept("sent", a_person("c-1", 1, lastName="Delacroix"))
        stage.drain()
        assert stage.contact()["LastName"] == "Delacroix"

    @pytest.mark.parametrize("silent", ["lastName", "preferredName", "status", "language"])
    def test_what_is_put_together_without_it_replaces_nothing(self, stage: Stage, silent: str) -> None:
        stage.route.running = type(stage.route.running)(TOGETHER)
        whole = {"firstName": "Ann", "preferredName": "B", "lastName": "Lee", "status": "Active", "language": "es"}
        stage.accept("sent", a_person("c-1", 1, **whole))
        stage.drain()
        before = stage.contact()
        fetch(stage, without(a_person("c-1", 2, **whole), silent))
        stage.drain()
        assert stage.contact() == before

    def test_what_most_people_do_not_have_need_not_be_stated(self, stage: Stage) -> None:
        stage.route.running = type(stage.route.running)(TOGETHER)
        stage.accept("sent", a_person("c-1", 1, address="1 Main St", address2="Apt 3"))
        fetch(stage, without(a_person("c-1", 2, address="9 Elm St"), "address2"))
        stage.drain()
        assert stage.contact()["Street"] == "9 Elm St"

    @pytest.mark.parametrize("how", ["sent", "fetched"])
    def test_a_value_that_happens_to_be_the_default_is_a_value(self, stage: Stage, how: str) -> None:
        stage.route.running = type(stage.route.running)(WITH_DEFAULTS)
        stage.accept("first", a_person("c-1", 1, preferredName=None, county="Pima"))
        stage.drain()
        later = a_person("c-1", 2, preferredName=None, county="Gila")
        if how == "sent":
            stage.accept("second", without(later, "preferredName"))
        else:
            fetch(stage, later)
        stage.drain()
        assert stage.contact()["Place"] == "Gila"

    def test_what_is_only_for_new_records_stays_so(self, stage: Stage) -> None:
        stage.accept("first", a_person("c-1", 1))
        stage.drain()
        stage.route.running = type(stage.route.running)(WITH_DEFAULTS)
        stage.accept("second", without(a_person("c-1", 2), "county"))
        stage.drain()
        assert "Kind" not in stage.contact()

    @pytest.mark.slow
    @pytest.mark.parametrize("missing", ["lineType", "email"])
    def test_an_opt_out_erases_what_is_put_together_all_the_same(self, stage: Stage, missing: str) -> None:
        stage.route.running = type(stage.route.running)(ERASED)
        person = {"lineType": "mobile", "phoneNumber": "+12025550100", "email": "l@example.com"}
        stage.accept("sent", a_person("c-1", 1, **person))
        stage.drain()
        assert (stage.contact()["Mobile"], stage.contact()["Both"]) == ("+12025550100", "+12025550100, l@example.com")
        fetch(stage, without(a_person("c-1", 2, **person, doNotSMS=True), missing))
        stage.drain()
        assert (stage.contact().get("Mobile"), stage.contact().get("Both")) == (None, None)

    def test_it_is_so_where_an_event_does_not_state_it(self, stage: Stage) -> None:
        stage.accept("sent", a_person("c-1", 1, lastName="Delacroix"))
        stage.accept("odd", a_person("c-1", 2, lastName={"family": "Delacroix"}, city="Rome"))
        stage.drain()
        assert (stage.contact()["LastName"], stage.contact()["City"]) == ("Delacroix", "Rome")

    def test_an_event_that_says_null_means_it(self, stage: Stage) -> None:
        stage.accept("sent", a_person("c-1", 1, lastName="Delacroix"))
        stage.accept("later", a_person("c-1", 2, lastName=None))
        stage.drain()
        assert stage.contact()["LastName"] == "Unknown"


HEAD = """\
version: 1
crm: salesforce
consent: { flags: { doNotCall: contact.NoCall }, waive: [doNotEmail, doNotMail, doNotSMS] }
records:
  contact:
    object: Contact
    key: { Key: customer.id }
    fields:
"""

TOGETHER = compiled(
    HEAD
    + """\
      LastName: { value: Lee }
      Joined: { join: [customer.firstName, customer.lastName] }
      Filled: { template: "{customer.firstName}[ {customer.preferredName}]" }
      First: { from: [customer.preferredName, customer.firstName] }
      Street: { join: [customer.address, customer.address2], with: ", " }
      Other: { value: "yes", when: { not: { customer.status: Active } } }
      Spoken: { cases: [ { when: { customer.language: es }, then: { value: Spanish } }, { else: { value: Other } } ] }
"""
)

WITH_DEFAULTS = compiled(
    HEAD
    + """\
      LastName: { value: Lee }
      Place: { from: [customer.preferredName, customer.county], default: Gila }
      Kind: { from: customer.county, default: New, write: on_create }
"""
)

ERASED = compiled(
    """\
version: 1
crm: salesforce
consent:
  flags: { doNotSMS: contact.NoText }
  waive: [doNotEmail, doNotMail, doNotCall]
  withhold: { doNotSMS: [contact.Mobile, contact.Both] }
  withheld: clear
records:
  contact:
    object: Contact
    key: { Key: customer.id }
    fields:
      LastName: { value: Lee }
      Mobile: { from: customer.phoneNumber, when: { customer.lineType: mobile } }
      Both: { join: [customer.phoneNumber, customer.email] }
"""
)

CALLABLE = compiled(
    """\
version: 1
crm: salesforce
consent:
  flags: { doNotCall: contact.NoCall }
  waive: [doNotEmail, doNotMail, doNotSMS]
tables:
  callable: { true: "no", false: "yes" }
records:
  contact:
    object: Contact
    key: { Key: customer.id }
    fields:
      LastName: { from: customer.lastName, default: Unknown }
      Callable: { from: customer.doNotCall, table: callable }
"""
)

STORY: list[tuple[str, dict[str, Any]]] = [
    ("sent", a_person("c-1", 1, city="Oslo", doNotSMS=True)),
    ("sent", a_person("c-1", 3, city="Rome", county="Lazio", doNotSMS=None)),
    ("fetched", a_person("c-1", 3, city="Bonn", county=None, doNotSMS=False)),
    ("fetched", silent("c-1", 4, city="Lima", phoneNumber="+12025550199")),
    ("fetched", without(a_person("c-1", 0, city="Kiev", agentName="Ana"), "updatedAt", "createdAt")),
]


class TestConvergence:
    @pytest.mark.slow
    def test_every_order_ends_the_same(self, stage: Stage) -> None:
        ends: dict[str, set[str]] = {}
        for order in permutations(range(len(STORY))):
            stage.wipe()
            for number in order:
                kind, payload = STORY[number]
                stage.accept(f"m-{number}", payload) if kind == "sent" else fetch(stage, payload)
                stage.drain()
            # What consent withheld on the way depends on the order, for what was sent as well.
            for name, value in without(stage.contact(), "Mobile").items():
                ends.setdefault(name, set()).add(str(value))
        assert {name: values for name, values in ends.items() if len(values) > 1} == {}


class TestWaiting:
    def test_what_was_sent_goes_first(self, stage: Stage) -> None:
        fetch(stage, a_person("c-1", 1))
        stage.accept("sent", a_person("c-2", 1))
        first, second = stage.store.inbox.due(LANE, 10)
        assert (first.event.message_id, second.event.fetched) == ("sent", True)

    def test_it_is_no_backlog_that_refuses_or_alarms(self, stage: Stage) -> None:
        fetch(stage, a_person("c-1", 1))
        stage.clock.forward(3_600_000)
        assert (stage.store.inbox.waiting(10), stage.lane().ready, stage.lane().oldest_ms) == (0, 1, None)

    def test_it_is_no_event_that_ends_a_silence(self, stage: Stage) -> None:
        stage.accept("sent", a_person("c-2", 1))
        stage.clock.forward(3_600_000)
        fetch(stage, a_person("c-1", 1))
        assert stage.store.watches.arrivals("sunrise") == [NOON]

    def test_a_destination_added_later_is_owed_it_too(self, stage: Stage) -> None:
        fetch(stage, a_person("c-1", 1, doNotCall=True))
        assert not fetch(stage, a_person("c-1", 1, doNotCall=True), agency=TWO, run="r2")
        (message,) = stage.store.newest.walk("sunrise", Kind.CUSTOMER)
        owed = stage.store.obligations.due("sunrise/other/0", 10)
        assert [(obligation.flag, obligation.event_id) for obligation in owed] == [("doNotCall", message[0].event_id)]
        assert len(stage.store.inbox.due("sunrise/other/0", 10)) == 1

    def test_that_destination_gets_it_although_the_content_was_deleted(self, stage: Stage) -> None:
        fetch(stage, a_person("c-1", 1))
        stage.drain()
        stage.clock.forward(1)
        assert stage.store.retention.purge("sunrise", stage.clock.now) == 1
        fetch(stage, a_person("c-1", 1), agency=TWO)
        (owed,) = stage.store.inbox.due("sunrise/other/0", 10)
        assert owed.event.payload["id"] == "c-1"

    def test_it_can_be_for_one_destination(self, stage: Stage) -> None:
        arrival: Arrival = fetched(TWO, a_person("c-1", 1), a_fetch(stage, destination="other"))
        assert [owed.destination for owed in arrival.owed] == ["sunrise/other"]


class TestNewest:
    def test_state_is_known_of_each_customer_and_call(self, stage: Stage) -> None:
        stage.accept("sent", a_person("c-1", 5))
        stage.accept("older", a_person("c-1", 3))
        stage.accept("call", a_talk("t-1", a_person("c-9", 2), 4))
        newest = stage.store.newest
        noon = stage.clock.now
        assert newest.held("sunrise", Kind.CUSTOMER, ["c-1", "c-9"]) == {"c-1": noon + 5 * 60_000}
        assert newest.held("sunrise", Kind.CALL, ["t-1", "c-1"]) == {"t-1": noon + 4 * 60_000}

    def test_what_was_sent_stays_the_newest_at_equal_times(self, stage: Stage) -> None:
        fetch(stage, a_person("c-1", 1, city="Oslo"))
        stage.accept("sent", a_person("c-1", 1, city="Rome"))
        fetch(stage, a_person("c-1", 1, city="Bonn"))
        ((state,),) = stage.store.newest.walk("sunrise", Kind.CUSTOMER)
        assert state.sent

    def test_forgetting_a_customer_removes_it(self, stage: Stage) -> None:
        fetch(stage, a_person("c-1", 1))
        stage.store.forget.run("c-1", "ana")
        assert list(stage.store.newest.walk("sunrise", Kind.CUSTOMER)) == []


class TestRuns:
    def test_a_run_goes_on_where_it_was(self, stage: Stage) -> None:
        runs = stage.store.runs
        run = runs.begin("r1", "sunrise", "backfill", "--from x")
        runs.note(run.id, "7", {"customers": 3})
        again = runs.begin("r2", "sunrise", "backfill", "--from x")
        assert (again.id, again.cursor, again.counts) == ("r1", "7", {"customers": 3})

    def test_one_that_another_followed_begins_again(self, stage: Stage) -> None:
        runs = stage.store.runs
        runs.note(runs.begin("r1", "sunrise", "reapply", "v2").id, "7", {})
        stage.clock.forward(1)
        runs.note(runs.begin("r2", "sunrise", "reapply", "v1").id, "9", {}, ended=True)
        stage.clock.forward(1)
        assert runs.begin("r3", "sunrise", "reapply", "v2").cursor == ""

    def test_what_ended_begins_again(self, stage: Stage) -> None:
        runs = stage.store.runs
        runs.note(runs.begin("r1", "sunrise", "backfill", "").id, "7", {}, ended=True)
        assert runs.begin("r2", "sunrise", "backfill", "").cursor == ""
        assert {run.id for run in runs.all("sunrise")} == {"r1", "r2"}
