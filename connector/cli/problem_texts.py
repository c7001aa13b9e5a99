"""How `connector problems` words each kind of problem. Times in epoch ms."""

from __future__ import annotations

from connector.insight.left_out import LeftOut
from connector.insight.oddities import code_of, place_of, what_comes, what_to_do
from connector.insight.problems import Cause
from connector.settlement.oddities import Oddity
from connector.web.words import counted, since


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


def cause_text(cause: Cause, now: int) -> str:
    """Format a cause of dead letters."""
    customers = f" for {counted(cause.customers, 'customer')}" if cause.customers else ""
    lines = [
        f"{cause.destination}: {cause.what} ({cause.code})",
        f"  {counted(cause.count, 'delivery', 'deliveries')}{customers} {since(cause.since, now)}",
    ]
    if cause.places:
        lines.append(f"  mapped at {', '.join(cause.places)} (record {cause.record})")
    replay = f"connector events replay --destination {cause.destination} --code {cause.code}"
    return "\n".join([*lines, f"  {cause.do}", f"  {replay}"])
