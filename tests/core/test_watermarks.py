"""How values compare with what the ledger remembers by another clock."""

from __future__ import annotations

import pytest

from connector.delivery.authors import TAKEN_BACK
from connector.delivery.clocks import by_their_clocks
from connector.model import OLDEST, Entry, FieldWrite, Mark, RecordKey, Stamp, Write
from connector.settlement.previous import KEPT

KEY = RecordKey("Contact", "Key", "c-1")
CALL = Stamp(1_000, "abc")
FIRST = Mark(CALL.turned, "digest", "v1")


def seen(mark: Mark, stamp: Stamp) -> Mark:
    write = Write("contact", KEY, CALL, {"Field": FieldWrite("new", stamp)})
    return by_their_clocks({KEY: Entry("003", {"Field": mark})}, [write])[KEY].fields["Field"]


class TestTheMarkOfAFirstValue:
    def test_is_older_than_what_is_written_by_another_clock(self) -> None:
        mark = seen(FIRST, Stamp(1, ""))
        assert (mark.stamp < OLDEST, mark.digest, mark.by) == (True, "digest", "v1")

    @pytest.mark.parametrize("stamp", [Stamp(2_000, "b").turned, OLDEST], ids=["first", "made up"])
    def test_stays_for_its_own_clock_and_for_what_has_none(self, stamp: Stamp) -> None:
        assert seen(FIRST, stamp) == FIRST

    @pytest.mark.parametrize("turn", [TAKEN_BACK, KEPT])
    def test_holds_back_what_an_undo_took_back(self, turn: str) -> None:
        undone = Mark(Stamp(FIRST.stamp.at + 1, ""), "", "v1", turn)
        assert seen(undone, CALL).stamp > CALL
        assert seen(undone, Stamp(1_002, "b")).stamp < Stamp(1_002, "b")


class TestATieBreak:
    FETCHED = Stamp(1, "!f2a482b089cb")
    """As long as they come."""

    def test_fits_the_database_whatever_it_says(self) -> None:
        again = self.FETCHED.after(4_000)
        marks = [again, self.FETCHED.covering(None, self.FETCHED), self.FETCHED.covering(again, again)]
        assert [len(mark.tie) for mark in marks] == [16, 16, 16]
