"""console person: the people with names of their own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypedDict

import click

from connector.cli.options import json_option, opened_store, show_json, show_table, who
from connector.errors import ConnectorError, FixConfiguration
from connector.running.config import read_process
from connector.store.dialect import embedded_file, parse_url
from connector.web.openid_settings import read_account
from connector.web.passwords import Person, hash_password, problem_of
from connector.web.rights import Role
from connector.web.roster import NAME, editing, read_people

_OPENID = "Their account at the OpenID Connect provider: a verified e-mail address, or sub:SUBJECT. No password."
_ROLES = click.Choice([str(role) for role in Role])


class _Person(TypedDict):
    """Someone with a name of their own. agencies: null for all. openid: the account at the provider, or null."""

    name: str
    role: Role
    agencies: list[str] | None
    password: bool
    openid: str | None


@click.group()
def person() -> None:
    """Add, list or remove the people who sign in to the console by name."""


@person.command()
@click.argument("name")
@click.option("--role", type=_ROLES, required=True, help="What this person may do.")
@click.option("--agency", "agencies", multiple=True, help="An agency this person works for. Repeatable; default: all.")
@click.option("--openid", metavar="ACCOUNT", help=_OPENID)
def add(name: str, role: str, agencies: tuple[str, ...], openid: str | None) -> None:
    """Add a person, and ask for their password, unless they sign in through OpenID Connect.

    A viewer looks. An operator also pauses, replays and decides. Compliance reveals values, signs off and exports.
    An admin does everything.
    """
    path, account = _path(), _account(openid)
    _check_new(name, account, read_people(path))
    made = "" if account else hash_password(ask_password(name))
    with editing(path) as people:
        people[name] = Person(name, Role(role), made, frozenset(agencies) or None, account)
    of = ", ".join(sorted(agencies)) or "all agencies"
    _note("add person", f"{name}: {role} of {of}{f', who logs in as {account}' if account else ''}")
    click.echo(f"{name} may sign in to the console now. If it was off until now, restart the connector.")


@person.command("list")
@json_option(list[_Person])
def list_people(as_json: bool) -> None:
    """List the people, their roles and their agencies."""
    people = sorted(read_people(_path()).values(), key=lambda person: person.name)
    if as_json:
        show_json([_data(person) for person in people])
        return
    rows = [(own.name, str(own.role), ", ".join(sorted(own.agencies or ())) or "all", _way(own)) for own in people]
    show_table("People", ("name", "role", "agencies", "logs in with"), rows, "Nobody has a name of their own.")


@person.command()
@click.argument("name")
def remove(name: str) -> None:
    """Remove a person. Their sessions end at once."""
    with editing(_path()) as people:
        del people[_known(name, people)]
    _note("remove person", name)
    click.echo(f"{name} may no longer sign in, and is signed out.")


@person.command()
@click.argument("name")
def password(name: str) -> None:
    """Set another password for a person. Their sessions end at once."""
    path = _path()
    _known(name, read_people(path))
    made = hash_password(ask_password(name))
    with editing(path) as people:
        old = people[_known(name, people)]
        people[name] = replace(old, hash=made)
    _note("set password", name)
    click.echo(f"{name} has another password, and is signed out everywhere.")


def ask_password(name: str = "") -> str:
    """Ask for a good enough password, twice. Raises UsageError."""
    return good_enough(str(click.prompt("Password", hide_input=True, confirmation_prompt=True)), name)


def good_enough(password: str, name: str = "") -> str:
    """The same password. Raises UsageError if it is easy to guess."""
    if problem := problem_of(password, name):
        raise click.UsageError(f"The password {problem}.")
    return password


def _path() -> Path:
    path = read_process(os.environ).console_people
    if path is None:
        hint = "with PostgreSQL there is no folder beside the database: name a file that each console can read"
        raise FixConfiguration("CONNECTOR_CONSOLE_PEOPLE", "is not set", hint)
    return path


def _check_new(name: str, account: str, there: Mapping[str, Person]) -> None:
    if not NAME.fullmatch(name):
        raise click.UsageError("A name is of lower-case letters, digits and . _ @ -, at most 63 of them.")
    if name in there:
        raise click.UsageError(f"{name} is there already. Use person password, or person remove first.")
    if taken := [person.name for person in there.values() if account and person.openid == account]:
        raise click.UsageError(f"{account} is {taken[0]} already.")


def _account(openid: str | None) -> str:
    account = read_account(openid)
    if openid is not None and not account:
        raise click.UsageError("--openid is an e-mail address, or sub: and the subject, such as sub:24400320.")
    return account


def _way(person: Person) -> str:
    return " or ".join([*(["password"] if person.hash else []), *([person.openid] if person.openid else [])])


def _known(name: str, people: Mapping[str, Person]) -> str:
    if name not in people:
        raise click.UsageError(f"There is no {name}. connector console person list shows who there is.")
    return name


def _data(person: Person) -> _Person:
    agencies = sorted(person.agencies) if person.agencies is not None else None
    return {
        "name": person.name,
        "role": person.role,
        "agencies": agencies,
        "password": bool(person.hash),
        "openid": person.openid or None,
    }


def _note(action: str, thing: str) -> None:
    """Keep it in the audit log, if there is a database yet."""
    file = embedded_file(parse_url(read_process(os.environ).database_url))
    if file and not file.exists():
        return
    try:
        with opened_store() as store:
            store.audit.note(who(), action, thing)
    except ConnectorError as error:
        click.echo(f"This is not in the audit log: {error}", err=True)
