"""The Events page: a line for each event, true totals, and what is done with the lines that are chosen."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from connector.store import Store
from connector.store.desk import Filter
from connector.store.inbox import Owed
from tests.builders import an_arrival
from tests.web.conftest import act, deeds

AGENCIES = ("harbor", "lakeside", "sunrise")
CRMS = ("hubspot", "salesforce")
STATES = ("delivered", "delivered", "delivered", "dead", "ready", "skipped")


def fill(store: Store, events: int = 15) -> None:
    """Events of three agencies in two CRMs each, in every state, some with opt-outs."""
    names = {agency: [f"{agency}/{crm}" for crm in CRMS] for agency in AGENCIES}
    store.lanes.open({f"{name}/0": name for own in names.values() for name in own})
    arrivals, states = [], []
    for number in range(events):
        for place, (agency, own) in enumerate(names.items()):
            raised = frozenset({"doNotCall"} if number % 7 == 0 else ())
            owed = [Owed(name, f"{name}/0") for name in own]
            message = f"{agency}-{number}"
            arrivals.append(an_arrival(message, agency=agency, owed=tuple(owed), raised=raised))
            for offset, name in enumerate(own):
                state = STATES[(number + place + offset) % len(STATES)]
                code = "NO_SUCH_OPTION" if state == "dead" else ""
                states.append({"state": state, "code": code, "message": message, "destination": name})
    store.inbox.accept(arrivals)
    with store.database.transaction() as connection:
        connection.execute(text(_TURN), states)


_TURN = (
    "UPDATE deliveries SET state = :state, code = :code WHERE destination = :destination"
    " AND event_id = (SELECT id FROM events WHERE message_id = :message)"
)


def counted(store: Store, where: str) -> tuple[int, dict[tuple[str, str], int]]:
    """The same figures by other means: every row, counted here."""
    columns = "e.id, d.destination, d.state, d.code, e.agency, e.raised"
    with store.database.reading() as connection:
        rows = connection.execute(
            text(f"SELECT {columns} FROM deliveries d JOIN events e ON e.id = d.event_id WHERE {where}")
        ).all()
    return len({row.id for row in rows}), dict(Counter((row.destination, row.state) for row in rows))


SEARCHES: dict[str, tuple[dict[str, Any], str]] = {
    "all": ({}, "1 = 1"),
    "one agency": ({"agency": "lakeside"}, "e.agency = 'lakeside'"),
    "opt-outs": ({"opt_out": "yes"}, "e.raised <> ''"),
    "opt-outs of one agency": ({"opt_out": "yes", "agency": "harbor"}, "e.raised <> '' AND e.agency = 'harbor'"),
    "dead letters": ({"state": "dead"}, "d.state = 'dead'"),
    "a cause": ({"code": "NO_SUCH_OPTION", "agency": "sunrise"}, "d.code = 'NO_SUCH_OPTION' AND e.agency = 'sunrise'"),
    "one CRM account": ({"destination": "sunrise/hubspot"}, "d.destination = 'sunrise/hubspot'"),
}


class TestTheList:
    @pytest.mark.parametrize(("wanted", "where"), SEARCHES.values(), ids=SEARCHES)
    def test_its_totals_are_those_of_the_database(self, store: Store, wanted: dict[str, Any], where: str) -> None:
        fill(store)
        totals = store.event_lists.totals(Filter(**wanted))
        events, states = counted(store, where)
        assert (totals.events, {(name, str(state)): n for (name, state), n in totals.deliveries.items()}) == (
            events,
            states,
        )

    @pytest.mark.parametrize(("wanted", "where"), SEARCHES.values(), ids=SEARCHES)
    def test_its_pages_show_each_event_once_with_every_crm(
        self, store: Store, wanted: dict[str, Any], where: str
    ) -> None:
        fill(store)
        shown, before = [], 0
        while True:
            page = store.event_lists.page(Filter(**wanted, before=before), 4)
            shown += page.lines
            if not (before := page.before):
                break
        assert len({line.id for line in shown}) == len(shown) == counted(store, where)[0]
        assert {len(line.deliveries) for line in shown} == {2}
        assert [line.id for line in shown] == sorted((line.id for line in shown), reverse=True)

    def test_a_line_says_in_words_what_became_of_it_in_each_crm(self, operator: FlaskClient, store: Store) -> None:
        fill(store, 4)
        page = operator.get("/console/events?message_id=sunrise-1").text
        assert re.search(r"sunrise/hubspot: <span class=\"light dead\">.*dead letter</span>", page)
        assert re.search(r"sunrise/salesforce: <span class=\"light ready\">.*waiting</span>", page)
        assert "<strong>1 event</strong> matches" in page

    @pytest.mark.parametrize(
        "search", ["state=gone", "type=x", "destination=x/y", "agency=nobody", "opt_out=perhaps", "since=tomorrow"]
    )
    def test_a_value_that_nothing_can_have_is_named(self, operator: FlaskClient, store: Store, search: str) -> None:
        fill(store, 2)
        page = operator.get(f"/console/events?{search}").text
        assert f"“{search.partition('=')[2]}”" in page
        assert "so nothing was searched" in page
        assert "sunrise-1" not in page

    def test_an_agency_s_times_are_read_in_its_zone(self, operator: FlaskClient, store: Store) -> None:
        fill(store, 2)
        page = operator.get("/console/events?agency=sunrise").text
        assert "Received from (MST)" in page

    def test_it_is_known_that_there_are_more_than_are_counted(self, store: Store) -> None:
        fill(store, 2)
        assert store.event_lists.totals(Filter(), 12).capped is False
        assert store.event_lists.totals(Filter(), 11).capped is True


class TestWhatIsChosen:
    def ids(self, store: Store, *messages: str) -> list[int]:
        lines = store.event_lists.page(Filter(), 200).lines
        return [line.id for line in lines if line.message_id in messages]

    def confirm(self, client: FlaskClient, action: str, ids: list[int]) -> str:
        return client.get("/console/events-chosen", query_string={"action": action, "event": ids}).text

    def turn(self, client: FlaskClient, page: str, action: str, ids: list[int], **more: str) -> str:
        seen = re.search(r'name="seen" value="([^"]*)"', page)
        assert seen is not None
        return act(client, "/console/events-chosen", action=action, event=ids, seen=seen[1], **more).text  # type: ignore[arg-type]  # a list of ids

    def test_dead_letters_of_the_chosen_events_are_replayed(self, operator: FlaskClient, store: Store) -> None:
        fill(store, 6)
        before = counted(store, "d.state = 'dead'")[0]
        ids = self.ids(store, "sunrise-1", "harbor-3")
        page = self.confirm(operator, "replay", ids)
        assert "Replay 2 dead letters" in page
        assert "2 deliveries replayed" in self.turn(operator, page, "replay", ids)
        assert counted(store, "d.state = 'dead'")[0] == before - 2

    def test_one_event_is_replayed_everywhere(self, operator: FlaskClient, store: Store) -> None:
        fill(store, 6)
        ids = self.ids(store, "sunrise-4")
        page = self.confirm(operator, "replay", ids)
        assert "Replay 2 deliveries" in page
        assert "2 deliveries replayed" in self.turn(operator, page, "replay", ids, also="yes")

    def test_the_log_names_the_events_and_their_agency(self, operator: FlaskClient, store: Store) -> None:
        fill(store, 6)
        ids = self.ids(store, "sunrise-1")
        self.turn(operator, self.confirm(operator, "discard", ids), "discard", ids)
        assert "events sunrise-1" in deeds(store)[0].thing
        assert deeds(store)[0].agency == "sunrise"

    def test_only_dead_letters_are_discarded(self, operator: FlaskClient, store: Store) -> None:
        fill(store, 6)
        ids = self.ids(store, "sunrise-1")
        page = self.confirm(operator, "discard", ids)
        assert "1 delivery discarded" in self.turn(operator, page, "discard", ids)
        assert counted(store, "e.message_id = 'sunrise-1' AND d.state = 'skipped'")[0] == 1

    def test_what_changed_meanwhile_is_looked_at_again(self, operator: FlaskClient, store: Store) -> None:
        fill(store, 6)
        ids = self.ids(store, "sunrise-1")
        page = self.confirm(operator, "replay", ids)
        store.desk.discard(Filter(message_id="sunrise-1"), "somebody")
        assert "Nothing was changed" in self.turn(operator, page, "replay", ids)

    def test_none_chosen_changes_nothing(self, operator: FlaskClient) -> None:
        answer = operator.get("/console/events-chosen?action=replay", follow_redirects=True)
        assert "choose at least one event" in answer.text

    def test_a_viewer_has_nothing_to_tick(self, viewer: FlaskClient, store: Store) -> None:
        fill(store, 2)
        assert 'type="checkbox"' not in viewer.get("/console/events").text
        assert viewer.get("/console/events-chosen?action=replay&event=1").status_code == 403

    @pytest.mark.parametrize("ids", [["x"], ["0"], ["9" * 30], ["-1"]])
    def test_an_event_that_is_not_there_is_not_chosen(self, operator: FlaskClient, ids: list[str]) -> None:
        answer = operator.get("/console/events-chosen", query_string={"action": "replay", "event": ids})
        assert answer.status_code == 303
