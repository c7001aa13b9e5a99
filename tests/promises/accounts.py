"""The state machine's CRM accounts: both sandboxes with their destinations, emptied between lives."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from flask import Response, request

from connector.destinations.hubspot.account import HubSpot
from connector.destinations.salesforce.account import Salesforce
from connector.mapping import Mapping as CompiledMapping
from connector.sandbox.hubspot import HubSpotSandbox
from connector.sandbox.hubspot.limits import Tier
from connector.sandbox.salesforce import SalesforceSandbox
from tests.destinations import hubspot_fixtures, salesforce_fixtures
from tests.promises.stage import compiled

Change = Callable[[Any], Any]
"""What a reply's body becomes."""

UNLIMITED: Final = Tier(burst=10**6, searches=10**6, associations=10**6)


@dataclass(frozen=True)
class Person:
    """A customer's record as the CRM holds it. flags: those that are set. address_is_out: no e-mail goes there."""

    id: str
    last_name: str | None
    address: str
    flags: frozenset[str]
    address_is_out: bool = False


def reshaped(change: Change) -> Callable[[Callable[[], Response]], Response]:
    """A fault: handle the request, then change the body of the reply."""

    def answer(handle: Callable[[], Response]) -> Response:
        response = handle()
        body = response.get_json(silent=True)
        return response if body is None else Response(json.dumps(change(body)), response.status_code, response.headers)

    return answer


def _first(entries: Any, change: Mapping[str, Any]) -> Any:
    return [{**entries[0], **change}, *entries[1:]] if isinstance(entries, list) and entries else entries


def _in_first(name: str, **change: Any) -> Change:
    """Change an entry's own parts: the first of a list of results or errors."""
    return lambda body: {**body, name: _first(body[name], change)} if isinstance(body, dict) and name in body else body


def _with(**change: Any) -> Change:
    return lambda body: {**body, **change} if isinstance(body, dict) else body


def _but_of_reads(change: Change) -> Change:
    """Leave the replies to reads alone: what a read does not show may be anything, so that everything waits for it."""
    return lambda body: body if request.path.endswith("/read") else change(body)


@dataclass
class Portal:
    """A HubSpot portal. harmless: oddities of a reply that says all the same which records were written."""

    sandbox: HubSpotSandbox
    destination: HubSpot
    mapping: CompiledMapping = field(default_factory=lambda: compiled("version: 1\nextends: hubspot\n"))
    written_to: str = "/batch/"
    owner: str = ""
    harmless: tuple[Change, ...] = (
        lambda body: {**body, "errors": body.get("errors") or None} if isinstance(body, dict) else body,
        _with(status=7, completedAt=None, numErrors="none"),
        _but_of_reads(_in_first("results", properties=None, createdAt=7)),
        _in_first("results", url=None, warnings="none"),
    )
    odd: tuple[Change, ...] = (
        _in_first("errors", context=None),
        _in_first("errors", context="an address"),
        _in_first("errors", category=None, message=7),
        _in_first("results", id=None),
        _with(results=None),
        _with(results="gone"),
        lambda _: {},
    )

    def empty(self) -> None:
        state = self.sandbox.state
        for records in state.held.values():
            records.clear()
        for kept in (state.unique, state.links, state.opted_out, state.merged, state.deleted):
            kept.clear()
        for kept in (self.sandbox.faults, self.sandbox.seen):
            kept.clear()

    def people(self, customer: str) -> list[Person]:
        """The records that hold this customer's key."""
        return [self._person(held) for held in self.sandbox.records("contacts") if held.get("carecycle_id") == customer]

    def _person(self, held: Mapping[str, str]) -> Person:
        names = {"doNotCall": "do_not_call", "doNotEmail": "do_not_email"}
        flags = frozenset(flag for flag, name in names.items() if held.get(name) == "true")
        address = held.get("email", "")
        return Person(held["id"], held.get("lastname"), address, flags, address in self.sandbox.opted_out)

    def put(self, key: str, address: str) -> str:
        """Create a contact by hand; without a key it only looks like a customer's."""
        return self.sandbox.put("contacts", lastname="Delacroix", email=address, **{"carecycle_id": key} if key else {})

    def delete(self, id: str) -> None:
        self.sandbox.delete("contacts", id)

    def everyone(self) -> list[dict[str, Any]]:
        return self.sandbox.records("contacts")

    def trouble(self) -> list[Any]:
        """Ways in which a call fails."""
        wire = self.sandbox
        return [wire.html(502), wire.refused(500, "INTERNAL"), wire.rate_limited(), wire.lose_reply, wire.empty_2xx()]


