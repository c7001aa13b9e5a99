"""The ledger's entries as text: every version reads back."""

from __future__ import annotations

import json
from dataclasses import replace

from connector.model import Entry, Mark, Stamp
from connector.store.entries import entry_as_text, read_entry

MARK = Mark(Stamp(7, "a"), "d")
WHOLE = Entry("003", {"Phone": MARK}, {"Call": MARK}, {"Owner": {"x": Stamp(8, "b")}}, MARK, 9, unread=("Owner",))


class TestEntries:
    def test_an_entry_reads_back_as_it_was(self) -> None:
        assert read_entry("003", entry_as_text(WHOLE)) == WHOLE

    def test_an_empty_entry_reads_back_empty(self) -> None:
        assert read_entry(None, entry_as_text(Entry())) == Entry()

    def test_the_first_version_told_marks_apart_by_their_names(self) -> None:
        mark = [7, "a", "d"]
        old = {"Phone": mark, "@link Call": mark, "@meant Owner x": [8, "b", "x"], "@unsubscribed": mark}
        assert read_entry("003", json.dumps({**old, "@creating": [9, "", ""]})) == replace(WHOLE, unread=())

    def test_a_field_of_the_first_version_may_be_named_v(self) -> None:
        assert read_entry(None, json.dumps({"v": [7, "a", "d"]})) == Entry(None, {"v": MARK})
