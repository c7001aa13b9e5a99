"""Decide what is done about a record that differs from what we wrote. Pure."""

from __future__ import annotations

from collections.abc import Collection

from connector.delivery.difference import Written
from connector.settlement.verification import Difference, Repair, Verified


def repair_of(
    verified: Verified, written: Written, *, owned: bool, forward_only: Collection[str] = ()
) -> Repair | None:
    """What to queue for a record; None for nothing.

    owned: also the fields that the mapping always writes, and the associations. forward_only: fields that the CRM does
    not move back. A merged record keeps what it has, but for the opt-outs.
    """
    held, differences = verified.held, verified.differences
    if Difference.MISSING in differences:
        return Repair(held, again=True)
    flags = differences.get(Difference.LOWERED, ())
    owed = bool(flags) and held.customer_id is not None
    fields, links = _owned(verified, written, forward_only) if owned and verified.is_there else ((), ())
    return Repair(held, fields=fields, links=links, owed=owed, flags=flags) if owed or fields or links else None


def _owned(
    verified: Verified, written: Written, forward_only: Collection[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The fields and links that differ and are the mapping's."""
    held, unlinked = verified.held, verified.differences.get(Difference.UNLINKED, ())
    ours = (written.owned & held.entry.fields.keys()) - frozenset(forward_only) - {held.key_field}
    differing = (*verified.differences.get(Difference.CHANGED, ()), *unlinked)
    return tuple(name for name in differing if name in ours), tuple(
        name for name in unlinked if name in held.entry.links
    )
