"""identity: list the questions about who is who, and decide them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypedDict

import click

from connector.cli.options import json_option, opened_store, plain, reason_option, show_json, who
from connector.cli.problems import accounts_of, mapping_option
from connector.errors import FixConfiguration
from connector.insight.identity import (
    ShownCandidate,
    ShownQuestion,
    agreement_words,
    decided_words,
    find_questions,
    question_of,
    queued_words,
)
from connector.insight.masking import ShownField
from connector.settlement.questions import QuestionState
from connector.store import Store
from connector.web.words import since, stamp


class _Question(TypedDict):
    id: str
    destination: str
    object: str
    key: str
    customer_id: str | None
    record: str
    by_key: bool
    candidates: list[ShownCandidate]
    since: int
    state: QuestionState
    delivery_id: int
    message_id: str | None
    own: str | None
    chosen: str | None
    former: str | None
    taken_back: str | None
    decided_at: int | None
    decided_by: str
    own_link: str
    person: list[ShownField]


@click.group()
def identity() -> None:
    """List CRM records that may be a customer's, and decide whether they are."""


@identity.command("list")
@mapping_option
@click.option("--all", "decided", is_flag=True, help="Also those that are decided.")
@json_option(list[_Question])
def list_questions(paths: tuple[Path, ...], decided: bool, as_json: bool) -> None:
    """List each question: a customer, and the CRM records that may be the customer's.

    Shows which fields agree, never their values. With -c it also shows links to the records.
    Exit status 1 if a question waits to be decided.
    """
    with opened_store() as store:
        accounts = accounts_of(paths, store)
        questions, now = find_questions(store, accounts, decided=decided), store.database.time()
    if as_json:
        show_json([_data(question) for question in questions])
    else:
        texts = ("\n".join(_lines(question, now)) for question in questions)
        click.echo(plain("\n\n".join(texts) or "No questions."))
    raise SystemExit(1 if any(question.of.is_open for question in questions) else 0)


def _data(question: ShownQuestion) -> dict[str, Any]:
    shown = asdict(question)
    return {"id": question.of.id, **shown.pop("of"), **shown}


def _lines(question: ShownQuestion, now: int) -> Iterator[str]:
    of = question.of
    whom = f"customer {of.customer_id}" if of.customer_id else "a record without a customer"
    yield f"{of.id}  {of.destination} {of.object}: {whom}, {of.state} {since(of.since, now)}"
    if of.own:
        yield f"  the customer's record: {of.own} {question.own_link}".rstrip()
    for candidate in question.candidates:
        yield f"  candidate {candidate.id} {candidate.link}".rstrip()
        yield from (f"    {words}" for words in [agreement_words(candidate)] if words)
    if question.person:
        yield "  in the newest event: " + ", ".join(f"{field.path} {field.value}" for field in question.person)
    yield from (f"  {words}" for words in [decided_words(question)] if words)
    yield f"  {_next_step(question)}"


def _next_step(question: ShownQuestion) -> str:
    of = question.of
    decide = f"connector identity decide {of.id}"
    if not of.is_open:
        return f"decided by {of.decided_by} at {stamp(of.decided_at or 0)}; {decide} --undo"
    return f"{decide} --same CRM_ID" + ("" if of.by_key else " | --somebody-else")


@identity.command()
@click.argument("question")
@mapping_option
@click.option("--same", metavar="CRM_ID", default="", help="This record is the customer's.")
@click.option("--somebody-else", "other", is_flag=True, help="None of the candidates is the customer's.")
@click.option("--undo", is_flag=True, help="Take the decision back.")
@reason_option
def decide(question: str, paths: tuple[Path, ...], same: str, other: bool, undo: bool, reason: str) -> None:
    """Decide a question: is one of its candidates the customer's CRM record?

    --same: the customer is written to that record from now on, in full. --somebody-else: the candidates are not offered
    again. --undo takes either back: the customer gets a record of their own again.
    """
    if (bool(same), other, undo).count(True) != 1:
        raise click.UsageError("name one of --same CRM_ID, --somebody-else and --undo")
    with opened_store() as store:
        accounts = accounts_of(paths, store)
        shown = question_of(store, accounts, question)
        if shown is None:
            raise FixConfiguration(question, "is not a known question", "connector identity list --all shows them")
        notice = _carry_out(store, shown, same, reason, undo=undo)
        after = question_of(store, accounts, question)
    click.echo(decided_words(after) if after and decided_words(after) else "The question is open again.")
    if notice:
        click.echo(notice)


def _carry_out(store: Store, shown: ShownQuestion, same: str, reason: str, *, undo: bool) -> str:
    if same:
        return queued_words(store.deciding.same_person(shown.of, same, who(), reason))
    if undo:
        count = store.deciding.take_back(shown.of, who(), reason)
        return queued_words(count) if shown.of.chosen else ""
    store.deciding.somebody_else(shown.of, who(), reason)
    return ""
