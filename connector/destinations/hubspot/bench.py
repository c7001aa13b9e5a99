"""What a trial does to a portal besides delivering."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pydantic import Field

from connector.destinations.bench import Added, Touched
from connector.destinations.hubspot import removal
from connector.destinations.hubspot.calls import LINKED, PROPERTIES, Calls, Path, expect
from connector.destinations.hubspot.lenient import Id
from connector.destinations.hubspot.object_types import type_id
from connector.destinations.hubspot.provision import CREATE, GROUPS, MOST_UNIQUE, PROPERTY
from connector.destinations.hubspot.refusals import reply_refusal
from connector.destinations.hubspot.replies import Properties, PropertyDefinition, Reply, parse
from connector.destinations.lenient import Entries, Lenient
from connector.errors import DestinationUnusable, PauseReason

# https://developers.hubspot.com/docs/api-reference/crm-objects-v3/basic/delete-crm-v3-objects-objectType-objectId
DELETE: Final = Path("DELETE", "/crm/v3/objects/{object}/{id}")
GROUP: Final = Path("GET", GROUPS.template)
REMOVE: Final = Path("DELETE", "/crm/v3/properties/{object}/{name}")

_LOOKS: Final = 20


class _Group(Lenient):
    name: str


class _Groups(Lenient):
    results: Entries[_Group] = Field(default_factory=list)


class _Other(Lenient):
    id: Id = Field(alias="toObjectId")


class _Linked(Lenient):
    to: Entries[_Other] = Field(default_factory=list)


class _AllLinked(Lenient):
    results: Entries[_Linked] = Field(default_factory=list)


class HubSpotBench:
    """Implements destinations.bench.Bench."""

    remains = "HubSpot keeps deleted records for 90 days, and the made-up address stays opted out of email"
    restorable = "in HubSpot for 90 days"

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self.unique_fields = UniqueProperties(calls)

    def touched(self, object: str, ids: Sequence[str]) -> dict[str, Touched]:
        """What has happened to each of these records."""
        return removal.touched(self._calls, object, ids)

    def delete_all(self, object: str, ids: Sequence[str]) -> dict[str, str]:
        """Archive records; return why each is still there."""
        return removal.delete_all(self._calls, object, ids)

    def delete(self, object: str, crm_id: str) -> str:
        """Delete a record; return why it is still there, empty if it is gone."""
        return _still_there(self._calls.ask(DELETE, object=object, id=crm_id))

    def linked(self, object: str, crm_id: str, other: str) -> frozenset[str]:
        """The ids of the records of another object that a record is associated with."""
        body = {"inputs": [{"id": crm_id}]}
        reply = self._calls.ask(LINKED, object=type_id(object), other=type_id(other), body=body)
        results = expect(_AllLinked, reply).results
        return frozenset(end.id for linked in results for end in linked.to)


class UniqueProperties:
    """Implements destinations.bench.UniqueFields."""

    instead: Final = {"calls": "hs_call_external_id"}

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def add(self, object: str, name: str) -> Added:
        """Add a text property whose values are unique, to a group that exists."""
        properties = self._calls.read(Properties, PROPERTIES, object=object).results
        if sum(own.unique and not own.hubspot_defined for own in properties) >= MOST_UNIQUE:
            return Added(False, f"{object} has the {MOST_UNIQUE} unique properties that HubSpot allows", passing=True)
        groups = self._calls.read(_Groups, GROUP, object=object).results
        definition = {
            "name": name,
            "label": "careCycle trial",
            "type": "string",
            "fieldType": "text",
            "groupName": groups[0].name if groups else "",
            "hasUniqueValue": True,
        }
        try:
            reply = self._calls.ask(CREATE, object=object, body=definition)
        except DestinationUnusable as error:
            if error.reason is not PauseReason.PERMISSIONS:
                raise
            return Added(False, error.problem, passing=True)
        if not reply.ok:
            return Added(False, f"HubSpot refuses it ({reply_refusal(reply).code})")
        self._wait_for(object, name)
        own = parse(PropertyDefinition, reply)
        why = "HubSpot made the property, but its values are not unique"
        return Added(own is not None and own.unique, why, made=True)

    def _wait_for(self, object: str, name: str) -> None:
        """Ask for the property until HubSpot shows it, which takes up to a second."""
        for _ in range(_LOOKS):
            if self._calls.ask(PROPERTY, object=object, name=name).ok:
                return

    def remove(self, object: str, name: str) -> str:
        """Archive the property; return why it is still there."""
        return _still_there(self._calls.ask(REMOVE, object=object, name=name))

    def remove_marked(self, object: str, mark: str) -> tuple[str, ...]:
        """Archive all whose names begin with `mark`; return the names of those that could not be."""
        names = [own.name for own in self._calls.read(Properties, PROPERTIES, object=object).results]
        return tuple(name for name in names if name.startswith(mark) and self.remove(object, name))


def _still_there(reply: Reply) -> str:
    return "" if reply.ok or reply.status == 404 else f"HubSpot refuses to delete it ({reply_refusal(reply).code})"
