"""How often a customer was called: each call counts once, whatever happens, in whatever order, on both databases."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from sqlalchemy import func, select

from connector.crm import CrmAccount
from connector.delivery.counting import with_counts
from connector.delivery.plan_ahead import plan_all
from connector.delivery.route import Running
from connector.destinations import VENDORS
from connector.errors import LeaseLost
from connector.insight.accounts import Account
from connector.insight.effects import EffectVerdict
from connector.insight.explain import explain
from connector.insight.rehearse import Expected, rehearse
from connector.mapping import Loaded, load_text, shipped_folder
from connector.store.counting_tables import counted_calls
from connector.store.desk import Filter
from tests.promises.crm import Fault, Killed
from tests.promises.stage import DESTINATION, HOLD, LANE, ZONE, Stage, a_fetched, a_person, a_talk, compiled
from tests.promises.test_reapply import reapply

_MAPPING = """\
version: 1
crm: salesforce
filter: { customer.status: [Lead, Active] }
consent:
  flags: { doNotCall: contact.NoCall }
  waive: [doNotSMS, doNotEmail, doNotMail]
  withhold: { doNotCall: [contact.Withheld] }
records:
  contact:
    object: Contact
    key: { Key: customer.id }
    fields:
      LastName: customer.lastName
      Attempts: { count: calls }
      Text: { count: calls, format: text }
      Withheld: { count: calls }
      Sold: { count: calls, when: { call.disposition: Sold } }
