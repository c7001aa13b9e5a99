"""What people do to records by hand: merge them, delete them, restore them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from connector.sandbox.hubspot.records import Link, Record, Records

FORMER_IDS = "hs_merged_object_ids"
ADDITIONAL = "hs_additional_emails"


@dataclass(slots=True)
class Manner:
    """What HubSpot does not document about merges.

    keeps_id: whether the merged record keeps the winner's id, as in accounts of a beta; otherwise its id is new.
    loser_key: whether the loser's unique value is gone, fills the winner's blank one, or leads to the merged record.
    """

    keeps_id: bool = False
    loser_key: Literal["gone", "fills", "leads"] = "gone"


def merge(records: Records, kind: str, loser: str, winner: str, manner: Manner) -> Record:
    """Merge a record into another; former ids and the loser's address lead to the merged record, which has all links.

    The winner's values stay; the loser's fill in what the winner leaves blank.
    """
    lost, won = records.held[kind][loser], records.held[kind][winner]
    links = set(records.links)
    _forget(records, kind, loser, winner)
    keys = {name: text for name, text in lost.properties.items() if records.schema[kind][name].unique}
    filling = {**lost.properties, **(dict.fromkeys(keys, "") if manner.loser_key != "fills" else {})}
    former = [*_formers(lost), *_formers(won), loser, *(() if manner.keeps_id else (winner,))]
    properties = {**filling, **won.properties, FORMER_IDS: ";".join(former)}
    properties[ADDITIONAL] = ";".join(sorted(_addresses(won, lost) - {properties.get("email", "")}))
    identity = winner if manner.keeps_id else records.new_id()
    record = Record(kind, identity, won.created, records.clock())
    records.put(kind, record, properties)
    records.merged |= {(kind, own): identity for own in former}
    records.links = {_moved(link, kind, {loser, winner}, identity) for link in links}
    if manner.loser_key == "leads":
        records.lead_to(record, {name: text for name, text in keys.items() if name != "email"})
    return record


def _forget(records: Records, kind: str, *merged: str) -> None:
    with records.history.called("merged"):
        for identity in merged:
            records.forget(kind, identity)


def _addresses(*merged: Record) -> set[str]:
    texts = [record.properties.get(name, "") for record in merged for name in ("email", ADDITIONAL)]
    return {address for text in texts for address in text.split(";") if address}


def _formers(record: Record) -> list[str]:
    return [identity for identity in record.properties.get(FORMER_IDS, "").split(";") if identity]


def _moved(link: Link, kind: str, former: set[str], identity: str) -> Link:
    start, end = (
        (name, identity) if name == kind and own in former else (name, own) for name, own in (link[:2], link[2:])
    )
    return (*start, *end)


def restore(records: Records, kind: str, identity: str) -> Record:
    """Restore a deleted record, without the unique values that another record has by now."""
    deleted = records.deleted.pop((kind, identity))
    taken = {
        name
        for name, text in deleted.properties.items()
        if records.schema[kind][name].unique and (kind, name, text.lower()) in records.unique
    }
    kept = {name: text for name, text in deleted.properties.items() if name not in taken}
    record = replace(deleted, properties={}, updated=records.clock())
    with records.history.called("restored"):
        records.put(kind, record, kept)
    return record
