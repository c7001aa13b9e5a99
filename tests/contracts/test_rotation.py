"""Changing the data key, over both databases."""

from __future__ import annotations

import base64

import pytest
from sqlalchemy import update

from connector.errors import FixConfiguration
from connector.model import Entry, RecordKey, Stamp
from connector.settlement import Remembered
from connector.settlement.previous import Before
from connector.store import Store
from connector.store.database import open_database
from connector.store.previous import Whose
from connector.store.rotation import STEP
from connector.store.seal import Seal
from connector.store.tables import events
from tests.builders import DATA_KEY, a_customer, an_arrival

NEW_KEY = base64.b64encode(b"n" * 32).decode()
BOTH = f"{NEW_KEY},{DATA_KEY}"


def opened(address: str, keys: str) -> Store:
    return Store(open_database(address, {"CONNECTOR_DATA_KEY": keys}))


@pytest.fixture
def rotating(database_address: str) -> Store:
    """More than one step of payloads under the old key, one under the new, one purged; both keys given."""
    old = opened(database_address, DATA_KEY)
    old.inbox.accept([an_arrival(f"old_{n:03d}") for n in range(STEP + 2)])
    old.close()
    store = opened(database_address, BOTH)
    store.inbox.accept([an_arrival("new")])
    return store


class TestRotation:
    def test_it_goes_in_steps_until_nothing_is_left(self, rotating: Store) -> None:
        steps, again = list(rotating.rotation.steps()), list(rotating.rotation.steps())
        rotating.close()
        assert (steps, again) == ([(STEP, 0), (2, 0)], [])

    def test_the_old_key_is_needed_until_the_end_and_then_no_more(self, rotating: Store) -> None:
        told = [[(one.needed, one.payloads) for one in rotating.rotation.uses()] for _ in rotating.rotation.steps()]
        rotating.close()
        assert told == [[(True, STEP + 1), (True, 2)], [(True, STEP + 3), (False, 0)]]

    def test_afterwards_the_new_key_alone_opens_everything(self, rotating: Store, database_address: str) -> None:
        digest = rotating.database.digest("x")
        list(rotating.rotation.steps())
        rotating.close()
        store = opened(database_address, NEW_KEY)
        assert store.desk.payload("old_001") == a_customer()
        assert store.database.digest("x") == digest  # the ledger still knows what was written
        store.close()

    def test_stopped_half_way_both_keys_still_open_everything(self, rotating: Store, database_address: str) -> None:
        next(rotating.rotation.steps())
        rotating.close()
        store = opened(database_address, BOTH)
        assert {len(store.desk.payload(one)) for one in ("old_000", f"old_{STEP + 1}", "new")} == {len(a_customer())}
        store.close()

    def test_what_cannot_be_decrypted_is_left_alone_and_counted(self, rotating: Store, database_address: str) -> None:
        next(rotating.rotation.steps())
        rotating.close()
        store = opened(database_address, NEW_KEY)
        assert [(one.given, one.payloads) for one in store.rotation.uses()] == [(True, STEP + 1), (False, 2)]
        assert list(store.rotation.steps()) == [(0, 2)]
        store.close()
        both = opened(database_address, BOTH)
        assert list(both.rotation.steps()) == [(2, 0)]
        both.close()

    def test_a_changed_payload_does_not_stop_it(self, rotating: Store) -> None:
        with rotating.database.transaction() as connection:
            connection.execute(update(events).where(events.c.message_id == "old_001").values(payload=b"changed"))
        steps = list(rotating.rotation.steps())
        rotating.close()
        assert (sum(step.done for step in steps), sum(step.left for step in steps)) == (STEP + 1, 1)

    def test_a_database_whose_own_key_is_missing_is_not_opened(self, rotating: Store, database_address: str) -> None:
        list(rotating.rotation.steps())
        rotating.close()
        with pytest.raises(FixConfiguration, match=f"lacks the key {Seal([b'n' * 32]).active.hex()}"):
            opened(database_address, DATA_KEY)


class TestFormerValues:
    def test_what_an_undo_needs_is_encrypted_again_and_holds_the_old_key_until_then(
        self, database_address: str
    ) -> None:
        key = RecordKey("Contact", "Id", "c-1")
        before = Before("v1", {"City": Stamp(1, "")}, "003A", values={"City": "Yuma"})
        old = opened(database_address, DATA_KEY)
        rows = old.lanes.previous.rows("sunrise/crm", [Remembered(key, Entry("003A"), "c-1", 1, before=before)])
        with old.database.transaction() as connection:
            old.lanes.previous.keep(connection, rows)
        old.close()
        store = opened(database_address, BOTH)
        needed = [use.needed for use in store.rotation.uses()]
        list(store.rotation.steps())
        store.close()
        assert needed == [True, True]
        renewed = opened(database_address, NEW_KEY)
        (former,) = renewed.lanes.previous.page("sunrise/crm", Whose("v1"), ("", ""), 9)
        renewed.close()
        assert former.kept[0].before.values == {"City": "Yuma"}
