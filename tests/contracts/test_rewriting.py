"""What an earlier version stored is rewritten while events come: nothing is sent twice, and a kill loses nothing."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import delete, select, text, update

from connector.errors import StoreUnavailable
from connector.model import Entry, Mark, RecordKey, Stamp
from connector.settlement import Claim, Remembered
from connector.store import Store
from connector.store.database import open_database
from connector.store.entries import entry_as_text, read_entry
from connector.store.rewriting import STEP
from connector.store.running_tables import rewritings
from connector.store.tables import claims, ledger
from tests.builders import DATA_KEY
from tests.conftest import Clock
from tests.contracts.test_migrations import Kept
from tests.promises.stage import DESTINATION, HOLD, a_person, a_talk, open_stage

ROOT = Path(__file__).parents[2]
MANY = 3 * STEP
PEOPLE = [f"c-{number}" for number in range(20)]
STORY = [(f"m-{person}", a_person(person, 1, city="Tucson", doNotSMS=True)) for person in PEOPLE]
STORY += [(f"t-{person}", a_talk(f"call-{person}", a_person(person, 1, city="Tucson"), 2)) for person in PEOPLE]
KEYED = ("ledger", "claims", "open_items", "counted_calls", "previous_values", "questions", "verifications")


def some_key(number: int) -> RecordKey:
    return RecordKey("Contact", "Key", f"x-{number}")


def fill(store: Store) -> None:
    """More records than a start rewrites: each has a box that is checked or not."""
    digest = store.database.digest
    known = [
        Remembered(
            some_key(number),
            Entry(f"R{number}", {"Box": Mark(Stamp(1, "a"), digest("true" if number % 3 else "false"))}),
            f"x-{number}",
            1,
            new=True,
        )
        for number in range(MANY)
    ]
    with store.database.transaction() as connection:
        store.ledger.remember(connection, store.ledger.rows(DESTINATION, known))
        own = [Claim(some.key, some.entry.crm_id or "", some.customer_id) for some in known]
        store.ledger.claims.keep(connection, store.ledger.claims.rows(DESTINATION, own))


def as_earlier(store: Store, keys: list[RecordKey]) -> None:
    """Put the rows back as an earlier version had them."""
    database = store.database
    cover = database.cover
    before = {
        store.ledger.key_digest(DESTINATION, key): database.digest(f"{key.field}={key.folded}", size=16) for key in keys
    }
    with database.transaction() as connection:
        for row in connection.execute(select(ledger)).all():
            data = json.loads(entry_as_text(read_entry(row.crm_id, row.marks, cover)))
            data["v"] = 2
            data["meant"] = {name: {d: rest for d, *rest in own} for name, own in data.pop("meant", {}).items()}
            mine = (ledger.c.destination == row.destination, ledger.c.object == row.object, ledger.c.key == row.key)
            connection.execute(update(ledger).where(*mine).values(marks=json.dumps(data)))
        for row in connection.execute(text("SELECT * FROM open_items")).all():
            plain = {"d": cover.uncovered(row.digest, row.key, row.field), "k": row.key, "f": row.field}
            connection.execute(text("UPDATE open_items SET digest = :d WHERE key = :k AND field = :f"), plain)
        for row in connection.execute(text("SELECT * FROM counted_calls")).all():
            calls = {f"call-{person}": database.digest(f"call call-{person}", size=16) for person in PEOPLE}
            named = {cover.call(row.key, row.field, earlier): earlier for earlier in calls.values()}
            plain = {"new": named[row.call], "call": row.call}
            connection.execute(text("UPDATE counted_calls SET call = :new WHERE call = :call"), plain)
        for row in connection.execute(text("SELECT * FROM previous_values")).all():
            content = database.seal.open(row.sealed, f"previous/{row.object}/{row.key}/{row.version}")
            sealed = database.seal.close(content, f"previous/{row.object}/{before[row.key]}/{row.version}")
            again = {"sealed": sealed, "id": row.id}
            connection.execute(text("UPDATE previous_values SET sealed = :sealed WHERE id = :id"), again)
        for table in KEYED:
            for new in connection.execute(text(f"SELECT DISTINCT key FROM {table}")).scalars().all():
                renamed = {"new": before[new], "key": new}
                connection.execute(text(f"UPDATE {table} SET key = :new WHERE key = :key"), renamed)
        connection.execute(delete(rewritings))


def all_keys() -> list[RecordKey]:
    objects = [RecordKey(kind, "Key", f"{start}{person}") for kind in ("Contact", "Call", "Task") for person in PEOPLE
               for start in ("", "call-")]  # fmt: skip
    return [*map(some_key, range(MANY)), *objects]


class Earlier(Kept):
    """A stage on what an earlier version left. known: what its ledger had."""

    known: dict[RecordKey, Entry]


@pytest.fixture
def earlier(database_address: str, clock: Clock) -> Iterator[Earlier]:
    """A stage whose database has the rows of an earlier version, of which the start rewrote a few."""
    with open_stage(database_address, clock) as stage:
        for message_id, payload in STORY:
            stage.accept(message_id, payload)
        stage.drain()
        fill(stage.store)
        known = stage.store.ledger.entries(DESTINATION, all_keys())
        as_earlier(stage.store, all_keys())
        crm = stage.crm
    store = Store(open_database(database_address, {"CONNECTOR_DATA_KEY": DATA_KEY}, clock))
    again = Earlier(store, clock)
    again.crm, again.known = crm, known
    again.route = again.served()
    yield again
    store.close()


def old_rows(store: Store) -> int:
    with store.database.reading() as connection:
        return sum(
            connection.execute(text(f"SELECT count(*) FROM {table} WHERE key < 'g'")).scalar_one() for table in KEYED
        )


STEPS = """\
import sys
from connector.store import Store
from connector.store.database import open_database
from tests.conftest import Clock
clock = Clock()
clock.now = int(sys.argv[3])
store = Store(open_database(sys.argv[1], {"CONNECTOR_DATA_KEY": sys.argv[2]}, clock))
for _ in store.rewriting.steps():
    print("step", flush=True)
    sys.stdin.readline()
