"""Databases of every earlier revision come up to date with all they hold, once, on both engines."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, insert, text

from connector.delivery.plan_ahead import PlannedAhead
from connector.model import Entry, Mark, Stamp
from connector.receive import read
from connector.settlement import Refusal
from connector.store import Store, database, open_store
from connector.store.audit_check import check
from connector.store.database import open_database
from connector.store.desk import Filter
from connector.store.dialect import open_engine, parse_url
from connector.store.keys import parse_keys
from connector.store.seal import Seal
from connector.store.tables import REVISION
from tests.builders import DATA_KEY, NOON
from tests.conftest import Clock
from tests.promises.stage import AGENCY, DESTINATION, HOLD, LANE, Stage, a_person

ROOT = Path(__file__).parents[2]
STATES = {
    "ready": "",
    "delivered": "",
    "superseded": "SUPERSEDED",
    "skipped": "SKIPPED",
    "ignored": "UNKNOWN_TYPE",
    "dead": "X",
}
OUTCOMES = {"ready": "deferred"}


FORGOTTEN = f"forgotten:{'0' * 32}"
EARLIER = [
    ("replay", "3 dead deliveries", ("3 dead deliveries", "", "")),
    ("lower consent", "doNotCall of c-1: she: agreed", ("doNotCall; customer c-1", "she: agreed", "")),
    ("reveal", "sunrise/msg_1: the agent called", ("sunrise/msg_1", "the agent called", "sunrise")),
    (
        "forget",
        f"{FORGOTTEN}: 2 events, 1 ledger entries",
        (f"2 events, 1 ledger entries; customer {FORGOTTEN}", "", ""),
    ),
    (
        "decide identity",
        "sunrise/crm Contact of customer c-1: somebody else: 003A, 003B",
        ("sunrise/crm Contact: somebody else; customer c-1; CRM records 003A, 003B", "", "sunrise"),
    ),
    (
        "decide identity",
        "sunrise/crm Contact of customer unknown: took back same person",
        ("sunrise/crm Contact: took back same person", "", "sunrise"),
    ),
]
"""Entries as earlier versions worded them: action and thing, and what became of them: what, why, agency."""


def chain() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
    return ScriptDirectory.from_config(config)


REVISIONS = [script.revision for script in reversed(list(chain().walk_revisions()))]
EACH = [
    pytest.param(revision, marks=[pytest.mark.slow] if number % 6 else [])
    for number, revision in enumerate(reversed(REVISIONS))
]
"""Each revision, from the newest; every day some of them."""


def upgrade(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def put(connection: Connection, tables: MetaData, table_name: str, /, **known: Any) -> None:
    """A row of a table as it is at this revision: what is not named here gets the least its column allows."""
    table = tables.tables[table_name]
    row = {column.name: known[column.name] for column in table.c if column.name in known}
    for column in table.c:
        if column.name not in row and not (column.nullable or column.server_default or column.primary_key):
            row[column.name] = {int: 0, str: "", bytes: b"", bool: False}[column.type.python_type]
    connection.execute(insert(table).values(row))


def fill(connection: Connection, seal: Seal) -> None:
    """An event in every state of a delivery, an entry of the ledger, a consent, a lane: as that revision has them."""
    tables = MetaData()
    tables.reflect(connection)
    for number, (state, code) in enumerate(STATES.items(), 1):
        arrival = read(AGENCY, state, json.dumps(a_person(f"c-{number}", number)).encode(), NOON)
        sealed = seal.close(arrival.body, f"sunrise/{state}")
        put(
            connection, tables, "events", id=number, agency="sunrise", message_id=state, type=arrival.type,
            customer_id=arrival.customer_id, source_time=arrival.source_time, received_at=NOON, payload=sealed,
        )  # fmt: skip
        put(
            connection, tables, "deliveries", id=number, event_id=number, destination=DESTINATION, lane=LANE,
            state=state, code=code, accepted_at=NOON, due_at=NOON, attempts=1,
        )  # fmt: skip
        put(
            connection,
            tables,
            "attempts",
            delivery_id=number,
            outcome=OUTCOMES.get(state, state),
            records="[]",
            at=NOON,
        )
    put(connection, tables, "ledger", destination=DESTINATION, object="Contact", key="k", marks="{}", delivery_id=2)
    put(connection, tables, "consents", destination=DESTINATION, customer_id="c-1", flag="doNotSMS", value=False, at=1)
    put(connection, tables, "lanes", name=LANE, destination=DESTINATION)
    put(connection, tables, "audit", at=NOON, who="ana", action="replay", thing="1")
    if connection.dialect.name != "sqlite":
        for name in ("events", "deliveries"):
            connection.execute(text(f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), {len(STATES)})"))


def made_at(address: str, revision: str) -> None:
    """A database as a program of that revision left it."""
    engine = open_engine(parse_url(address))
    with engine.begin() as connection:
        upgrade(connection, revision)
        fill(connection, Seal(parse_keys(DATA_KEY, "the test")))
    engine.dispose()


class TestUpgrading:
    def test_the_revisions_are_one_line(self) -> None:
        assert len(chain().get_heads()) == len(chain().get_bases()) == 1

    def test_the_tables_say_which_revision_they_are(self) -> None:
        assert chain().get_current_head() == REVISION

    @pytest.mark.parametrize("revision", EACH)
    def test_a_database_of_each_revision_is_drained_as_if_it_had_always_been_new(
        self, database_address: str, clock: Clock, revision: str
    ) -> None:
        made_at(database_address, revision)
        with up_to_date(database_address, clock) as stage:
            stage.drain()
            stage.store.desk.replay(Filter(code="X"), "ana")
            stage.drain()
            states = {state: stage.state(state)[0] for state in STATES}
        assert states == {**{state: state for state in STATES}, "ready": "delivered", "dead": "delivered"}

    @pytest.mark.parametrize("revision", EACH)
    def test_what_was_remembered_is_still_known_and_new_events_are_taken(
        self, database_address: str, clock: Clock, revision: str
    ) -> None:
        made_at(database_address, revision)
        with up_to_date(database_address, clock) as stage:
            assert stage.accept("delivered", a_person("c-2", 2)) is False
            assert stage.accept("new", a_person("c-9", 9)) is True
            stage.drain()
            assert stage.state("new")[0] == "delivered"
            assert stage.store.ledger.consents(DESTINATION, ["c-1"])["c-1"]["doNotSMS"].value is False
            assert len(stage.store.desk.story("delivered")[0].tries) == 1

    @pytest.mark.parametrize("revision", [revision for revision in REVISIONS if revision < "0008"])
    def test_a_refusal_kept_as_a_sentence_becomes_data(
        self, database_address: str, clock: Clock, revision: str
    ) -> None:
        made_at(database_address, revision)
        change(database_address, "UPDATE deliveries SET reason = :text WHERE state = 'dead'", SENTENCE)
        change(database_address, "UPDATE attempts SET records = :text WHERE outcome = 'dead'", NOTED)
        with up_to_date(database_address, clock) as stage:
            (letters,) = stage.store.letters.causes()
            notes = stage.store.letters.last_notes(letters.newest)
        assert letters.why == Refusal("X", "not an option", "add the option, then replay", ("state", "city"), "person")
        assert [(note.record, note.verdict, note.withheld_by) for note in notes] == [
            ("call", "withheld", "doNotCall"),
            ("person", "rejected", ""),
        ]

    @pytest.mark.parametrize("revision", EACH)
    def test_links_and_values_in_doubt_are_read_from_their_old_names(
        self, database_address: str, clock: Clock, revision: str
    ) -> None:
        made_at(database_address, revision)
        change(database_address, "UPDATE ledger SET marks = :text", MARKS)
        with up_to_date(database_address, clock) as stage:
            (known,) = stage.store.trail.record(DESTINATION, "Contact", "k")
        mark = Mark(Stamp(1, "a"), "d")
        assert known.entry == Entry(None, {"City": mark}, {"Call": mark}, {"Owner": {"d": mark.stamp}})

    def test_of_two_entries_with_one_record_the_older_has_it(self, database_address: str, clock: Clock) -> None:
        made_at(database_address, "0017")
        engine = open_engine(parse_url(database_address))
        with engine.begin() as connection:
            tables = MetaData()
            tables.reflect(connection)
            for key, marks, delivery in (("new", MARKS, 7), ("old", MARKS, 5), ("former", "{}", 1)):
                known = {"object": "Contact", "key": key, "crm_id": "R", "marks": marks, "delivery_id": delivery}
                put(connection, tables, "ledger", destination=DESTINATION, customer_id=key, **known)
        engine.dispose()
        with up_to_date(database_address, clock) as stage:
            ids = [known.entry.crm_id for key in ("old", "new") for known in stage.store.trail.records(key)]
        assert ids == ["R"]

    @pytest.mark.parametrize(("action", "thing", "parts"), EARLIER)
    def test_an_entry_of_the_audit_log_is_taken_apart_and_chained(
        self, database_address: str, clock: Clock, action: str, thing: str, parts: tuple[str, str, str]
    ) -> None:
        made_at(database_address, "0038")
        change(database_address, f"UPDATE audit SET action = '{action}', thing = :text", thing)
        open_store(database_address, {"CONNECTOR_DATA_KEY": DATA_KEY}).close()
        with up_to_date(database_address, clock) as stage:
            first = stage.store.audit.entries()[-1]
            checked = check(stage.store.database)
        assert (first.what, first.reason, first.agency) == parts
        assert (checked.entries, checked.faults, checked.earlier) == (2, (), 1)


SENTENCE = "not an option: add the option [state, city]"
NOTED = json.dumps(
    [
        {"record": "call", "verdict": "withheld", "fields": [], "withheld": {"(the whole record)": "doNotCall"}},
        {"record": "person", "object": "Contact", "verdict": "rejected", "fields": ["city"], "withheld": {}},
    ]
)
MARKS = json.dumps({name: [1, "a", "d"] for name in ("City", "@link Call", "@meant Owner d")})


def change(address: str, statement: str, kept: str) -> None:
    """Change what that older program had kept."""
    engine = open_engine(parse_url(address))
    with engine.begin() as connection:
        connection.execute(text(statement), {"text": kept})
    engine.dispose()


@contextmanager
def up_to_date(address: str, clock: Clock) -> Iterator[Stage]:
    """This program on that database, with nothing wiped."""
    clock.forward(HOLD)
    store = Store(open_database(address, {"CONNECTOR_DATA_KEY": DATA_KEY}, clock))
    try:
        yield Kept(store, clock)
    finally:
        store.close()


class Kept(Stage):
    """A stage that keeps what its database holds."""

    def wipe(self) -> None:
        """Make nothing new but the lane and the route."""
        self.ahead = PlannedAhead()
        self.store.lanes.open({LANE: DESTINATION})
        self.route = self.served()


START = """\
import sys
from connector.store import open_store
sys.stdin.readline()
open_store(sys.argv[1], {"CONNECTOR_DATA_KEY": sys.argv[2]}).close()
"""


class TestStartingTogether:
    @pytest.mark.slow
    @pytest.mark.parametrize(
        "prepare", [lambda address: None, lambda address: made_at(address, "0001")], ids=["empty", "old"]
    )
    def test_several_processes_migrate_once(self, database_address: str, prepare: Callable[[str], None]) -> None:
        prepare(database_address)
        started = [
            subprocess.Popen(
                [sys.executable, "-c", START, database_address, DATA_KEY],
                cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )
            for _ in range(4)
        ]  # fmt: skip
        for one in started:
            assert one.stdin is not None
            one.stdin.write("go\n")
            one.stdin.flush()
        ended = [(one.communicate()[1], one.returncode) for one in started]
        assert ended == [("", 0)] * len(started)
        engine = open_engine(parse_url(database_address))
        with engine.connect() as connection:
            assert MigrationContext.configure(connection).get_current_revision() == REVISIONS[-1]
            assert connection.execute(text("SELECT count(*) FROM alembic_version")).scalar_one() == 1
            assert connection.execute(text("SELECT count(*) FROM settings")).scalar_one() == 1
        engine.dispose()


class TestNewer:
    @pytest.mark.slow
    def test_a_newer_database_stops_an_older_program_with_a_clear_word(self, database_address: str) -> None:
        open_database(database_address, {"CONNECTOR_DATA_KEY": DATA_KEY}).close()
        engine = open_engine(parse_url(database_address))
        with engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        engine.dispose()
        ended = subprocess.run(
            [sys.executable, "-m", "connector", "events", "list"],
            cwd=ROOT, capture_output=True, text=True, check=False,
            env={"CONNECTOR_DATABASE_URL": database_address, "CONNECTOR_DATA_KEY": DATA_KEY, "PATH": ""},
        )  # fmt: skip
        assert ended.returncode == 2
        assert ended.stderr.startswith(
            "error[E100] database: was written by a newer version of this program (revision 9999)"
        )
        assert "Traceback" not in ended.stderr
