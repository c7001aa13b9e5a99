"""One odd part of a reply of HubSpot's, wherever it is, costs no row but its own, and never the lane."""

from __future__ import annotations

from typing import Any

import pytest

from connector.destinations.base import Found
from connector.sandbox.hubspot.limits import Tier
from tests.destinations.hubspot_fixtures import sandbox_and_destination
from tests.replies.parts import Changed, changes, lost, new_pause
from tests.replies.shared import as_reply
from tests.replies.test_hubspot_tables import ALL

ONCE = ("account-info-200", "integrations-me-200")  # whose token it is, a destination asks once
BUSY = Tier(burst=1_000_000, daily=1_000_000, searches=1_000_000, associations=1_000_000)
JSON = sorted(name for name, (reply, _, _) in ALL.items() if reply.body.startswith(b"{") and name not in ONCE)


@pytest.mark.parametrize("name", JSON)
def test_an_odd_part_of_a_reply_decides_about_its_own_row_alone(name: str) -> None:
    reply, call, expected = ALL[name]
    with sandbox_and_destination(index_lag=0.0, tier=BUSY) as (portal, hubspot):
        for changed in changes(reply):
            said = call.said(portal, hubspot, changed.reply)
            without = call.said(portal, hubspot, changed.without)
            assert not new_pause(expected, said, changed), (changed.way, changed.odd, said)
            assert is_list(name) or not lost(expected, without, said), (changed.way, changed.odd, said)


def is_list(name: str) -> bool:
    """Whether the reply lists records of one value: each of them decides about it."""
    return "search-" in name or "owners-" in name


ASKED = {"/search": ("contacts", "city"), "/batch/read": ("contacts", "email"), "/owners": ("owners", "email")}
ADA: dict[str, Any] = {
    "id": "701",
    "email": "ada@example.org",
    "properties": {"city": "Mesa", "email": "ada@example.org"},
}
KIM: dict[str, Any] = {
    "id": "702",
    "email": "kim@example.org",
    "properties": {"city": "Pier", "email": "kim@example.org"},
}
LISTED = {"results": [ADA, KIM], "paging": {"next": None}}


@pytest.mark.parametrize("path", ASKED)
def test_an_odd_entry_of_a_list_hides_no_other_and_never_passes_for_missing(path: str) -> None:
    kind = "owners" if path == "/owners" else "contacts"
    field, values = (
        ("city", ["Mesa", "Pier"]) if path == "/search" else ("email", ["ada@example.org", "kim@example.org"])
    )
    with sandbox_and_destination(index_lag=0.0, tier=BUSY) as (portal, hubspot):
        if path == "/search":  # after this answer, the property is known for one that is not unique
            portal.fault("/batch/read", portal.refused(400, "VALIDATION_ERROR", "by non-unique property"))
            hubspot.find(kind, field, values, [])
        for changed in changes(as_reply("", 200, LISTED)):
            portal.faults.clear()
            portal.fault(path, changed.reply.response(), times=99)
            if changed.way in ((), ("results",)):
                continue
            answers = hubspot.find(kind, field, values, [])
            for place, value in enumerate(values):
                answer = answers[value]
                if changed.way[:2] != ("results", place) and changed.way[0] == "results":
                    assert answer == [Found(f"70{place + 1}", {})], (changed.way, changed.odd)
                assert answer or says_so(changed), (changed.way, changed.odd, answer)


def says_so(changed: Changed) -> bool:
    """Whether the reply says that there is no such record, or none with this value."""
    return (changed.odd is ... and len(changed.way) == 2) or changed.way[-1] in ("city", "email")
