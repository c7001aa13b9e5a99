"""Whoever changes something in the console can say why, and the log keeps it."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient

from connector.insight.identity import find_questions
from connector.insight.problems import find_causes
from connector.store import Store
from connector.store.audit import LONGEST_REASON
from connector.store.desk import Filter
from tests.builders import CUSTOMER, LANE
from tests.web.conftest import act, deeds, fill

WHY = "Ana <asked> for it"
REPLAY, FORGET = f"/replay-person/sunrise/{CUSTOMER}", f"/forget-person/sunrise/{CUSTOMER}"
ACTIONS = {
    "/problems/{cause}/replay": {},
    "/problems/{cause}/discard": {},
    "/events-chosen?action=replay&event={event}": {},
    "/events-chosen?action=discard&event={event}": {},
    "/lanes/pause?lane={lane}": {},
    "/lanes/resume?lane={lane}": {},
    "/identity/{question}/same?crm_id=003E": {},
    "/identity/{question}/other": {},
    REPLAY: {"which": "all"},
    FORGET: {"typed": CUSTOMER},
}


def hidden(page: str) -> dict[str, str]:
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.partition("<h1>")[2]))


@pytest.fixture
def address(store: Store) -> dict[str, str]:
    fill(store)
    (dead, *_) = store.event_lists.page(Filter(state="dead")).lines
    return {
        "cause": find_causes(store)[0].id,
        "event": str(dead.id),
        "lane": LANE,
        "question": find_questions(store)[0].of.id,
    }


@pytest.mark.parametrize("path", ACTIONS)
def test_each_action_keeps_its_reason_and_log_shows_it(
    operator: FlaskClient, store: Store, address: dict[str, str], path: str
) -> None:
    confirm = "/console" + path.format(**address)
    page = operator.get(confirm).text
    assert f'name="reason" maxlength="{LONGEST_REASON}"' in page
    act(operator, confirm.partition("?")[0], **hidden(page), **ACTIONS[path], reason=f" {WHY}\n")
    assert deeds(store)[0].reason == WHY
    assert "Ana &lt;asked&gt; for it" in operator.get("/console/log").text


def test_a_reason_is_cut_to_its_longest(operator: FlaskClient, store: Store, address: dict[str, str]) -> None:
    act(operator, "/console/lanes/pause", lane=LANE, reason="x" * 5000)
    assert deeds(store)[0].reason == "x" * LONGEST_REASON
