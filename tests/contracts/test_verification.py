"""Records compared with what their CRM has: all that people and the CRM did is found, and nothing else."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from connector.backoff import DAY, HOUR
from connector.carecycle.samples import Samples
from connector.delivery.budget import Allowance
from connector.delivery.repair import repair_of
from connector.delivery.rolling import REST, Rolling
from connector.delivery.verification import Verifier
from connector.insight.alarm_watch import look
from connector.insight.alarms import raised as alarms
from connector.settlement.verification import Difference, Held, Repaired, Verified
from connector.store.opt_outs import Period
from tests.builders import CUSTOMER, a_call, a_customer
from tests.contracts.test_pipeline import EARLIER, HUBSPOT, LANE, LATER, House, house, raised

__all__ = ["house"]

Found = set[tuple[str, str, Difference, tuple[str, ...]]]


def traffic(count: int, seed: int = 20) -> list[dict[str, Any]]:
    samples = Samples(random.Random(seed), datetime(2026, 6, 18, tzinfo=UTC))
    return [message.payload for message in samples.traffic(count)]


def verifier(house: House) -> Verifier:
    route = house.route
    schema = route.destination.describe(route.mapping.objects)
    return Verifier(house.store, route.name, route.destination, route.mapping, schema, route.timezone)


def held(house: House) -> list[Held]:
    return house.store.verifications.walk(house.route.name, ("", ""), 10_000)


def verify(house: House) -> list[Verified]:
    return verifier(house).verify(held(house))


def found(verified: list[Verified]) -> Found:
    return {
        (one.held.object, one.held.crm_id, own, names) for one in verified for own, names in one.differences.items()
    }


def repair(house: House, verified: list[Verified], *, owned: bool = False) -> Repaired:
    checking = verifier(house)
    repairs = [own for one in verified if (own := repair_of(one, checking.written(one.held.object), owned=owned))]
    return house.store.repairing.run(house.route.name, repairs)


class Hand:
    """What people do in the CRM, and what has to be found then."""

    def __init__(self, house: House) -> None:
        self.house, self.sandbox, self.is_hubspot = house, house.sandbox, house.names is HUBSPOT
        self.people, self.calls = house.names["people"], house.names["calls"]
        self.expected: Found = set()

    def change(self, kind: str, crm_id: str, **values: Any) -> None:
        if self.is_hubspot:
            texts = {name: str(value).lower() if isinstance(value, bool) else value for name, value in values.items()}
            self.sandbox.change(kind, crm_id, **{name: value or "" for name, value in texts.items()})
        else:
            self.sandbox.change(crm_id, **values)

    def expect(self, kind: str, crm_id: str, difference: Difference, *fields: str) -> None:
        self.expected.add((kind, crm_id, difference, fields))

    def calls_of(self, crm_id: str) -> list[str]:
        if self.is_hubspot:
            return [link[1] for link in self.sandbox.associations if link[2:] == (self.people, crm_id)]
        return [str(task["Id"]) for task in self.house.calls() if task.get("WhoId") == crm_id]

    def missing(self, one: Held) -> None:
        calls = self.calls_of(one.crm_id)
        self.delete(self.people, one.crm_id)
        for call in set(calls) - set(self.calls_of(one.crm_id)):
            self.expect(self.calls, call, Difference.UNLINKED, self.people if self.is_hubspot else "WhoId")
        self.expect(self.people, one.crm_id, Difference.MISSING)

    def delete(self, kind: str, crm_id: str) -> None:
        self.sandbox.delete(*([kind] if self.is_hubspot else []), crm_id)

    def merged(self, one: Held) -> None:
        if self.is_hubspot:
            winner = self.sandbox.put(self.people, lastname="By hand")
            self.sandbox.merge(self.people, one.crm_id, winner)
        else:
            winner = self.sandbox.put(self.people, LastName="By hand")["Id"]
            self.sandbox.merge(one.crm_id, winner)
        self.expect(self.people, one.crm_id, Difference.MERGED)

    def changed(self, one: Held) -> None:
        city = self.house.names["city"]
        self.change(self.people, one.crm_id, **{city: "elsewhere"})
        self.expect(self.people, one.crm_id, Difference.CHANGED, city)

    def cleared(self, one: Held) -> None:
        state = self.house.names["state"]
        self.change(self.people, one.crm_id, **{state: None})
        self.expect(self.people, one.crm_id, Difference.CHANGED, state)

    def lowered(self, one: Held) -> None:
        flags = [name for name in self.flags if name in one.entry.fields]
        self.change(self.people, one.crm_id, **dict.fromkeys(flags, False))
        self.expect(self.people, one.crm_id, Difference.LOWERED, *flags)

    @property
    def flags(self) -> list[str]:
        """In the order of careCycle's names of them."""
        mapping = self.house.route.mapping
        return [mapping.flag_fields(self.people, flag)[0] for flag in sorted(mapping.flags)]

    def reformatted(self, one: Held) -> None:
        phone = self.house.names["phone"]
        (record,) = (own for own in self.house.people() if own["id"] == one.crm_id)
        number = str(record["phone"])[-10:]
        self.change(self.people, one.crm_id, **{phone: f"({number[:3]}) {number[3:6]}-{number[6:]}"})
        self.expect(self.people, one.crm_id, Difference.REFORMATTED, phone)

    def twin(self, one: Held) -> None:
        self.change(self.people, one.crm_id, **{one.key_field: None})
        name = "lastname" if self.is_hubspot else "LastName"
        self.sandbox.put(self.people, **{one.key_field: str(one.customer_id), name: "By hand"})
        self.expect(self.people, one.crm_id, Difference.TWIN, one.key_field)

    def unlinked(self, call: Held) -> None:
        if self.is_hubspot:
            state = self.sandbox.state
            state.links -= {link for link in state.links if call.crm_id in (link[1], link[3])}
        else:
            self.change(self.calls, call.crm_id, WhoId=None)
        self.expect(self.calls, call.crm_id, Difference.UNLINKED, self.people if self.is_hubspot else "WhoId")


