"""Few API calls: what 1,000 mixed events cost, of known people, new ones and couples who share an address."""

from __future__ import annotations

import pytest

from benchmarks.drain import backlog, drain, known
from benchmarks.figures import holds
from connector.delivery.route import Pace

EVENTS = 1_000
MOST = {"salesforce": "<= 10", "hubspot": "<= 30"}
"""Above what the benchmark wants of ten times as many events: these fill no large batch."""


@pytest.mark.slow
@pytest.mark.parametrize("crm", sorted(MOST))
def test_a_thousand_events_cost_few_calls(crm: str) -> None:
    drained = drain(crm, 0.0, backlog(EVENTS), Pace(hold_ms=600_000), known(EVENTS))
    assert holds(drained.calls_per_thousand, MOST[crm]) == "yes", drained.calls_per_thousand


@pytest.mark.slow
@pytest.mark.parametrize("crm", sorted(MOST))
def test_keeping_what_the_crm_had_costs_few_more(crm: str) -> None:
    off, on = (
        drain(crm, 0.0, backlog(EVENTS), Pace(hold_ms=600_000), known(EVENTS), undo=undo) for undo in (False, True)
    )
    assert on.calls - off.calls <= 2  # a search of each object, where none was needed
