"""A mapping that checks clean never fails while planning, whatever an event the catalogue can read holds.

CONNECTOR_PROPERTY_EXAMPLES sets how many pairs of a generated mapping and a generated event are tried.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector import mapping
from connector.carecycle import catalogue
from connector.carecycle.catalogue import FIELDS, FLAGS, Field, Kind
from connector.destinations import VENDORS
from connector.mapping.formats import FORMATS
from connector.mapping.planning import hear, plan
from connector.mapping.steps.step import Step
from connector.model import Event, Lookup, Mode, Ref
from tests.mappings.build import SCHEMAS, SHARED, SHIPPED, ZONE, event_of, load

EVENTS = 5  # planned with each generated mapping: compiling it costs more than an event does
EXAMPLES = -(-int(os.environ.get("CONNECTOR_PROPERTY_EXAMPLES", "300")) // EVENTS)
OBJECTS = ("customer", "customer.assignedUser", "campaign")
TIMES = st.datetimes().map(lambda moment: moment.isoformat() + "Z") | st.sampled_from(
    ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999999-14:00", "2026-06-17 19:03+0530"]
)
VALID: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.TEXT: st.text(max_size=30) | st.sampled_from(["+13128471928", "(312) 847", "en", "\ud83d\ude00"]),
    Kind.UUID: st.uuids().map(str) | st.just("a.b:c-" + "x" * 58),
    Kind.DATE: st.dates().map(str),
    Kind.DATETIME: TIMES,
    Kind.INTEGER: st.integers(-(2**53) + 1, 2**53 - 1),
    Kind.BOOLEAN: st.booleans(),
    Kind.LIST: st.lists(st.text(max_size=5), max_size=3),
}


def values(field: Field) -> st.SearchStrategy[Any]:
    """Null, valid, empty, and for an enum also what the catalogue does not know."""
    if field.kind is Kind.ENUM:
        return st.sampled_from([*field.options, "unheard of", "", None])
    return st.none() | VALID[field.kind]


def _leaves(prefix: str) -> st.SearchStrategy[dict[str, Any]]:
    inner = [path for path in FIELDS if path.startswith(prefix + ".") and path.count(".") == prefix.count(".") + 1]
    plain = {path.rsplit(".", 1)[1]: values(FIELDS[path]) for path in inner if FIELDS[path].kind is not Kind.OBJECT}
    if prefix == "customer":
        plain["assignedUser"] = st.none() | _leaves("customer.assignedUser")
    return st.fixed_dictionaries({}, optional=plain)


def _with(strategy: st.SearchStrategy[dict[str, Any]], **needed: Any) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(lambda held, own: held | own, strategy, st.fixed_dictionaries(needed))


CUSTOMER = _with(_leaves("customer"), id=st.uuids().map(str), updatedAt=TIMES)
CALL = _with(
    _leaves("call"),
    id=st.uuids().map(str),
    createdAt=TIMES,
    campaign=st.none() | _leaves("campaign"),
    customer=st.none() | CUSTOMER,
)


@st.composite
def events(draw: st.DrawFn) -> Event:
    event_type = draw(st.sampled_from(catalogue.EVENTS))
    payload = draw(CALL if event_type == "call.completed" else CUSTOMER)
    return event_of(payload | {"event_type": event_type}, event_type)


PATHS = [path for path in FIELDS if path.startswith("customer.") and FIELDS[path].kind is not Kind.OBJECT]
STATES = "customer.assignedUser.licensedStates"
TEXTS = [path for path in PATHS if FIELDS[path].kind is Kind.TEXT]


def another() -> dict[str, Any]:
    return {"contains": {"field": "customer.state"}}


def written(step: Step) -> Any:
    argument = step.example.argument
    return step.name if argument is None else {step.name: argument}


@st.composite
def fields(draw: st.DrawFn) -> dict[str, Any]:
    """One field of a mapping: mostly clean, sometimes not."""
    path = draw(st.sampled_from(PATHS))
    field: dict[str, Any] = draw(
        st.sampled_from(
            [
                {"from": path},
                {"from": [path, *draw(st.lists(st.sampled_from(PATHS), max_size=2))]},
                {
                    "join": draw(st.lists(st.sampled_from(PATHS), min_size=1, max_size=3)),
                    "with": draw(st.text(max_size=2)),
                },
                {"template": f"{{{path}}}[ - {{{draw(st.sampled_from(PATHS))}}}] \\[x\\]"},
                {"lookup": {"object": "User", "match": {"Email": path}}},
                {"ref": "contact"},
                {"from": "customer.householdIncome", "bands": draw(bands())},
                {"from": "customer.dateOfBirth", "format": "age", "bands": draw(bands())},
                {"from": "customer.subsidyAmount", "format": {"divide": 3}, "bands": draw(bands())},
                {"from": STATES, "table": {"AZ": "Arizona", "NM": 5, "else": draw(st.sampled_from([None, "y"]))}}
                | {"format": draw(st.sampled_from(["list", "text", ["list", "upper"]]))},
                {"cases": [{"when": draw(conditions()), "then": path}, {"else": {"value": 5}}]},
            ]
        )
    )
    takes = [written(step) for step in FORMATS.values() if FIELDS[path].kind in step.shown.takes]
    modifiers: dict[str, st.SearchStrategy[Any]] = {
        "when": conditions(),
        "table": st.sampled_from([{"else": "y"}, {"else": 5}, {"else": None}]),
        "format": st.sampled_from(takes) | st.lists(st.sampled_from(takes), min_size=1, max_size=2),
        "default": st.sampled_from(["none", 0, False]),
        "if_null": st.just("clear"),
        "write": st.sampled_from(["on_create", "if_blank"]),
        "cut": st.just(True),
    }
    wanted = draw(st.lists(st.sampled_from(sorted(modifiers)), max_size=2, unique=True))
    return field | {name: draw(modifiers[name]) for name in wanted}


@st.composite
def bands(draw: st.DrawFn) -> dict[str, Any]:
    """Bands in rising order, with and without what lies below."""
    bounds = draw(st.lists(st.integers(-(10**6), 10**6), min_size=1, max_size=3, unique=True).map(sorted))
    own: dict[str, Any] = {str(bound / 2): draw(st.sampled_from(["low", "high", None, 3])) for bound in bounds}
    return own | draw(st.sampled_from([{}, {"else": "below"}, {"else": None}]))


@st.composite
def conditions(draw: st.DrawFn) -> dict[str, Any]:
    field = FIELDS[draw(st.sampled_from(PATHS))]
    if field.kind in (Kind.DATE, Kind.DATETIME) and draw(st.booleans()):
        steps = draw(st.sampled_from([[], [{"plus": "65 years"}], [{"first_of": "next month"}]]))
        within = {"within": {draw(st.sampled_from(["next", "last"])): "7 months"}}
        age = {"format": "age", "at_least": draw(st.integers(0, 99))}
        one: dict[str, Any] = {field.path: draw(st.sampled_from([within | ({"format": steps} if steps else {}), age]))}
    elif field.kind is Kind.LIST:
        one = {field.path: draw(st.sampled_from([{"exists": True}, {"exists": False}, another()]))}
    else:
        ordered = field.kind in (Kind.INTEGER, Kind.DATE, Kind.DATETIME)
        operator = draw(st.sampled_from(["is", "not", "more_than", "at_most"] if ordered else ["is", "not"]))
        one = {field.path: {operator: draw(st.sampled_from(field.options) if field.options else VALID[field.kind])}}
    if field.kind is Kind.TEXT and draw(st.booleans()):
        one = {field.path: another()}
    return draw(st.sampled_from([one, {"not": one}, {"any": [one]}, {"all": [one, one]}]))


@st.composite
def mappings(draw: st.DrawFn) -> mapping.Mapping | None:
    """A generated mapping, as far as it checks clean."""
    own = {f"F{number}": field for number, field in enumerate(draw(st.lists(fields(), min_size=1, max_size=4)))}
    contact = {"object": "Contact", "key": {"Id__c": "customer.id"}, "fields": {"Email": "customer.email"}}
    other = {"object": "Note", "key": {"Note_Id__c": {"template": "n-{customer.id}"}}, "fields": own}
    consent = {
        "flags": {flag: f"contact.{flag}__c" for flag in FLAGS},
        "withhold": {draw(st.sampled_from(FLAGS)): ["contact.Email", f"note.{next(iter(own))}"]},
        "skip": {draw(st.sampled_from(FLAGS)): ["note"]},
        "raise": {draw(st.sampled_from(FLAGS)): {"when": draw(conditions())}},
    }
    file = {"version": 1, "crm": "salesforce", "consent": consent, "records": {"note": other, "contact": contact}}
    if draw(st.booleans()):
        file["filter"] = draw(conditions())
    return load(yaml.safe_dump(file, allow_unicode=True), schema=None).mapping


@cache
def known_mappings() -> tuple[mapping.Mapping, ...]:
    """The mappings of the house, with and without the CRM's schema."""
    found = []
    for path in (*sorted(SHARED.glob("*.yaml")), *sorted(SHIPPED.glob("*.yaml"))):
        for schema in (None, SCHEMAS["hubspot" if path == Path(path.parent, "hubspot.yaml") else "salesforce"]):
            loaded = mapping.load(path, schema=schema, shipped=SHARED, crms=VENDORS)
            assert loaded.mapping is not None
            found.append(loaded.mapping)
    return tuple(found)


