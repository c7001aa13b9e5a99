"""Repairing what people changed of a field that an undo had restored."""

from __future__ import annotations

from tests.builders import a_customer
from tests.contracts.test_pipeline import EARLIER, LATER, House, house
from tests.contracts.test_verification import found, repair, verify
from tests.promises.test_undo import kept, right, undone, wrong

__all__ = ["house", "kept"]


class TestAFieldThatAnUndoRestored:
    def test_is_repaired_with_what_the_mapping_says(self, kept: House) -> None:
        right(kept)
        kept.pass_on(a_customer(city="Mesa", updatedAt=EARLIER))
        version = wrong(kept)
        kept.pass_on(a_customer(city="Mesa", updatedAt=LATER))
        right(kept)
        undone(kept, version)
        kept.by_hand("change", **{kept.names["city"]: "Bonn"})
        assert repair(kept, verify(kept), owned=True).fields == 1
        kept.drain()
        assert (kept.person()["city"], found(verify(kept))) == ("Mesa", set())
