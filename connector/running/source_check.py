"""Try careCycle's API: the key, what it permits, what the parameters are called, and whether consent flags are shown.

Asks for one customer at a time, four requests in all. Names of fields are reported, no values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from connector.carecycle.catalogue import FLAGS
from connector.errors import SourceForbidden, SourceUnusable
from connector.running.findings import Finding, Health
from connector.source.client import CareCycle, Payload
from connector.source.paging import Listing
from connector.source.settings import Parameters

_DOCS: Final = "see docs/carecycle.md"


def check_source(source: CareCycle, agency: str, names: Parameters) -> Iterator[Finding]:
    """Report each thing that a backfill needs."""
    thing = f"{agency}: careCycle's API"
    try:
        first, second = source.probe(1), source.probe(2)
    except SourceUnusable as error:
        yield Finding(thing, Health.WRONG, error.problem, f"nothing is fetched until then; {_DOCS}")
        return
    customers = source.readable(first)
    if not customers:
        yield Finding(thing, Health.DOUBTFUL, "the key is good; careCycle has no customers to try the rest with")
        return
    total = "an unknown number of" if first.total is None else f"{first.total:,}"
    yield Finding(thing, Health.FINE, f"the key is good; {total} customers")
    yield _size(thing, first, names)
    if first.total != len(first.items):
        yield _page(thing, first, second, names)
        yield _order(thing, [*customers, *source.readable(second)], names)
    yield from _details(thing, source, customers[0])


def _size(thing: str, page: Listing, names: Parameters) -> Finding:
    about = f"{thing}: page size"
    if len(page.items) == 1:
        return Finding(about, Health.FINE, f"`{names.size}` works")
    what = f"asked for 1 customer, {len(page.items)} came: `{names.size}` is not the parameter's name"
    return Finding(about, Health.DOUBTFUL, what, f"set carecycle.parameters.size: more requests until then; {_DOCS}")


def _page(thing: str, first: Listing, second: Listing, names: Parameters) -> Finding:
    about = f"{thing}: pages"
    if second.current in (None, 0, 2) and second.items and not first.ids() & second.ids():
        return Finding(about, Health.FINE, f"`{names.page}` works")
    what = f"page 2 is not another one than page 1: `{names.page}` is not the parameter's name"
    return Finding(about, Health.WRONG, what, f"set carecycle.parameters.page: no list can be read until then; {_DOCS}")


def _order(thing: str, customers: list[Payload], names: Parameters) -> Finding:
    about = f"{thing}: order"
    times = [str(customer.get("createdAt") or "") for customer in customers]
    if times == sorted(times):
        return Finding(about, Health.FINE, "the oldest customers come first")
    what = f"the oldest customers do not come first: `{names.sort}` or `{names.direction}` is not the parameter's name"
    do = f"set carecycle.parameters.sort and .direction: until then, new customers shift the pages; {_DOCS}"
    return Finding(about, Health.DOUBTFUL, what, do)


def _details(thing: str, source: CareCycle, listed: Payload) -> Iterator[Finding]:
    """Try what is asked about one customer, and whether their consent flags are shown."""
    try:
        detailed = source.customer(str(listed["id"])) or {}
    except SourceUnusable as error:
        detailed = {}
        yield _refused(f"{thing}: one customer", error, "customers are read from lists alone")
    else:
        yield Finding(f"{thing}: one customer", Health.FINE, "can be read")
    yield _flags(f"{thing}: consent flags", listed, detailed)
    try:
        next(iter(source.calls(str(listed["id"]), listed)), None)
    except SourceUnusable as error:
        yield _refused(f"{thing}: calls", error, "no calls are fetched")
    else:
        yield Finding(f"{thing}: calls", Health.FINE, "can be read")


def _refused(thing: str, error: SourceUnusable, without: str) -> Finding:
    health = Health.DOUBTFUL if isinstance(error, SourceForbidden) else Health.WRONG
    return Finding(thing, health, error.problem, f"make a key that may read this; until then {without}")


def _flags(thing: str, listed: Mapping[str, Any], detailed: Mapping[str, Any]) -> Finding:
    shown = [flag for flag in FLAGS if flag in listed]
    if len(shown) == len(FLAGS):
        return Finding(thing, Health.FINE, "are shown in lists")
    in_details = [flag for flag in FLAGS if flag in detailed]
    where = f"lists show {', '.join(shown) or 'none'}, single customers {', '.join(in_details) or 'none'}"
    do = "what is not shown counts as unknown: opt-outs come by webhooks, and nothing is lowered"
    return Finding(thing, Health.DOUBTFUL, where, do)
