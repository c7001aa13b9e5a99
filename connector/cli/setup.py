"""setup: walk through what each CRM account needs, and look at every step."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypedDict

import click

from connector.cli.options import agency_option, json_option, plain, quiet, show_json
from connector.destinations.guide import Look, Standing
from connector.running.drafts import read_drafts
from connector.running.setup import Surveyed, survey

_AGAIN = "Press Enter to look again, or Ctrl-C to end"


class _Step(TypedDict):
    step: str
    title: str
    standing: Standing
    seen: list[str]
    click: str


class _Setup(TypedDict):
    destination: str
    crm: str
    done: bool
    wrong: str
    steps: list[_Step]
    more_findings: int


@click.command()
@agency_option
@click.option("--destination", "only", help="Only this destination from the agency files.")
@json_option(list[_Setup])
def setup(paths: tuple[Path, ...], only: str | None, as_json: bool) -> None:
    """Walk through what each CRM account needs: the login, its user, permissions, fields, keys.

    Looks at every step in the account, changes nothing, and works before anything else does. On a terminal it looks
    again whenever you press Enter. Exit status 0: all is done. 1: something is to do. 2: a file is wrong.
    """
    while status := _look(paths, only, as_json):
        if as_json or not sys.stdin.isatty():
            raise SystemExit(status)
        click.prompt(_AGAIN, default="", show_default=False)


def _look(paths: Sequence[Path], only: str | None, as_json: bool) -> int:
    """Show how far every step is; return the exit status."""
    with quiet():
        surveyed = [survey(draft) for draft in read_drafts(paths, os.environ, only)]
    if as_json:
        show_json([_as_data(own) for own in surveyed])
    else:
        click.echo(plain("\n\n".join("\n".join(_as_text(own)) for own in surveyed)))
    if any(own.wrong for own in surveyed):
        return 2
    return 0 if all(own.is_done for own in surveyed) else 1


def _as_text(surveyed: Surveyed) -> Iterator[str]:
    yield surveyed.destination + (f" ({surveyed.crm})" if surveyed.crm else "")
    if surveyed.wrong:
        yield surveyed.wrong
    for number, look in enumerate(surveyed.looks, 1):
        yield from _step(number, look)
    if surveyed.more:
        yield f"  {surveyed.more} more finding{'s' if surveyed.more > 1 else ''}: connector check -c ... --live"


def _step(number: int, look: Look) -> Iterator[str]:
    """A step on one line if nothing is to be done, else with every fault and where to click."""
    head = f"{number:>3}. {look.standing:<13} {look.step.title}"
    if look.standing in (Standing.DONE, Standing.UNSEEN) and len(look.lines) <= 1:
        yield head + "".join(f" ({text})" for text in look.lines)
        return
    yield head
    yield from (f"       - {text}" for text in look.lines)
    if look.standing is not Standing.UNSEEN:
        yield f"       {look.step.click}"


def _as_data(surveyed: Surveyed) -> _Setup:
    return {
        "destination": surveyed.destination,
        "crm": surveyed.crm,
        "done": surveyed.is_done,
        "wrong": surveyed.wrong,
        "steps": _steps(surveyed.looks),
        "more_findings": surveyed.more,
    }


def _steps(looks: Sequence[Look]) -> list[_Step]:
    return [
        {
            "step": look.step.name,
            "title": look.step.title,
            "standing": look.standing,
            "seen": list(look.lines),
            "click": look.step.click,
        }
        for look in looks
    ]
