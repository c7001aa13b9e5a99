"""why: explain each field of a CRM record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import click

from connector.cli.options import json_option, opened_store, show_json
from connector.cli.problem_texts import lowered_text
from connector.cli.problems import accounts_of, mapping_option
from connector.errors import FixConfiguration
from connector.insight.explain import RecordWhy, Why, explain
from connector.web.words import counted, said_words, stamp


@click.command()
@click.argument("id")
@mapping_option
@json_option(Why)
def why(id: str, paths: tuple[Path, ...], as_json: bool) -> None:
    """Explain each field of a CRM record, for the ID of a customer, a call or a message.

    For each field: which event wrote it, when, by which mapping, and why other events did not. With -c it also shows
    the mapping lines and what each event would have written. The ID of a call works only with -c.
    """
    with opened_store() as store:
        accounts = accounts_of(paths, store)
        answer = explain(store, id, accounts)
    if answer is None:
        hint = "connector events list shows IDs" if paths else "for a call, name the agency file with -c"
        raise FixConfiguration(id, "is not a known customer, call or message", hint)
    if as_json:
        show_json(asdict(answer))
    else:
        click.echo("\n".join(_answer_text(answer)))


def _answer_text(answer: Why) -> Iterator[str]:
    whom = f"customer {answer.customer_id}" if answer.customer_id else answer.asked
    yield f"{whom}: {counted(answer.events, 'event')}" + (" (only the newest)" if answer.capped else "")
    if answer.purged:
        yield f"{answer.purged} of them have been purged: only what was recorded at delivery is shown"
    if answer.unmapped:
        yield f"some reasons are missing without the mapping of {', '.join(answer.unmapped)}: name its file with -c"
    for person in answer.lowered:
        yield lowered_text(person)
    for record in answer.records:
        yield ""
        yield from _record(record)


def _record(record: RecordWhy) -> Iterator[str]:
    yield f"{record.destination}: {record.object} {record.crm_id or '(not in the CRM)'} {record.link}".rstrip()
    if record.withheld:
        yield f"  the whole record is withheld by {record.withheld}"
    for field in record.fields:
        yield f"  {field.field}" + (f"   ({field.place})" if field.place else "")
        for said in [field.writer, *field.others] if field.writer else field.others:
            yield f"    {stamp(said.at)}  {said.type} {said.message_id}: {said_words(said)}"
