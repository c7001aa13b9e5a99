"""A record that nothing is known of is created without a search, and looked for if the CRM refuses that."""

from __future__ import annotations

from contextlib import suppress

import pytest

from connector.delivery.route import Running
from connector.delivery.undoing import What
from connector.store.previous import Whose
from tests.builders import a_customer
from tests.contracts.test_pipeline import HUBSPOT, House, house
from tests.promises.crm import BY_HAND, LONG_AGO, Fault, Killed
from tests.promises.stage import DESTINATION, HOLD, Stage, a_person, a_talk, one_contact
from tests.promises.test_undo import about, made_by_hand, right, undone
from tests.promises.test_undo_created import deleted

__all__ = ["house"]

FAULTS = (Fault.LOCKED, Fault.DOWN, Fault.CUT, Fault.REPLY_LOST, Fault.KILLED_BEFORE, Fault.KILLED_AFTER)


class TestANewRecord:
    def test_costs_one_call_and_no_search(self, stage: Stage) -> None:
        stage.route.running = Running(one_contact("City: customer.city"))
        stage.accept("one", a_person("c-1", 1, city="Mesa"))
        stage.drain()
        assert (stage.crm.calls, stage.crm.searches, stage.contact()["City"]) == (1, 0, "Mesa")

    def test_is_looked_for_where_the_crm_would_create_it_twice(self, stage: Stage) -> None:
        stage.crm.refuses = False
        stage.crm.add("Contact", Key="c-1", LastName="Kim", Source="Fair")
        stage.accept("one", a_person("c-1", 1))
        stage.drain()
        assert (stage.crm.calls, stage.contact()["Source"]) == (1, "Fair")

    @pytest.mark.parametrize("fault", [Fault.KILLED_AFTER, Fault.REPLY_LOST])
    def test_is_looked_for_once_it_may_have_been_created(self, stage: Stage, fault: Fault) -> None:
        stage.route.running, stage.route.undo = Running(one_contact("City: customer.city")), False  # nothing to keep
        stage.accept("one", a_person("c-1", 1, city="Mesa"))
        stage.crm.faults.append(fault)
        with suppress(Killed):
            stage.drain()
        stage.clock.forward(HOLD + 1)
        stage.drain_in_time()
        assert (stage.state("one")[0], stage.contact()["City"], stage.crm.taken) == ("delivered", "Mesa", 0)


class TestARecordThatIsThere:
    def test_keeps_what_is_only_written_when_it_is_created(self, stage: Stage) -> None:
        stage.crm.add("Contact", Key="c-1", LastName="Kim", Source="Fair", Owner=BY_HAND)
        stage.accept("one", a_person("c-1", 1, agentName="Ana"))
        stage.drain()
        held = stage.contact()
        assert (held["LastName"], held["Source"], held["Owner"]) == ("Delacroix", "Fair", BY_HAND)
        assert (stage.crm.calls, stage.crm.broken) == (2, [])

    def test_gets_an_opt_out_with_the_rest(self, stage: Stage) -> None:
        stage.crm.add("Contact", Key="c-1", LastName="Kim")
        stage.accept("one", a_person("c-1", 1, doNotCall=True))
        stage.drain()
        assert (stage.contact()["NoCall"], stage.state("one")[0]) == (True, "delivered")

    def test_is_written_where_another_rule_of_the_org_refuses_it_first(self, stage: Stage) -> None:
        stage.crm.add("Contact", Key="c-1", LastName="Kim")
        stage.crm.faults.append(Fault.REFUSED)
        stage.accept("one", a_person("c-1", 1))
        stage.drain()
        assert (stage.contact()["LastName"], stage.state("one")[0]) == ("Delacroix", "delivered")

    @pytest.mark.parametrize("fault", FAULTS)
    def test_is_nobody_elses_for_a_creation_without_an_answer(self, stage: Stage, fault: Fault) -> None:
        stage.crm.add(
            "Contact", Key="c-1", LastName="Kim", Owner=BY_HAND, CreatedDate=LONG_AGO, LastModifiedDate=LONG_AGO
        )
        stage.accept("one", a_person("c-1", 1, agentName=None))
        stage.crm.faults.append(fault)
        with suppress(Killed):
            stage.drain()
        stage.clock.forward(HOLD + 1)
        stage.drain_in_time()
        stage.accept("two", a_person("c-1", 2, agentName="Ana"))
        stage.drain_in_time()
        (kept,) = stage.store.lanes.previous.versions([DESTINATION])
        assert (stage.contact()["Owner"], kept.created, stage.crm.broken) == (BY_HAND, 0, [])

    def test_holds_no_new_one_back(self, stage: Stage) -> None:
        stage.crm.add("Contact", Key="c-1", LastName="Kim")
        for number in range(4):
            stage.accept(f"m{number}", a_person(f"c-{number}", 1))
        stage.accept("call", a_talk("call-1", a_person("c-1", 2), 2))
        stage.drain()
        assert {stage.contact(f"c-{number}")["LastName"] for number in range(4)} == {"Delacroix"}
        assert (stage.crm.all("Call", "call-1")[0]["Who"], stage.crm.broken) == (stage.contact("c-1")["Id"], [])

    def test_is_not_taken_for_ours_by_an_undo(self, house: House) -> None:
        house.route.undo = True
        house.route.destination.describe([house.names["people"]])
        made_by_hand(house, city="Yuma")
        if house.names is not HUBSPOT:
            house.sandbox.change(house.person()["id"], CreatedDate=LONG_AGO)
        version = right(house)
        house.pass_on(a_customer(city="Mesa"))
        assert about(undone(house, version), house) == [What.RESTORED]
        assert deleted(house, Whose(version)) == []
        assert house.person()["city"] == "Yuma"