"""


def killed_half_way(address: str, clock: Clock) -> None:
    """Let a process rewrite one step, and kill it in the next."""
    with subprocess.Popen(
        [sys.executable, "-c", STEPS, address, DATA_KEY, str(clock())],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "step\n"
        process.stdin.write("\n")
        process.stdin.flush()
        process.send_signal(signal.SIGKILL)


class TestRewriting:
    def test_goes_on_after_a_kill_and_ends_with_what_was_known(
        self, earlier: Earlier, database_address: str, clock: Clock
    ) -> None:
        store = earlier.store
        left = store.rewriting.left()
        assert 0 < old_rows(store) <= left
        killed_half_way(database_address, clock)
        assert 0 < store.rewriting.left() < left
        assert sum(store.rewriting.steps()) > 0
        assert (store.rewriting.is_done(), store.rewriting.left(), old_rows(store)) == (True, 0, 0)
        assert store.ledger.entries(DESTINATION, all_keys()) == earlier.known

    @pytest.mark.slow
    def test_accepts_events_and_delivers_none_until_it_is_done(self, earlier: Earlier) -> None:
        assert earlier.accept("new", a_person("c-0", 9, city="Mesa"))
        assert not earlier.deliver()
        with pytest.raises(StoreUnavailable, match="being rewritten"):
            earlier.store.ledger.entries(DESTINATION, [some_key(1)])
        for number, _ in enumerate(earlier.store.rewriting.steps()):
            assert earlier.accept(f"during {number}", a_person("c-1", 10 + number, city="Mesa"))
        earlier.drain()
        assert {earlier.state(message)[0] for message in ("new", "during 0")} <= {"delivered", "superseded"}
        assert (earlier.contact("c-0")["City"], earlier.contact("c-1")["City"]) == ("Mesa", "Mesa")

    @pytest.mark.slow
    def test_makes_nothing_be_sent_again(self, earlier: Earlier) -> None:
        list(earlier.store.rewriting.steps())
        before = len(earlier.crm.writes)
        with earlier.store.database.waking() as connection:
            connection.execute(text("UPDATE deliveries SET state = 'ready', due_at = 0"))
        earlier.drain()
        assert {earlier.state(message_id)[0] for message_id, _ in STORY} <= {"delivered", "superseded"}
        assert earlier.crm.writes[before:] == []

    @pytest.mark.slow
    def test_waits_while_a_worker_of_the_earlier_version_may_be_writing(self, earlier: Earlier, clock: Clock) -> None:
        with earlier.store.database.transaction() as connection:
            connection.execute(text("UPDATE lanes SET token = 'x', leased_until = :until"), {"until": clock() + HOLD})
        assert list(earlier.store.rewriting.steps()) == []
        assert not earlier.store.rewriting.is_done()
        clock.forward(HOLD + 1)
        list(earlier.store.rewriting.steps())
        assert earlier.store.rewriting.is_done()

    @pytest.mark.slow
    def test_is_done_by_several_at_once(self, earlier: Earlier, database_address: str, clock: Clock) -> None:
        other = Store(open_database(database_address, {"CONNECTOR_DATA_KEY": DATA_KEY}, clock))
        steps, others = earlier.store.rewriting.steps(), other.rewriting.steps()
        while next(steps, None) is not None or next(others, None) is not None:
            continue
        other.close()
        assert earlier.store.rewriting.is_done()
        assert earlier.store.ledger.entries(DESTINATION, all_keys()) == earlier.known

    @pytest.mark.slow
    def test_an_earlier_version_can_lease_nothing_any_more(self, earlier: Earlier) -> None:
        """Its statements name a column of `gaps` that is gone: each fails before anything is written to a CRM."""
        with pytest.raises(StoreUnavailable), earlier.store.database.transaction() as connection:
            connection.execute(text("SELECT id FROM gaps WHERE resolved_at IS NULL"))


class TestAThief:
    """Who has a copy of the database, and no key."""

    @pytest.mark.slow
    def test_finds_no_two_digests_that_are_equal(self, earlier: Earlier) -> None:
        list(earlier.store.rewriting.steps())
        with earlier.store.database.reading() as connection:
            rows = connection.execute(select(ledger.c.key, ledger.c.marks)).all()
            names = [*connection.execute(select(claims.c.key)).scalars()]
        covered = Counter(json.loads(row.marks).get("digests") for row in rows if "digests" in json.loads(row.marks))
        assert covered.total() > MANY
        assert set(covered.values()) == {1}
        assert {mark[2] for row in rows for mark in json.loads(row.marks)["fields"].values()} <= {"", *range(50)}
        assert len({row.key for row in rows}) == len(rows)
        assert set(names) <= {row.key for row in rows}

    @pytest.mark.slow
    def test_cannot_count_which_boxes_are_checked(self, earlier: Earlier) -> None:
        list(earlier.store.rewriting.steps())
        with earlier.store.database.reading() as connection:
            shown = [
                row.marks.partition('"digests"')[0]
                for row in connection.execute(select(ledger).where(ledger.c.customer_id.like("x-%")))
            ]
            sizes = {
                len(row.marks) for row in connection.execute(select(ledger).where(ledger.c.customer_id.like("x-%")))
            }
        assert (len(set(shown)), len(sizes)) == (1, 1)

    @pytest.mark.slow
    def test_learns_from_two_destinations_nothing_of_a_common_person(self, earlier: Earlier) -> None:
        list(earlier.store.rewriting.steps())
        digest, key = earlier.store.ledger.key_digest, RecordKey("Contact", "Email", "ana@agency.example")
        other = RecordKey("Lead", key.field, key.value)
        names = {digest(name, own) for name in (DESTINATION, "other/crm", "sunrise/second") for own in (key, other)}
        assert len(names) == 6

    @pytest.mark.slow
    def test_sees_another_cover_each_time_a_record_is_written(self, earlier: Earlier) -> None:
        cover, digest = earlier.store.database.cover, earlier.store.database.digest("true")
        assert cover.together([digest]) != cover.together([digest])
        assert cover.apart(cover.together([digest, digest])) == [digest, digest]
        assert len({cover.alone(digest, *place) for place in (("ab", "c"), ("a", "bc"), ("abc", ""))}) == 3
        assert cover.uncovered(cover.alone(digest, "k", "Phone"), "k", "Phone") == digest
        assert cover.uncovered(cover.alone(digest, "k", "Phone"), "k", "Fax") == ""