@contextmanager
def portal() -> Iterator[Portal]:
    with hubspot_fixtures.sandbox_and_destination(index_lag=0.0, tier=UNLIMITED) as (sandbox, destination):
        yield Portal(sandbox, destination)


BY_ID: Final = """\
version: 1
extends: salesforce-contact
records:
  contact:
    fields:
      OwnerId:
        lookup:
          object: User
          match: { Id: customer.agentName }
          where: { IsActive: true }
          else: { lookup: { object: User, match: { LastName: customer.county, FirstName: customer.agentName } } }
"""


@dataclass
class Org:
    """A Salesforce org. Its mapping looks owners up by an id that careCycle may not know well."""

    sandbox: SalesforceSandbox
    destination: Salesforce
    mapping: CompiledMapping = field(default_factory=lambda: compiled(BY_ID))
    written_to: str = "/composite/sobjects"
    owner: str = field(init=False)
    harmless: tuple[Change, ...] = (lambda rows: _first(rows, {"warnings": None, "created": None}),)
    odd: tuple[Change, ...] = (
        lambda rows: _first(rows, {"errors": None}),
        lambda rows: _first(rows, {"errors": "none"}),
        lambda rows: _first(rows, {"id": None}),
        lambda rows: _first(rows, {"success": "yes"}),
        lambda rows: rows[:-1] if isinstance(rows, list) else rows,
        lambda rows: [None, *rows[1:]] if isinstance(rows, list) else rows,
        lambda _: None,
    )

    def __post_init__(self) -> None:
        self.owner = self.sandbox.people[0]["Id"]

    def empty(self) -> None:
        org = self.sandbox.org
        for table in (org.table("Contact"), org.table("Task")):
            org.rows[table.name.lower()].clear()
            for column in table.indexed:
                org.index[table.name, column.name].clear()
        self.sandbox.used = 0
        for kept in (self.sandbox.faults, self.sandbox.seen, org.writes):
            kept.clear()

    def people(self, customer: str) -> list[Person]:
        return [self._person(held) for held in self.everyone() if held.get("careCycle_Id__c") == customer]

    def _person(self, held: Mapping[str, Any]) -> Person:
        names = {"doNotCall": "DoNotCall", "doNotEmail": "HasOptedOutOfEmail"}
        flags = frozenset(flag for flag, name in names.items() if held.get(name) is True)
        return Person(held["Id"], held.get("LastName"), held.get("Email") or "", flags, "doNotEmail" in flags)

    def put(self, key: str, address: str) -> str:
        own = {"careCycle_Id__c": key} if key else {}
        return str(self.sandbox.put("Contact", LastName="Delacroix", Email=address, **own)["Id"])

    def delete(self, id: str) -> None:
        self.sandbox.delete(id)

    def everyone(self) -> list[dict[str, Any]]:
        return self.sandbox.records("Contact")

    def trouble(self) -> list[Any]:
        wire = self.sandbox
        page = Response("<html></html>", 503, content_type="text/html")
        return [page, wire.lose_reply, wire.refuse, Response("[]", 200, content_type="application/json")]


@contextmanager
def org() -> Iterator[Org]:
    with salesforce_fixtures.sandbox_and_destination() as (sandbox, destination):
        yield Org(sandbox, destination)


Account = Portal | Org
