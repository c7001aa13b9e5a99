"""Somebody who works for one agency sees and does nothing of another, on no page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

import pytest
from flask.testing import FlaskClient

from connector.insight.identity import find_questions
from connector.insight.problems import find_causes
from connector.store import Store
from connector.store.agencies import Terms
from connector.store.scope import unnarrowed
from connector.store.tables import metadata
from connector.web.console import create_console
from connector.web.health import create_admin
from connector.web.passwords import Passwords
from connector.web.roster import Roster
from tests.builders import CUSTOMER, LANE
from tests.conftest import Clock
from tests.web.conftest import KEY, MINUTE, RECORD, act, an_account, every_page, fill, log_in, metrics
from tests.web.test_accounts import ANA, hashed, write

NAMES = (
    *("sunrise", CUSTOMER, "c" * 64, "North_Dakota", "INVALID_OPTION", "msg_opt_out"),
    *(str(RECORD.crm_id), "/003H", "=003H", ">003H", '"003H'),
)
"""What nobody of another agency may see: its name, ids of people, records and messages, and values."""


@pytest.fixture
def person(store: Store, clock: Clock, tmp_path: Path) -> Callable[[str, str], FlaskClient]:
    """Sign in somebody of an agency, with every right there."""

    def person(agency: str, role: str = "admin") -> FlaskClient:
        entry = {"role": role, "password": hashed(ANA), "agencies": [agency]}
        (tmp_path / ".people.yaml.lock").mkdir(exist_ok=True)
        roster = Roster(write(tmp_path / "people.yaml", ana=entry))
        console = create_console(store, Passwords(), KEY, lambda: clock() / 1000, [an_account()], roster=roster)
        client = create_admin(store, [console]).test_client()
        assert log_in(client, ANA, name="ana").status_code == 303
        return client

    return person


@pytest.fixture
def filled(store: Store) -> Store:
    fill(store)
    store.agencies.announce([Terms("sunrise", True, 90)])
    return store


def shown(client: FlaskClient, page: str) -> str:
    """What a page shows, without what its address says."""
    answer = client.get(f"/console{page}")
    asked = unquote(page.partition("?")[2].partition("=")[2]) or "\0"
    return unquote(answer.text).replace(f"/console{page}", "").replace(asked, "")


def contents(store: Store) -> dict[str, list[tuple[object, ...]]]:
    """Every table that an agency has a part in."""
    with store.database.reading() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(table.select())]
            for table in metadata.sorted_tables
            if not table.name.startswith(("audit", "sessions", "guesses"))
        }


def test_every_table_is_narrowed_or_nobody_s() -> None:
    assert unnarrowed() == []


def test_no_page_shows_anything_of_another_agency(filled: Store, person: Callable[[str, str], FlaskClient]) -> None:
    pages = [page for page in every_page(filled) if not page.startswith("/events/msg")]
    other = person("sunset", "admin")
    leaks = {page: [name for name in NAMES if name in shown(other, page)] for page in pages}
    assert {page: names for page, names in leaks.items() if names} == {}


def test_every_page_shows_an_agency_to_its_own(filled: Store, person: Callable[[str, str], FlaskClient]) -> None:
    own, pages = person("sunrise", "admin"), every_page(filled)
    assert {page: status for page in pages if (status := own.get(f"/console{page}").status_code) != 200} == {}
    silent = [
        page
        for page in ("", "/events", "/problems", "/identity", "/complete", "/mapping")
        if not any(name in own.get(f"/console{page}").text for name in NAMES)
    ]
    assert silent == []


@pytest.mark.parametrize("page", ["/events/msg_delivered", "/problems/{cause}", "/identity/{question}/other"])
def test_an_address_that_somebody_passed_on_shows_nothing(
    filled: Store, person: Callable[[str, str], FlaskClient], page: str
) -> None:
    cause, question = find_causes(filled)[0].id, find_questions(filled)[0].of.id
    answer = person("sunset", "admin").get("/console" + page.format(cause=cause, question=question))
    assert answer.status_code in (303, 404)


def test_no_action_changes_anything_of_another_agency(filled: Store, person: Callable[[str, str], FlaskClient]) -> None:
    cause, question = find_causes(filled)[0], find_questions(filled)[0]
    before, other = contents(filled), person("sunset", "admin")
    for path, form in {
        "/lanes/pause": {"lane": LANE},
        "/lanes/resume": {"lane": LANE},
        "/lanes/set-aside": {"delivery": "1", "reason": "a test"},
        f"/problems/{cause.id}/replay": {"seen": cause.seen},
        f"/problems/{cause.id}/discard": {"seen": cause.seen},
        f"/identity/{question.of.id}/other": {"seen": question.seen},
        "/reveal/msg_delivered": {"reason": "a test"},
    }.items():
        answer = act(other, f"/console{path}", **form)
        assert [name for name in NAMES if name in answer.text and name not in path] == []
    assert contents(filled) == before


def test_what_is_done_for_one_s_own_agency_is_done(filled: Store, person: Callable[[str, str], FlaskClient]) -> None:
    act(person("sunrise", "admin"), "/console/lanes/pause", lane=LANE)
    assert filled.desk.lanes()[0].pause_code == "operator"


def test_a_month_is_signed_off_and_exported_for_one_s_own_agency(
    filled: Store, person: Callable[[str, str], FlaskClient]
) -> None:
    client = person("sunrise", "compliance")
    page = client.get("/console/consent").text
    seen = page.partition('name="seen" value="')[2].partition('"')[0]
    month = page.partition('name="month" value="')[2].partition('"')[0]
    page = act(client, "/console/consent", month=month, agency="", seen=seen, note="looked at each").text
    assert "looked at each" in page.partition('id="signed"')[2]
    assert [own.agency for own in filled.sign_offs.newest(None)] == ["sunrise"]
    assert "opt-outs-sunrise-" in client.get("/console/consent/report.csv").headers["Content-Disposition"]


def test_everybody_may_know_how_old_the_last_backup_is(
    filled: Store, person: Callable[[str, str], FlaskClient], clock: Clock
) -> None:
    assert "Last backup: none is noted" in person("sunset", "admin").get("/console").text
    filled.backups.note("ana", "a snapshot")
    clock.forward(3 * 60 * MINUTE)
    client = person("sunset", "admin")
    assert "Last backup: 3 hours ago" in client.get("/console").text
    assert "connector_backup_age_seconds 10800.0" in metrics(client)