def plant(house: House, chance: random.Random, each: int = 3) -> Hand:
    """Do each of these things to some records by chance, of which no two concern one another."""
    hand = Hand(house)
    people = [one for one in held(house) if one.object == hand.people]
    opted_out = [one for one in people if any(name in one.entry.fields for name in hand.flags)]
    others = [one for one in people if one not in opted_out]
    chance.shuffle(others)
    for one in opted_out[:each]:
        hand.lowered(one)
    kinds: list[Callable[[Held], None]] = [
        *(hand.missing, hand.merged, hand.changed, hand.cleared, hand.reformatted, hand.twin)
    ]
    taken = {kind: [others.pop() for _ in range(each)] for kind in kinds}
    untouched = {one.customer_id for one in others}
    calls = [one for one in held(house) if one.object == hand.calls and one.customer_id in untouched]
    for call in chance.sample(calls, each):
        hand.unlinked(call)
    for kind, some in taken.items():
        for one in some:
            kind(one)
    return hand


class TestAComparison:
    def test_finds_nothing_where_nobody_did_anything(self, house: House) -> None:
        house.pass_on(*traffic(200))
        verified = verify(house)
        assert len(verified) > 100
        assert {kind for one in verified for kind in one.raised} == {"doNotCall", "doNotSMS", "doNotEmail", "doNotMail"}
        assert [one for one in verified if one.differences or one.unreadable or one.hidden] == []

    @pytest.mark.parametrize("seed", [1, 2, 3])
    def test_finds_all_that_was_done_and_nothing_else(self, house: House, seed: int) -> None:
        house.pass_on(*traffic(200, seed))
        hand = plant(house, random.Random(seed))
        assert found(verify(house)) == hand.expected

    @pytest.mark.slow
    def test_writes_nothing_to_the_crm(self, house: House) -> None:
        house.pass_on(*traffic(50))
        before = house.people(), house.calls()
        verify(house)
        assert (house.people(), house.calls()) == before

    def test_counts_a_hidden_field_as_not_readable(self, house: House) -> None:
        house.pass_on(a_customer(city="Mesa"))
        if house.names is HUBSPOT:
            del house.sandbox.state.schema["contacts"]["city"]
        else:
            house.sandbox.hide("Contact", "MailingCity")
        (one,) = verify(house)
        assert (one.differences, one.unreadable) == ({}, (house.names["city"],))

    @pytest.mark.parametrize(
        ("said", "shown", "difference"),
        [
            ("Truth or Consequences, New Mexico", "Truth or Consequences, N", Difference.REFORMATTED),
            ("Truth or Consequences, New Mexico", "Truth or", Difference.CHANGED),
        ],
    )
    def test_tells_a_cut_text_from_another(self, house: House, said: str, shown: str, difference: Difference) -> None:
        self.send_as_it_is(house, "city", "customer.city")
        house.pass_on(a_customer(city=said))
        hand, (one,) = Hand(house), held(house)
        hand.change(hand.people, one.crm_id, **{house.names["city"]: shown})
        (verified,) = verify(house)
        assert list(verified.differences) == [difference]

    def test_takes_another_case_of_an_address_for_another_spelling(self, house: House) -> None:
        self.send_as_it_is(house, "email", "customer.email")
        house.pass_on(a_customer(email="Marcus.Delacroix@Example.com"))
        hand, (one,) = Hand(house), held(house)
        hand.change(hand.people, one.crm_id, **{house.names["email"]: "marcus.delacroix@example.com"})
        (verified,) = verify(house)
        assert verified.differences.keys() <= {Difference.REFORMATTED}

    def send_as_it_is(self, house: House, name: str, source: str) -> None:
        """Neither cut nor in another format."""
        field = f"{house.names[name]}: {source}"
        house.remap(f"extends: {house.shipped}\nrecords: {{contact: {{fields: {{{field}}}}}}}")

    def test_asks_nothing_more_for_owners_that_people_changed(self, house: House) -> None:
        house.pass_on(*traffic(60))
        hand, before = Hand(house), len(house.sandbox.calls())
        verify(house)
        usual = len(house.sandbox.calls()) - before
        owner = "70000009" if hand.is_hubspot else "005Hs00000NewUser"
        owned = [one for one in held(house) if house.names["owner"] in one.entry.fields]
        for one in owned:
            hand.change(hand.people, one.crm_id, **{house.names["owner"]: owner})
            hand.expect(hand.people, one.crm_id, Difference.CHANGED, house.names["owner"])
        before = len(house.sandbox.calls())
        assert found(verify(house)) == hand.expected
        assert len(house.sandbox.calls()) - before == usual

    def test_follows_a_look_up_to_what_its_record_was_merged_into(self, house: House) -> None:
        house.pass_on(a_customer(), a_call(a_customer()))
        hand = Hand(house)
        hand.merged(next(one for one in held(house) if one.object == hand.people))
        assert found(verify(house)) == hand.expected

    def test_leaves_out_what_is_written_meanwhile(self, house: House) -> None:
        house.pass_on(a_customer(city="Mesa", updatedAt=EARLIER))
        before = held(house)
        house.pass_on(a_customer(city="Tempe", updatedAt=LATER))
        assert verifier(house).verify(before) == []

    def test_takes_a_flag_that_carecycle_lowered_for_a_persons_change(self, house: House) -> None:
        house.pass_on(a_customer(doNotCall=True, updatedAt=EARLIER), a_customer(doNotCall=False, updatedAt=LATER))
        hand = Hand(house)
        (one,) = held(house)
        hand.change(hand.people, one.crm_id, **{house.names["no_call"]: False})
        (verified,) = verify(house)
        assert dict(verified.differences) == {Difference.CHANGED: (house.names["no_call"],)}


