"""How status and the console word what comparisons with careCycle and the CRMs found."""

from __future__ import annotations

from typing import Final

from connector.insight.complete import faults
from connector.insight.source_report import missing
from connector.settlement.source import Comparison, Counted
from connector.settlement.verification import Standing
from connector.store.runs import REAPPLY, SOURCE, Run
from connector.web.words import age, counted

FETCHES: Final = "connector reconcile source -c agency.yaml fetches them"


def source_words(done: Comparison) -> str:
    """Say what a comparison with careCycle found.

    >>> source_words(Comparison({"unknown": 1, "fetched_customers": 1}))
    '1 customer unknown here had not come as events, all fetched'
    """
    if done.missing:
        left = f"{done.left:,} still missing: {FETCHES}" if done.left else "all fetched"
        return f"{missing(done)} had not come as events, {left}"
    return "everybody was here, as careCycle knows them" if done.shows_all else "nobody was missing of those compared"


def crm_words(standing: Standing, now: int) -> str:
    """Say what the comparisons of a destination's records with its CRM found. now: epoch ms."""
    at = standing.complete_at
    done = "" if at is None else f"all compared {age(max(0, now - at))} ago, except what was written in the hour before"
    when = done or "not every record compared yet"
    differ = ", ".join(f"{count:,} {own}" for own, count in faults(standing).items())
    lists = "connector reconcile crm -c agency.yaml --all lists them"
    return f"{when}; {differ}: {lists}" if differ else f"{when}; nothing is missing"


def run_words(run: Run) -> str:
    """Say how far a run came."""
    counts = run.counts
    customers, calls = (
        (counts.get("customer", 0), counts.get("call", 0))
        if run.kind == REAPPLY
        else (counts.get("customers", 0), counts.get("calls", 0))
    )
    if run.kind.startswith(SOURCE):
        compared = Comparison(counts)
        return f"{counted(compared[Counted.LISTED], 'customer')} compared: {source_words(compared)}"
    rest = f"{counts.get('due', 0):,} due again" if run.kind == REAPPLY else f"{counts.get('new', 0):,} new"
    return f"{counted(customers, 'customer')} and {counted(calls, 'call')}, {rest}"


def run_state(run: Run, now: int) -> str:
    """Say whether a run has ended. now: epoch ms."""
    if run.ended_at is not None:
        return f"finished {age(max(0, now - run.ended_at))} ago"
    if run.problem:
        return f"stopped: {run.problem}. It goes on with the same command"
    return f"running, or interrupted: last seen {age(max(0, now - run.seen_at))} ago"


FILTERS: Final = (faults, source_words, crm_words, run_words, run_state)
