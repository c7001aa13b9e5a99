"""Each hot query walks an index and never a table, as both databases say themselves: no history makes it slower."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, event, text

from connector.model import Entry, RecordKey
from connector.running.upkeep import Keep, Upkeep
from connector.settlement import Remembered, Settlement
from connector.settlement.previous import Before
from connector.store import Store
from connector.store.desk import Filter
from connector.store.lanes import Lease
from connector.store.tables import attempts, deliveries, events
from tests.builders import CUSTOMER, DESTINATION, LANE, NOON, an_arrival, an_odd_arrival
from tests.contracts.test_store import HOLD, leased, settle

ROWS = 4_000
DAY = 86_400_000
GROWING = {"events", "deliveries", "attempts"}
SMALL = {"ix_deliveries_ready", "ix_deliveries_dead", "ix_events_raised"}
"""Indexes of what waits, of what is dead and of opt-outs alone: these may be read whole."""
STATES = ("delivered",) * 96 + ("superseded", "skipped", "ignored", "dead")
CODES = {"delivered": "", "superseded": "SUPERSEDED", "skipped": "SKIPPED", "ignored": "UNKNOWN_TYPE", "dead": "X"}


def fill(store: Store) -> None:
    """So much history, of every state, of many customers, over 400 days."""
    numbers = range(1, ROWS + 1)
    with store.database.transaction() as connection:
        connection.execute(
            events.insert(),
            [
                {
                    "id": n,
                    "agency": "harbor" if n % 100 == 0 else "sunrise",
                    "message_id": f"old {n}",
                    "type": "call.completed" if n % 20 == 0 else "customer.updated",
                    "customer_id": f"c-{n % 500}",
                    "source_time": NOON,
                    "received_at": NOON - DAY * 400 + n * DAY // 10,
                    "payload": b"sealed" if n > ROWS // 2 else None,
                    "digest": "",
                    "raised": "doNotCall" if n % 50 == 0 else "",
                }
                for n in numbers
            ],
        )
        connection.execute(deliveries.insert(), [a_delivery(n, STATES[n % len(STATES)]) for n in numbers])
        tried = {
            "at": 0,
            "outcome": "delivered",
            "code": "",
            "records": "[]",
            "request_id": "",
            "duration_ms": 0,
            "mapping_version": "",
        }
        connection.execute(attempts.insert(), [{**tried, "delivery_id": n} for n in numbers])


def a_delivery(n: int, state: str) -> dict[str, Any]:
    return {
        "id": n,
        "event_id": n,
        "destination": DESTINATION,
        "lane": LANE,
        "state": state,
        "priority": 0,
        "attempts": 1,
        "accepted_at": NOON - DAY * 400 + n * DAY // 10,
        "due_at": 0,
        "settled_at": 0,
        "code": CODES[state],
    }


@pytest.fixture
def grown(store: Store) -> Store:
    if store.database.engine.dialect.name != "sqlite":  # what other tests deleted makes some indexes look dear
        with store.database.transaction() as connection:
            connection.execute(text(f"TRUNCATE {', '.join(sorted(GROWING))}"))
    fill(store)
    if store.database.engine.dialect.name != "sqlite":
        with store.database.transaction() as connection:
            for name in GROWING:
                connection.execute(text(f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), {ROWS + 1})"))
            connection.execute(text("ANALYZE"))
    store.lanes.open({LANE: DESTINATION})
    return store


@contextmanager
def explained(store: Store) -> Iterator[list[tuple[str, str]]]:
    """Every statement made meanwhile, with the plan the database has for it.

    PostgreSQL reads small tables whole even where an index would do: it is told not to.
    """
    told: list[tuple[str, str]] = []
    embedded = store.database.engine.dialect.name == "sqlite"
    verb = "EXPLAIN QUERY PLAN" if embedded else "EXPLAIN"

    def before(connection: Connection, cursor: Any, statement: str, parameters: Any, _: Any, many: bool) -> None:
        if re.match(r"(SELECT|UPDATE|DELETE|WITH|INSERT INTO previous_values)\b", statement):
            if not embedded:
                cursor.execute("SET enable_seqscan = off")
            cursor.execute(f"{verb} {statement}", parameters[0] if many else parameters)
            told.append((statement, "\n".join(str(row[-1]) for row in cursor.fetchall())))

    event.listen(store.database.engine, "before_cursor_execute", before)
    yield told
    event.remove(store.database.engine, "before_cursor_execute", before)


def tables_walked(plan: str) -> set[str]:
    """The growing tables that a plan reads from end to end, by either database's word for it."""
    scans = re.findall(r"SCAN (\w+)(?: USING (?:COVERING )?INDEX (\w+))?", plan)
    sqlite = {table for table, index in scans if index not in SMALL}
    return GROWING & {*sqlite, *re.findall(r"Seq Scan on (\w+)", plan)}