class TestARepair:
    def test_brings_back_what_is_missing_and_raises_what_was_lowered(self, house: House) -> None:
        house.pass_on(*traffic(200))
        hand = plant(house, random.Random(4))
        repair(house, verify(house))
        house.drain()
        left = found(verify(house))
        assert {own for _, _, own, _ in left}.isdisjoint({Difference.MISSING, Difference.LOWERED})
        theirs = (Difference.CHANGED, Difference.REFORMATTED, Difference.MERGED, Difference.TWIN)
        assert {one for one in left if one[2] in theirs} == {one for one in hand.expected if one[2] in theirs}

    def test_links_again_what_pointed_at_a_record_that_was_missing(self, house: House) -> None:
        house.pass_on(a_customer(), a_call(a_customer()))
        hand = Hand(house)
        hand.missing(next(one for one in held(house) if one.object == hand.people))
        assert found(verify(house)) == hand.expected
        repair(house, verify(house))
        house.drain()
        assert found(verify(house)) == set()
        assert len(hand.calls_of(house.person()["id"])) == 1

    def test_of_what_the_mapping_owns_rewrites_that_and_nothing_else(self, house: House) -> None:
        house.pass_on(a_customer(city="Mesa"))
        hand, (one,) = Hand(house), held(house)
        hand.changed(one)
        hand.change(hand.people, one.crm_id, **{house.names["phone"]: "+13128470000"})
        repair(house, verify(house))
        house.drain()
        assert house.person()["city"] == "elsewhere"
        repair(house, verify(house), owned=True)
        house.drain()
        assert (house.person()["city"], house.person()["phone"]) == ("Mesa", "+13128471928")
        assert found(verify(house)) == set()

    def test_done_twice_does_nothing_more(self, house: House) -> None:
        house.pass_on(a_customer(doNotCall=True))
        hand, (one,) = Hand(house), held(house)
        hand.missing(one)
        verified = verify(house)
        repair(house, verified)
        assert repair(house, verified).meanwhile == 1
        house.drain()
        assert len(house.people()) == 1
        assert raised(house.person()["no_call"])

    def test_without_a_stored_event_changes_nothing(self, house: House) -> None:
        house.pass_on(a_customer())
        Hand(house).missing(held(house)[0])
        house.clock.forward(400 * 24 * 3600 * 1000)
        house.store.retention.purge("sunrise", house.clock.now)
        assert repair(house, verify(house)).impossible == 1
        assert [one.crm_id for one in held(house)] != []


