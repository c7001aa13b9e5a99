"""What the console shows before the dead letters of one cause are replayed."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.destinations import VENDORS
from connector.insight.accounts import Account
from connector.insight.problems import Cause, ReplayPreview, find_causes, preview_replay
from connector.mapping import load, shipped_folder
from connector.mapping.target import TargetSchema
from connector.settlement import AttemptOutcome, DeliveryState, Refusal, Settled, Settlement
from connector.store import Store
from connector.store.inbox import Owed
from tests.builders import a_customer, an_arrival
from tests.contracts.test_pipeline import DESTINATION, LANE, House, house
from tests.contracts.test_why import shipped

__all__ = ["house"]


@pytest.fixture
def own(house: House, tmp_path: Path) -> Path:
    """The mapping's file: it says nothing of its own yet."""
    path = tmp_path / "own.yaml"
    path.write_text(f"extends: {shipped(house)}\n")
    return path


def account(house: House, own: Path, schema: TargetSchema | None = None) -> Account:
    return Account(
        DESTINATION,
        "America/New_York",
        lambda known: load(own, schema=known, shipped=shipped_folder(), crms=VENDORS),
        lambda: schema,
        lambda: house.route.destination,
    )


def refuse(store: Store, version: str, field: str) -> Cause:
    """Two customers refused for one field, under a version of the mapping."""
    for customer in ("one", "two"):
        payload = a_customer(id=customer, city="Mesa")
        store.inbox.accept([an_arrival("", payload, customer_id=customer, owed=(Owed(DESTINATION, LANE),))])
    lease = store.lanes.lease("worker", [LANE], 60_000)
    assert lease is not None
    why = Refusal("BAD_VALUE", "the field is bad", fields=(field,))
    dead = [Settled(one.id, DeliveryState.DEAD, AttemptOutcome.DEAD, why) for one in store.inbox.due(LANE, 9)]
    store.lanes.settle(lease, Settlement(version, dead), 60_000)
    (cause,) = find_causes(store)
    return cause


def preview(house: House, account: Account, cause: Cause) -> ReplayPreview:
    shown = preview_replay(house.store, account, cause)
    assert shown is not None
    return shown


class TestReplayPreview:
    def test_under_the_same_mapping_they_would_go_out_as_they_were(self, house: House, own: Path) -> None:
        here = account(house, own)
        assert here.mapping is not None
        shown = preview(house, here, refuse(house.store, here.mapping.version, house.names["city"]))
        assert (shown.of, shown.same, shown.passing) == (2, 2, 0)

    def test_a_fixed_mapping_that_drops_the_field_would_pass(self, house: House, own: Path) -> None:
        cause = refuse(house.store, "another", house.names["city"])
        own.write_text(f"extends: {shipped(house)}\nrecords: {{contact: {{remove: [{house.names['city']}]}}}}\n")
        shown = preview(house, account(house, own), cause)
        assert (shown.of, shown.passing, shown.sending) == (2, 2, 0)

    def test_one_that_still_sends_the_field_is_counted_separately(self, house: House, own: Path) -> None:
        cause = refuse(house.store, "another", house.names["city"])
        shown = preview(house, account(house, own), cause)
        assert (shown.passing, shown.sending) == (2, 2)

    def test_a_purged_one_cannot_be_written(self, house: House, own: Path) -> None:
        cause = refuse(house.store, "another", house.names["city"])
        with house.store.database.transaction() as connection:
            connection.exec_driver_sql("UPDATE events SET payload = NULL")
        shown = preview(house, account(house, own), cause)
        assert (shown.purged, shown.passing) == (2, 0)

    def test_nothing_is_written_anywhere(self, house: House, own: Path) -> None:
        cause = refuse(house.store, "another", house.names["city"])
        preview(house, account(house, own), cause)
        assert house.people() == []
        assert find_causes(house.store) == [cause]

    def test_a_mapping_that_never_loaded_has_no_preview(self, house: House, own: Path) -> None:
        cause = refuse(house.store, "another", house.names["city"])
        own.write_text("crm: [")
        assert preview_replay(house.store, account(house, own), cause) is None
