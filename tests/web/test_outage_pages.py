"""The console while the database is away, read-only or damaged: a plain page that says so, and no dead end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from connector.insight.identity import find_questions
from connector.insight.problems import find_causes
from connector.store import Store, open_store
from connector.store.agencies import Terms
from connector.store.database import open_database
from connector.store.meaning import damaged
from connector.web.waiting import create_waiting_admin
from tests.builders import DATA_KEY, LANE
from tests.cli.test_read_only import Disk, disk
from tests.conftest import Clock
from tests.contracts.test_damage import Embedded
from tests.web.conftest import an_app, every_page, fill, log_in, taken_away, token
from tests.web.test_ready import read_only

__all__ = ["disk"]
KEYS = {"CONNECTOR_DATA_KEY": DATA_KEY}


@pytest.fixture
def ready_address(sqlite_ready: str) -> str:
    """What is the same on both databases is tried on a file, which can be taken away."""
    return sqlite_ready


def logged_in(store: Store, clock: Clock) -> FlaskClient:
    client = an_app(store, clock).test_client()
    assert log_in(client).status_code == 303
    return client


class TestAway:
    def test_says_since_when_and_what_to_do_and_is_over_when_it_is_back(
        self, operator: FlaskClient, store: Store, clock: Clock
    ) -> None:
        before = operator.get("/console/events").status_code
        clock.forward(7 * 60_000)
        with taken_away(store):
            away = operator.get("/console/events")
        assert (before, away.status_code, operator.get("/console/events").status_code) == (200, 503, 200)
        assert 'The database has not answered since<span class="time"> Jun 18, 2026, 05:00 MST</span>' in away.text
        assert "No acknowledged event is lost" in away.text
        assert "connector doctor" in away.text
        assert (away.headers["Refresh"], away.headers["Retry-After"]) == ("10", "10")

    def test_an_action_says_that_nothing_was_changed_and_is_not_repeated(
        self, operator: FlaskClient, store: Store
    ) -> None:
        store.lanes.open({LANE: "sunrise/salesforce"})
        form = {"lane": LANE, "token": token(operator)}
        with taken_away(store):
            answer = operator.post("/console/lanes/pause", data=form)
        assert answer.status_code == 503
        assert "Nothing was changed" in answer.text
        assert "Refresh" not in answer.headers

    def test_shows_nothing_to_strangers(self, stranger: FlaskClient, store: Store) -> None:
        with taken_away(store):
            assert stranger.get("/console/events").status_code == 303
            assert stranger.get("/console/login").status_code == 200

    def test_since_the_start_has_the_same_look(self) -> None:
        client = create_waiting_admin(lambda: "cannot be used now: OperationalError").test_client()
        for page in ("/console", "/console/", "/console/events/one"):
            answer = client.get(page)
            assert answer.status_code == 503
            assert "<title>The database has not answered since the connector was started" in answer.text
            assert answer.headers["Refresh"] == "10"
        with client.get("/console/static/console.css") as look:
            assert look.status_code == 200


class TestReadOnly:
    @pytest.fixture
    def on_postgres(self, postgres_address: str, clock: Clock) -> Iterator[Store]:
        store = Store(open_database(postgres_address, KEYS, clock))
        fill(store)
        store.agencies.announce([Terms("sunrise", True, 90)])
        with read_only(postgres_address):
            yield store
        store.close()

    @pytest.mark.slow
    def test_every_page_is_shown(self, on_postgres: Store, clock: Clock) -> None:
        client = logged_in(on_postgres, clock)
        shown = {page: client.get(f"/console{page}").status_code for page in every_page(on_postgres)}
        assert {page: status for page, status in shown.items() if status != 200} == {}

    def test_every_page_is_shown_from_a_read_only_disk(self, disk: Disk, clock: Clock) -> None:
        address = f"sqlite:///{disk.folder}/connector.db"
        store = Store(open_database(address, KEYS, clock))
        fill(store)
        pages = every_page(store)
        store.close()
        disk.turn("ro")
        store = Store(open_database(address, KEYS, clock))
        client = logged_in(store, clock)
        shown = {page: client.get(f"/console{page}").status_code for page in pages}
        store.close()
        assert {page: status for page, status in shown.items() if status != 200} == {}

    def test_every_action_says_so_and_that_nothing_was_changed(self, on_postgres: Store, clock: Clock) -> None:
        client, cause = logged_in(on_postgres, clock), find_causes(on_postgres)[0]
        question = next(iter(find_questions(on_postgres)))
        actions: dict[str, dict[str, str]] = {
            "/lanes/pause": {"lane": LANE},
            "/lanes/resume": {"lane": LANE},
            f"/problems/{cause.id}/replay": {"seen": cause.seen},
            f"/problems/{cause.id}/discard": {"seen": cause.seen},
            f"/identity/{question.of.id}/other": {"seen": question.seen},
            "/reveal/msg_delivered": {"reason": "a test"},
        }
        form = {"token": token(client)}
        answers = {path: client.post(f"/console{path}", data={**form, **more}) for path, more in actions.items()}
        assert {path: answer.status_code for path, answer in answers.items()} == dict.fromkeys(actions, 503)
        for path, answer in answers.items():
            assert "The database is read-only" in answer.text, path
            assert "Nothing was changed" in answer.text, path


class TestDamaged:
    def test_a_page_that_meets_it_says_so_and_what_to_do(self, ready_address: str, clock: Clock) -> None:
        embedded = Embedded(ready_address)
        for number in embedded.pages("deliveries"):
            embedded.blank(number)
        store = open_store(embedded.address, KEYS)
        client = logged_in(store, clock)
        answer = client.get("/console/events")
        store.close()
        assert answer.status_code == 503
        assert "The database is damaged" in answer.text
        assert "A damaged database" in answer.text
        assert "Traceback" not in answer.text

    def test_known_elsewhere_is_shown_on_every_page_that_works(self, operator: FlaskClient, store: Store) -> None:
        store.database.damage.note(damaged("an index lacks a row"))
        shown = operator.get("/console")
        store.database.damage.clear()
        assert shown.status_code == 200
        assert "The database is damaged: an index lacks a row" in shown.text
        assert "is damaged" not in operator.get("/console").text
