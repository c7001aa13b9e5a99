"""One suite over both databases."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import structlog.testing
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, event, select, text

from connector.backoff import DAY
from connector.errors import FixConfiguration, InboxFull, LeaseLost, PauseReason, StateChanged, StoreUnavailable
from connector.model import Entry, FlagState, Mark, RecordKey, Stamp
from connector.running.upkeep import Keep, Upkeep
from connector.settlement import (
    AttemptOutcome,
    DeliveryState,
    Pause,
    RecordNote,
    Refusal,
    Remembered,
    Settled,
    Settlement,
)
from connector.store import Store
from connector.store.agencies import Terms
from connector.store.changing import STEP
from connector.store.database import Database, migrate, open_database
from connector.store.desk import Filter
from connector.store.inbox import Arrival
from connector.store.lanes import Lease
from connector.store.tables import metadata
from connector.store.writer import Bounded, Writer
from tests.builders import CUSTOMER, DATA_KEY, DESTINATION, LANE, a_customer, an_arrival
from tests.conftest import Clock

HOLD = 60_000
CONTACT = RecordKey("Contact", "careCycle_Id__c", CUSTOMER)


def leased(store: Store) -> Lease:
    store.lanes.open({LANE: DESTINATION})
    lease = store.lanes.lease("worker one", [LANE], HOLD)
    assert lease is not None
    return lease


def settle(store: Store, lease: Lease, state: str, **changes: object) -> None:
    delivery = store.inbox.due(LANE, 1)[0]
    outcome = AttemptOutcome.DEFERRED if state == DeliveryState.READY else AttemptOutcome(state)
    settled = Settled(delivery.id, DeliveryState(state), outcome, **changes)  # type: ignore[arg-type]  # the test names them
    store.lanes.settle(lease, Settlement("v1", [settled]), HOLD)


class TestInbox:
    def test_an_arrival_is_new_once(self, store: Store) -> None:
        assert store.inbox.accept([an_arrival("one")]) == [True]
        assert store.inbox.accept([an_arrival("one")]) == [False]
        assert len(store.inbox.due(LANE, 10)) == 1

    def test_the_same_message_twice_in_one_commit_is_kept_once(self, store: Store) -> None:
        assert store.inbox.accept([an_arrival("one"), an_arrival("one")]) == [True, False]

    def test_two_agencies_may_receive_the_same_message(self, store: Store) -> None:
        assert store.inbox.accept([an_arrival("one"), an_arrival("one", agency="harvest")]) == [True, True]

    def test_an_event_comes_out_as_it_went_in(self, store: Store) -> None:
        store.inbox.accept([an_arrival(payload=a_customer(firstName="Zoë"))])
        assert store.inbox.due(LANE, 1)[0].event.payload["firstName"] == "Zoë"

    def test_opt_outs_are_due_before_everything_else(self, store: Store) -> None:
        store.inbox.accept([an_arrival("plain"), an_arrival("opt-out", priority=1)])
        assert [delivery.event.message_id for delivery in store.inbox.due(LANE, 10)] == ["opt-out", "plain"]

    def test_a_duplicate_revives_a_dead_delivery(self, store: Store) -> None:
        store.inbox.accept([an_arrival("one", state="dead", code="E210")])
        assert store.inbox.due(LANE, 10) == []
        store.inbox.accept([an_arrival("one")])
        assert len(store.inbox.due(LANE, 10)) == 1

    def test_a_duplicate_leaves_a_delivered_one_alone(self, store: Store) -> None:
        store.inbox.accept([an_arrival("one")])
        settle(store, leased(store), "delivered")
        store.inbox.accept([an_arrival("one")])
        assert store.inbox.due(LANE, 10) == []

    def test_a_payload_is_not_readable_in_the_database(self, store: Store) -> None:
        store.inbox.accept([an_arrival(payload=a_customer(firstName="Canary"))])
        with store.database.reading() as connection:
            held = connection.execute(text("SELECT payload FROM events")).scalar_one()
        assert b"Canary" not in bytes(held)

    def test_many_threads_share_commits_and_each_hears_of_its_own(self, store: Store) -> None:
        writer = Writer(store.inbox.accept)
        with ThreadPoolExecutor(16) as pool:
            fresh = list(pool.map(lambda n: writer(an_arrival(f"m{n % 50}")).result(), range(100)))
        writer.close()
        assert sum(fresh) == 50
        assert len(store.inbox.due(LANE, 200)) == 50

    def test_who_gave_up_before_the_commit_began_is_not_kept(self, store: Store) -> None:
        accepting, more = Event(), Event()

        def accept(arrivals: Sequence[Arrival]) -> list[bool]:
            accepting.set()
            more.wait(60)
            return store.inbox.accept(arrivals)

        writer = Writer(accept)
        first = writer(an_arrival("one"))
        accepting.wait(60)
        kept = [writer(an_arrival(name)) for name in ("two", "three")]
        assert [first.cancel(), kept[0].cancel()] == [False, True]
        more.set()
        writer.close()
        assert [one.event.message_id for one in store.inbox.due(LANE, 10)] == ["one", "three"]


class TestLanes:
    def test_a_lane_that_owes_nothing_is_not_leased(self, store: Store) -> None:
        store.lanes.open({LANE: DESTINATION})
        assert store.lanes.lease("worker one", [LANE], HOLD) is None

    def test_a_leased_lane_is_not_leased_again(self, store: Store) -> None:
        store.inbox.accept([an_arrival()])
        leased(store)
        assert store.lanes.lease("worker two", [LANE], HOLD) is None

    def test_a_lease_that_ran_out_goes_to_the_next_worker(self, store: Store, clock: Clock) -> None:
        store.inbox.accept([an_arrival()])
        leased(store)
        clock.forward(HOLD)
        assert store.lanes.lease("worker two", [LANE], HOLD) is not None

    def test_a_lease_that_is_renewed_outlasts_its_first_time(self, store: Store, clock: Clock) -> None:
        store.inbox.accept([an_arrival()])
        lease = leased(store)
        clock.forward(HOLD - 1)
        store.lanes.renew([lease], HOLD)
        clock.forward(HOLD - 1)
        assert store.lanes.lease("worker two", [LANE], HOLD) is None

    def test_a_worker_that_lost_its_lease_records_nothing(self, store: Store, clock: Clock) -> None:
        store.inbox.accept([an_arrival()])
        late = leased(store)
        clock.forward(HOLD)
        store.lanes.lease("worker two", [LANE], HOLD)
        with pytest.raises(LeaseLost):
            settle(store, late, "delivered")
        assert len(store.inbox.due(LANE, 10)) == 1

    def test_a_settled_delivery_is_not_due_again(self, store: Store) -> None:
        store.inbox.accept([an_arrival("one")])
        settle(store, leased(store), "delivered", request_id="r1", records=[RecordNote("contact", fields=("Phone",))])
        story = store.desk.story("one")[0]
        assert (story.state, story.attempts, story.tries[0].request_id) == ("delivered", 1, "r1")

    def test_what_is_told_of_it_comes_out_as_it_went_in(self, store: Store) -> None:
        store.inbox.accept([an_arrival("one")])
        told = 'it\'s "odd": {1} \\u0041 \n 100 % \u2603 \U0001f600 %(x)s :y $.z'
        records = (RecordNote("contact", fields=(told,)),)
        why = Refusal("X'); --", told, told, (told,), told)
        settle(store, leased(store), "dead", why=why, records=records, duration_ms=2**31 - 1)
        story = store.desk.story("one")[0]
        assert (story.code, story.reason) == ("X'); --", told)
        assert store.letters.causes()[0].why == why
        assert (story.tries[0].records, story.tries[0].duration_ms) == (records, 2**31 - 1)

    def test_a_deferred_delivery_is_due_when_its_wait_is_over(self, store: Store, clock: Clock) -> None:
        store.inbox.accept([an_arrival()])
        settle(store, leased(store), "ready", wait_ms=5_000)
        assert store.inbox.due(LANE, 10) == []
        clock.forward(5_000)
        assert len(store.inbox.due(LANE, 10)) == 1

    def test_a_paused_lane_rests_and_its_deliveries_lose_no_attempt(self, store: Store, clock: Clock) -> None:
        store.inbox.accept([an_arrival()])
        lease = leased(store)
        store.lanes.settle(lease, Settlement("v1", pause=Pause(30_000, PauseReason.AUTH, "log in again")), HOLD)
        assert store.lanes.lease("worker one", [LANE], HOLD) is None
        assert store.desk.lanes()[0].pause_reason == "log in again"
        clock.forward(30_000)
        probing = store.lanes.lease("worker one", [LANE], HOLD)
        assert probing is not None
        assert (probing.failures, store.inbox.due(LANE, 1)[0].attempts) == (1, 0)

    def test_a_released_lane_is_free_at_once(self, store: Store) -> None:
        store.inbox.accept([an_arrival()])
        store.lanes.release(leased(store))
        assert store.lanes.lease("worker two", [LANE], HOLD) is not None

    def test_no_clock_but_the_databases_own_decides_about_leases(self, database_address: str) -> None:
        store = Store(open_database(database_address, {"CONNECTOR_DATA_KEY": DATA_KEY}))
        store.inbox.accept([an_arrival()])
        given: list[Any] = []
        event.listen(store.database.engine, "before_cursor_execute", lambda *told: given.append(told[3]))
        lease = leased(store)
        store.lanes.renew([lease], HOLD)
        store.lanes.intend(lease, [], HOLD)
        store.lanes.settle(lease, Settlement("v1", pause=Pause(HOLD, PauseReason.AUTH, "log in again")), HOLD)
        store.lanes.release(lease)
        assert store.lanes.next_due_ms([LANE], HOLD) > HOLD / 2
        store.close()
        numbers = [int(one) for one in re.findall(r"\b\d+\b", str(given))]
        assert HOLD in numbers
        assert max(numbers) < 10**11  # no moment of ours went along

    def test_the_next_due_moment_is_known(self, store: Store) -> None:
        store.inbox.accept([an_arrival()])
        lease = leased(store)
        settle(store, lease, "ready", wait_ms=5_000)
        store.lanes.release(lease)
        assert store.lanes.next_due_ms([LANE], 60_000) == 5_000
        assert store.lanes.next_due_ms([LANE], 1_000) == 1_000


class TestLedger:
    def test_an_entry_is_remembered_with_the_settlement(self, store: Store) -> None:
        store.inbox.accept([an_arrival()])
        entry = Entry("003A", {"Phone": Mark(Stamp(7, "a"), "d")})
        remembered = Remembered(CONTACT, entry, CUSTOMER, 1)
        store.lanes.settle(leased(store), Settlement("v1", remembered=[remembered]), HOLD)
        assert store.ledger.entries(DESTINATION, [CONTACT]) == {CONTACT: entry}

    def test_entries_belong_to_one_destination(self, store: Store) -> None:
        assert store.ledger.entries("sunrise/hubspot", [CONTACT]) == {}

    def test_a_spoken_opt_out_is_kept_beside_the_newest_snapshot(self, store: Store) -> None:
        store.inbox.accept([an_arrival()])
        lease = leased(store)
        for applied in (False, True):
            spoken = FlagState(Stamp(1, "a"), False, applied=applied, owed=not applied, spoken=True)
            store.lanes.settle(lease, Settlement("v1", consents={CUSTOMER: {"doNotCall": spoken}}), HOLD)
            assert store.ledger.consents(DESTINATION, [CUSTOMER]) == {CUSTOMER: {"doNotCall": spoken}}

    def test_the_moment_a_raise_was_applied_stays(self, store: Store, clock: Clock) -> None:
        store.inbox.accept([an_arrival()])
        lease = leased(store)
        raised = {CUSTOMER: {"doNotCall": FlagState(Stamp(1, "a"), True, applied=True)}}
        lowered = {CUSTOMER: {"doNotCall": FlagState(Stamp(2, "b"), False, applied=True)}}
        for states in (raised, lowered):
            store.lanes.settle(lease, Settlement("v1", consents=states), HOLD)
        assert store.ledger.consents(DESTINATION, [CUSTOMER]) == lowered


class TestBound:
    def test_arrivals_beyond_it_are_refused_until_some_are_delivered(self, store: Store, clock: Clock) -> None:
        accept = Bounded(store.inbox.accept, store.inbox.waiting, 2, lambda: clock() / 1000)
        assert accept([an_arrival() for _ in range(2)]) == [True, True]
        clock.forward(1_000)
        (refused,) = accept([an_arrival()])
        assert isinstance(refused, InboxFull)
        settle(store, leased(store), "delivered")
        clock.forward(1_000)
        assert accept([an_arrival()]) == [True]

    def test_an_opt_out_is_kept_beyond_it_and_what_came_with_it_is_not(self, store: Store) -> None:
        accept = Bounded(store.inbox.accept, lambda _: 9, 9, lambda: 0.0)
        outcomes = accept([an_arrival(), an_arrival(priority=1), an_arrival()])
        assert [type(outcome) for outcome in outcomes] == [InboxFull, bool, InboxFull]
        assert store.desk.waiting() == 1

    def test_what_waits_is_counted_no_further_than_asked(self, store: Store) -> None:
        store.inbox.accept([an_arrival() for _ in range(5)])
        assert [store.inbox.waiting(most) for most in (3, 9)] == [3, 5]


class TestDesk:
    def test_dead_letters_are_grouped_by_cause(self, store: Store) -> None:
        store.inbox.accept([an_arrival(state="dead", code="X", reason="bad state") for _ in range(3)])
        assert [(group.code, group.count) for group in store.desk.dead()] == [("X", 3)]

    def test_replay_frees_dead_letters_of_one_cause_and_is_written_down(self, store: Store) -> None:
        store.inbox.accept([an_arrival(state="dead", code="X"), an_arrival(state="dead", code="Y")])
        assert store.desk.replay(Filter(code="X"), "ana") == 1
        assert len(store.inbox.due(LANE, 10)) == 1
        assert store.audit.entries()[0].action == "replay"

    def test_replay_goes_in_small_steps_and_is_noted_with_the_first_and_the_last(self, store: Store) -> None:
        store.inbox.accept([an_arrival(state="dead", code="X") for _ in range(STEP + 1)])
        told: list[int] = []
        assert store.desk.replay(Filter(code="X"), "ana", told.append) == STEP + 1
        assert told == [STEP, STEP + 1]
        assert [one.thing for one in store.audit.entries()] == [
            f"{STEP + 1} dead deliveries: code X",
            f"the first {STEP} dead deliveries: code X",
        ]

    def test_replay_frees_another_state_where_it_is_named(self, store: Store) -> None:
        store.inbox.accept([an_arrival(state="skipped"), an_arrival(state="dead", code="X")])
        assert store.desk.replay(Filter(state="skipped"), "ana") == 1
        assert store.desk.replay(Filter(state="ready"), "ana") == 0
        assert store.desk.states(0) == {"dead": 1, "ready": 1}

    def test_replay_leaves_purged_payloads_as_they_are(self, store: Store, clock: Clock) -> None:
        store.inbox.accept([an_arrival(state="skipped")])
        store.retention.purge("sunrise", clock() + 1)
        assert store.desk.replay(Filter(state="skipped"), "ana") == 0

    def test_discard_gives_a_dead_letter_up(self, store: Store) -> None:
        store.inbox.accept([an_arrival("one", state="dead", code="X")])
        assert store.desk.discard(Filter(message_id="one"), "ana") == 1
        assert store.desk.deliveries(Filter())[0].state == "skipped"

    def test_a_lane_is_paused_and_resumed_once(self, store: Store) -> None:
        store.inbox.accept([an_arrival()])
        store.lanes.open({LANE: DESTINATION})
        store.desk.pause(LANE, "ana")
        assert store.lanes.lease("worker one", [LANE], HOLD) is None
        store.desk.resume(LANE, "ana")
        with pytest.raises(StateChanged):
            store.desk.resume(LANE, "ana")
        assert store.lanes.lease("worker one", [LANE], HOLD) is not None

    def test_a_lane_an_operator_paused_stays_paused_whatever_its_worker_settles(self, store: Store) -> None:
        store.inbox.accept([an_arrival(), an_arrival()])
        lease = leased(store)
        store.desk.pause(LANE, "ana")
        assert store.lanes.settle(lease, Settlement("v1"), HOLD)
        store.lanes.settle(lease, Settlement("v1", pause=Pause(1_000, PauseReason.OUTAGE, "down")), HOLD)
        assert store.desk.lanes()[0].pause_reason == "paused by ana"
        assert store.lanes.next_due_ms([LANE], 60_000) == 60_000

    def test_the_migrations_make_the_tables_the_program_means(self, store: Store) -> None:
        with store.database.transaction() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            differences = compare_metadata(context, metadata)
        assert [one for one in differences if "ix_deliveries_ready" not in str(one)] == []

    def test_lists_page_backwards_by_key(self, store: Store) -> None:
        store.inbox.accept([an_arrival(f"m{n}") for n in range(5)])
        first = store.desk.deliveries(Filter(), limit=3)
        rest = store.desk.deliveries(Filter(before=first[-1].id), limit=3)
        assert [row.message_id for row in first + rest] == ["m4", "m3", "m2", "m1", "m0"]

    def test_lanes_tell_their_backlog_and_oldest_opt_out(self, store: Store, clock: Clock) -> None:
        store.lanes.open({LANE: DESTINATION})
        store.inbox.accept([an_arrival(), an_arrival(priority=1, raised=frozenset({"doNotCall"}))])
        clock.forward(2_000)
        lane = store.desk.lanes()[0]
        assert (lane.ready, lane.opt_outs, lane.opt_out_ms) == (2, 1, 2_000)


class TestRetention:
    def test_payloads_are_purged_once_their_event_is_settled_and_old(self, store: Store, clock: Clock) -> None:
        store.inbox.accept([an_arrival("settled"), an_arrival("waiting")])
        settle(store, leased(store), "delivered")
        assert store.retention.purge("sunrise", clock()) == 0
        assert store.retention.purge("sunrise", clock() + 1) == 1
        assert (store.desk.payload("settled"), store.desk.payload("waiting") != {}) == ({}, True)

    def test_dead_letters_are_kept_until_their_own_time_is_over(self, store: Store, clock: Clock) -> None:
        store.inbox.accept([an_arrival("one", state="dead", code="X")])
        assert store.retention.purge("sunrise", clock() + 1) == 0
        assert store.retention.give_up("sunrise", clock() + 1) == 1
        assert store.retention.purge("sunrise", clock() + 1) == 1

    def test_rows_go_after_their_payload_and_the_ledger_stays(self, store: Store, clock: Clock) -> None:
        store.inbox.accept([an_arrival("settled"), an_arrival("waiting")])
        entry = Entry("003A", {"Phone": Mark(Stamp(7, "a"), "d")})
        lease = leased(store)
        settle(store, lease, "delivered")
        store.lanes.settle(lease, Settlement("v1", remembered=[Remembered(CONTACT, entry, CUSTOMER, 1)]), HOLD)
        assert store.retention.forget("sunrise", clock() + 1) == 0
        store.retention.purge("sunrise", clock() + 1)
        assert store.retention.forget("sunrise", clock() + 1) == 1
        assert [one.message_id for one in store.desk.deliveries(Filter())] == ["waiting"]
        assert store.ledger.entries(DESTINATION, [CONTACT]) == {CONTACT: entry}

    def test_rows_of_another_agency_or_a_later_time_stay(self, store: Store, clock: Clock) -> None:
        store.inbox.accept([an_arrival(state="skipped"), an_arrival(state="skipped", agency="harvest")])
        for agency in ("sunrise", "harvest"):
            store.retention.purge(agency, clock() + 1)
        assert (store.retention.forget("sunrise", clock()), store.retention.forget("sunrise", clock() + 1)) == (0, 1)
        assert len(store.desk.deliveries(Filter())) == 1

    def test_upkeep_forgets_rows_when_both_their_times_are_over(self, store: Store, clock: Clock) -> None:
        store.inbox.accept([an_arrival("one", state="skipped")])
        upkeep = Upkeep(store, {"sunrise": Keep(payloads=1, dead_letters=3)}, [], lambda: clock() / 1000)
        for left in (1, 1, 1, 0):
            for _ in range(2):
                clock.forward(DAY // 2)
                upkeep()
            assert len(store.desk.deliveries(Filter())) == left

    def test_dead_letters_are_told_a_week_before_they_are_given_up(self, store: Store, clock: Clock) -> None:
        store.agencies.announce([Terms("sunrise", False, 90), Terms("sunset", False, 90)])
        store.inbox.accept([an_arrival(state="dead"), an_arrival()])
        clock.forward(83 * DAY)
        assert store.agencies.expiring() == {}
        clock.forward(1)
        assert store.agencies.expiring() == {"sunrise": 1}
        with structlog.testing.capture_logs() as told:
            Upkeep(store, {"sunrise": Keep(30, 90)}, [], lambda: clock() / 1000)()
        assert [(one["agency"], one["count"], one["days"]) for one in told if "count" in one] == [("sunrise", 1, 7)]

    def test_upkeep_works_in_steps_and_then_rests_an_hour(self, store: Store, clock: Clock) -> None:
        store.inbox.accept([an_arrival(state="skipped") for _ in range(3)])
        upkeep = Upkeep(store, {"sunrise": Keep(payloads=1, dead_letters=1)}, [], lambda: clock() / 1000)
        for _ in range(3):
            upkeep()
            clock.forward(DAY)
        upkeep()
        store.inbox.accept([an_arrival("late", state="skipped")])
        upkeep()
        assert store.desk.payload("late") != {}


class TestDatabase:
    @pytest.fixture
    def ready_address(self, database_address: str) -> str:
        """What is broken here is no other test's."""
        return database_address

    def test_opening_twice_migrates_once(self, database_address: str) -> None:
        def migrates() -> bool:
            statements: list[str] = []
            listener = (Engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
            event.listen(*listener)
            open_database(database_address, {"CONNECTOR_DATA_KEY": DATA_KEY}).close()
            event.remove(*listener)
            return any(statement.lstrip().startswith("CREATE TABLE") for statement in statements)

        assert [migrates(), migrates()] == [True, False]

    def test_a_newer_database_is_refused(self, store: Store) -> None:
        with store.database.transaction() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        with pytest.raises(FixConfiguration, match="newer version"):
            migrate(store.database.engine)

    def test_another_key_is_refused(self, database_address: str) -> None:
        open_database(database_address, {"CONNECTOR_DATA_KEY": DATA_KEY}).close()
        other = DATA_KEY[::-1].replace("=", "") + "="
        with pytest.raises(FixConfiguration, match="lacks the key"):
            open_database(database_address, {"CONNECTOR_DATA_KEY": other})

    def test_an_old_key_still_opens_while_the_new_one_closes(self, database_address: str) -> None:
        open_database(database_address, {"CONNECTOR_DATA_KEY": DATA_KEY}).close()
        other = DATA_KEY[::-1].replace("=", "") + "="
        open_database(database_address, {"CONNECTOR_DATA_KEY": f"{other},{DATA_KEY}"}).close()

    def test_the_databases_own_clock_agrees_with_ours(self, database_address: str) -> None:
        database = open_database(database_address, {"CONNECTOR_DATA_KEY": DATA_KEY})
        with database.reading() as connection:
            theirs = connection.execute(select(database.now())).scalar_one()
        database.close()
        assert abs(theirs - time.time() * 1000) < 60_000

    def test_a_lost_table_is_an_unavailable_store_not_a_traceback(self, store: Store) -> None:
        with store.database.transaction() as connection:
            connection.execute(text("DROP TABLE attempts"))
            connection.execute(text("DROP TABLE deliveries"))
        with pytest.raises(StoreUnavailable):
            store.inbox.accept([an_arrival()])

    def test_the_bell_wakes_a_waiting_worker(self, store: Store) -> None:
        with ThreadPoolExecutor(1) as pool:
            store.database.bell.wait(0)  # listening begins with the first wait
            woken = pool.submit(store.database.bell.wait, 600)
            store.inbox.accept([an_arrival()])
            woken.result(timeout=120)


class TestEmbeddedDatabase:
    def test_its_key_file_is_made_once_and_only_for_its_owner(self, tmp_path: Path) -> None:
        for _ in range(2):
            open_database(f"sqlite:///{tmp_path}/connector.db", {}).close()
        assert (tmp_path / "connector.key").stat().st_mode & 0o777 == 0o600

    def test_every_commit_is_forced_to_disk(self, tmp_path: Path) -> None:
        database: Database = open_database(f"sqlite:///{tmp_path}/connector.db", {})
        with database.reading() as connection:
            mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
            synchronous = connection.exec_driver_sql("PRAGMA synchronous").scalar()
        database.close()
        assert (mode, synchronous) == ("wal", 3)

    def test_it_gives_space_back_once_much_of_it_is_empty(self, tmp_path: Path) -> None:
        store = Store(open_database(f"sqlite:///{tmp_path}/connector.db", {}))
        many = [an_arrival(state="skipped", body=b"x" * 20_000) for _ in range(500)]
        store.inbox.accept(many)
        assert store.retention.give_space_back() == 0
        store.retention.purge("sunrise", many[0].received_at + 1)
        given = 0
        while step := store.retention.give_space_back():
            given += step
        store.close()
        assert given >= 1_500
        assert (tmp_path / "connector.db").stat().st_size < 5_000_000

    def test_a_writer_waits_for_another_and_then_goes_on(self, tmp_path: Path) -> None:
        store = Store(open_database(f"sqlite:///{tmp_path}/connector.db", {}))
        with ThreadPoolExecutor(1) as pool:
            with store.database.transaction():
                kept = pool.submit(store.inbox.accept, [an_arrival("one")])
                assert wait([kept], 0.5).not_done  # for longer than it looks for the lock by itself
            assert kept.result(60) == [True]
        store.close()

    def test_a_new_connection_waits_for_no_writer(self, tmp_path: Path) -> None:
        database = open_database(f"sqlite:///{tmp_path}/connector.db", {})
        database.engine.dispose()
        with database.transaction() as connection:
            connection.execute(text("DELETE FROM audit"))
            with database.reading() as other:
                assert other.execute(text("PRAGMA auto_vacuum")).scalar() == 2
        database.close()

    def test_its_file_is_its_owner_s_alone(self, tmp_path: Path) -> None:
        open_database(f"sqlite:///{tmp_path}/connector.db", {}).close()
        assert (tmp_path / "connector.db").stat().st_mode & 0o777 == 0o600

    def test_a_file_taken_away_takes_no_more_writes_until_it_is_back(self, tmp_path: Path) -> None:
        store = Store(open_database(f"sqlite:///{tmp_path}/connector.db", {}))
        store.inbox.accept([an_arrival("before")])
        away = (tmp_path / "connector.db").rename(tmp_path / "elsewhere.db")
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                store.inbox.accept([an_arrival("lost")])
        assert not (tmp_path / "connector.db").exists()
        away.rename(tmp_path / "connector.db")
        assert store.inbox.accept([an_arrival("before"), an_arrival("after")]) == [False, True]
        store.close()

    def test_a_copy_put_in_its_place_is_used(self, tmp_path: Path) -> None:
        store, file = Store(open_database(f"sqlite:///{tmp_path}/connector.db", {})), tmp_path / "connector.db"
        store.inbox.accept([an_arrival("before")])
        store.database.engine.dispose()
        copy = shutil.copy(file, tmp_path / "copy.db")
        file.unlink()
        with pytest.raises(StoreUnavailable):
            store.database.moment()
        Path(copy).rename(file)
        assert store.inbox.accept([an_arrival("before"), an_arrival("after")]) == [False, True]
        store.close()


class TestSharedDatabase:
    def test_work_is_found_by_looking_when_no_bell_rang(self, postgres_address: str) -> None:
        database = open_database(postgres_address, {"CONNECTOR_DATA_KEY": DATA_KEY})
        database.bell.wait(0)
        with database.transaction() as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE query LIKE 'LISTEN%' AND datname = current_database()"
                )
            )
        database.bell.wait(0.1)  # hears that nobody listens any more
        with ThreadPoolExecutor(1) as pool:
            database.bell.wait(0)
            woken = pool.submit(database.bell.wait, 600)
            Store(database).inbox.accept([an_arrival()])
            woken.result(timeout=120)
        database.close()

    def test_it_needs_an_explicit_key(self, postgres_address: str) -> None:
        with pytest.raises(FixConfiguration, match="CONNECTOR_DATA_KEY"):
            open_database(postgres_address, {})

    def test_an_address_nobody_answers_is_told_without_its_password(self) -> None:
        with pytest.raises(StoreUnavailable) as told:
            open_database("postgresql://u:hidden@127.0.0.1:1/x", {"CONNECTOR_DATA_KEY": DATA_KEY})
        assert "hidden" not in str(told.value)
