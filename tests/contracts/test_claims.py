"""A CRM record belongs to one key of the ledger, whoever asks for it, in whatever order and from how many workers."""

from __future__ import annotations

import itertools
import threading

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, select

from connector.model import Entry, Mark, RecordKey, Stamp
from connector.settlement import Claim, Remembered, Settlement
from connector.store import Store
from connector.store.database import open_database
from connector.store.lanes import Lease
from connector.store.tables import claims
from tests.builders import DATA_KEY
from tests.promises.stage import DESTINATION, HOLD

A, B = (RecordKey("Contact", "Key", value) for value in "ab")
OTHER_FIELD = RecordKey("Contact", "Email", "a@example.com")
MARKS = {"City": Mark(Stamp(1, "a"), "d")}


def leased(store: Store, destination: str = DESTINATION) -> Lease:
    """A lease of a lane, whether or not anything is due there."""
    lane = f"{destination}/0"
    store.lanes.open({lane: destination})
    with store.database.transaction() as connection:
        connection.exec_driver_sql(f"UPDATE lanes SET token = 't', leased_until = 9e15 WHERE name = '{lane}'")
    return Lease(lane, destination, "t")


def remembered(key: RecordKey, crm_id: str | None, customer: str | None = None, *, new: bool = True) -> Remembered:
    return Remembered(key, Entry(crm_id, MARKS), customer or f"customer {key.value}", 1, new=new)


def settle(store: Store, *entries: Remembered, released: tuple[Claim, ...] = (), lease: Lease | None = None) -> None:
    settlement = Settlement("v", remembered=entries, released=released)
    store.lanes.settle(lease or leased(store), settlement, HOLD)


def ids(store: Store, *keys: RecordKey, destination: str = DESTINATION) -> list[str | None]:
    entries = store.ledger.entries(destination, keys)
    return [entries.get(key, Entry()).crm_id for key in keys]


def wanted(key: RecordKey, crm_id: str, customer: str | None = None) -> Claim:
    return Claim(key, crm_id, customer or f"customer {key.value}")


class TestAClaim:
    def test_is_the_firsts(self, store: Store) -> None:
        assert store.ledger.claim(DESTINATION, [wanted(A, "R")]) == set()
        assert store.ledger.claim(DESTINATION, [wanted(B, "R"), wanted(B, "S")]) == {wanted(B, "R")}

    def test_is_made_again_by_whoever_has_it(self, store: Store) -> None:
        store.ledger.claim(DESTINATION, [wanted(A, "R")])
        assert store.ledger.claim(DESTINATION, [wanted(A, "R")]) == set()
        assert store.ledger.taken(DESTINATION, [wanted(A, "R"), wanted(B, "R")]) == {wanted(B, "R")}

    def test_of_two_keys_at_once_is_the_firsts(self, store: Store) -> None:
        assert store.ledger.claim(DESTINATION, [wanted(B, "R"), wanted(A, "R")]) == {wanted(A, "R")}

    def test_is_of_one_object_in_one_destination(self, store: Store) -> None:
        store.ledger.claim(DESTINATION, [wanted(A, "R")])
        lead = RecordKey("Lead", "Key", "b")
        assert store.ledger.claim(DESTINATION, [wanted(lead, "R")]) == set()
        assert store.ledger.claim("sunrise/other", [wanted(B, "R")]) == set()

    def test_stays_with_a_customer_whose_mapping_changes_its_key(self, store: Store) -> None:
        settle(store, remembered(A, "R", "c-1"))
        assert store.ledger.claim(DESTINATION, [wanted(OTHER_FIELD, "R", "c-1")]) == set()
        settle(store, remembered(OTHER_FIELD, "R", "c-1"))
        assert ids(store, A, OTHER_FIELD) == ["R", "R"]
        assert store.ledger.taken(DESTINATION, [wanted(B, "R", "c-2")])

    def test_is_not_shared_by_two_calls_of_a_customer(self, store: Store) -> None:
        store.ledger.claim(DESTINATION, [wanted(A, "R", "c-1")])
        assert store.ledger.claim(DESTINATION, [wanted(B, "R", "c-1")])


