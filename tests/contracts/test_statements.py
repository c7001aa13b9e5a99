"""Statements are built once for all the stores of a process, and each store still asks its own clock."""

from __future__ import annotations

from connector.store import Store
from connector.store.database import open_database
from connector.store.sql import Sql, build_all, built_once
from tests.builders import DATA_KEY, DESTINATION, LANE, NOON, an_arrival
from tests.conftest import Clock


class TestStatements:
    def test_are_built_at_their_first_use_for_each_engine_and_clock(self) -> None:
        built: list[Sql] = []

        @built_once
        def build(sql: Sql) -> object:
            built.append(sql)
            return object()

        clock, another = Clock(), Clock()
        assert built == []
        assert build(Sql("sqlite", clock)) is build(Sql("sqlite", clock))
        assert build(Sql("sqlite", another)) is not build(Sql("sqlite", clock))
        assert build(Sql("postgresql", clock)) is not build(Sql("sqlite", clock))
        assert len(built) == 3

    def test_are_there_before_a_store_is_opened_in_a_fork(self) -> None:
        built: list[Sql] = []

        @built_once
        def build(sql: Sql) -> object:
            built.append(sql)
            return object()

        build_all("sqlite")
        assert build(Sql("sqlite")) is build(Sql("sqlite"))
        assert built == [Sql("sqlite")]

    def test_ask_the_clock_of_their_own_store(self, sqlite_ready: str) -> None:
        early, late = Clock(), Clock()
        late.forward(60_000)
        first, second = (
            Store(open_database(sqlite_ready, {"CONNECTOR_DATA_KEY": DATA_KEY}, clock)) for clock in (early, late)
        )
        try:
            first.lanes.open({LANE: DESTINATION})
            assert second.inbox.accept([an_arrival(received_at=NOON)]) == [True]
            lists = [len(store.inbox.listed(LANE, 10)) for store in (first, second, first)]
            early.forward(60_000)
            assert [*lists, len(first.inbox.listed(LANE, 10))] == [0, 1, 0, 1]
        finally:
            for store in (first, second):
                store.close()
