"""Associations between records, and opting addresses out of e-mail."""

from __future__ import annotations

import re
from typing import Any

from connector.sandbox.hubspot.records import Records
from connector.sandbox.hubspot.replies import Refusal, envelope, iso

MOST_LINKS = 2_000
_LINK_TYPES = {
    ("calls", "contacts"): 194,
    ("contacts", "calls"): 193,
    ("calls", "companies"): 182,
    ("companies", "calls"): 181,
}
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def associate(records: Records, start: str, end: str, body: Any) -> dict[str, Any]:
    """Link pairs by the default association. A missing record becomes an error entry; repeating a link is allowed."""
    pairs = body.get("inputs") if isinstance(body, dict) else None
    if not isinstance(pairs, list) or not pairs or len(pairs) > MOST_LINKS:
        raise Refusal(400, f"Invalid input JSON: 1 to {MOST_LINKS} inputs are required")
    results, errors = [], []
    for source, target in [_ends(pair) for pair in pairs]:
        missing = [i for kind, i in ((start, source), (end, target)) if i not in records.held[kind]]
        if missing:
            errors.append(_no_such_record(source, target, missing))
            continue
        if (start, source, end, target) not in records.links:
            records.history.add(start, source, "linked", {}, {end: target})
        records.links.add((start, source, end, target))
        results += [_link((start, source), (end, target)), _link((end, target), (start, source))]
    return envelope(results, records.clock(), errors)


def _link(source: tuple[str, str], target: tuple[str, str]) -> dict[str, Any]:
    """Build a result from the object names and ids of both ends; HubSpot reports each direction."""
    type_id = _LINK_TYPES.get((source[0], target[0]), 449)
    spec = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": type_id}
    return {"from": {"id": source[1]}, "to": {"id": target[1]}, "associationSpec": spec}


def _ends(pair: Any) -> tuple[str, str]:
    try:
        return str(pair["from"]["id"]), str(pair["to"]["id"])
    except (KeyError, TypeError):
        raise Refusal(400, "Invalid input JSON: from.id and to.id are required") from None


def _no_such_record(source: str, target: str, missing: list[str]) -> dict[str, Any]:
    context = {"fromObjectId": [source], "toObjectId": [target], "ids": missing}
    return {
        "status": "error",
        "category": "OBJECT_NOT_FOUND",
        "message": f"No record exists for id {', '.join(missing)}",
        "context": context,
    }


def linked(records: Records, kind: str, identity: str, other: str) -> dict[str, Any]:
    """List the records of type `other` linked to this record from either side, with integer ids as in v4."""
    ends = [link[2:] for link in records.links if link[:2] == (kind, identity)]
    ends += [link[:2] for link in records.links if link[2:] == (kind, identity)]
    spec = {"category": "HUBSPOT_DEFINED", "typeId": _LINK_TYPES.get((kind, other), 449), "label": None}
    ids = sorted({int(i) for name, i in ends if name == other})
    return {"results": [{"toObjectId": i, "associationTypes": [spec]} for i in ids]}


def all_linked(records: Records, kind: str, other: str, body: Any) -> dict[str, Any]:
    """List for each record the records of type `other` linked to it; ids are texts here, and a label is left out.

    A record that is linked to none is an error entry.
    """
    try:
        ids = [str(item["id"]) for item in body["inputs"]]
    except (KeyError, TypeError):
        raise Refusal(400, "Invalid input JSON: inputs with an id are required") from None
    spec = {"category": "HUBSPOT_DEFINED", "typeId": _LINK_TYPES.get((kind, other), 449)}
    results, errors = [], []
    for own in ids:
        ends = [str(end["toObjectId"]) for end in linked(records, kind, own, other)["results"]]
        to = [{"toObjectId": end, "associationTypes": [spec]} for end in ends]
        results += [{"from": {"id": own}, "to": to}] if to else []
        errors += [] if to else [_no_link(kind, own, other)]
    return envelope(results, records.clock(), errors)


def _no_link(kind: str, identity: str, other: str) -> dict[str, Any]:
    return {
        "status": "error",
        "category": "OBJECT_NOT_FOUND",
        "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND",
        "message": f"No {other} is associated with {kind} {identity}.",
        "context": {"fromObjectId": [identity], "fromObjectType": [kind], "toObjectType": [other]},
    }


def opt_out(records: Records, address: str, channel: str | None) -> None:
    """Unsubscribe an address from all email; its contact, if any, shows the opt-out."""
    _check(address, channel)
    if address.lower() in records.opted_out:
        raise Refusal(400, "The subscriber is already unsubscribed")
    records.opted_out.add(address.lower())
    owner = records.unique.get(("contacts", "email", address.lower()))
    records.history.add("contacts", owner or "", "opted out of email", {}, {"address": address.lower()})
    if owner and records.held["contacts"][owner].properties.get("email") == address.lower():
        records.held["contacts"][owner].properties["hs_email_optout"] = "true"


def status_of(records: Records, address: str, channel: str | None) -> dict[str, Any]:
    """Report an address's opt-out; there is no result for an address that is not opted out."""
    _check(address, channel)
    if address.lower() not in records.opted_out:
        return envelope([], records.clock())
    state = {
        "subscriberIdString": address.lower(),
        "channel": "EMAIL",
        "status": "UNSUBSCRIBED",
        "wideStatusType": "PORTAL_WIDE",
        "timestamp": iso(records.clock()),
    }
    return envelope([state], records.clock())


def _check(address: str, channel: str | None) -> None:
    if channel != "EMAIL":
        raise Refusal(400, "channel is required; only EMAIL can be used")
    if not _ADDRESS.fullmatch(address):
        raise Refusal(400, f"{address} is not a valid email address")
