"""Prepare a Salesforce org for a mapping: custom fields through the Tooling API, and permission to edit them.

https://developer.salesforce.com/docs/atlas.en-us.api_tooling.meta/api_tooling/tooling_api_objects_customfield.htm
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from connector.destinations.guide import Look, Needs
from connector.destinations.provision import Done, Making, Obstacle, Provision, Step
from connector.destinations.salesforce import duplicate_rules, errors, setup
from connector.destinations.salesforce.api_error import ApiError, entries
from connector.destinations.salesforce.client import Client
from connector.destinations.salesforce.login import Login
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
from connector.mapping.suggestions import closest

_TAKEN: Final = frozenset({"DUPLICATE_DEVELOPER_NAME", "DUPLICATE_VALUE", "FIELD_INTEGRITY_EXCEPTION"})
_NOT_ALLOWED: Final = frozenset({"NOT_FOUND", "INVALID_TYPE", "FUNCTIONALITY_NOT_ENABLED"})
_NO_SUCH: Final = "Salesforce has no standard field with this name"
_MAY_BE_HIDDEN: Final = "a standard field with this name is hidden from the connector's user, or does not exist"
_CLOSED: Final = (
    "the connector's user may neither create nor edit its records",
    "give the user Read, Create and Edit on the object",
)
_CUSTOMIZE: Final = (
    "the connector's user may not create fields: give it the Customize Application permission, or deploy the folder "
    "that --metadata writes"
)


class SalesforceProvisioner:
    """Implements destinations.provision.Provisioner."""

    fixed = (
        "The connector never changes an existing field: in Setup, Object Manager, change its type or select Unique and "
        "External ID, or name another field in the mapping."
    )

    def __init__(self, login: Login, client: Client, reader: Reader) -> None:
        self._login, self._client, self._reader = login, client, reader

    def access(self, needs: Needs) -> Iterator[Look]:
        """Look at the login, its user and that user's permissions."""
        return setup.access(self._login, self._client, self._reader, needs)

    def duplicate_rules(self, objects: Collection[str]) -> Mapping[str, Sequence[str]] | None:
        """The names of the org's active duplicate rules. Raises DestinationUnusable."""
        return duplicate_rules.active(self._client, objects)

    def plan(self, demands: Demands) -> Provision:
        """List what the org lacks. Raises DestinationUnusable."""
        lacks: list[Step | Obstacle] = []
        doubts: list[str] = []
        for kind, wanted in demands.items():
            described = self._reader.describe(kind)
            if described is None:
                advice = "create it in Setup, or give the connector's user access to it"
                lacks.append(Obstacle(kind, "", "the object is missing, or hidden from the connector's user", advice))
                continue
            is_closed = described.createable is False and described.updateable is False
            if is_closed:
                lacks.append(Obstacle(kind, "", *_CLOSED))
            visible = {field.name.lower(): field for field in described.fields}
            lacks += self._lacking(wanted, visible, doubts, is_closed=is_closed)
        steps = tuple(item for item in lacks if isinstance(item, Step))
        return Provision(steps, tuple(item for item in lacks if isinstance(item, Obstacle)), tuple(doubts))

    def _lacking(
        self, wanted: Mapping[str, Demand], visible: Mapping[str, Described], doubts: list[str], *, is_closed: bool
    ) -> Iterator[Step | Obstacle]:
        missing = [demand for name, demand in wanted.items() if name.lower() not in visible]
        hidden = self._hidden(missing, doubts) if missing else set()
        for name, demand in wanted.items():
            if field := visible.get(name.lower()):
                yield from _existing(demand, field, is_closed=is_closed)
            else:
                is_hidden = None if hidden is None else name.lower() in hidden
                yield from _missing(demand, is_hidden, visible.values())

    def apply(self, steps: Sequence[Step]) -> list[Done]:
        """Create the fields, then let the connector's user edit them. Raises DestinationUnusable."""
        created = [Done(step, self._create(step.demand)) for step in steps if step.making is Making.FIELD]
        failed = [result for result in created if result.problem]
        failed_steps = [result.step for result in failed]
        editable = [step for step in steps if step not in failed_steps]
        problems = Access(self._client, self._reader).grant(_address(step) for step in editable)
        return failed + [Done(step, problems.get(_address(step).permission, "")) for step in editable]

    def files(self, steps: Sequence[Step]) -> Mapping[str, str]:
        """The same steps as a folder in source format."""
        fields = [step.demand for step in steps if step.making is Making.FIELD]
        return files(fields, map(_address, steps), self._login.version)

    def _hidden(self, missing: Sequence[Demand], doubts: list[str]) -> set[str] | None:
        """The lower-case names of an object's missing fields that are only hidden from the user; None if not known."""
        kind = missing[0].object
        names = ", ".join(f"'{demand.field}'" for demand in missing if demand.field.isidentifier())
        head = "SELECT QualifiedApiName FROM FieldDefinition WHERE EntityDefinition.QualifiedApiName = "
        soql = "".join((head, f"'{kind}' AND QualifiedApiName IN (", names, ")"))
        reply = self._client.call("GET", "tooling/query/", params={"q": soql})
        if isinstance(reply, ApiError) or not isinstance(reply, Mapping):
            doubts.append(
                f"{kind}: it is unknown whether missing fields are only hidden: give the connector's user the "
                "View Setup and Configuration permission"
            )
            return None
        return {str(record.get("QualifiedApiName")).lower() for record in entries(reply.get("records"))}

    def _create(self, demand: Demand) -> str:
        """Create one field; returns why it could not, in our words."""
        where = address(demand.object, demand.field)
        body: dict[str, Any] = {"FullName": f"{where.owner}.{where.name}", "Metadata": metadata(demand)}
        reply = self._client.call("POST", "tooling/sobjects/CustomField/", json=body)
        if not isinstance(reply, ApiError) or _exists(reply):
            return ""
        if reply.code in _NOT_ALLOWED or reply.code.startswith("INSUFFICIENT_ACCESS"):
            return _CUSTOMIZE
        if demand.wanted.unique and where.owner == "Activity":
            return (
                f"this org does not allow a unique external ID on activities ({reply.code}): write calls to a custom "
                "object instead, with your own mapping"
            )
        return f"Salesforce rejected it: {errors.described(reply, errors.rule_for(reply))} ({reply.code})"


