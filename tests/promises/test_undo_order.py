"""Several versions and runs one after another: what an undo gave back, and what it left to people, stays."""

from __future__ import annotations

import pytest

from connector.delivery.undoing import What
from connector.settlement.verification import Difference
from connector.store.reapplying import REAPPLY
from tests.builders import a_call, a_customer
from tests.contracts.test_pipeline import EARLIER, LANE, LATER, House, house
from tests.contracts.test_verification import found, repair, verify
from tests.promises.test_undo import LATEST, about, fetch, kept, made_by_hand, right, run_undone, undone, wrong

__all__ = ["house", "kept"]


def reapply(house: House) -> None:
    """Apply the running mapping to everybody."""
    house.clock.forward(1000)
    reapplying = house.store.reapplying
    reapplying.know_calls()
    run = house.store.runs.begin(f"r{house.clock()}", "sunrise", REAPPLY, house.route.mapping.version)
    number = reapplying.number(run.started_at)
    for part in reapplying.parts("sunrise", run.cursor):
        reapplying.make_due(part, [house.route.name], lambda destination, customer: LANE, number)
    house.store.runs.note(run.id, "", {}, ended=True)
    house.drain()


class TestTwoWrongVersions:
    @pytest.fixture
    def versions(self, kept: House) -> tuple[str, str]:
        """A person's Yuma, over which one version writes Marcus and the next one Delacroix."""
        made_by_hand(kept, city="Yuma")
        first = wrong(kept)
        kept.pass_on(a_customer(city="Mesa", updatedAt=EARLIER))
        second = wrong(kept, source="customer.lastName")
        reapply(kept)
        assert kept.person()["city"] == "Delacroix"
        right(kept)
        return first, second

    def test_are_undone_one_after_the_other(self, kept: House, versions: tuple[str, str]) -> None:
        first, second = versions
        assert about(undone(kept, first), kept) == [What.KEPT]
        assert about(undone(kept, second), kept) == [What.RESTORED]
        assert about(undone(kept, first), kept) == [What.RESTORED]
        assert kept.person()["city"] == "Yuma"

    def test_an_edit_in_between_stays(self, kept: House, versions: tuple[str, str]) -> None:
        first, second = versions
        undone(kept, second)
        kept.by_hand("change", **{kept.names["city"]: "Bonn"})
        assert about(undone(kept, first), kept) == [What.KEPT]
        assert kept.person()["city"] == "Bonn"

    def test_a_corrected_version_is_written_all_the_same(self, kept: House, versions: tuple[str, str]) -> None:
        first, second = versions
        undone(kept, second)
        undone(kept, first)
        reapply(kept)
        assert kept.person()["city"] == "Mesa"


class TestAVersionThatCameBack:
    def test_gives_back_nothing_older_than_an_edit(self, kept: House) -> None:
        made_by_hand(kept, city="Yuma")
        version = right(kept)
        kept.pass_on(a_customer(city="Mesa", updatedAt=EARLIER))
        kept.by_hand("change", **{kept.names["city"]: "Bonn"})
        wrong(kept)
        reapply(kept)
        right(kept)
        reapply(kept)
        assert about(undone(kept, version), kept) == [What.KEPT]
        assert kept.person()["city"] == "Mesa"


class TestARunThatWasUndone:
    @pytest.mark.parametrize("seen", [True, False])
    def test_is_not_written_again_by_another_version(self, kept: House, seen: bool) -> None:
        made_by_hand(kept, city="Mesa")
        right(kept)
        if seen:
            kept.pass_on(a_customer(city="Yuma", updatedAt=EARLIER))
        before = kept.person()["city"]
        fetch(kept, "r1", city="Tempe", updatedAt=LATER)
        run_undone(kept, "r1")
        assert kept.person()["city"] == before
        wrong(kept, "street", "customer.city")
        reapply(kept)
        assert kept.person()["city"] == before

    def test_lets_the_version_be_undone_as_well(self, kept: House) -> None:
        made_by_hand(kept, city="Mesa")
        version = right(kept)
        kept.pass_on(a_customer(city="Yuma", updatedAt=EARLIER))
        fetch(kept, "r1", city="Tempe", updatedAt=LATER)
        run_undone(kept, "r1")
        assert about(undone(kept, version), kept) == [What.RESTORED]
        assert kept.person()["city"] == "Mesa"


class TestAnEditThatAnUndoKept:
    @pytest.fixture
    def edited(self, kept: House) -> str:
        """A person's Bonn, which an undo found in the place of what a version wrote."""
        kept.pass_on(a_customer(city="Mesa", updatedAt=EARLIER))
        version = wrong(kept)
        kept.pass_on(a_customer(city="Mesa", updatedAt=LATER))
        kept.by_hand("change", **{kept.names["city"]: "Bonn"})
        right(kept)
        assert about(undone(kept, version), kept) == [What.KEPT]
        return version

    def test_is_not_written_over_when_the_corrected_mapping_is_applied(self, kept: House, edited: str) -> None:
        reapply(kept)
        assert kept.person()["city"] == "Bonn"
        assert about(undone(kept, edited), kept) == [What.KEPT]

    @pytest.mark.parametrize("which", ["first", "last"])
    def test_is_not_written_over_by_a_mapping_that_makes_it_of_calls(
        self, kept: House, edited: str, which: str
    ) -> None:
        kept.pass_on(a_call(a_customer(updatedAt=EARLIER), createdAt=EARLIER, disposition="Sold"))
        wrong(kept, source=f"{{{which}: call.disposition}}")
        reapply(kept)
        assert kept.person()["city"] == "Bonn"

    def test_goes_with_a_newer_event(self, kept: House, edited: str) -> None:
        kept.pass_on(a_customer(city="Tempe", updatedAt=LATEST))
        assert kept.person()["city"] == "Tempe"

    def test_is_found_and_repaired_where_that_is_wanted(self, kept: House, edited: str) -> None:
        assert [own for _, _, own, _ in found(verify(kept))] == [Difference.CHANGED]
        assert repair(kept, verify(kept), owned=True).fields == 1
        kept.drain()
        assert kept.person()["city"] == "Mesa"
