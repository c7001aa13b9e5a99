"""Which fields of which objects may refer to an object's records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote

from connector.destinations.salesforce.client import Client

Relation = tuple[str, str]
"""An object, and its field that refers to the record."""

_ALWAYS: Final[Mapping[str, tuple[Relation, ...]]] = {
    "Contact": (
        ("Task", "WhoId"),
        ("Event", "WhoId"),
        ("Case", "ContactId"),
        ("OpportunityContactRole", "ContactId"),
        ("CampaignMember", "ContactId"),
    ),
    "Lead": (("Task", "WhoId"), ("Event", "WhoId"), ("CampaignMember", "LeadId")),
    "Task": (),
}
"""What is looked up however the object is described. Where that is refused, nothing is known."""
_OF_CUSTOM: Final = (("Task", "WhatId"), ("Event", "WhatId"))

_KEPT_BY_SALESFORCE: Final = ("History", "Feed", "Share", "ChangeEvent")
"""Ends of the names of objects in which Salesforce notes changes and who sees what. An agency's own end in __c."""
_HARMLESS: Final = frozenset(
    {
        "AIInsightValue",
        "AIRecordInsight",
        "ContactCleanInfo",
        "DuplicateRecordItem",
        "EntitySubscription",
        "LeadCleanInfo",
        "NetworkActivityAudit",
        "NetworkUserHistoryRecent",
        "RecordAction",
        "TopicAssignment",
    }
)
"""Objects that say nothing of the record which a person would miss."""
_ITS_OWN: Final = frozenset({("TaskRelation", "TaskId"), ("TaskWhoRelation", "TaskId")})
"""What Salesforce adds to a call for the person it is with."""


def relations(client: Client, object: str) -> list[Relation] | None:
    """What may refer to an object's records; None where that is not known. May raise DestinationUnusable."""
    reply = client.call("GET", f"sobjects/{quote(object, safe='')}/describe")
    listed = reply.get("childRelationships") if isinstance(reply, dict) else None
    always = _OF_CUSTOM if object.endswith("__c") else _ALWAYS.get(object)
    if not isinstance(listed, list) or always is None:
        return None
    described = [_relation(own) for own in listed]
    if None in described:
        return None
    closed = set(_closed(client))
    counts = (own for own in described if own and own[0] not in closed and _counts(own))
    return list(dict.fromkeys([*always, *counts]))


def _relation(described: Any) -> Relation | None:
    match described:
        case {"childSObject": str(child), "field": str(name)}:
            return child, name
    return None


def _counts(own: Relation) -> bool:
    child, _ = own
    return own not in _ITS_OWN and child not in _HARMLESS and not child.endswith(_KEPT_BY_SALESFORCE)


def _closed(client: Client) -> Iterator[str]:
    """The objects that nobody can query, such as ActivityHistory: they show the records of others again."""
    reply = client.call("GET", "sobjects")
    listed = reply.get("sobjects") if isinstance(reply, dict) else None
    for described in listed if isinstance(listed, list) else ():
        match described:
            case {"name": str(name), "queryable": False}:
                yield name