class TestTheRollingComparison:
    """A worker compares all records within some days, and delays nothing."""

    def rolling(self, house: House) -> Callable[[], int]:
        step = Rolling(house.store, [(house.route, 14 * DAY)], lambda: house.clock.now / 1000)

        def calls() -> int:
            before = len(house.sandbox.calls())
            step()
            return len(house.sandbox.calls()) - before

        return calls

    def test_looks_an_hour_after_a_record_was_written_and_then_every_fortnight(self, house: House) -> None:
        house.pass_on(a_customer(doNotCall=True))
        step = self.rolling(house)
        assert step() == 0
        house.clock.forward(HOUR + REST)
        assert step() > 0
        house.clock.forward(REST)
        assert step() == 0
        house.clock.forward(15 * DAY)
        assert step() > 0

    def test_finds_what_was_lost_for_the_metrics_and_the_alarms(self, house: House) -> None:
        house.pass_on(a_customer(doNotCall=True))
        hand, (one,) = Hand(house), held(house)
        hand.lowered(one)
        house.clock.forward(HOUR + REST)
        self.rolling(house)()
        (standing,) = house.store.verifications.standing()
        assert standing.differing[Difference.LOWERED] == 1
        kinds = [alarm.kind for alarm in alarms(look(house.store, "sunrise", house.clock.now))]
        assert kinds == ["opt-outs lowered"]
        hand.change(hand.people, one.crm_id, **{house.names["no_call"]: True})
        house.clock.forward(DAY + REST)
        self.rolling(house)()
        (standing,) = house.store.verifications.standing()
        assert standing.differing[Difference.LOWERED] == 0

    def test_waits_while_events_wait_and_while_the_lane_is_paused(self, house: House) -> None:
        house.pass_on(a_customer())
        house.clock.forward(HOUR + REST)
        house.accept(a_customer(city="Mesa", updatedAt=LATER))
        step = self.rolling(house)
        assert step() == 0
        house.drain()
        house.store.desk.pause(LANE, "ana")
        house.clock.forward(2 * HOUR)
        assert step() == 0
        house.store.desk.resume(LANE, "ana")
        house.clock.forward(REST)
        assert step() > 0

    def test_leaves_half_of_the_days_calls_alone(self, house: House) -> None:
        house.pass_on(a_customer())
        house.clock.forward(HOUR + REST)
        house.route.budget.allowance = Allowance(share=0.000001)
        house.route.budget.destination = house.route.name
        house.route.budget.called()
        assert self.rolling(house)() == 0

    def test_is_done_by_one_of_several_workers(self, house: House) -> None:
        house.pass_on(a_customer())
        house.clock.forward(HOUR + REST)
        assert self.rolling(house)() > 0
        assert self.rolling(house)() == 0

    def test_knows_when_every_record_was_compared(self, house: House) -> None:
        house.pass_on(a_customer())
        house.clock.forward(HOUR + REST)
        step = self.rolling(house)
        step()
        house.clock.forward(REST)
        step()
        (standing,) = house.store.verifications.standing()
        assert standing.complete_at == house.clock.now


class TestTheConsentReport:
    def lines(self, house: House) -> Iterator[tuple[str, bool]]:
        for line in house.store.opt_outs.report(Period(0, 2**62)):
            yield line.crm_check, line.checked_at is not None

    def test_says_when_an_opt_out_was_seen_in_the_crm(self, house: House) -> None:
        house.pass_on(a_customer(doNotCall=True))
        assert list(self.lines(house)) == [("not verified", False)]
        verify(house)
        assert list(self.lines(house)) == [("verified", True)]

    def test_says_that_it_was_found_lowered_until_it_is_raised_again(self, house: House) -> None:
        house.pass_on(a_customer(doNotCall=True))
        hand, (one,) = Hand(house), held(house)
        hand.lowered(one)
        verified = verify(house)
        assert list(self.lines(house)) == [("found lowered", True)]
        repair(house, verified)
        house.clock.forward(1000)
        house.drain()
        assert raised(house.person()["no_call"])
        assert list(self.lines(house)) == [("not verified", False)]

    def test_is_forgotten_with_its_customer(self, house: House) -> None:
        house.pass_on(a_customer(doNotCall=True))
        verify(house)
        house.store.forget.run(CUSTOMER, "ana")
        assert house.store.verifications.standing() == []
