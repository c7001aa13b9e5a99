"""A person's record that the CRM merged into another: the opt-outs go onto what became of it."""

from __future__ import annotations

from connector.store.opt_outs import Period
from tests.builders import a_customer
from tests.contracts.test_pipeline import EARLIER, HUBSPOT, LANE, LATER, House, house, raised

__all__ = ["house"]


def merge_away(house: House) -> None:
    """Somebody merges the customer's record into one made by hand, whose flags are down."""
    loser, kind = house.person()["id"], house.names["people"]
    last_name = "lastname" if house.names is HUBSPOT else "LastName"
    flags = {house.names[name]: "false" if house.names is HUBSPOT else False for name in ("no_call", "no_text")}
    winner = house.sandbox.put(kind, **{last_name: "Delacroix", house.names["email"]: "by.hand@example.com"}, **flags)
    if house.names is HUBSPOT:
        house.sandbox.merge(kind, loser, winner)
    else:
        house.sandbox.merge(loser, winner["Id"])


def states(house: House) -> set[str]:
    return {line.status for line in house.store.opt_outs.report(Period(0, 2**62))}


class TestAMergedRecord:
    def test_is_opted_out_once_an_event_meets_it(self, house: House) -> None:
        house.pass_on(a_customer(doNotCall=True, city="Mesa", updatedAt=EARLIER))
        merge_away(house)
        house.pass_on(a_customer(doNotCall=True, city="Tempe", updatedAt=LATER))
        assert [raised(person["no_call"]) for person in house.people()] == [True] * len(house.people())
        assert states(house) == {"applied"}

    def test_gets_an_opt_out_that_comes_later(self, house: House) -> None:
        house.pass_on(a_customer(city="Mesa", updatedAt=EARLIER))
        merge_away(house)
        house.store.desk.pause(LANE, "ana")  # so that nothing but the opt-out goes out
        house.pass_on(a_customer(city="Mesa", doNotSMS=True, updatedAt=LATER))
        assert [raised(person["no_text"]) for person in house.people()] == [True]
        assert states(house) == {"applied"}

    def test_stays_the_customers_own(self, house: House) -> None:
        house.pass_on(a_customer(doNotCall=True, city="Mesa", updatedAt=EARLIER))
        merge_away(house)
        house.pass_on(a_customer(doNotCall=True, city="Tempe", updatedAt=LATER))
        house.pass_on(a_customer(doNotCall=True, doNotSMS=True, city="Tempe", updatedAt="2026-06-18T14:00:00.000Z"))
        assert [raised(person["no_text"]) for person in house.people()] == [True] * len(house.people())

    def test_that_was_deleted_leaves_no_opt_out_waiting_for_ever(self, house: House) -> None:
        house.pass_on(a_customer(city="Mesa", updatedAt=EARLIER))
        house.by_hand("delete")
        house.store.desk.pause(LANE, "ana")
        house.pass_on(a_customer(city="Mesa", doNotSMS=True, updatedAt=LATER))
        assert states(house) == {"no record"}