def assert_sound(event: Event, made_with: mapping.Mapping) -> None:
    """What holds of every plan, whatever the event."""
    planned, heard = (each(event, made_with, timezone=ZONE) for each in (plan, hear))
    same = ("customer_id", "consent", "stamp", "spoken", "fetched")
    assert not heard.writes
    assert [getattr(heard, name) for name in same] == [getattr(planned, name) for name in same]
    made = {write.key for write in planned.writes if write.mode is not Mode.UPDATE}
    for write in planned.writes:
        assert write.key.value
        assert write.key.field not in write.fields
        for flag in write.flags:
            assert planned.consent[flag] is True or flag in planned.spoken
        for field in write.fields.values():
            assert isinstance(field.value, str | int | float | bool | Ref | Lookup | None)
            assert not isinstance(field.value, Ref) or field.value.key in made
            assert all(planned.consent.get(flag) is False for flag in field.guards)
            assert planned.spoken.isdisjoint(field.guards)
    assert bool(planned.writes) != bool(planned.reason)


class TestPlanningNeverFails:
    @pytest.mark.slow
    @settings(max_examples=EXAMPLES, deadline=None)
    @given(event=events())
    def test_for_the_mappings_of_the_house(self, event: Event) -> None:
        for one in known_mappings():
            assert_sound(event, one)

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.large_base_example],
    )
    @given(several=st.lists(events(), min_size=EVENTS, max_size=EVENTS), made=mappings().filter(bool))
    def test_for_any_mapping_that_checks_clean(self, several: list[Event], made: mapping.Mapping) -> None:
        for event in several:
            assert_sound(event, made)
