"""What the CRM filled into new records is read once for many batches, and counts as ours if nobody changed it since."""

from __future__ import annotations

import pytest

from connector.delivery.deliver import read_waiting
from connector.delivery.read_later import LONGEST, MOST, ReadLater
from connector.delivery.turn import deliver
from connector.model import Entry, Mark, RecordKey, Stamp
from connector.settlement import Remembered
from connector.store.lanes import Lease
from tests.promises.crm import BY_HAND, SINCE, Fault
from tests.promises.stage import Stage, a_person

API, PERSON = "005-api", "005-dana"


@pytest.fixture
def lease(stage: Stage) -> Lease:
    stage.crm.owner = "Api"
    stage.accept("other", a_person("c-0", 1, agentName="Ana"))  # a lane can be leased once something is due
    lease = stage.lease()
    assert lease
    deliver(stage.store, stage.route, lease, stage.pace())
    return lease


def created(stage: Stage, lease: Lease, *customers: str) -> ReadLater:
    """Create these customers without an agent, each in a batch of its own."""
    later = ReadLater()
    for customer in customers:
        stage.accept(customer, a_person(customer, 1, agentName=None))
        deliver(stage.store, stage.route, lease, stage.pace(), stage.ahead, later)
        stage.contact(customer).update(CreatedById=API, LastModifiedById=API)
    return later


def assigned(stage: Stage, lease: Lease) -> object:
    """The owner once the customer has an agent."""
    stage.accept("assigned", a_person("c-1", 9, agentName="Ben"))
    deliver(stage.store, stage.route, lease, stage.pace())
    return stage.contact()["Owner"]


class TestReading:
    def test_is_one_search_for_many_batches(self, stage: Stage, lease: Lease) -> None:
        first = stage.crm.searches
        later = created(stage, lease, "c-1", "c-2", "c-3")
        before = stage.crm.searches
        read_waiting(stage.store, stage.route, lease, stage.pace(), later)
        assert (before - first, stage.crm.searches - before, later.waiting) == (0, 1, {})

    def test_makes_what_the_crm_filled_in_ours(self, stage: Stage, lease: Lease) -> None:
        read_waiting(stage.store, stage.route, lease, stage.pace(), created(stage, lease, "c-1"))
        stage.contact()["LastModifiedDate"] = SINCE
        assert assigned(stage, lease) == "Ben"

    def test_leaves_what_somebody_else_chose_within_the_minute(self, stage: Stage, lease: Lease) -> None:
        later = created(stage, lease, "c-1")
        stage.contact().update(Owner=BY_HAND, LastModifiedById=PERSON)
        read_waiting(stage.store, stage.route, lease, stage.pace(), later)
        assert assigned(stage, lease) == BY_HAND

    def test_leaves_what_was_changed_later(self, stage: Stage, lease: Lease) -> None:
        later = created(stage, lease, "c-1")
        stage.contact().update(Owner=BY_HAND, LastModifiedDate=SINCE)
        read_waiting(stage.store, stage.route, lease, stage.pace(), later)
        assert assigned(stage, lease) == BY_HAND

    def test_that_never_happens_is_made_up_for_by_the_next_event(self, stage: Stage, lease: Lease) -> None:
        created(stage, lease, "c-1")
        assert assigned(stage, lease) == "Ben"

    def test_comes_before_a_write_that_would_hide_who_changed_the_record(self, stage: Stage, lease: Lease) -> None:
        created(stage, lease, "c-1")
        stage.accept("moved", a_person("c-1", 5, agentName=None, city="Mesa"))
        deliver(stage.store, stage.route, lease, stage.pace())
        assert (stage.contact()["LastModifiedDate"], assigned(stage, lease)) == (SINCE, "Ben")

    def test_passes_over_a_record_that_is_gone(self, stage: Stage, lease: Lease) -> None:
        later = created(stage, lease, "c-1", "c-2")
        stage.crm.records.pop(stage.contact("c-2")["Id"])
        read_waiting(stage.store, stage.route, lease, stage.pace(), later)
        assert assigned(stage, lease) == "Ben"

    def test_is_given_up_while_the_crm_cannot_be_used(self, stage: Stage, lease: Lease) -> None:
        later = created(stage, lease, "c-1")
        stage.crm.faults.append(Fault.DOWN)
        stage.accept("two", a_person("c-2", 1))
        assert not deliver(stage.store, stage.route, lease, stage.pace(), stage.ahead, later)
        assert later.waiting == {}


class TestWhenItIsDue:
    def waiting(self, many: int) -> ReadLater:
        later = ReadLater()
        entry = Entry("003", {"City": Mark(Stamp(1, ""), "d")}, unread=("Owner",))
        keys = (RecordKey("Contact", "Key", f"c-{number}") for number in range(many))
        later.add([Remembered(key, entry, "c", 1, created=True) for key in keys], now=10.0)
        return later

    def test_is_once_as_many_wait_as_a_call_shows(self) -> None:
        assert [self.waiting(many).is_due(10.0) for many in (0, MOST - 1, MOST)] == [False, False, True]

    def test_is_once_the_oldest_has_waited_long(self) -> None:
        later = self.waiting(1)
        assert [later.is_due(10.0 + seconds) for seconds in (LONGEST, LONGEST + 1)] == [False, True]

    def test_is_never_for_records_that_the_crm_did_not_create(self) -> None:
        later = ReadLater()
        entry = Entry("003", unread=("Owner",))
        later.add([Remembered(RecordKey("Contact", "Key", "c"), entry, "c", 1)], now=0.0)
        assert later.waiting == {}
