"""What may have been created in a history that was lost is searched for before it is created."""

from __future__ import annotations

import pytest

from connector.backoff import HOUR
from connector.delivery.uncertain import perhaps_created
from connector.model import Entry, RecordKey, Stamp, Write
from connector.settlement.gaps import Doubt

KEY = RecordKey("calls", "carecycle_call_id", "call-1")
DOUBT = Doubt(at=10 * HOUR, lost_until=9 * HOUR)


def a_write(at: int, *, unique: bool = False) -> Write:
    return Write("call", KEY, Stamp(at, ""), unique=unique)


@pytest.mark.parametrize("at", [8 * HOUR, 10 * HOUR])
def test_a_record_without_a_unique_key_may_have_been_created_before_the_restore(at: int) -> None:
    assert perhaps_created([a_write(at)], {}, DOUBT) == {KEY: Entry(creating=9 * HOUR)}


def test_what_is_later_than_the_restore_is_new() -> None:
    assert perhaps_created([a_write(12 * HOUR)], {}, DOUBT) == {}


def test_a_unique_key_needs_no_search() -> None:
    assert perhaps_created([a_write(8 * HOUR, unique=True)], {}, DOUBT) == {}


def test_what_the_ledger_knows_is_known() -> None:
    known = {KEY: Entry("7")}
    assert perhaps_created([a_write(8 * HOUR)], known, DOUBT) == known


def test_without_a_restore_nothing_is_searched_for() -> None:
    assert perhaps_created([a_write(8 * HOUR)], {}, None) == {}
