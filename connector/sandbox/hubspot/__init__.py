"""A HubSpot portal on loopback: the parts of the REST API that a connector uses, with its errors and limits."""

from __future__ import annotations

import json
import random
import time
import uuid
from collections.abc import Callable, Iterable

from flask import Response, request

from connector.sandbox.hubspot.batches import Batches
from connector.sandbox.hubspot.faults import HubSpotFaults
from connector.sandbox.hubspot.limits import Meter, Tier
from connector.sandbox.hubspot.merging import Manner, merge, restore
from connector.sandbox.hubspot.owners import OWNERS, Owner
from connector.sandbox.hubspot.portal import DETAILED, PORTAL, UI_DOMAIN, portal
from connector.sandbox.hubspot.records import Link, Records
from connector.sandbox.hubspot.replies import JSON_TYPE, Refusal, missing_scopes, rate_limit
from connector.sandbox.hubspot.saved import Saved, portal_of
from connector.sandbox.hubspot.schema import SENSITIVITIES, Definitions
from connector.sandbox.hubspot.standard import STANDARD
from connector.sandbox.hubspot.views import DETAILS, Route, Views
from connector.sandbox.wire import Way, Wire

BEARER = "pat-na1-sandbox"
SCOPES = frozenset(
    {
        *(f"crm.{noun}.{verb}" for noun in ("objects.contacts", "schemas.contacts") for verb in ("read", "write")),
        *(f"crm.objects.contacts.{s}.{verb}" for s in SENSITIVITIES[1:] for verb in ("read", "write")),
        "crm.objects.owners.read",
        "crm.schemas.custom.read",
        "communication_preferences.read_write",
    }
)