def _address(step: Step) -> Address:
    return address(step.demand.object, step.demand.field)


def _exists(reply: ApiError) -> bool:
    """Whether the field exists already: created meanwhile, by a call whose reply was lost, or hidden until now."""
    return reply.code in _TAKEN and "already" in reply.message.lower()


def _existing(demand: Demand, field: Described, *, is_closed: bool) -> Iterator[Step | Obstacle]:
    if demand.wanted.unique and not (field.unique and (field.external_id or field.id_lookup)):
        options = (("Unique", field.unique), ("External ID", field.external_id))
        lacks = " and ".join(name for name, selected in options if not selected)
        advice = f"select {lacks} in Setup, Object Manager, once no two records share a value"
        yield Obstacle(demand.object, demand.field, f"is the key, but is not marked {lacks}", advice, of_key=True)
    if not is_closed and _is_kept_from_editing(field):
        yield _permission(demand, "the connector's user can see it but not edit it")


def _is_kept_from_editing(field: Described) -> bool:
    """Whether a permission would let the user edit the field."""
    can_be_edited = field.permissionable and not (field.calculated or field.auto_number)
    return can_be_edited and not (field.createable or field.updateable)


def _missing(demand: Demand, hidden: bool | None, visible: Iterable[Described]) -> Iterator[Step | Obstacle]:
    """What to do about a field that the user does not see. hidden: whether it exists; None if that is not known."""
    if hidden:
        yield _permission(demand, "it exists but is hidden from the connector's user")
        return
    if not is_custom(demand.field):
        near = closest(demand.field, tuple(field.name for field in visible))
        advice = f"correct line {demand.line} of the mapping" + (f": did you mean {near}?" if near else "")
        problem = "is not a custom field (those end in __c), and " + (_MAY_BE_HIDDEN if hidden is None else _NO_SUCH)
        yield Obstacle(demand.object, demand.field, problem, advice)
        return
    problem, advice = impossible(demand)
    if problem:
        yield Obstacle(demand.object, demand.field, problem, advice)
    else:
        plain = replace(demand, wanted=demand.wanted.model_copy(update={"sensitive": False}))
        unless = ", unless it exists and is only hidden from the user" if hidden is None else ""
        yield Step(Making.FIELD, plain, about(plain.wanted) + unless)


def _permission(demand: Demand, why: str) -> Step:
    return Step(Making.PERMISSION, demand, why)