"""
COUNTS = compiled(_MAPPING)
EDITED = compiled(_MAPPING.replace("disposition: Sold", "disposition: [Sold, Callback]"))
UNCOUNTED = compiled(_MAPPING.replace("{ count: calls", "{ value: 7").replace(", format: text", ""))


@pytest.fixture
def counting(stage: Stage) -> Stage:
    stage.route.running = Running(COUNTS)
    return stage


def a_try(number: int, disposition: str = "Sold", at: int = 0, **changes: Any) -> dict[str, Any]:
    """The call of this number, begun that many minutes after noon. at: when its customer last changed."""
    return a_talk(f"t-{number}", a_person("c-1", at, **changes), number, disposition=disposition)


def tell(stage: Stage, *story: tuple[str, dict[str, Any]]) -> None:
    """Deliver each event by itself."""
    for message_id, payload in story:
        stage.accept(message_id, payload)
        stage.drain()


def held(stage: Stage, *fields: str) -> list[Any]:
    return [stage.contact().get(name) for name in fields or ("Attempts", "Sold")]


THREE = (("one", a_try(1)), ("two", a_try(2, "Callback")), ("three", a_try(3)))


class TestEachCall:
    def test_counts_as_it_comes(self, counting: Stage) -> None:
        tell(counting, THREE[0])
        assert held(counting) == [1, 1]
        tell(counting, *THREE[1:])
        assert held(counting) == [3, 2]

    @pytest.mark.slow
    def test_counts_in_any_order(self, counting: Stage) -> None:
        for story in permutations(THREE):
            counting.wipe()
            counting.route.running = Running(COUNTS)
            tell(counting, *story)
            assert held(counting) == [3, 2]

    def test_counts_within_a_batch(self, counting: Stage) -> None:
        for message_id, payload in THREE:
            counting.accept(message_id, payload)
        counting.drain()
        assert (held(counting), len(counting.crm.writes)) == ([3, 2], 1)

    def test_goes_through_the_formats_of_its_field(self, counting: Stage) -> None:
        tell(counting, *THREE)
        assert held(counting, "Text") == ["3"]

    def test_leaves_the_field_alone_where_its_table_has_nothing_for_the_number(self, stage: Stage) -> None:
        words = "Text: { count: calls, table: { 1: First, 2: Second, else: null } }"
        stage.route.running = Running(compiled(_MAPPING.replace("Text: { count: calls, format: text }", words)))
        tell(stage, *THREE, ("four", a_try(4)))
        assert held(stage, "Attempts", "Text") == [4, "Second"]

    def test_costs_no_read_of_the_crm(self, counting: Stage) -> None:
        tell(counting, *THREE)
        assert (counting.crm.calls, counting.crm.searches) == (3, 0)

    def test_counts_once_however_often_it_comes(self, counting: Stage) -> None:
        tell(counting, *THREE)
        assert not counting.accept("one", THREE[0][1])
        tell(counting, ("again", a_try(1)))
        for state in ("delivered", "superseded", "skipped"):
            counting.store.desk.replay(Filter(state=state), "ana")
        counting.drain()
        assert (held(counting), len(counting.crm.writes)) == ([3, 2], 3)

    @pytest.mark.parametrize("fault", [Fault.KILLED_BEFORE, Fault.KILLED_AFTER, Fault.REPLY_LOST])
    def test_counts_once_where_the_worker_dies_while_it_writes(self, counting: Stage, fault: Fault) -> None:
        tell(counting, THREE[0])
        counting.accept(*THREE[1])
        counting.crm.faults.append(fault)
        try:
            counting.deliver()
        except Killed:
            counting.clock.forward(HOLD + 1)
        counting.drain_in_time()
        tell(counting, THREE[2])
        assert held(counting) == [3, 2]

    def test_that_was_fetched_is_the_same_call(self, counting: Stage) -> None:
        for payload in (THREE[1][1], THREE[0][1]):
            counting.store.fetched.accept([a_fetched(payload)])
        counting.drain()
        assert held(counting) == [2, 1]
        tell(counting, *THREE[:2])
        assert held(counting) == [2, 1]

    def test_that_was_fetched_counts_when_a_mapping_is_applied_again(self, counting: Stage) -> None:
        counting.store.fetched.accept([a_fetched(a_try(1))])
        tell(counting, THREE[1])
        counting.clock.forward(HOLD)
        reapply(counting, EDITED)
        assert held(counting) == [2, 2]

    def test_that_a_dead_letter_holds_counts_with_the_next(self, counting: Stage) -> None:
        counting.crm.faults += [Fault.REFUSED, Fault.REFUSED]  # also once it was looked for
        tell(counting, THREE[0], THREE[1])
        assert (counting.state("one")[0], held(counting)) == ("dead", [2, 1])

    def test_counts_where_it_was_withheld(self, counting: Stage) -> None:
        tell(counting, ("one", a_try(1, doNotCall=True)))
        assert held(counting, "Attempts", "Withheld") == [1, None]
        tell(counting, ("two", a_try(2, at=2, doNotCall=False)))
        assert held(counting, "Attempts", "Withheld") == [2, 2]

    def test_of_an_event_that_makes_no_record_does_not_count(self, counting: Stage) -> None:
        for story in permutations([THREE[0], ("two", a_try(2, status="Inactive"))]):
            counting.wipe()
            counting.route.running = Running(COUNTS)
            tell(counting, *story)
            assert held(counting) == [1, 1]


class TestACondition:
    def test_is_not_asked_of_a_fetched_state_that_does_not_say(self, counting: Stage) -> None:
        sent, fetched = ("sent", a_try(1)), a_fetched({**a_try(1, at=5), "disposition": "Sold"})
        silent = a_fetched({name: value for name, value in a_try(1, at=7).items() if name != "disposition"})
        for story in permutations([sent, fetched, silent], 2):
            counting.wipe()
            counting.route.running = Running(COUNTS)
            for part in story:
                if isinstance(part, tuple):
                    tell(counting, part)
                else:
                    counting.store.fetched.accept([part])
                    counting.drain()
            assert held(counting) == [1, 1]

    def test_is_that_of_the_newest_state_of_each_call(self, counting: Stage) -> None:
        states = (("old", a_try(1, "Sold", 1)), ("new", a_try(1, "Cancelled", 5)), ("other", a_try(2)))
        for story in permutations(states):
            counting.wipe()
            counting.route.running = Running(COUNTS)
            tell(counting, *story)
            assert held(counting) == [2, 1]

    def test_that_no_call_meets_gives_none(self, counting: Stage) -> None:
        tell(counting, THREE[1])
        assert held(counting) == [1, 0]

    def test_that_was_edited_is_asked_again_of_every_call_that_is_kept(self, counting: Stage) -> None:
        tell(counting, *THREE)
        counting.clock.forward(HOLD)
        counting.store.retention.purge("sunrise", counting.clock() + 1)
        tell(counting, ("four", a_try(4, "Callback")))
        counting.clock.forward(HOLD)
        reapply(counting, EDITED)
        assert held(counting) == [4, 3]  # what is said of the second call is gone: it counts as before


class TestAnEventWithoutACall:
    def test_leaves_the_number_alone(self, counting: Stage) -> None:
        tell(counting, ("person", a_person("c-1", 1)))
        assert held(counting) == [None, None]
        tell(counting, *THREE, ("later", a_person("c-1", 9)))
        assert (held(counting), len(counting.crm.writes)) == ([3, 2], 4)

    def test_writes_a_record_that_is_lost_in_full(self, counting: Stage) -> None:
        tell(counting, *THREE)
        counting.crm.records.clear()
        tell(counting, ("later", a_person("c-1", 9, lastName="Okafor")))
        counting.drain_in_time()
        assert held(counting, "LastName", "Attempts", "Sold") == ["Okafor", 3, 2]

    def test_is_superseded_by_newer_ones_all_the_same(self, counting: Stage) -> None:
        tell(counting, *THREE, ("new", a_person("c-1", 9)), ("old", a_person("c-1", 1)))
        assert counting.state("old") == ("superseded", "SUPERSEDED")

    def test_of_old_that_raises_the_number_is_not_superseded(self, counting: Stage) -> None:
        tell(counting, THREE[2], ("new", a_person("c-1", 9)), THREE[0])
        assert (counting.state("one"), held(counting)) == (("delivered", ""), [2, 2])


class TestTheNumbersThemselves:
    def test_outlive_the_payloads(self, counting: Stage) -> None:
        tell(counting, *THREE[:2])
        assert counting.store.retention.purge("sunrise", counting.clock() + 1) == 2
        tell(counting, THREE[2])
        assert held(counting) == [3, 2]

    def test_are_forgotten_with_the_customer(self, counting: Stage) -> None:
        tell(counting, *THREE)
        counting.store.forget.run("c-1", "ana")
        with counting.store.database.reading() as connection:
            assert connection.execute(select(func.count()).select_from(counted_calls)).scalar_one() == 0
        tell(counting, ("four", a_try(4)))
        assert held(counting) == [1, 1]

    def test_are_those_of_each_customer(self, counting: Stage) -> None:
        tell(counting, *THREE, ("theirs", a_talk("t-9", a_person("c-2", 1), 9)))
        assert (held(counting), counting.contact("c-2")["Attempts"]) == ([3, 2], 1)

    def test_go_on_in_another_account_of_the_crm(self, counting: Stage) -> None:
        store, former, new = counting.store, CrmAccount("first"), CrmAccount("second")
        store.accounts.meet(DESTINATION, former)
        tell(counting, *THREE[:2])
        store.rebinding.run(store.rebinding.plan(DESTINATION, new, former), "ana")
        counting.crm.records.clear()
        tell(counting, THREE[2])
        assert held(counting) == [3, 2]

    def test_stay_apart_where_the_crm_merges_two_records(self, counting: Stage) -> None:
        theirs = [(f"theirs-{number}", a_talk(f"t-{number}", a_person("c-2", 1), number)) for number in (7, 8)]
        tell(counting, *THREE[:2], theirs[0])
        ours = counting.contact("c-1")["Id"]
        counting.crm.merge(counting.contact("c-2")["Id"], ours)
        tell(counting, theirs[1], THREE[2])
        counting.drain_in_time()
        assert held(counting) == [3, 2]

    def test_are_explained_by_every_call_that_changed_them(self, counting: Stage) -> None:
        tell(counting, THREE[2], ("same", a_try(3)), THREE[0])
        told = explain(counting.store, "c-1", [Account(DESTINATION, ZONE, lambda schema: _loaded())])
        assert told is not None
        (attempts,) = (own for record in told.records for own in record.fields if own.field == "Attempts")
        assert {said.message_id: said.verdict for said in attempts.said if said.message_id != "same"} == {
            "three": EffectVerdict.WROTE,
            "one": EffectVerdict.WROTE,
        }

    def test_name_no_call(self, counting: Stage) -> None:
        tell(counting, THREE[0])
        with counting.store.database.reading() as connection:
            rows = connection.execute(select(counted_calls)).all()
        assert len(rows) == 4
        assert "t-1" not in str(rows)

    def test_are_noted_by_the_holder_of_the_lane_alone(self, counting: Stage) -> None:
        counting.accept(*THREE[0])
        lease = counting.lease()
        assert lease is not None
        planned, _ = plan_all(counting.store.inbox.due(LANE, 1), COUNTS, ZONE)
        counting.store.forget.run("c-1", "ana")
        with pytest.raises(LeaseLost):
            with_counts(planned, lambda plans: counting.store.counting.count(lease, plans, HOLD))
        with counting.store.database.reading() as connection:
            assert connection.execute(select(func.count()).select_from(counted_calls)).scalar_one() == 0

    def test_are_known_before_a_rehearsal_writes_them(self, counting: Stage) -> None:
        tell(counting, *THREE[:2])
        counting.accept(*THREE[2])
        (forecast,) = rehearse(counting.store, counting.route, Filter(message_id="three"))
        assert forecast.expected is Expected.WRITE
        counting.drain()
        again = list(rehearse(counting.store, counting.route, Filter()))
        assert Expected.WRITE not in {forecast.expected for forecast in again}


def _loaded() -> Loaded:
    return load_text(_MAPPING, "counts.yaml", shipped=shipped_folder(), crms=VENDORS)


def test_a_field_that_begins_to_count_counts_what_comes_and_what_is_applied_again(stage: Stage) -> None:
    stage.route.running = Running(UNCOUNTED)
    tell(stage, *THREE)
    stage.clock.forward(HOLD)
    stage.route.running = Running(COUNTS)
    tell(stage, ("four", a_try(4)))
    assert held(stage) == [1, 1]
    stage.clock.forward(HOLD)
    reapply(stage, COUNTS)
    assert held(stage) == [4, 3]
