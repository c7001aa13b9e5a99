"""people: find a customer by what you have in your hands."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from connector.cli.options import json_option, opened_store, plain, show_json, who
from connector.errors import FixConfiguration
from connector.insight.people import Match, Search, Seeker, find

_INPUT = "-"


@click.group()
def people() -> None:
    """Find a person by an id, a link, a phone number or an e-mail address."""


@people.command("find")
@click.argument("text")
@click.option("--reason", default="", help="Why, for a phone number or an e-mail address; stored in the audit log.")
@json_option(Search)
def find_people(text: str, reason: str, as_json: bool) -> None:
    """List the customers whom TEXT may mean.

    TEXT is a careCycle customer id, a message or call id, your own external id, a CRM record's id or link, a phone
    number or an e-mail address. Give a number or an address on standard input, as `-`: it is then not in your shell's
    history. Exit status 1 if nobody is found.
    """
    wanted = sys.stdin.read() if text == _INPUT else text
    if not wanted.strip():
        raise FixConfiguration("TEXT", "is empty", "give an id, a link, a phone number or an e-mail address")
    with opened_store() as store:
        search = find(store, wanted, Seeker(who(), reason))
    if as_json:
        show_json(search)
    else:
        click.echo(plain("\n".join(_lines(search))))
    raise SystemExit(0 if search.people else 1)


def _lines(search: Search) -> Iterator[str]:
    for match in search.people:
        yield f"{match.agency}  {match.customer_id}  {_by(match)}"
    if search.more:
        yield "More people match: give something that fewer of them share."
    if not search.people:
        yield f"Nobody is found. Tried as {', '.join(search.tried)}."
    if search.reason_for:
        yield f"Not tried as {' or '.join(search.reason_for)}: give a --reason, which is stored in the audit log."
    if search.unseen:
        yield f"{search.unseen:,} events are not in the index yet: try again in some minutes."


def _by(match: Match) -> str:
    return ", ".join([*match.by, *(f"was the {by}" for by in match.former)])
