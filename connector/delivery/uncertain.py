"""What the ledger knows of a record while it is unknown whether the CRM took a write. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from connector.backoff import HOUR
from connector.delivery.decide import Decision
from connector.delivery.digests import Digest, digests_of
from connector.delivery.fold import Folded
from connector.mapping.rules import OVER_OURS
from connector.model import Entry, RecordKey, Write
from connector.settlement.gaps import Doubt


def perhaps_created(
    writes: Iterable[Write], entries: Mapping[RecordKey, Entry], doubt: Doubt | None
) -> dict[RecordKey, Entry]:
    """Return the entries with one for each record that may have been created in a history that was lost.

    Without a unique key, the CRM would create it twice: it is searched for first. Events later than the restore are
    known to be new; an hour is allowed for clocks that differ.
    """
    known = dict(entries)
    for write in writes if doubt else ():
        if not write.unique and write.key not in known and doubt and write.stamp.at < doubt.at + HOUR:
            known[write.key] = Entry(creating=doubt.lost_until)
    return known


def in_doubt(folded: Folded, decision: Decision, entry: Entry, digest: Digest, *, late: bool = False) -> Entry:
    """Return the entry to store before a write, valid while it is unknown whether the CRM took the write.

    Without it, a value written just before a crash would outlive a newer event that repeats the value the ledger
    remembers from before, and would pass for a person's edit. What a field that moves forward had got stays known: no
    value before that is written, and it is not brought again if the CRM refuses this one.

    late: whether the write may have come after another worker's. Then even a field that moves forward may be back.
    """
    fields, meant = dict(entry.fields), dict(entry.meant)
    for name, value in decision.fields.items():
        before, write = entry.fields.get(name), folded.write.fields[name]
        if before is not None and (late or not write.order):
            fields[name] = before._replace(digest="")
        if write.rule in OVER_OURS:
            ours = {*digests_of(value, digest), before.digest if before else ""} - {""}
            meant[name] = {**meant.get(name, {}), **dict.fromkeys(ours, write.stamp)}
    return entry if fields == entry.fields and meant == entry.meant else replace(entry, fields=fields, meant=meant)
