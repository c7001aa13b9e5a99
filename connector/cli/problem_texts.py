"""How `connector problems` words each kind of problem. Times in epoch ms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from connector.insight.left_out import LeftOut
from connector.insight.lowered import Lowered, Person
from connector.insight.oddities import code_of, place_of, what_comes, what_to_do
from connector.insight.problems import Cause
from connector.settlement.oddities import Oddity
from connector.web.words import counted, since, stamp


def lowered_opt_outs_text(here: Lowered) -> str:
    """Format a destination's opt-outs that are no longer in its CRM."""
    people = "".join(f"  {lowered_text(person)}\n" for person in here.people)
    more = f"  and {here.count - len(here.people):,} more\n" if here.count > len(here.people) else ""
    gone = counted(here.count, "opt-out is", "opt-outs are")
    return f"{here.destination}: {gone} no longer in the CRM ({here.code})\n{people}{more}  {here.do}"


def lowered_text(person: Person) -> str:
    """Format one opt-out that is no longer in a CRM."""
    record = f"{person.object} {person.crm_id} {person.link}".rstrip()
    return f"customer {person.customer_id}: {person.flag}, found lowered at {stamp(person.found_at)} UTC on {record}"


def left_out_text(item: LeftOut, now: int) -> str:
    """Format a field that is left out of records."""
    customers = f" for {counted(item.customers, 'customer')}" if item.customers else ""
    where = f"  mapped at {item.place} (record {item.record})\n" if item.place else ""
    return (
        f"{item.destination}: {item.what} ({item.code})\n"
        f"  '{item.field}' is left out of {counted(item.count, 'record')}{customers} {since(item.since, now)}; "
        f"everything else in them was written\n{where}{_held_text(item)}  {item.do}\n"
        f"  connector events replay --destination {item.destination} --left-out {item.code}"
    )


def _held_text(item: LeftOut) -> str:
    """Format which record has the value that another is written without."""
    lines = [
        f"  customer {held.customer_id}: " + (f"record {held.holder} {held.holder_link}".rstrip() + " has it")
        for held in item.held
        if held.holder
    ]
    return "".join(f"{line}\n" for line in lines)


def oddity_text(oddity: Oddity, now: int) -> str:
    """Format a field that careCycle sends in another form, or a value that nothing translates."""
    newest = f", the newest {oddity.message_id}" if oddity.message_id else ""
    return (
        f"{place_of(oddity)}: {what_comes(oddity)} ({code_of(oddity)})\n"
        f"  {counted(oddity.count, 'event')} {since(oddity.since, now)}{newest}\n"
        f"  {what_to_do(oddity)}"
    )


@dataclass(frozen=True, slots=True)
class Behind:
    """A customer behind a cause; deliveries: dead letters. message_id: of the newest. The id is empty if unknown."""

    customer_id: str
    deliveries: int
    message_id: str


def cause_text(cause: Cause, now: int, people: Sequence[Behind] = ()) -> str:
    """Format a cause of dead letters, with the customers that are to be listed."""
    customers = f" for {counted(cause.customers, 'customer')}" if cause.customers else ""
    lines = [
        f"{cause.destination}: {cause.what} ({cause.code})",
        f"  {counted(cause.count, 'delivery', 'deliveries')}{customers} {since(cause.since, now)}",
    ]
    if cause.places:
        lines.append(f"  mapped at {', '.join(cause.places)} (record {cause.record})")
    replay = f"connector events replay --destination {cause.destination} --code {cause.code}"
    listed = [_behind_text(person) for person in people]
    more = cause.customers - sum(bool(person.customer_id) for person in people)
    listed += [f"  and {more:,} more customers"] if people and more > 0 else []
    return "\n".join([*lines, f"  {cause.do}", f"  {replay}", *listed])


def _behind_text(person: Behind) -> str:
    who = f"customer {person.customer_id}" if person.customer_id else "no known customer"
    return f"  {who}: {counted(person.deliveries, 'dead letter')}, the newest {person.message_id}"
