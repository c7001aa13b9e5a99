"""Planning the next batch while the CRM is waited for saves work, and changes nothing."""

from __future__ import annotations

from typing import Any

from connector.delivery.plan_ahead import PlannedAhead
from connector.delivery.reload import UNCHECKED
from connector.delivery.route import Route, Running
from connector.errors import StoreUnavailable
from connector.model import Delivery
from connector.store.tables import events
from tests.promises.stage import DESTINATION, LANE, MAPPINGS, ZONE, Stage, a_person


def crowd(stage: Stage, people: int) -> None:
    for number in range(people):
        stage.accept(f"m{number}", a_person(f"c-{number}", number, city=f"City {number}", status="Lead"))


def cities(stage: Stage) -> dict[str, str]:
    return {one["Key"]: one["City"] for one in stage.crm.records.values()}


class Exchanged(Route):
    """A route whose mapping and bar are exchanged after each look at them."""

    def __getattribute__(self, name: str) -> Any:
        value = super().__getattribute__(name)
        if name == "running":
            self.running = Running(MAPPINGS[1], None if value.barred else UNCHECKED)
        return value


class TestABatch:
    def test_begun_without_a_bar_never_sees_another_mapping_with_one(self, stage: Stage) -> None:
        stage.route = Exchanged(DESTINATION, stage.crm, Running(MAPPINGS[0]), ZONE)
        crowd(stage, 2)
        stage.deliver()
        assert [contact["Status"] for contact in stage.crm.records.values()] == ["New", "New"]

    def test_barred_never_sees_another_mapping_without_a_bar(self, stage: Stage) -> None:
        stage.route = Exchanged(DESTINATION, stage.crm, Running(MAPPINGS[0], UNCHECKED), ZONE)
        crowd(stage, 2)
        stage.deliver()
        assert (stage.crm.records, stage.lane().pause_code) == ({}, UNCHECKED.reason)


class TestTheNextBatch:
    def test_is_planned_while_the_one_before_is_written(self, stage: Stage) -> None:
        crowd(stage, 4)
        stage.deliver(batch=2)
        waiting = stage.store.inbox.due(LANE, 9)
        assert set(stage.ahead.plans) == {one.id for one in waiting}
        stage.deliver(batch=2)
        assert len(cities(stage)) == 4

    def test_is_not_looked_for_where_nothing_is_left(self, stage: Stage) -> None:
        crowd(stage, 3)
        stage.deliver(batch=4)
        assert stage.ahead.plans == {}

    def test_follows_a_mapping_exchanged_meanwhile(self, stage: Stage) -> None:
        crowd(stage, 4)
        stage.deliver(batch=2)
        stage.route.running = Running(MAPPINGS[1])
        stage.deliver(batch=2)
        assert sorted(one["Status"] for one in stage.crm.records.values()) == ["New", "New", "Open", "Open"]

    def test_holds_nobody_who_was_forgotten_meanwhile_nor_takes_the_next_person_for_them(self, stage: Stage) -> None:
        crowd(stage, 4)
        stage.deliver(batch=2)
        stage.store.forget.run("c-3", "ana")
        stage.accept("m4", a_person("c-4", 9, city="City 4"))  # SQLite gives it the id that was free again
        stage.drain()
        assert cities(stage) == {f"c-{number}": f"City {number}" for number in (0, 1, 2, 4)}

    def test_holds_nothing_whose_payload_was_removed_meanwhile(self, stage: Stage) -> None:
        crowd(stage, 4)
        stage.deliver(batch=2)
        with stage.store.database.transaction() as connection:
            connection.exec_driver_sql("UPDATE events SET payload = NULL WHERE message_id = 'm3'")
        stage.drain()
        assert set(cities(stage)) == {"c-0", "c-1", "c-2"}
        assert stage.state("m3")[0] == "dead"

    def test_reads_what_is_sent_again_because_it_could_not_be_decrypted(self, stage: Stage) -> None:
        crowd(stage, 3)
        with stage.store.database.transaction() as connection:
            connection.execute(events.update().where(events.c.message_id == "m2").values(payload=b"damaged"))
        for _ in range(2):
            stage.deliver(batch=2)
        assert stage.state("m2") == ("dead", "UNOPENABLE")
        stage.accept("m2", a_person("c-2", 2, city="City 2", status="Lead"))
        stage.drain()
        assert cities(stage)["c-2"] == "City 2"

    def test_is_planned_in_its_turn_where_the_database_could_not_be_asked(self, stage: Stage) -> None:
        def look() -> list[Delivery]:
            raise StoreUnavailable("database", "gone")

        crowd(stage, 1)
        ahead = PlannedAhead()
        with ahead.making(look, MAPPINGS[0], ZONE):
            pass
        (delivery,) = stage.store.inbox.due(LANE, 1)
        assert ahead.plan(delivery, MAPPINGS[0], ZONE).writes
