"""Look at what a portal needs before its properties matter: the access token and its scopes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from connector.destinations.guide import Look, Needs, judged, stopped
from connector.destinations.hubspot.calls import OWNERS, PROPERTIES, READ, SUBSCRIPTIONS, UPDATE, Calls, Path, expect
from connector.destinations.hubspot.describe import NEVER_SENSITIVE
from connector.destinations.hubspot.details import portal_of
from connector.destinations.hubspot.object_types import scope_noun
from connector.destinations.hubspot.setup_steps import SCOPES, TOKEN
from connector.destinations.hubspot.vendor import HUBSPOT
from connector.destinations.lenient import Lenient
from connector.errors import DestinationUnusable, PauseReason

_NOBODY: Final = "connector-setup@example.com"
_EMPTY: Final[dict[str, list[str]]] = {"inputs": [], "properties": [], "propertiesWithHistory": []}


class _Probe(NamedTuple):
    """A request that changes nothing and that HubSpot refuses to a token without the scope."""

    scope: str
    path: Path
    parts: dict[str, str]
    query: tuple[tuple[str, str], ...] = ()
    body: Any = None


def access(calls: Calls, needs: Needs) -> Iterator[Look]:
    """Look at the token, then at each scope the mapping needs. Ends early where the token does not work."""
    try:
        portal = portal_of(calls)
    except DestinationUnusable as error:
        yield stopped(TOKEN, error)
        return
    yield judged(TOKEN, (), f"{HUBSPOT.account} {portal}" if portal else "")
    try:
        lacking = [line for probe in _probes(needs) for line in _lacking(calls, probe)]
    except DestinationUnusable as error:
        yield stopped(SCOPES, error)
    else:
        yield judged(SCOPES, lacking)


def _lacking(calls: Calls, probe: _Probe) -> Iterator[str]:
    """The missing scope, and HubSpot's own words where they name another, as they may."""
    try:
        reply = calls.ask(probe.path, query=list(probe.query), body=probe.body, **probe.parts)
        if reply.ok:
            expect(Lenient, reply)  # a page of somebody in between says nothing of the scope
    except DestinationUnusable as error:
        if error.reason is not PauseReason.PERMISSIONS:
            raise
        yield f"{probe.scope} is missing" + ("" if probe.scope in error.problem else f": {error.problem}")


def _probes(needs: Needs) -> list[_Probe]:
    probes = [probe for kind in needs.mapping.objects for probe in _of_object(kind, needs)]
    if any(record.unsubscribe for program in needs.mapping.programs.values() for record in program.records):
        channel = (("channel", "EMAIL"),)
        parts = {"address": _NOBODY}
        probes.append(_Probe("communication_preferences.read_write", SUBSCRIPTIONS, parts, channel))
    return list({probe.scope: probe for probe in probes}.values())


def _of_object(kind: str, needs: Needs) -> Iterator[_Probe]:
    if kind == "owners":
        yield _Probe("crm.objects.owners.read", OWNERS, {}, (("limit", "1"),))
        return
    noun, parts = scope_noun(kind), {"object": kind}
    yield _Probe(f"crm.schemas.{noun}.read", PROPERTIES, parts)
    yield _Probe(f"crm.objects.{noun}.read", READ, parts, body=_EMPTY)
    wanted = needs.demands.get(kind, {}).values()
    if wanted:
        yield _Probe(f"crm.objects.{noun}.write", UPDATE, parts, body={"inputs": []})
    if kind not in NEVER_SENSITIVE and any(demand.wanted.sensitive for demand in wanted):
        sensitive = (("dataSensitivity", "sensitive"),)
        yield _Probe(f"crm.objects.{noun}.sensitive.read", PROPERTIES, parts, sensitive)
