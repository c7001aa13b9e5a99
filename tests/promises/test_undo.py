"""A way back: what a version of the mapping wrote is undone, and nobody's edit and no newer event is lost."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from connector.delivery.undoing import End, What
from connector.errors import DestinationUnusable, LeaseLost
from connector.receive import Fetch, fetched
from connector.running.undos import undo
from connector.settlement.newest import Origin
from connector.store.previous import Whose
from tests.builders import CUSTOMER, a_customer
from tests.contracts.test_pipeline import AGENCY, EARLIER, HUBSPOT, LATER, House, house

__all__ = ["house"]

LATEST = "2026-06-18T15:00:00.000Z"


@pytest.fixture
def kept(house: House) -> House:
    house.route.undo = True
    return house


def wrong(house: House, field: str = "city", source: str = "customer.firstName") -> str:
    """Run a mapping that writes something wrong into a field; return its version."""
    fields = f"{{{house.names[field]}: {source}}}"
    house.remap(f"extends: {house.shipped}\nrecords: {{contact: {{fields: {fields}}}}}")
    return house.route.mapping.version


def right(house: House) -> str:
    house.remap(f"extends: {house.shipped}")
    return house.route.mapping.version


def undone(house: House, version: str, *, plan: bool = False) -> list[End]:
    return [end for ends in undo(house.store, house.route, 1, Whose(version), plan=plan) for end in ends]


def about(ends: list[End], house: House, field: str = "city") -> list[What]:
    return [end.what for end in ends if end.field == house.names[field]]


def made_by_hand(house: House, **fields: Any) -> None:
    """A record of the customer's that people made, found by its key."""
    key = "carecycle_id" if house.names is HUBSPOT else "careCycle_Id__c"
    named = {house.names[name]: value for name, value in fields.items()}
    last = {} if house.names is HUBSPOT else {"LastName": "Delacroix"}
    house.sandbox.put(house.names["people"], **{key: CUSTOMER, **last, **named})


class TestRestoring:
    def test_what_the_crm_had_before_comes_back(self, kept: House) -> None:
        kept.pass_on(a_customer(city="Mesa", updatedAt=EARLIER))
        version = wrong(kept)
        kept.pass_on(a_customer(city="Mesa", updatedAt=LATER))
        assert kept.person()["city"] == "Marcus"
        right(kept)
        assert about(undone(kept, version), kept) == [What.RESTORED]
        assert kept.person()["city"] == "Mesa"

    def test_what_a_person_had_entered_before_comes_back(self, kept: House) -> None:
        made_by_hand(kept, city="Yuma")
        version = right(kept)
        kept.pass_on(a_customer(city="Mesa"))
        undone(kept, version)
        assert kept.person()["city"] == "Yuma"

    def test_a_field_that_was_blank_is_blank_again(self, kept: House) -> None:
        made_by_hand(kept)
        version = right(kept)
        kept.pass_on(a_customer(city="Mesa"))
        undone(kept, version)
        assert not kept.person()["city"]

    def test_only_the_first_previous_value_counts(self, kept: House) -> None:
        kept.pass_on(a_customer(city="Mesa", updatedAt=EARLIER))
        version = wrong(kept)
        kept.pass_on(a_customer(city="Mesa", updatedAt=LATER))
        kept.pass_on(a_customer(city="Mesa", doNotCall=True, updatedAt=LATEST))
        undone(kept, version)
        assert kept.person()["city"] == "Mesa"

    def test_a_plan_writes_nothing(self, kept: House) -> None:
        made_by_hand(kept, city="Yuma")
        version = right(kept)
        kept.pass_on(a_customer(city="Mesa"))
        assert about(undone(kept, version, plan=True), kept) == [What.RESTORED]
        assert kept.person()["city"] == "Mesa"

    def test_a_second_run_finds_nothing_to_do(self, kept: House) -> None:
        made_by_hand(kept, city="Yuma")
        version = right(kept)
        kept.pass_on(a_customer(city="Mesa"))
        undone(kept, version)
        assert undone(kept, version) == []

    def test_a_record_that_was_created_is_listed_and_stays(self, kept: House) -> None:
        version = right(kept)
        kept.pass_on(a_customer(city="Mesa"))
        assert [end.what for end in undone(kept, version)] == [What.CREATED]
        assert kept.person()["city"] == "Mesa"