LISTS = {
    "state": (Filter(state="skipped"), "ix_deliveries_state_id"),
    "customer": (Filter(customer_id="c-7"), "ix_events_customer_id_id"),
    "message": (Filter(message_id="old 7"), "ix_events_message_id"),
    "type": (Filter(type="call.completed"), "ix_events_type_id"),
    "time": (Filter(since=NOON - DAY, until=NOON), "ix_deliveries_accepted_at"),
    "cause": (Filter(code="X"), "ix_deliveries_code"),
    "agency": (Filter(agency="harbor"), "ix_events_agency_id"),
    "opt-out": (Filter(opt_out="yes"), "ix_events_raised"),
}


class TestLists:
    @pytest.mark.parametrize(("wanted", "index"), LISTS.values(), ids=LISTS)
    def test_a_search_walks_the_index_made_for_it(self, grown: Store, wanted: Filter, index: str) -> None:
        with explained(grown) as told:
            grown.desk.deliveries(wanted)
        assert all(index in plan and not tables_walked(plan) for _, plan in told), told

    @pytest.mark.parametrize("wanted", [found for found, _ in LISTS.values()], ids=LISTS)
    def test_the_pages_of_a_search_hold_each_delivery_once(self, grown: Store, wanted: Filter) -> None:
        whole = [one.id for one in grown.desk.deliveries(wanted, ROWS)]
        paged, before = [], 0
        while page := grown.desk.deliveries(replaced(wanted, before), 7):
            paged += [one.id for one in page]
            before = paged[-1]
        assert paged == whole
        assert whole == sorted(whole, reverse=True)

    @pytest.mark.parametrize("wanted", [found for found, _ in LISTS.values()], ids=LISTS)
    def test_the_list_of_events_walks_an_index_and_counts_no_more_than_is_shown(
        self, grown: Store, wanted: Filter
    ) -> None:
        with explained(grown) as told:
            grown.event_lists.page(wanted)
            grown.event_lists.totals(wanted)
        walked = [plan for statement, plan in told if tables_walked(plan) and "LIMIT" not in statement]
        assert walked == []

    def test_everything_newest_first_goes_along_the_key(self, grown: Store) -> None:
        with explained(grown) as told:
            grown.desk.deliveries(Filter())
        ((_, plan),) = told
        assert "TEMP B-TREE" not in plan
        assert not re.search(r"\bSort\b", plan)


def replaced(wanted: Filter, before: int) -> Filter:
    return Filter(**{name: getattr(wanted, name) for name in Filter.__slots__ if name != "before"}, before=before)


def overview(store: Store) -> None:
    store.desk.lanes()
    store.desk.dead()
    store.desk.states(NOON - DAY)
    store.desk.waiting()
    store.oddities.all()


def story(store: Store) -> None:
    store.desk.story("old 7")
    store.desk.payload("old 7")
    store.oddities.of("old 7")


def accept(store: Store) -> None:
    store.inbox.accept([an_arrival("new"), an_odd_arrival("odd"), an_arrival("old 3999")])
    store.inbox.accept([an_arrival("new")])


def drain(store: Store) -> None:
    store.inbox.accept([an_arrival("one"), an_arrival("two")])
    lease = leased(store)
    settle(store, lease, "ready", wait_ms=5_000)
    settle(store, lease, "delivered")
    store.lanes.next_due_ms([LANE], HOLD)
    store.lanes.release(lease)


def retention(store: Store) -> None:
    upkeep = Upkeep(store, {"sunrise": Keep(payloads=30, dead_letters=90)}, [], lambda: NOON / 1000)
    upkeep()


def replay(store: Store) -> None:
    store.desk.replay(Filter(code="X"), "ana")
    store.desk.replay(Filter(customer_id=CUSTOMER, state="delivered"), "ana")


class TestTheRest:
    @pytest.mark.parametrize("doing", [overview, story, accept, drain, retention, replay], ids=lambda one: one.__name__)
    def test_it_reads_no_growing_table_from_end_to_end(self, grown: Store, doing: Callable[[Store], None]) -> None:
        with explained(grown) as told:
            doing(grown)
        assert told
        assert [(statement, plan) for statement, plan in told if tables_walked(plan)] == []


class TestWhatARecordHadBefore:
    KEY = RecordKey("Contact", "Key", "c-7")

    def plans(self, store: Store, act: Callable[[Lease], object]) -> list[str]:
        """How the table of former values is read."""
        store.inbox.accept([an_arrival("one")])
        lease = leased(store)
        with explained(store) as told:
            act(lease)
        return [plan for statement, plan in told if "previous_values" in statement]

    def test_is_kept_without_a_look_at_all_that_is_kept(self, store: Store) -> None:
        before = Remembered(self.KEY, Entry(), CUSTOMER, 1, before=Before("v1", {}))
        (plan,) = self.plans(store, lambda lease: store.lanes.intend(lease, [before], HOLD))
        assert "ix_previous_values_" in plan

    def test_gets_the_id_of_a_new_record_the_same_way(self, store: Store) -> None:
        created = Remembered(self.KEY, Entry("003"), CUSTOMER, 1, created=True)
        settlement = Settlement("v1", remembered=[created])
        (plan,) = self.plans(store, lambda lease: store.lanes.settle(lease, settlement, HOLD))
        assert "ix_previous_values_created" in plan
