"""Preparing a Salesforce org for a mapping: custom fields by the Tooling API, and the permission to edit them.

https://developer.salesforce.com/docs/atlas.en-us.api_tooling.meta/api_tooling/tooling_api_objects_customfield.htm
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from connector.destinations.provision import Done, Making, Obstacle, Provision, Step
from connector.destinations.salesforce import errors
from connector.destinations.salesforce.client import Client
from connector.destinations.salesforce.errors import ApiError
from connector.destinations.salesforce.provision_access import Access
from connector.destinations.salesforce.provision_fields import (
    Address,
    about,
    address,
    files,
    impossible,
    is_custom,
    metadata,
)
from connector.destinations.salesforce.reads import Reader
from connector.destinations.salesforce.schema import Described
from connector.mapping.demands import Demand, Demands
from connector.mapping.diagnostics import closest

_TAKEN: Final = frozenset({"DUPLICATE_DEVELOPER_NAME", "DUPLICATE_VALUE", "FIELD_INTEGRITY_EXCEPTION"})
_NOT_ALLOWED: Final = frozenset({"NOT_FOUND", "INVALID_TYPE", "FUNCTIONALITY_NOT_ENABLED"})
_CUSTOMIZE: Final = (
    "the connector's user may not create fields: give it the permission Customize Application, or deploy the folder "
    "that --metadata writes"
)


class SalesforceProvisioner:
    """The contract of destinations.provision."""

    fixed = (
        "An existing field is never altered here: change its type, or tick Unique and External ID, in Setup, Object "
        "Manager; or name another field in the mapping."
    )

    def __init__(self, client: Client, reader: Reader, api_version: str) -> None:
        self._client, self._reader, self._version = client, reader, api_version

    def plan(self, demands: Demands) -> Provision:
        """What the org lacks. Raises DestinationUnusable."""
        told: list[Step | Obstacle] = []
        doubts: list[str] = []
        for kind, asked in demands.items():
            described = self._reader.describe(kind)
            if described is None:
                advice = "create it in Setup, or give the connector's user access to it"
                told.append(Obstacle(kind, "", "the org has no such object, or hides it", advice))
                continue
            told += self._lacking(asked, {field.name.lower(): field for field in described.fields}, doubts)
        steps = tuple(one for one in told if isinstance(one, Step))
        return Provision(steps, tuple(one for one in told if isinstance(one, Obstacle)), tuple(doubts))

    def _lacking(
        self, asked: Mapping[str, Demand], seen: Mapping[str, Described], doubts: list[str]
    ) -> Iterator[Step | Obstacle]:
        missing = [demand for name, demand in asked.items() if name.lower() not in seen]
        hidden = self._hidden(missing, doubts) if missing else set()
        for name, demand in asked.items():
            if found := seen.get(name.lower()):
                yield from _existing(demand, found)
            else:
                yield from _missing(demand, name.lower() in hidden, seen.values())

    def apply(self, steps: Sequence[Step]) -> list[Done]:
        """Create the fields, then let the connector's user edit them. Raises DestinationUnusable."""
        done = [Done(step, self._create(step.demand)) for step in steps if step.making is Making.FIELD]
        failed = [one.step for one in done if one.problem]
        allowed = [step for step in steps if step not in failed]
        problems = Access(self._client, self._reader).grant(_address(step) for step in allowed)
        refused = [Done(step, problems.get(_address(step).permission, "")) for step in allowed]
        return [one for one in done if one.problem] + refused

    def files(self, steps: Sequence[Step]) -> Mapping[str, str]:
        """The same as a folder in source format."""
        fields = [step.demand for step in steps if step.making is Making.FIELD]
        return files(fields, map(_address, steps), self._version)

    def _hidden(self, missing: Sequence[Demand], doubts: list[str]) -> set[str]:
        """Those of an object's fields that exist and are kept from the connector's user, in small letters."""
        kind, names = missing[0].object, ", ".join(f"'{one.field}'" for one in missing if one.field.isidentifier())
        head = "SELECT QualifiedApiName FROM FieldDefinition WHERE EntityDefinition.QualifiedApiName = "
        soql = "".join((head, f"'{kind}' AND QualifiedApiName IN (", names, ")"))
        reply = self._client.call("GET", "tooling/query/", params={"q": soql})
        if isinstance(reply, ApiError) or not isinstance(reply, Mapping):
            doubts.append(
                f"{kind}: whether a missing field is only hidden cannot be told: give the connector's user the "
                "permission View Setup and Configuration"
            )
            return set()
        return {str(one.get("QualifiedApiName")).lower() for one in reply.get("records", ())}

    def _create(self, demand: Demand) -> str:
        """Create one field; why it was not, in our words."""
        where = address(demand.object, demand.field)
        body: dict[str, Any] = {"FullName": f"{where.owner}.{where.name}", "Metadata": metadata(demand)}
        reply = self._client.call("POST", "tooling/sobjects/CustomField/", json=body)
        if not isinstance(reply, ApiError) or _exists(reply):
            return ""
        if reply.code in _NOT_ALLOWED or reply.code.startswith("INSUFFICIENT_ACCESS"):
            return _CUSTOMIZE
        if demand.wanted.unique and where.owner == "Activity":
            return (
                f"Salesforce refuses a unique external id on activities here ({reply.code}): write calls to a custom "
                "object of yours instead, with a mapping of your own"
            )
        return f"Salesforce refuses it: {errors.described(reply, errors.rule_for(reply))} ({reply.code})"


def _address(step: Step) -> Address:
    return address(step.demand.object, step.demand.field)


def _exists(reply: ApiError) -> bool:
    """Made in the meantime, or by a call whose reply was lost, or hidden all along: granting it is what is left."""
    return reply.code in _TAKEN and "already" in reply.message.lower()


def _existing(demand: Demand, found: Described) -> Iterator[Step | Obstacle]:
    if demand.wanted.unique and not (found.unique and (found.external_id or found.id_lookup)):
        lacks = " and ".join(
            name for name, has in (("Unique", found.unique), ("External ID", found.external_id)) if not has
        )
        advice = f"tick {lacks} on it in Setup, Object Manager; Salesforce refuses while two records share a value"
        yield Obstacle(demand.object, demand.field, f"is the key and is not marked {lacks}", advice)
    editable = found.createable or found.updateable
    if not editable and found.permissionable and not (found.calculated or found.auto_number):
        yield _permission(demand, "the connector's user sees it and may not edit it")


def _missing(demand: Demand, hidden: bool, known: Iterable[Described]) -> Iterator[Step | Obstacle]:
    if hidden:
        yield _permission(demand, "it exists and is hidden from the connector's user")
        return
    if not is_custom(demand.field):
        near = closest(demand.field, tuple(field.name for field in known))
        advice = f"line {demand.line} of the mapping" + (f": did you mean {near}?" if near else "")
        problem = "is no field of the agency's own (those end in __c), and Salesforce has none of this name"
        yield Obstacle(demand.object, demand.field, problem, f"mend {advice}")
        return
    problem, advice = impossible(demand)
    if problem:
        yield Obstacle(demand.object, demand.field, problem, advice)
    else:
        plain = replace(demand, wanted=demand.wanted.model_copy(update={"sensitive": False}))
        yield Step(Making.FIELD, plain, about(plain.wanted))


def _permission(demand: Demand, why: str) -> Step:
    return Step(Making.PERMISSION, demand, why)
