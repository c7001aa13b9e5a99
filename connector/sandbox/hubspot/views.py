"""The portal's endpoints."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from flask import request

from connector.sandbox.hubspot import owners
from connector.sandbox.hubspot.batches import Batches
from connector.sandbox.hubspot.links import all_linked, associate, linked, opt_out, status_of
from connector.sandbox.hubspot.owners import Owner
from connector.sandbox.hubspot.records import Records
from connector.sandbox.hubspot.replies import Refusal
from connector.sandbox.hubspot.schema import SENSITIVITIES, Definitions
from connector.sandbox.hubspot.search import search

DATED = ("2026-03", "2026-09")
Body = dict[str, Any]

OBJECTS = ("/crm/v3/objects", *(f"/crm/objects/{version}" for version in DATED))
PROPERTIES = ("/crm/v3/properties", *(f"/crm/properties/{version}" for version in DATED))
ASSOCIATIONS = ("/crm/v4/associations", *(f"/crm/associations/{version}" for version in DATED))
STATUSES = (
    "/communication-preferences/v4/statuses",
    *(f"/communication-preferences/{version}/statuses" for version in DATED),
)
DETAILS = (
    "/integrations/v1/me",
    "/account-info/v3/details",
    *(f"/account-info/{version}/details" for version in DATED),
)
PIPELINES = ("/crm/v3/pipelines", *(f"/crm/pipelines/{version}" for version in DATED))
SCHEMAS = ("/crm-object-schemas/v3/schemas", *(f"/crm-object-schemas/{version}/schemas" for version in DATED))
OWNERS = ("/crm/v3/owners", *(f"/crm/owners/{version}" for version in DATED))


class Route(NamedTuple):
    """A path in each of its versions. The view receives <kind> and <other> as object names, never as type ids."""

    bases: tuple[str, ...]
    tail: str
    method: str
    view: Callable[..., Any]


class Views:
    """Callers hold the sandbox's lock. need: refuses the request unless at least one of the scopes is granted."""

    def __init__(
        self,
        state: Records,
        definitions: Definitions,
        batches: Batches,
        people: list[Owner],
        need: Callable[..., None],
        index_lag: float,
        details: Body,
    ) -> None:
        self.state, self.definitions, self.batches, self.owners = state, definitions, batches, people
        self._need, self.index_lag, self._details = need, index_lag, details

    def routes(self) -> Iterator[Route]:
        """List every path the portal serves."""
        for way in ("upsert", "update", "create", "read"):
            yield Route(OBJECTS, f"/<kind>/batch/{way}", "POST", self._batch(way))
        yield Route(OBJECTS, "/<kind>/batch/archive", "POST", self._archive)
        yield Route(OBJECTS, "/<kind>/search", "POST", self._search)
        yield Route(OBJECTS, "/<kind>", "POST", self._create)
        for method, view in (("GET", self._get), ("PATCH", self._patch), ("DELETE", self._delete)):
            yield Route(OBJECTS, "/<kind>/<identity>", method, view)
        yield Route(PROPERTIES, "/<kind>", "GET", self._properties)
        yield Route(PROPERTIES, "/<kind>", "POST", self._new_property)
        yield Route(PROPERTIES, "/<kind>/<name>", "GET", self.definitions.get)
        yield Route(PROPERTIES, "/<kind>/<name>", "DELETE", self.definitions.archive)
        yield Route(PROPERTIES, "/<kind>/groups", "GET", self.definitions.list_groups)
        yield Route(PROPERTIES, "/<kind>/groups", "POST", self._new_group)
        yield Route(PROPERTIES, "/<kind>/groups/<name>", "GET", self.definitions.get_group)
        yield Route(ASSOCIATIONS, "/<kind>/<other>/batch/associate/default", "POST", self._associate)
        yield Route(ASSOCIATIONS, "/<kind>/<other>/batch/read", "POST", self._all_linked)
        yield Route(("/crm/v4/objects",), "/<kind>/<identity>/associations/<other>", "GET", self._linked)
        yield Route(STATUSES, "/<address>/unsubscribe-all", "GET", self._status)
        yield Route(STATUSES, "/<address>/unsubscribe-all", "POST", self._opt_out)
        yield Route(PIPELINES, "/<kind>", "GET", self.definitions.list_pipelines)
        yield Route(OWNERS, "", "GET", self._owners)
        yield Route(DETAILS, "", "GET", lambda: self._details)
        yield Route(SCHEMAS, "", "GET", self._schemas)

    def _need_sensitive(self, kind: str, names: Iterable[str], verb: str) -> None:
        for name in names:
            definition = self.state.schema[kind].get(name)
            if definition and definition.sensitivity != "non_sensitive":
                self._need(f"crm.objects.contacts.{definition.sensitivity}.{verb}")

    def _batch(self, way: str) -> Callable[[str], tuple[int, Body]]:
        act = getattr(self.batches, way)

        def view(kind: str) -> tuple[int, Body]:
            body = _body()
            if way == "read":
                self._need_sensitive(kind, body.get("properties", []), "read")
            else:
                inputs = [item for item in body.get("inputs") or [] if isinstance(item, dict)]
                self._need_sensitive(kind, (name for item in inputs for name in item.get("properties", {})), "write")
            status, answer = act(kind, body)
            if status == 207 and "/2026-09/" in request.path:  # HubSpot's specification of 2026-09 has no 207
                status = 201 if way == "create" else 200
            return status, answer

        return view

    def _search(self, kind: str) -> Body:
        return search(self.state, kind, _body(), self.index_lag)

    def _create(self, kind: str) -> tuple[int, Body]:
        properties = _body().get("properties") or {}
        self._need_sensitive(kind, properties, "write")
        if kind == "contacts" and not {"email", "firstname", "lastname"} & set(properties):
            raise Refusal(400, "A contact needs one of email, firstname, lastname")
        return 201, self.state.create(kind, properties).shown()

    def _get(self, kind: str, identity: str) -> Body:
        names = [name for name in request.args.get("properties", "").split(",") if name in self.state.schema[kind]]
        self._need_sensitive(kind, names, "read")
        return self.state.get(kind, request.args.get("idProperty", ""), identity).shown(names)

    def _patch(self, kind: str, identity: str) -> Body:
        record = self.state.get(kind, request.args.get("idProperty", ""), identity)
        properties = _body().get("properties") or {}
        if not properties:
            raise Refusal(400, "No properties found to update, please provide at least one.")
        self._need_sensitive(kind, properties, "write")
        return self.state.update(kind, record.id, properties).shown()

    def _delete(self, kind: str, identity: str) -> tuple[int, None]:
        self.state.forget(kind, self.state.get(kind, "", identity).id)
        return 204, None

    def _archive(self, kind: str) -> tuple[int, None]:
        self.batches.archive(kind, _body())
        return 204, None

    def _properties(self, kind: str) -> Body:
        sensitivity = request.args.get("dataSensitivity", "non_sensitive")
        if sensitivity != "non_sensitive":
            self._need(f"crm.objects.contacts.{sensitivity}.read")
        return self.definitions.list(kind, sensitivity)

    def _new_property(self, kind: str) -> tuple[int, Body]:
        body = _body()
        if body.get("dataSensitivity", SENSITIVITIES[0]) in SENSITIVITIES[1:]:
            self._need(f"crm.objects.contacts.{body['dataSensitivity']}.write")
        return 201, self.definitions.create(kind, body)

    def _new_group(self, kind: str) -> tuple[int, Body]:
        return 201, self.definitions.create_group(kind, _body())

    def _associate(self, kind: str, other: str) -> Body:
        return associate(self.state, kind, other, _body())

    def _linked(self, kind: str, identity: str, other: str) -> Body:
        return linked(self.state, kind, self.state.get(kind, "", identity).id, other)

    def _all_linked(self, kind: str, other: str) -> tuple[int, Body]:
        answer = all_linked(self.state, kind, other, _body())
        return (207 if "errors" in answer and "/2026-09/" not in request.path else 200), answer

    def _schemas(self) -> Body:
        """List the custom objects, which go by their type ids."""
        custom = [kind for kind in self.state.held if kind.startswith("2-")]
        return {"results": [{"id": kind, "objectTypeId": kind, "name": kind} for kind in custom]}

    def _status(self, address: str) -> Body:
        return status_of(self.state, address, request.args.get("channel"))

    def _opt_out(self, address: str) -> None:
        opt_out(self.state, address, request.args.get("channel"))

    def _owners(self) -> Body:
        return owners.page(self.owners, request.args, self.state.clock())


def _body() -> Any:
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        raise Refusal(400, "Invalid input JSON")
    return body
