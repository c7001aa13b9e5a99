"""A replay delivers again and never takes a record back, on both databases."""

from __future__ import annotations

from dataclasses import replace

from connector.delivery.route import Running
from connector.settlement import DeliveryState, Refusal
from connector.store.desk import Filter
from tests.promises.crm import REFUSED
from tests.promises.stage import HOLD, MAPPINGS, Stage, a_person, a_talk

STORY = [
    ("early", a_person("c-1", 1, city="Oslo", county="Viken")),
    ("late", a_person("c-1", 9, city="Rome", county=None)),
    ("call", a_talk("t-1", a_person("c-1", 5, city="Bonn"), 5)),
    ("opt-out", a_person("c-2", 3, doNotCall=True)),
]


def told(stage: Stage) -> None:
    """Everything delivered, and the lane free again."""
    stage.live(STORY)
    stage.clock.forward(HOLD)


def replay(stage: Stage, **wanted: str) -> None:
    stage.store.desk.replay(Filter(**wanted), "ana")  # type: ignore[arg-type]  # the test names words alone
    stage.drain()


class TestReplaying:
    def test_all_that_was_delivered_leaves_the_crm_as_it_was(self, stage: Stage) -> None:
        told(stage)
        before, writes = dict(stage.crm.records), len(stage.crm.writes)
        for state in ("delivered", "superseded", "skipped"):
            replay(stage, state=state)
        assert (stage.crm.records, len(stage.crm.writes), stage.crm.broken) == (before, writes, [])

    def test_an_older_event_does_not_come_back(self, stage: Stage) -> None:
        told(stage)
        replay(stage, message_id="early", state="delivered")
        assert stage.state("early") == ("superseded", "SUPERSEDED")
        assert stage.contact()["City"] == "Rome"

    def test_a_new_mapping_reaches_what_was_delivered_before_it(self, stage: Stage) -> None:
        told(stage)
        stage.route.running = Running(MAPPINGS[1])
        replay(stage, state="delivered")
        assert (stage.contact()["Status"], stage.contact()["City"]) == ("Open", "Rome")

    def test_a_dead_letter_older_than_what_followed_fills_only_what_nobody_said(self, stage: Stage) -> None:
        stage.accept("refused", a_person("c-1", 1, city=REFUSED, county="Viken"))
        stage.drain()
        stage.accept("later", a_person("c-1", 9, city="Rome", county="Lazio"))
        stage.drain()
        replay(stage, message_id="refused")
        assert (stage.state("refused")[0], stage.contact()["City"]) == ("superseded", "Rome")

    def test_of_fields_left_out_sends_them_where_a_newer_event_of_the_batch_lacks_them(self, stage: Stage) -> None:
        stage.crm.unwritable.add("Status")
        stage.accept("one", a_person("c-1", 1))
        stage.accept("two", a_person("c-1", 2, status="Inactive", doNotCall=True))  # left out but for its opt-out
        stage.drain()
        stage.crm.unwritable.clear()
        replay(stage, state="delivered", left_out="INVALID_FIELD")
        assert (stage.contact().get("Status"), stage.store.open_items.fields()) == ("New", [])

    def test_the_same_event_resent_by_carecycle_revives_a_dead_delivery(self, stage: Stage) -> None:
        stage.accept("one", a_person("c-1", 1, city=REFUSED))
        stage.drain()
        stage.crm.strict = False
        assert stage.accept("one", a_person("c-1", 1, city=REFUSED)) is False
        stage.drain()
        assert stage.state("one")[0] == "delivered"

    def test_what_an_older_version_could_not_read_is_read_now(self, stage: Stage) -> None:
        unread = {"type": "", "customer_id": None, "state": DeliveryState.DEAD, "why": Refusal("E210")}
        stage.store.inbox.accept([replace(stage.arrival("one", a_person("c-1", 1, city="Rome")), **unread)])
        replay(stage, code="E210")
        assert (stage.state("one"), stage.contact()["City"]) == (("delivered", ""), "Rome")