class TestWhatIsKept:
    def test_a_persons_edit_stays(self, kept: House) -> None:
        made_by_hand(kept, city="Yuma")
        version = right(kept)
        kept.pass_on(a_customer(city="Mesa"))
        kept.by_hand("change", **{kept.names["city"]: "Tempe"})
        assert about(undone(kept, version), kept) == [What.KEPT]
        assert kept.person()["city"] == "Tempe"

    def test_a_newer_event_stays(self, kept: House) -> None:
        made_by_hand(kept, city="Yuma")
        version = right(kept)
        kept.pass_on(a_customer(city="Mesa", updatedAt=EARLIER))
        kept.pass_on(a_customer(city="Tempe", updatedAt=LATER))
        assert about(undone(kept, version), kept) == [What.KEPT]
        assert kept.person()["city"] == "Tempe"

    def test_an_event_under_another_version_stays(self, kept: House) -> None:
        kept.pass_on(a_customer(city="Mesa", updatedAt=EARLIER))
        version = wrong(kept)
        kept.pass_on(a_customer(city="Mesa", updatedAt=LATER))
        right(kept)
        kept.pass_on(a_customer(city="Tempe", updatedAt=LATEST))
        assert about(undone(kept, version), kept) == [What.KEPT]
        assert kept.person()["city"] == "Tempe"

    def test_an_opt_out_is_never_lowered(self, kept: House) -> None:
        made_by_hand(kept)
        version = right(kept)
        kept.pass_on(a_customer(doNotCall=True))
        undone(kept, version)
        assert str(kept.person()["no_call"]).lower() == "true"

    def test_a_number_is_not_restored_to_somebody_who_opted_out_since(self, kept: House) -> None:
        made_by_hand(kept, mobile="+16025550100")
        version = right(kept)
        kept.pass_on(a_customer(updatedAt=EARLIER))
        kept.pass_on(a_customer(doNotSMS=True, updatedAt=LATER))
        ends = undone(kept, version)
        assert about(ends, kept, "mobile") != [What.RESTORED]
        assert kept.person()["mobile"] != "+16025550100"


def withholding(house: House, source: str, *, guarded: bool) -> str:
    """Run a mapping of a mobile number, with or without consent deciding about it; return its version."""
    key, last = ("carecycle_id", "lastname") if house.names is HUBSPOT else ("careCycle_Id__c", "LastName")
    withhold = f"withhold: {{doNotSMS: [contact.{house.names['mobile']}]}}" if guarded else ""
    flags = f"doNotCall: contact.{house.names['no_call']}, doNotSMS: contact.{house.names['no_text']}"
    house.remap(
        f"version: 1\ncrm: {'hubspot' if house.names is HUBSPOT else 'salesforce'}\nconsent:\n"
        f"  flags: {{ {flags} }}\n  waive: [doNotEmail, doNotMail]\n  {withhold}\nrecords:\n  contact:\n"
        f"    object: {house.names['people']}\n    key: {{ {key}: customer.id }}\n    fields:\n"
        f"      {last}: {{ from: customer.lastName, default: Unknown }}\n"
        f"      {house.names['mobile']}: {{ from: {source} }}\n"
    )
    return house.route.mapping.version


class TestWhoOptedOut:
    """Nobody's number comes back who must not be texted now, whatever the undone version thought of that."""

    def test_where_only_the_corrected_mapping_withholds(self, kept: House) -> None:
        made_by_hand(kept, mobile="+16025550100")
        version = withholding(kept, "customer.city", guarded=False)
        kept.pass_on(a_customer(city="Mesa", updatedAt=EARLIER, email=None))
        withholding(kept, "customer.phoneNumber", guarded=True)
        kept.pass_on(a_customer(city="Mesa", doNotSMS=True, updatedAt=LATER, email=None))
        assert about(undone(kept, version), kept, "mobile") == [What.KEPT]
        assert kept.person()["mobile"] != "+16025550100"

    def test_where_the_opt_out_is_accepted_and_not_delivered_yet(self, kept: House) -> None:
        made_by_hand(kept, mobile="+16025550100")
        version = withholding(kept, "customer.phoneNumber", guarded=True)
        kept.pass_on(a_customer(updatedAt=EARLIER, email=None))
        kept.accept(a_customer(doNotSMS=True, updatedAt=LATER, email=None))
        assert about(undone(kept, version), kept, "mobile") == [What.KEPT]


