"""The audit log is one chain: whatever somebody without the data key does to it is detected, over both databases."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import DBAPIError

from connector.settlement.auditing import Checked, Fault, FaultKind, Head
from connector.store import Store, open_store
from connector.store.audit import BEGIN, HEAD_LOST
from connector.store.audit_check import check
from connector.store.audit_tables import audit, audit_head
from connector.store.copying import copy
from tests.builders import CUSTOMER, DATA_KEY
from tests.conftest import Clock

COLUMNS = [column.name for column in audit.c]
OTHER_KEY = "b3RoZXIga2V5IG9mIHRoaXJ0eS10d28gYnl0ZXMhISE="


def fill(store: Store, entries: int = 5) -> None:
    for number in range(1, entries + 1):
        store.audit.note(
            f"who {number}", "act", f"thing {number}", f"why {number}", agency="sunrise", customer_id=f"c-{number}"
        )


def tamper(store: Store, statement: str, **values: Any) -> None:
    """Change the database as somebody does who has it, but not the key."""
    with store.database.transaction() as connection:
        connection.execute(text("DROP INDEX IF EXISTS uq_audit_number"))
        connection.execute(text(statement), values)


def faults(checked: Checked) -> list[tuple[FaultKind, int]]:
    return [(fault.kind, fault.number) for fault in checked.faults]


def checked(store: Store, *noted: Head) -> list[tuple[FaultKind, int]]:
    return faults(check(store.database, *noted))


@pytest.fixture(autouse=True)
def _index_is_put_back(request: pytest.FixtureRequest) -> Iterator[None]:
    """A PostgreSQL database is every test's, and `tamper` takes its index away."""
    store = request.getfixturevalue("store") if "store" in request.fixturenames else None
    yield
    if store is not None:
        with store.database.transaction() as connection:
            connection.execute(audit.delete())
            connection.execute(text("CREATE UNIQUE INDEX IF NOT EXISTS uq_audit_number ON audit (number)"))


@pytest.fixture
def filled(store: Store) -> Store:
    fill(store)
    return store


class TestAWholeLog:
    def test_has_no_fault_and_a_head_that_covers_all_of_it(self, filled: Store) -> None:
        done = check(filled.database)
        assert (done.entries, list(done.faults), done.head) == (5, [], filled.audit.head())

    def test_is_checked_when_it_is_empty(self, store: Store) -> None:
        assert check(store.database) == Checked(0, None, ())
        store.audit.begin()
        assert check(store.database) == Checked(0, Head(0, ""), ())

    def test_has_no_gap_after_a_transaction_that_was_rolled_back(self, filled: Store) -> None:
        with suppress(ZeroDivisionError), filled.database.transaction() as connection:
            filled.audit.write_down(connection, "ana", "act", "never")
            raise ZeroDivisionError
        fill(filled, 1)
        assert [entry.number for entry in filled.audit.entries()] == [6, 5, 4, 3, 2, 1]
        assert checked(filled) == []

    def test_is_one_chain_whoever_writes_at_once(self, store: Store, ready_address: str) -> None:
        others = [open_store(ready_address, {"CONNECTOR_DATA_KEY": DATA_KEY}) for _ in range(3)]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda other: fill(other, 10), [*others, store]))
        for other in others:
            other.close()
        assert [entry.number for entry in store.audit.entries()] == list(range(40, 0, -1))
        assert checked(store) == []

    def test_is_checked_while_others_go_on_writing(self, filled: Store, ready_address: str) -> None:
        other, meanwhile = open_store(ready_address, {"CONNECTOR_DATA_KEY": DATA_KEY}), iter(range(3))

        def write(*_: object) -> None:
            for _ in meanwhile:
                fill(other, 1)

        event.listen(filled.database.engine, "before_cursor_execute", write)
        assert (checked(filled), len(filled.audit.entries())) == ([], 8)
        other.close()

    def test_stays_whole_when_the_data_key_is_changed_and_the_old_one_dropped(self, database_address: str) -> None:
        for keys in (DATA_KEY, f"{OTHER_KEY},{DATA_KEY}", OTHER_KEY):
            again = open_store(database_address, {"CONNECTOR_DATA_KEY": keys})
            list(again.rotation.steps())
            fill(again, 2)
            assert checked(again) == []
            again.close()

    def test_stays_whole_when_a_customer_is_forgotten_and_names_them_no_more(self, filled: Store) -> None:
        filled.audit.note("ana", "decide identity", "same person", customer_id=CUSTOMER, crm_ids="003H")
        before = filled.audit.head()
        filled.forget.run(CUSTOMER, "ana", "they asked for it")
        assert before is not None
        assert checked(filled, before) == []
        newest, about = filled.audit.entries(2)
        assert (newest.action, newest.reason, newest.customer_id) == ("forget", "they asked for it", about.customer_id)
        assert "forgotten:" in about.customer_id
        assert "003H" not in about.what
        assert CUSTOMER not in str(filled.audit.entries())

    def test_stays_whole_in_a_backup(self, tmp_path: Path) -> None:
        store = open_store(f"sqlite:///{tmp_path}/connector.db", {"CONNECTOR_DATA_KEY": DATA_KEY})
        fill(store)
        copy(store.database.engine, tmp_path / "copy.db", lambda share: None)
        store.close()
        kept = open_store(f"sqlite:///{tmp_path}/copy.db", {"CONNECTOR_DATA_KEY": DATA_KEY})
        fill(kept, 1)
        assert checked(kept) == []
        kept.close()