class TestTwoWorkers:
    def test_that_claim_the_same_records_at_once_get_each_record_once(self, ready_address: str) -> None:
        stores = [Store(open_database(ready_address, {"CONNECTOR_DATA_KEY": DATA_KEY})) for _ in range(2)]
        records = [f"R{n}" for n in range(40)]
        refused: list[set[str]] = [set(), set()]
        start = threading.Barrier(2)

        def claim(worker: int) -> None:
            mine = [RecordKey("Contact", "Key", f"{worker} {record}") for record in records]
            order = list(zip(mine, records, strict=True))[:: 1 if worker else -1]
            start.wait(60)
            for n in range(0, len(order), 10):
                asked = [wanted(key, crm_id) for key, crm_id in order[n : n + 10]]
                refused[worker] |= {claim.crm_id for claim in stores[worker].ledger.claim(DESTINATION, asked)}

        threads = [threading.Thread(target=claim, args=(worker,)) for worker in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for store in stores:
            store.close()
        assert refused[0].isdisjoint(refused[1])
        assert refused[0] | refused[1] == set(records)


class TestSettling:
    def test_gives_a_record_to_the_key_under_which_the_crm_has_it(self, store: Store) -> None:
        settle(store, remembered(A, "R"))
        settle(store, remembered(B, "R"))  # somebody changed the key in the CRM
        assert ids(store, A, B) == [None, "R"]

    def test_of_two_keys_with_one_record_stops_nothing(self, store: Store) -> None:
        settle(store, remembered(A, "R"), remembered(B, "R"))
        assert ids(store, A, B) == ["R", None]

    def test_has_whoever_lost_a_record_look_for_another_before_it_is_written(self, store: Store) -> None:
        settle(store, remembered(A, "R"))
        settle(store, remembered(B, "R"))
        assert store.ledger.entries(DESTINATION, [A])[A] == Entry(creating=0)

    def test_lets_go_of_a_record_that_is_no_longer_the_keys(self, store: Store) -> None:
        settle(store, remembered(A, "R"))
        settle(store, remembered(A, "S"), released=(wanted(A, "R"),))
        assert store.ledger.claim(DESTINATION, [wanted(B, "R"), wanted(B, "S")]) == {wanted(B, "S")}

    def test_lets_go_of_no_record_that_is_anothers_by_now(self, store: Store) -> None:
        settle(store, remembered(A, "R"))
        settle(store, released=(wanted(B, "R"),))
        assert store.ledger.taken(DESTINATION, [wanted(B, "R")])

    def test_lets_go_of_what_the_crm_no_longer_has(self, store: Store) -> None:
        settle(store, remembered(A, "R"))
        store.lanes.settle(leased(store), Settlement("v", gone=[("Contact", "R")]), HOLD)
        assert store.ledger.claim(DESTINATION, [wanted(B, "R")]) == set()

    def test_makes_no_statement_about_claims_where_no_record_is_new(self, store: Store) -> None:
        settle(store, remembered(A, "R"))
        made: list[str] = []
        event.listen(store.database.engine, "before_cursor_execute", lambda *given: made.append(given[2]))
        settle(store, remembered(A, "R", new=False))
        assert made
        assert not [statement for statement in made if "claims" in statement]


class TestTheOptOutsOfACustomer:
    def test_no_longer_go_to_a_record_that_is_anothers(self, store: Store) -> None:
        settle(store, remembered(A, "R"))
        assert [known.crm_id for known in store.ledger.records_of(DESTINATION, ["customer a"])] == ["R"]
        settle(store, remembered(B, "R"))
        assert store.ledger.records_of(DESTINATION, ["customer a"]) == []
        assert [known.entry.crm_id for known in store.trail.records("customer a")] == [None]


class TestForgetting:
    def test_takes_a_customers_claims(self, store: Store) -> None:
        settle(store, remembered(A, "R"), remembered(B, "S"))
        store.forget.run("customer a", "tester")
        with store.database.reading() as connection:
            assert list(connection.execute(select(claims.c.crm_id)).scalars()) == ["S"]


KEYS, RECORDS = st.integers(0, 3), st.integers(0, 2)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["adopt", "adopt and fail", "create", "lose", "forget"]),
        st.lists(
            st.tuples(st.integers(0, 3), st.integers(0, 2)), min_size=1, max_size=3, unique_by=lambda pair: pair[0]
        ),
    ),
    max_size=12,
)
NAMES = itertools.count(1)


class TestWhateverHappens:
    @pytest.mark.slow
    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
    @given(STEPS)
    def test_no_two_keys_have_one_record(self, store: Store, steps: list[tuple[str, list[tuple[int, int]]]]) -> None:
        """Each step is a batch of (key, record): adopted, created under a key, lost or forgotten."""
        destination = f"sunrise/{next(NAMES)}"
        lease = leased(store, destination)
        keys = [RecordKey("Contact", "Key", f"{destination} {n}") for n in range(4)]
        for action, pairs in steps:
            asked = [wanted(keys[key], f"R{record}") for key, record in pairs]
            match action:
                case "adopt" | "adopt and fail":
                    others = store.ledger.claim(destination, asked)
                    adopted = [remembered(mine.key, mine.crm_id) for mine in asked if mine not in others]
                    settle(store, *(adopted if action == "adopt" else ()), lease=lease)
                case "create":
                    settle(store, *(remembered(mine.key, mine.crm_id) for mine in asked), lease=lease)
                case "lose":
                    gone = tuple(
                        mine for mine in asked if ids(store, mine.key, destination=destination) == [mine.crm_id]
                    )
                    void = (remembered(mine.key, None, new=False) for mine in gone)
                    settle(store, *void, released=gone, lease=lease)
                case "forget":
                    store.forget.run(asked[0].customer_id or "", "tester")
            known = [crm_id for crm_id in ids(store, *keys, destination=destination) if crm_id]
            assert len(known) == len(set(known))
