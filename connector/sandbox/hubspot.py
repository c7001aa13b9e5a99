"""A HubSpot portal on loopback: what a connector needs of HubSpot's REST API, refusals and limits included."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from flask import Response, json, request

from connector.sandbox.hubspot_batches import Batches
from connector.sandbox.hubspot_faults import HubSpotFaults
from connector.sandbox.hubspot_limits import Meter, Tier
from connector.sandbox.hubspot_links import associate, linked, opt_out, status_of
from connector.sandbox.hubspot_portal import OWNERS, Owner, portal
from connector.sandbox.hubspot_records import Link, Records
from connector.sandbox.hubspot_replies import JSON_TYPE, Refusal, iso, missing_scopes, rate_limit
from connector.sandbox.hubspot_schema import SENSITIVITIES, Definitions
from connector.sandbox.hubspot_search import search
from connector.sandbox.wire import Wire

DATED = "2026-03"
SCOPES = frozenset(
    {
        *(f"crm.{noun}.{verb}" for noun in ("objects.contacts", "schemas.contacts") for verb in ("read", "write")),
        *(f"crm.objects.contacts.{s}.{verb}" for s in SENSITIVITIES[1:] for verb in ("read", "write")),
        "crm.objects.owners.read",
        "communication_preferences.read_write",
    }
)
Body = dict[str, Any]


class HubSpotSandbox(Wire, HubSpotFaults):
    """One portal. Knobs: the access token and its scopes, the tier's limits, the search index's lag in seconds,
    unique_calls (may calls carry a unique property), sensitive_data (Enterprise), strict (refuse what the
    specification forbids although HubSpot lets it pass), and the seed of the order results come back in."""

    def __init__(
        self,
        *,
        token: str = "pat-na1-sandbox",  # noqa: S107  # the sandbox's own, opens nothing else
        scopes: Iterable[str] = SCOPES,
        tier: Tier | None = None,
        seed: int = 0,
        index_lag: float = 5.0,
        unique_calls: bool = True,
        sensitive_data: bool = True,
        strict: bool = True,
        owners: Iterable[Owner] = OWNERS,
        latency: float = 0.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(latency=latency)
        self.token, self.tokens = token, {token: frozenset(scopes)}
        self.index_lag, self.clock, self.owners = index_lag, clock, list(owners)
        schema = portal(unique_calls=unique_calls)
        self.state = Records(schema, clock, strict=strict)
        self.definitions = Definitions(schema, sensitive_data=sensitive_data, unique_calls=unique_calls)
        self.batches = Batches(self.state, random.Random(seed), strict=strict)
        self.meter = Meter(tier or Tier())
        self._routes()

    def records(self, type: str) -> list[dict[str, str]]:
        """What the portal holds of one object: its id and its non-empty properties, oldest first."""
        with self.lock:
            return [{"id": record.id, **record.properties} for record in self.state.held[type].values()]

    def put(self, type: str, **properties: str) -> str:
        """A record people made by hand; returns its id."""
        with self.lock:
            return self.state.create(type, properties).id

    @property
    def associations(self) -> set[Link]:
        """(from type, from id, to type, to id) of every link made."""
        with self.lock:
            return set(self.state.links)

    @property
    def opted_out(self) -> set[str]:
        """The addresses opted out of e-mail, lowercased."""
        with self.lock:
            return set(self.state.opted_out)

    def _routes(self) -> None:
        self.app.url_map.strict_slashes = False
        self.app.before_request(self._admit)
        self.app.after_request(self._headers)
        self.app.register_error_handler(Refusal, self._refuse)
        self.app.register_error_handler(404, lambda _: self._refuse(Refusal(404, "no such path", None)))
        objects, properties = (
            ("/crm/v3/objects", f"/crm/objects/{DATED}"),
            (
                "/crm/v3/properties",
                f"/crm/properties/{DATED}",
            ),
        )
        for way in ("upsert", "update", "create", "read"):
            self._serve(objects, f"/<kind>/batch/{way}", "POST", self._batch(way))
        self._serve(objects, "/<kind>/search", "POST", self._search)
        self._serve(objects, "/<kind>", "POST", self._create)
        for method, view in (("GET", self._get), ("PATCH", self._patch), ("DELETE", self._delete)):
            self._serve(objects, "/<kind>/<identity>", method, view)
        self._serve(properties, "/<kind>", "GET", self._properties)
        self._serve(properties, "/<kind>", "POST", lambda kind: (201, self.definitions.create(kind, self._body())))
        self._serve(properties, "/<kind>/<name>", "GET", self.definitions.get)
        self._serve(properties, "/<kind>/groups", "GET", self.definitions.list_groups)
        self._serve(properties, "/<kind>/groups", "POST", lambda kind: (201, self._new_group(kind)))
        self._serve(properties, "/<kind>/groups/<name>", "GET", self.definitions.get_group)
        links = ("/crm/v4/associations", f"/crm/associations/{DATED}")
        self._serve(links, "/<kind>/<other>/batch/associate/default", "POST", self._associate)
        self._serve(("/crm/v4/objects",), "/<kind>/<identity>/associations/<other>", "GET", self._linked)
        statuses = ("/communication-preferences/v4/statuses", f"/communication-preferences/{DATED}/statuses")
        self._serve(statuses, "/<address>/unsubscribe-all", "GET", self._status)
        self._serve(statuses, "/<address>/unsubscribe-all", "POST", self._opt_out)
        self._serve(("/crm/v3/owners", f"/crm/owners/{DATED}"), "", "GET", self._owners)

    def _serve(self, bases: Iterable[str], tail: str, method: str, view: Callable[..., Any]) -> None:
        """Answer one path in each of its versions, under the lock, `kind` and `other` read as object names."""

        def answer(**parts: str) -> Response:
            with self.lock:
                for name in ("kind", "other"):
                    if name in parts:
                        parts[name] = self.state.kind(parts[name])
                found = view(**parts)
            status, body = found if isinstance(found, tuple) else (200, found)
            return Response("" if body is None else json.dumps(body), status, content_type=JSON_TYPE)

        for base in bases:
            self.app.add_url_rule(base + tail, f"{method} {base}{tail}", answer, methods=[method])

    def _admit(self) -> Response | None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or token not in self.tokens:
            text = "Authentication credentials not found. This API supports OAuth 2.0 authentication."
            return self._refuse(Refusal(401, text, "INVALID_AUTHENTICATION"))
        with self.lock:
            policy = self.meter.refusing(request.path, self.clock())
        if policy:
            return Response(json.dumps(rate_limit(policy)), 429, content_type=JSON_TYPE)
        self._need(*_scopes_of(request.method, request.path))
        return None

    def _need(self, *any_of: str) -> None:
        granted = self.tokens[request.headers["Authorization"].partition(" ")[2]]
        if any_of and not granted.intersection(any_of):
            raise missing_scopes(list(any_of[:1]))

    def _need_sensitive(self, kind: str, names: Iterable[str], verb: str) -> None:
        for name in names:
            definition = self.state.schema[kind].get(name)
            if definition and definition.sensitivity != "non_sensitive":
                self._need(f"crm.objects.contacts.{definition.sensitivity}.{verb}")

    def _headers(self, response: Response) -> Response:
        response.headers["X-HubSpot-Correlation-Id"] = str(uuid.uuid4())
        if not request.path.endswith("/search"):
            with self.lock:
                response.headers.extend(self.meter.headers(self.clock()))
        return response

    @staticmethod
    def _refuse(refusal: Refusal) -> Response:
        body = {**refusal.body(), "correlationId": str(uuid.uuid4())}
        return Response(json.dumps(body), refusal.status, content_type=JSON_TYPE)

    @staticmethod
    def _body() -> Any:
        body = request.get_json(silent=True)
        if not isinstance(body, dict):
            raise Refusal(400, "Invalid input JSON")
        return body

    def _batch(self, way: str) -> Callable[[str], tuple[int, Body]]:
        act = getattr(self.batches, way)

        def view(kind: str) -> tuple[int, Body]:
            body = self._body()
            if way == "read":
                self._need_sensitive(kind, body.get("properties", []), "read")
            else:
                inputs = [one for one in body.get("inputs") or [] if isinstance(one, dict)]
                self._need_sensitive(kind, (name for one in inputs for name in one.get("properties", {})), "write")
            answer: tuple[int, Body] = act(kind, body)
            return answer

        return view

    def _search(self, kind: str) -> Body:
        return search(self.state, kind, self._body(), self.index_lag)

    def _create(self, kind: str) -> tuple[int, Body]:
        properties = self._body().get("properties") or {}
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
        properties = self._body().get("properties") or {}
        if not properties:
            raise Refusal(400, "No properties found to update, please provide at least one.")
        self._need_sensitive(kind, properties, "write")
        return self.state.update(kind, record.id, properties).shown()

    def _delete(self, kind: str, identity: str) -> tuple[int, None]:
        self.state.forget(kind, self.state.get(kind, "", identity).id)
        return 204, None

    def _properties(self, kind: str) -> Body:
        sensitivity = request.args.get("dataSensitivity", "non_sensitive")
        if sensitivity != "non_sensitive":
            self._need(f"crm.objects.contacts.{sensitivity}.read")
        return self.definitions.list(kind, sensitivity)

    def _new_group(self, kind: str) -> Body:
        return self.definitions.create_group(kind, self._body())

    def _associate(self, kind: str, other: str) -> Body:
        return associate(self.state, kind, other, self._body())

    def _linked(self, kind: str, identity: str, other: str) -> Body:
        return linked(self.state, kind, self.state.get(kind, "", identity).id, other)

    def _status(self, address: str) -> Body:
        return status_of(self.state, address, request.args.get("channel"))

    def _opt_out(self, address: str) -> None:
        opt_out(self.state, address, request.args.get("channel"))

    def _owners(self) -> Body:
        wanted = request.args.get("email", "").lower()
        archived = request.args.get("archived", "false") == "true"
        found = [o for o in self.owners if o.archived == archived and wanted in ("", o.email.lower())]
        limit, after = int(request.args.get("limit", 100)), int(request.args.get("after", 0))
        page = [_owner(owner, self.clock()) for owner in found[after : after + limit]]
        more = {"paging": {"next": {"after": str(after + limit)}}} if len(found) > after + limit else {}
        return {"results": page, **more}


def _owner(owner: Owner, now: float) -> Body:
    names = {"firstName": owner.first_name, "lastName": owner.last_name, "userId": int(owner.id) + 5_000_000}
    times = {"createdAt": iso(now), "updatedAt": iso(now)}
    return {"id": owner.id, "email": owner.email, "type": "PERSON", **names, "archived": owner.archived, **times}


def _scopes_of(method: str, path: str) -> tuple[str, ...]:
    """The scopes of which a request needs one."""
    reads = method == "GET" or path.endswith(("/read", "/search"))
    verb = "read" if reads else "write"
    if path.startswith("/communication-preferences/"):
        return f"communication_preferences.{verb}", "communication_preferences.read_write"
    if "/owners" in path:
        return ("crm.objects.owners.read",)
    return (f"crm.schemas.contacts.{verb}",) if "/properties" in path else (f"crm.objects.contacts.{verb}",)