class TestTampering:
    def test_a_change_of_any_column_of_any_entry_is_detected(self, filled: Store) -> None:
        with filled.database.reading() as connection:
            kept = connection.execute(audit.select().order_by(audit.c.number)).all()
        for row, column in product(kept, COLUMNS):
            new = 77 if column in ("id", "at", "number") else "x"
            tamper(filled, f"UPDATE audit SET {column} = :new WHERE number = :n", new=new, n=row.number)
            assert row.number in {fault.number for fault in check(filled.database).faults}, column
            with filled.database.transaction() as connection:
                connection.execute(audit.delete())
                connection.execute(audit.insert(), [one._asdict() for one in kept])

    @pytest.mark.parametrize("column", ["who", "digest"])
    def test_only_the_entry_that_was_changed_is_named(self, filled: Store, column: str) -> None:
        tamper(filled, f"UPDATE audit SET {column} = 'x' WHERE number = 3")
        assert checked(filled) == [(FaultKind.CHANGED, 3)]

    @pytest.mark.parametrize("number", [1, 3])
    def test_a_removed_entry_is_named(self, filled: Store, number: int) -> None:
        tamper(filled, "DELETE FROM audit WHERE number = :n", n=number)
        assert checked(filled) == [(FaultKind.MISSING, number)]

    @pytest.mark.slow
    def test_a_tail_that_was_cut_is_named(self, filled: Store) -> None:
        tamper(filled, "DELETE FROM audit WHERE number > 3")
        assert check(filled.database).faults == (Fault(FaultKind.MISSING, 4, 0, filled.audit.entries()[0].at, 5),)

    def test_a_tail_that_was_cut_is_noticed_when_the_head_was_set_back_too(self, filled: Store) -> None:
        (third,) = [entry for entry in filled.audit.entries() if entry.number == 3]
        tamper(filled, "DELETE FROM audit WHERE number > 3")
        tamper(filled, "UPDATE audit_head SET number = 3, digest = :digest", digest=third.digest)
        assert checked(filled) == [(FaultKind.WRONG_HEAD, 3)]

    def test_an_earlier_state_of_the_whole_log_is_noticed_by_a_head_kept_elsewhere(self, filled: Store) -> None:
        with filled.database.reading() as connection:
            earlier = connection.execute(audit_head.select()).one()._asdict()
        fill(filled, 2)
        noted = filled.audit.head()
        assert noted is not None
        with filled.database.transaction() as connection:
            connection.execute(audit.delete().where(audit.c.number > 5))
            connection.execute(audit_head.update().values(earlier))
        assert checked(filled) == []
        assert checked(filled, noted) == [(FaultKind.CUT, 5)]

    def test_what_another_history_had_is_noticed_although_it_was_made_with_the_key(self, filled: Store) -> None:
        def kept(table: Any) -> list[dict[str, Any]]:
            with filled.database.reading() as connection:
                return [row._asdict() for row in connection.execute(table.select().order_by(table.c.id))]

        def put(table: Any, rows: list[dict[str, Any]]) -> None:
            with filled.database.transaction() as connection:
                connection.execute(table.delete())
                connection.execute(table.insert(), rows)

        begun, head = kept(audit), kept(audit_head)
        fill(filled, 2)
        other, other_head = kept(audit), kept(audit_head)
        put(audit, begun)
        put(audit_head, head)
        for _ in range(2):
            filled.audit.note("eve", "act", "something else")
        now = kept(audit)
        assert checked(filled) == []
        put(audit, [*now[:5], {**other[5], "id": now[5]["id"]}, now[6]])
        assert checked(filled) != []
        put(audit, now)
        put(audit_head, other_head)
        assert checked(filled) == [(FaultKind.WRONG_HEAD, 7)]

    def test_an_added_entry_between_two_numbers_is_named(self, filled: Store) -> None:
        if filled.database.engine.dialect.name != "sqlite":
            pytest.skip("PostgreSQL keeps whole numbers alone")
        values = "(99, 1, 'eve', 'act', 'x', 2.5, 'x')"
        tamper(filled, f"INSERT INTO audit (id, at, who, action, thing, number, digest) VALUES {values}")
        assert [fault.kind for fault in check(filled.database).faults] == [FaultKind.UNCHAINED]

    def test_a_head_kept_elsewhere_belongs_to_its_entry(self, filled: Store) -> None:
        assert checked(filled, Head(3, "0" * 32)) == [(FaultKind.NOT_AS_NOTED, 3)]

    def test_an_added_entry_is_named_wherever_it_is_put(self, filled: Store) -> None:
        row = "at, who, action, thing, number, digest) VALUES (1, 'eve', 'act', 'x'"
        tamper(filled, f"INSERT INTO audit ({row}, NULL, '')")
        tamper(filled, f"INSERT INTO audit ({row}, 6, 'x')")
        assert {kind for kind, _ in checked(filled)} == {FaultKind.UNCHAINED, FaultKind.CHANGED, FaultKind.WRONG_HEAD}

    def test_two_entries_that_changed_places_are_named(self, filled: Store) -> None:
        swap = "UPDATE audit SET number = CASE number WHEN 2 THEN 4 ELSE 2 END WHERE number IN (2, 4)"
        tamper(filled, swap)
        assert {number for _, number in checked(filled)} >= {2, 4}

    def test_a_head_that_was_removed_stays_noticed_though_the_log_goes_on(self, filled: Store) -> None:
        tamper(filled, "DELETE FROM audit WHERE number > 4")
        tamper(filled, "DELETE FROM audit_head")
        assert checked(filled) == [(FaultKind.WRONG_HEAD, 4)]
        fill(filled, 1)
        assert filled.audit.entries()[1].action == HEAD_LOST
        assert checked(filled) == [(FaultKind.HEAD_LOST, 5)]

    def test_a_log_that_was_made_again_says_since_when(self, filled: Store, clock: Clock) -> None:
        tamper(filled, "UPDATE audit SET number = NULL, digest = '', who = 'eve'")
        tamper(filled, "DELETE FROM audit_head")
        clock.forward(1)
        filled.audit.begin()
        assert filled.audit.entries()[0].action == BEGIN
        done = check(filled.database)
        assert (done.earlier, done.begun_at) == (5, clock())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A log of eight entries, in a file."""
    address = f"sqlite:///{tmp_path_factory.mktemp('audit')}/connector.db"
    store = open_store(address, {"CONNECTOR_DATA_KEY": DATA_KEY})
    fill(store, 8)
    tamper(store, "DELETE FROM audit WHERE FALSE")
    yield store
    store.close()


NUMBERS = st.integers(1, 8)
VALUES = st.one_of(st.integers(-(1 << 62), 1 << 62), st.text(max_size=40), st.binary(max_size=8))
PARTS = st.lists(st.sampled_from(COLUMNS[1:]), min_size=1, unique=True)
STEPS = st.one_of(
    st.tuples(st.just("change"), NUMBERS, st.sampled_from(COLUMNS), VALUES),
    st.tuples(st.just("remove"), NUMBERS),
    st.tuples(st.just("copy"), NUMBERS, st.integers(-3, 12)),
    st.tuples(st.just("exchange"), NUMBERS, NUMBERS, PARTS),
)


def rows(connection: Connection) -> dict[Any, dict[str, Any]]:
    return {row.id: row._asdict() for row in connection.execute(audit.select().order_by(audit.c.id))}


def take(connection: Connection, step: tuple[Any, ...], known: dict[Any, dict[str, Any]]) -> None:
    """Do to the log what somebody may do who has only the database."""
    match step:
        case ("change", number, column, new):
            values = {"new": new, "number": number}
            connection.execute(text(f"UPDATE OR IGNORE audit SET {column} = :new WHERE id = :number"), values)
        case ("remove", number):
            connection.execute(audit.delete().where(audit.c.id == number))
        case ("copy", number, place):
            connection.execute(audit.insert().values({**known[number], "id": 99, "number": place}))
        case ("exchange", one, other, parts):
            for mine, theirs in ((one, other), (other, one)):
                values = {name: known[theirs][name] for name in parts}
                connection.execute(audit.update().where(audit.c.id == mine).values(values))


class TestAnyTampering:
    @pytest.mark.slow
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    @given(steps=st.lists(STEPS, min_size=1, max_size=2))
    def test_whatever_is_changed_removed_added_or_exchanged_is_detected(
        self, whole: Store, steps: list[tuple[Any, ...]]
    ) -> None:
        with whole.database.transaction() as connection:
            known = rows(connection)
            with suppress(DBAPIError):  # a type this column does not take
                for step in steps:
                    take(connection, step, known)
            differs = rows(connection) != known
        try:
            assert bool(check(whole.database).faults) is differs
        finally:
            with whole.database.transaction() as connection:
                connection.execute(audit.delete())
                connection.execute(audit.insert(), list(known.values()))