def taken_back(house: House) -> None:
    """Let a version write Mesa over a person's Yuma, and undo it."""
    made_by_hand(house, city="Yuma")
    version = right(house)
    house.pass_on(a_customer(city="Mesa", updatedAt=EARLIER))
    undone(house, version)


class TestAfterwards:
    def test_the_version_that_was_undone_does_not_write_the_same_event_again(self, kept: House) -> None:
        taken_back(kept)
        kept.pass_on(a_customer(city="Mesa", updatedAt=EARLIER))
        assert kept.person()["city"] == "Yuma"

    def test_a_newer_event_is_written(self, kept: House) -> None:
        taken_back(kept)
        kept.pass_on(a_customer(city="Mesa", updatedAt=LATER))
        assert kept.person()["city"] == "Mesa"

    def test_a_corrected_mapping_may_write_the_same_event(self, kept: House) -> None:
        made_by_hand(kept, city="Yuma")
        version = wrong(kept)
        kept.pass_on(a_customer(city="Mesa", updatedAt=EARLIER))
        undone(kept, version)
        right(kept)
        kept.pass_on(a_customer(city="Mesa", updatedAt=EARLIER))
        assert kept.person()["city"] == "Mesa"


class TestWhatItCosts:
    def test_nothing_is_read_once_a_version_has_written_a_field(self, kept: House) -> None:
        kept.pass_on(a_customer(city="Mesa", updatedAt=EARLIER))
        before = Counter(call.path for call in kept.sandbox.calls())
        kept.pass_on(a_customer(city="Tempe", updatedAt=LATER))
        with_undo = Counter(call.path for call in kept.sandbox.calls()) - before
        kept.route.undo = False
        kept.pass_on(a_customer(city="Yuma", updatedAt=LATEST))
        assert with_undo == Counter(call.path for call in kept.sandbox.calls()) - before - with_undo

    def test_nothing_is_kept_where_it_is_turned_off(self, house: House) -> None:
        made_by_hand(house, city="Yuma")
        version = right(house)
        house.pass_on(a_customer(city="Mesa"))
        assert house.store.lanes.previous.page(house.route.name, Whose(version), ("", ""), 9) == []


class Interrupted(Exception):
    """The process ends here."""


class Around:
    """A CRM account whose next write goes as told; everything else as usual."""

    def __init__(self, destination: Any, write: Callable[[Any, Any], Any]) -> None:
        self._destination, self._write = destination, write

    def __getattr__(self, name: str) -> Any:
        return getattr(self._destination, name)

    def write(self, rows: Any) -> Any:
        return self._write(self._destination.write, rows)


def before_writing(write: Any, rows: Any) -> Any:
    raise Interrupted


def after_writing(write: Any, rows: Any) -> Any:
    write(rows)
    raise Interrupted


def interrupted(house: House, version: str, moment: Callable[[Any, Any], Any]) -> None:
    """Undo, and end without another word before or after the CRM was written to."""
    usual = house.route.destination
    house.route.destination = Around(usual, moment)
    with pytest.raises(Interrupted):
        undone(house, version)
    house.route.destination = usual


