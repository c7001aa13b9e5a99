"""README's small table, written from RESULTS.md, so that it never says anything else."""

from __future__ import annotations

import re
from dataclasses import dataclass

from benchmarks.acknowledge import EXPRESS, FLASK, MEMORY

BEGIN, END = "<!-- written by make bench -->", "<!-- end of what make bench writes -->"
NONE = "not measured"
CALL_EACH = "1,000"
"""Calls per 1,000 events of what calls the CRM once for each event."""

N8N = "n8n, answering after the CRM"
COLUMNS = ("", "API calls per 1,000 events", "events acknowledged per second", "memory, MB")


@dataclass(frozen=True, slots=True)
class Results:
    """The figures of a results page: (section, figure, compared with) -> (ours, its)."""

    figures: dict[tuple[str, str, str], tuple[str, str]]

    def ours(self, section: str, figure: str) -> str:
        """Return our figure. section: how its heading begins."""
        found = [
            own for (group, name, _), (own, _) in self.figures.items() if group.startswith(section) and name == figure
        ]
        return found[0] if found else NONE

    def its(self, section: str, figure: str, peer: str) -> str:
        """Return a peer's figure."""
        found = [its for (group, name, other), (_, its) in self.figures.items()
                 if group.startswith(section) and (name, other) == (figure, peer)]  # fmt: skip
        return found[0] if found else NONE


def read(page: str) -> Results:
    """Read a results page. A figure's further comparisons have no name of their own."""
    section, name, ours = "", "", ""
    figures: dict[tuple[str, str, str], tuple[str, str]] = {}
    for line in page.splitlines():
        if line.startswith("## "):
            section = line[3:]
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(cells) == 8:
            name, ours = (cells[0], cells[1]) if cells[0] else (name, ours)
            figures[section, name, cells[3]] = ours, cells[4]
    return Results(figures)


def block(page: str) -> str:
    """Write the table of a results page."""
    results = read(page)
    drain, answers, beside = "Draining", "Acknowledging: ", "Beside n8n"
    crms = {"Salesforce": "salesforce", "HubSpot": "hubspot"}
    calls = [
        f"{results.ours(drain, f'{crm} at 100 ms a call, calls per 1,000')} ({name})" for name, crm in crms.items()
    ]
    speed = "SQLite, 32 connections, events/s"
    rows = [
        ("this connector, all of it", ", ".join(calls), results.ours(answers, speed),
         results.ours("An idle container with all roles, on SQLite", "memory, MB")),
        ("n8n in queue mode, one workflow",
         results.its(beside, "calls of the CRM, per 1,000 events", N8N),
         results.its(beside, "acknowledged, 32 connections, events/s", N8N),
         results.its(beside, "memory, under this load, MB", N8N)),
        *((f"a receiver of 30 lines: {name}", CALL_EACH, results.its(answers, speed, peer),
           results.its(answers, f"{MEMORY}, MB", peer))
          for name, peer in (("Express and svix", EXPRESS), ("Flask, svix and gunicorn", FLASK))),
    ]  # fmt: skip
    lines = [COLUMNS, ["---"] * len(COLUMNS), *(row for row in rows if set(row[1:]) != {NONE})]
    return "\n".join([BEGIN, *(f"| {' | '.join(line)} |" for line in lines), END])


def placed(readme: str, page: str) -> str:
    """Return README with the table of a results page."""
    return re.sub(f"{re.escape(BEGIN)}.*?{re.escape(END)}", lambda _: block(page), readme, flags=re.S)
