"""Opt-outs that the CRM confirmed and that were found lowered there since: whatever counts them agrees."""

from __future__ import annotations

from dataclasses import replace

from connector.insight.alarm_watch import look
from connector.insight.alarms import raised as alarms
from connector.insight.explain import explain
from connector.insight.lowered import find_lowered
from connector.insight.overview import overview
from connector.settlement.verification import Difference
from connector.store.opt_outs import Period
from tests.builders import CUSTOMER, a_customer
from tests.contracts.test_pipeline import House, house
from tests.contracts.test_verification import Hand, held, repair, verify

__all__ = ["house"]


def counted(house: House) -> set[int]:
    """How many opt-outs are lowered, by everything that counts them: one number where they agree."""
    store = house.store
    report = [line for line in store.opt_outs.report(Period(0, 2**62)) if line.crm_check == "found lowered"]
    ringing = [alarm for alarm in alarms(look(store, "sunrise", house.clock.now)) if alarm.kind == "opt-outs lowered"]
    return {
        overview(store, house.clock.now).lowered,
        sum(lane.lowered for lane in store.opt_outs.standing()),
        len(report),
        sum(own.count for own in find_lowered(store)),
        int(ringing[0].text.partition(" ")[0]) if ringing else 0,
    }


def lower(house: House) -> None:
    hand, (one,) = Hand(house), held(house)
    hand.lowered(one)


class TestAnOptOutThatWasFoundLowered:
    def test_counts_everywhere_until_it_is_raised_again(self, house: House) -> None:
        house.pass_on(a_customer(doNotCall=True, doNotSMS=True))
        assert counted(house) == {0}
        lower(house)
        verified = verify(house)
        assert counted(house) == {2}
        repair(house, verified)
        assert counted(house) == {0}
        assert overview(house.store, house.clock.now).opt_outs == 2  # owed again
        house.clock.forward(1000)
        house.drain()
        assert (counted(house), overview(house.store, house.clock.now).opt_outs) == ({0}, 0)

    def test_counts_no_longer_once_it_is_seen_raised(self, house: House) -> None:
        house.pass_on(a_customer(doNotCall=True))
        lower(house)
        verify(house)
        Hand(house).change(house.names["people"], house.person()["id"], **{house.names["no_call"]: True})
        house.clock.forward(1000)
        verify(house)
        assert counted(house) == {0}

    def test_counts_no_longer_once_it_was_delivered_again(self, house: House) -> None:
        house.pass_on(a_customer(doNotCall=True))
        lower(house)
        verify(house)
        house.clock.forward(1000)
        with house.store.database.transaction() as connection:
            house.store.obligations.reopen(connection, house.route.name, [CUSTOMER])
        house.drain()
        assert counted(house) == {0}

    def test_does_not_count_once_carecycle_has_lowered_it_too(self, house: House) -> None:
        house.pass_on(a_customer(doNotCall=True))
        lower(house)
        verify(house)
        house.clock.forward(1000)
        house.pass_on(a_customer(doNotCall=False, updatedAt="2026-06-19T00:00:00.000Z"))
        assert counted(house) == {0}

    def test_names_its_people_and_their_records(self, house: House) -> None:
        house.pass_on(a_customer(doNotCall=True))
        lower(house)
        verify(house)
        (here,) = find_lowered(house.store)
        (person,) = here.people
        assert (person.customer_id, person.flag, person.found_at) == (CUSTOMER, "doNotCall", house.clock.now)
        assert person.crm_id == held(house)[0].crm_id
        why = explain(house.store, CUSTOMER)
        assert why is not None
        assert why.lowered == (replace(person, link=""),)


def test_a_merged_record_differs_until_the_customers_next_change(house: House) -> None:
    house.pass_on(a_customer(city="Mesa"))
    hand, (one,) = Hand(house), held(house)
    hand.merged(one)
    assert {own for result in verify(house) for own in result.differences} == {Difference.MERGED}
    house.clock.forward(1000)
    house.pass_on(a_customer(city="Tampa", updatedAt="2026-06-19T00:00:00.000Z"))
    house.clock.forward(1000)
    assert Difference.MERGED not in {own for result in verify(house) for own in result.differences}