class TestInterruptions:
    @pytest.mark.parametrize("moment", [before_writing, after_writing])
    def test_an_undo_that_ended_anywhere_goes_on(self, kept: House, moment: Any) -> None:
        made_by_hand(kept, city="Yuma")
        version = right(kept)
        kept.pass_on(a_customer(city="Mesa"))
        interrupted(kept, version, moment)
        assert about(undone(kept, version), kept) == [What.RESTORED]
        assert kept.person()["city"] == "Yuma"
        assert undone(kept, version) == []

    def test_an_edit_made_while_it_was_interrupted_stays(self, kept: House) -> None:
        made_by_hand(kept, city="Yuma")
        version = right(kept)
        kept.pass_on(a_customer(city="Mesa"))
        interrupted(kept, version, before_writing)
        kept.by_hand("change", **{kept.names["city"]: "Tempe"})
        assert about(undone(kept, version), kept) == [What.KEPT]
        assert kept.person()["city"] == "Tempe"

    def test_a_newer_event_while_it_was_interrupted_stays(self, kept: House) -> None:
        made_by_hand(kept, city="Yuma")
        version = right(kept)
        kept.pass_on(a_customer(city="Mesa", updatedAt=EARLIER))
        interrupted(kept, version, after_writing)
        kept.pass_on(a_customer(city="Mesa", updatedAt=LATER))
        assert about(undone(kept, version), kept) == [What.KEPT]
        assert kept.person()["city"] == "Mesa"

    def test_a_write_whose_reply_was_lost_is_found_done(self, kept: House) -> None:
        made_by_hand(kept, city="Yuma")
        version = right(kept)
        kept.pass_on(a_customer(city="Mesa"))
        kept.sandbox.lose_replies(99)
        with pytest.raises(DestinationUnusable):
            undone(kept, version)
        kept.sandbox.faults.clear()
        undone(kept, version)
        assert kept.person()["city"] == "Yuma"

    def test_a_worker_that_took_over_meanwhile_writes_what_was_replaced(self, kept: House) -> None:
        """The lease ends during the write, and a newer event is delivered before the late write arrives."""
        made_by_hand(kept, city="Yuma")
        version = right(kept)
        kept.pass_on(a_customer(city="Mesa", updatedAt=EARLIER))
        usual = kept.route.destination

        def late(write: Any, rows: Any) -> Any:
            kept.route.destination = usual
            kept.clock.forward(60_001)
            kept.pass_on(a_customer(city="Tempe", updatedAt=LATER))
            return write(rows)

        kept.route.destination = Around(usual, late)
        with pytest.raises(LeaseLost):
            undone(kept, version)
        kept.drain()
        assert kept.person()["city"] == "Tempe"

    def test_a_delivery_that_was_interrupted_keeps_what_was_there_first(self, kept: House) -> None:
        """The CRM takes the write and its reply is lost: the next try finds our own value, which is no former one."""
        made_by_hand(kept, city="Yuma")
        version = right(kept)
        kept.sandbox.lose_replies(99)
        kept.pass_on(a_customer(city="Mesa"))
        kept.sandbox.faults.clear()
        kept.clock.forward(3_600_000)
        kept.drain()
        undone(kept, version)
        assert kept.person()["city"] == "Yuma"

    def test_a_record_whose_creation_was_interrupted_counts_as_created(self, kept: House) -> None:
        version = right(kept)
        kept.sandbox.lose_replies(99)
        kept.pass_on(a_customer(city="Mesa"))
        kept.sandbox.faults.clear()
        kept.clock.forward(3_600_000)
        kept.drain()
        assert What.RESTORED not in {end.what for end in undone(kept, version)}
        assert kept.person()["city"] == "Mesa"


class TestWhatIsStored:
    def test_a_person_who_is_forgotten_leaves_nothing(self, kept: House) -> None:
        made_by_hand(kept, city="Yuma")
        version = right(kept)
        kept.pass_on(a_customer(city="Mesa"))
        assert kept.store.forget.run(CUSTOMER, "ana").previous == 1
        assert kept.store.lanes.previous.page(kept.route.name, Whose(version), ("", ""), 9) == []

    def test_it_is_deleted_in_time(self, kept: House) -> None:
        made_by_hand(kept, city="Yuma")
        version = right(kept)
        kept.pass_on(a_customer(city="Mesa"))
        purge, now = kept.store.lanes.previous.purge, kept.clock()
        assert (purge("sun", now + 1), purge("sunrise", now), purge("sunrise", now + 1)) == (0, 0, 1)
        assert undone(kept, version) == []

    def test_no_value_is_readable(self, kept: House) -> None:
        made_by_hand(kept, city="Yuma Former")
        right(kept)
        kept.pass_on(a_customer(city="Mesa"))
        with kept.store.database.reading() as connection:
            rows = connection.execute(text("SELECT * FROM previous_values")).all()
        assert rows
        assert b"Yuma" not in b"".join(str(cell).encode() for row in rows for cell in row)

    def test_the_versions_that_can_be_undone_are_listed(self, kept: House) -> None:
        made_by_hand(kept, city="Yuma")
        version = right(kept)
        kept.pass_on(a_customer(city="Mesa"), a_customer(id="c-2", email=None, phoneNumber=None))
        (listed,) = kept.store.lanes.previous.versions([kept.route.name])
        assert (listed.version, listed.records, listed.created, listed.fields > 1) == (version, 2, 1, True)