class HubSpotSandbox(Wire, HubSpotFaults):
    """A portal. Configure it before it starts; plan faults at any time.

    token, scopes: the access token and its permissions. tier: the account's rate limits. index_lag: in seconds.
    account_info: whether the token may ask for portal_id, account_type and ui_domain.
    seed: for the order of results. unique_calls: whether calls may have a unique property.
    custom: whether the agency's custom properties exist. schema: a saved one, whose objects are served and no others.
    sensitive_data: whether the portal may hold such properties.
    strict: whether to reject requests that violate HubSpot's specification, even those HubSpot accepts.
    merging: how merges turn out, to be set at any time.
    names_holders: whether a refused email address comes with the id of the contact that has it.
    rows_meet: whether two rows of one batch that want one new address end up on one contact, instead of a refusal.
    traced: whether good rows of a batch are written beside bad ones; if not, one bad row refuses them all.
    """

    def __init__(
        self,
        *,
        token: str = BEARER,
        scopes: Iterable[str] = SCOPES,
        tier: Tier | None = None,
        seed: int = 0,
        index_lag: float = 5.0,
        unique_calls: bool = True,
        custom: bool = True,
        schema: Saved | None = None,
        sensitive_data: bool = True,
        strict: bool = True,
        names_holders: bool = True,
        rows_meet: bool = False,
        traced: bool = True,
        owners: Iterable[Owner] = OWNERS,
        portal_id: int = PORTAL,
        account_type: str = "STANDARD",
        account_info: bool = True,
        ui_domain: str = UI_DOMAIN,
        latency: float = 0.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(latency=latency)
        self.token, self.tokens = token, {token: frozenset(scopes)}
        self.clock, self.owners = clock, list(owners)
        typical = portal(unique_calls=unique_calls, custom=custom, more=STANDARD)
        objects = typical if schema is None else portal_of(schema, typical)
        self.state = Records(objects, clock, strict=strict)
        self.definitions = Definitions(objects, sensitive_data=sensitive_data, unique_calls=unique_calls)
        self.merging = Manner()
        self.state.names_holders = names_holders
        self.batches = Batches(self.state, random.Random(seed), strict=strict, rows_meet=rows_meet, traced=traced)
        self.meter = Meter(tier or Tier())
        self.account_info = account_info
        details = {**DETAILED, "portalId": portal_id, "accountType": account_type, "uiDomain": ui_domain}
        self._open(Views(self.state, self.definitions, self.batches, self.owners, self._need, index_lag, details))

    def records(self, type: str) -> list[dict[str, str]]:
        """List an object's records: id and non-empty properties, oldest first."""
        with self.lock:
            return [{"id": record.id, **record.properties} for record in self.state.held[type].values()]

    def put(self, type: str, **properties: str) -> str:
        """Create a record by hand; return its id."""
        with self.lock:
            return self.state.create(type, properties).id

    def change(self, type: str, id: str, **properties: str) -> None:
        """Edit a record by hand."""
        with self.lock:
            self.state.update(type, id, properties)

    def delete(self, type: str, id: str) -> None:
        """Delete a record by hand, which frees its unique values."""
        with self.lock:
            self.state.forget(type, id)

    def merge(self, type: str, loser: str, winner: str) -> str:
        """Merge a record into another by hand; return the id of what became of them."""
        with self.lock:
            return merge(self.state, type, loser, winner, self.merging).id

    def restore(self, type: str, id: str) -> None:
        """Restore a deleted record by hand."""
        with self.lock:
            restore(self.state, type, id)

    @property
    def associations(self) -> set[Link]:
        """Every link: from type, from id, to type, to id."""
        with self.lock:
            return set(self.state.links)

    @property
    def opted_out(self) -> set[str]:
        """The addresses opted out of email, in lowercase."""
        with self.lock:
            return set(self.state.opted_out)

    def _open(self, views: Views) -> None:
        self.app.before_request(self._admit)
        self.app.after_request(self._headers)
        self.app.register_error_handler(Refusal, self._refuse)
        self.app.register_error_handler(404, lambda _: self._refuse(Refusal(404, "no such path", None)))
        self._serve(
            {
                Way(path, f"{route.method} {path}", (route.method,)): self._answer(route)
                for route in views.routes()
                for path in (base + route.tail for base in route.bases)
            }
        )

    def _answer(self, route: Route) -> Callable[..., Response]:
        def answer(**parts: str) -> Response:
            with self.lock:
                named: dict[str, str] = {
                    name: self.state.kind(parts[name]) for name in ("kind", "other") if name in parts
                }
                result = route.view(**(parts | named))
            status, body = result if isinstance(result, tuple) else (200, result)
            return Response("" if body is None else json.dumps(body), status, content_type=JSON_TYPE)

        return answer

    def _admit(self) -> Response | None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or token not in self.tokens:
            text = "Authentication credentials not found. This API supports OAuth 2.0 authentication."
            refused = self._refuse(Refusal(401, text, "INVALID_AUTHENTICATION"))
            refused.headers["X-HubSpot-Auth-Failure"] = "401 Unauthorized"
            return refused
        with self.lock:
            policy = self.meter.refusing(request.path, self.clock())
        if policy:
            return Response(json.dumps(rate_limit(policy)), 429, content_type=JSON_TYPE)
        if request.path in DETAILS and not self.account_info:
            raise missing_scopes(["oauth"])
        self._need(*_scopes_of(request.method, request.path))
        return None

    def _need(self, *any_of: str) -> None:
        granted = self.tokens[request.headers["Authorization"].partition(" ")[2]]
        if any_of and not granted.intersection(any_of):
            raise missing_scopes(list(any_of[:1]))

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


def _scopes_of(method: str, path: str) -> tuple[str, ...]:
    """Return the scopes that each permit the request."""
    reads = method == "GET" or path.endswith(("/read", "/search"))
    verb = "read" if reads else "write"
    if path.startswith("/communication-preferences/"):
        return f"communication_preferences.{verb}", "communication_preferences.read_write"
    if path in DETAILS:
        return ()
    if "/owners" in path:
        return ("crm.objects.owners.read",)
    if path.endswith("/schemas"):
        return ("crm.schemas.custom.read",)
    return (f"crm.schemas.contacts.{verb}",) if "/properties" in path else (f"crm.objects.contacts.{verb}",)