def fetch(house: House, run: str, **changes: Any) -> None:
    """A backfill brings the customer."""
    database = house.store.database
    how = Fetch(Origin.CARECYCLE, run, lambda content: database.digest(content, size=16), database.moment())
    house.store.fetched.accept([fetched(AGENCY, a_customer(**changes), how)])
    house.drain()


def run_undone(house: House, run: str) -> list[End]:
    return [end for ends in undo(house.store, house.route, 1, Whose(run=run), plan=False) for end in ends]


class TestRuns:
    def test_what_a_run_wrote_is_undone_and_what_was_sent_before_comes_back(self, kept: House) -> None:
        kept.pass_on(a_customer(city="Mesa", updatedAt=EARLIER))
        fetch(kept, "r1", city="Tempe", updatedAt=LATER)
        assert kept.person()["city"] == "Tempe"
        assert about(run_undone(kept, "r1"), kept) == [What.RESTORED]
        assert kept.person()["city"] == "Mesa"

    def test_what_was_sent_since_stays(self, kept: House) -> None:
        kept.pass_on(a_customer(city="Mesa", updatedAt=EARLIER))
        fetch(kept, "r1", city="Tempe", updatedAt=LATER)
        kept.pass_on(a_customer(city="Yuma", updatedAt=LATEST))
        assert about(run_undone(kept, "r1"), kept) == [What.KEPT]
        assert kept.person()["city"] == "Yuma"

    def test_another_run_is_left_alone(self, kept: House) -> None:
        made_by_hand(kept, city="Mesa")
        fetch(kept, "r1", city="Tempe", updatedAt=EARLIER)
        assert run_undone(kept, "r2") == []
        assert kept.person()["city"] == "Tempe"

    def test_records_that_it_created_are_listed(self, kept: House) -> None:
        fetch(kept, "r1", city="Tempe")
        assert [end.what for end in run_undone(kept, "r1")] == [What.CREATED]

    def test_the_version_can_be_undone_as_well_back_to_before_both(self, kept: House) -> None:
        made_by_hand(kept, city="Mesa")
        version = right(kept)
        fetch(kept, "r1", city="Tempe", updatedAt=EARLIER)
        assert about(undone(kept, version), kept) == [What.RESTORED]
        assert kept.person()["city"] == "Mesa"

    def test_an_event_after_a_run_costs_no_further_read(self, kept: House) -> None:
        fetch(kept, "r1", city="Tempe", updatedAt=EARLIER)
        before = len(kept.sandbox.calls())
        kept.pass_on(a_customer(city="Yuma", updatedAt=LATER))
        after_run, kept.route.undo = len(kept.sandbox.calls()), False
        kept.pass_on(a_customer(city="Mesa", updatedAt=LATEST))
        assert after_run - before == len(kept.sandbox.calls()) - after_run


NARROW = "extends: {shipped}\nrecords: {{contact: {{fields: {{{fields}}}}}}}"


class TestKindsOfValues:
    """What Salesforce has of each type comes back as it was: it takes no text for a number or a checkbox."""

    @pytest.fixture
    def org(self, kept: House) -> House:
        if kept.names is HUBSPOT:
            pytest.skip("every value of HubSpot's is a text")
        return kept

    @pytest.mark.parametrize(
        ("field", "source", "before"),
        [
            ("Birthdate", "customer.dateOfBirth", "1958-04-12"),
            ("Birthdate", "customer.dateOfBirth", None),
            ("OwnerId", "{ lookup: { object: User, match: { Email: customer.assignedUser.email } } }", "dana"),
            ("Description", "customer.firstName", "two\nlines; and more"),
        ],
    )
    def test_comes_back(self, org: House, field: str, source: str, before: str | None) -> None:
        value = self.user(org, before) if before == "dana" else before
        org.sandbox.put("Contact", LastName="Delacroix", careCycle_Id__c=CUSTOMER, **{field: value})
        org.remap(NARROW.format(shipped=org.shipped, fields=f"{field}: {source}"))
        version = org.route.mapping.version
        org.pass_on(a_customer(dateOfBirth="1960-01-01", assignedUser={"id": "u1", "email": "priya@youragency.com"}))
        (written,) = org.sandbox.records("Contact")
        assert written[field] != value
        ends = undone(org, version)
        assert [end.what for end in ends if end.field == field] == [What.RESTORED]
        (restored,) = org.sandbox.records("Contact")
        assert restored.get(field) == value

    @staticmethod
    def user(org: House, name: str) -> str:
        address = f"{name}@youragency.com"
        holders = org.route.destination.find("User", "Email", [address], [])[address]
        assert isinstance(holders, list)
        return holders[0].id

    def test_a_field_that_the_crm_does_not_show_is_left_alone_and_the_rest_restored(self, org: House) -> None:
        org.sandbox.put("Contact", LastName="Before", careCycle_Id__c=CUSTOMER, MailingCity="Yuma")
        version = right(org)
        org.sandbox.hide("Contact", "MailingCity")
        (message,) = org.pass_on(a_customer(city="Mesa"))
        ends = undone(org, version)
        (contact,) = org.sandbox.records("Contact")
        assert contact["LastName"] == "Before"
        assert What.RESTORED not in about(ends, org)
        assert org.state(message)[0] == "delivered"

    def test_a_value_the_crm_refuses_is_named_and_the_rest_restored(self, org: House) -> None:
        org.sandbox.put("Contact", LastName="Before", careCycle_Id__c=CUSTOMER, MailingCity="Yuma")
        version = right(org)
        org.pass_on(a_customer(city="Mesa"))
        org.sandbox.keep_from_editing("Contact", "MailingCity")
        ends = undone(org, version)
        assert about(ends, org) == [What.REFUSED]
        (contact,) = org.sandbox.records("Contact")
        assert (contact["LastName"], contact["MailingCity"]) == ("Before", "Mesa")


class TestManyLives:
    """Random edits and events between a version's writing and its undo: each record ends as it must."""

    @pytest.mark.parametrize("seed", range(4))
    def test_no_edit_and_no_newer_event_is_lost(self, kept: House, seed: int) -> None:
        chance, wanted = random.Random(seed), dict[str, str]()
        names = [f"c-{number}" for number in range(24)]
        key = "carecycle_id" if kept.names is HUBSPOT else "careCycle_Id__c"
        for name in names:
            last = {} if kept.names is HUBSPOT else {"LastName": name}
            kept.sandbox.put(kept.names["people"], **{key: name, kept.names["city"]: f"Before {name}", **last})
            wanted[name] = f"Before {name}"
        version = wrong(kept)
        kept.pass_on(*(self.person(name, name, EARLIER) for name in names))
        for step in range(40):
            name, at = chance.choice(names), f"2026-06-18T13:{step:02d}:00.000Z"
            match chance.randrange(3):
                case 0:
                    wanted[name] = f"By hand {step}"
                    self.edit(kept, key, name, wanted[name])
                case 1:
                    wanted[name] = f"Wrong {step}"
                    wrong(kept)
                    kept.pass_on(self.person(name, f"Wrong {step}", at))
                case _:
                    wanted[name] = f"Right {step}"
                    right(kept)
                    kept.pass_on(self.person(name, "Ada", at, city=wanted[name]))
        right(kept)
        if seed % 2:
            interrupted(kept, version, chance.choice([before_writing, after_writing]))
        undone(kept, version)
        cities = {record[key]: record[kept.names["city"]] for record in kept.sandbox.records(kept.names["people"])}
        assert cities == wanted

    @staticmethod
    def person(name: str, first: str, at: str, **changes: Any) -> dict[str, Any]:
        plain = {"email": None, "phoneNumber": None, "city": None}
        return a_customer(id=name, firstName=first, updatedAt=at, **{**plain, **changes})

    @staticmethod
    def edit(house: House, key: str, name: str, city: str) -> None:
        (record,) = [own for own in house.sandbox.records(house.names["people"]) if own[key] == name]
        kind = [house.names["people"]] if house.names is HUBSPOT else []
        house.sandbox.change(*kind, record[house.names["id"]], **{house.names["city"]: city})
