"""What careCycle's REST API says, in the shape of its webhooks.

Names are translated, and only the catalogue's fields are kept: a customer of the API also has the social security
numbers of dependents, prescriptions and notes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

from connector.carecycle.catalogue import ABSENT, FIELDS, FLAGS, Field, Kind
from connector.carecycle.coercions import COERCIONS, as_boolean, as_id
from connector.carecycle.kinds import Unclear, json_type

CUSTOMER: Final = "customer.updated"
CALL: Final = "call.completed"

RENAMED: Final[Mapping[str, Mapping[str, str]]] = {
    "customer": {
        "clientCustomerId": "externalId",
        "callerId": "phoneNumber",
        "medicaid": "hasMedicaid",
        "testFlag": "testCustomer",
        "isTestNumber": "testCustomer",
    },
    "call": {"callerId": "phoneNumber"},  # twilioSid is another id than the webhook's callSid
}
"""The API's name -> the webhook's, by the object it is in."""

_TEST_MARKS: Final = ("testFlag", "isTestNumber")
"""Of a call, either of which says that its customer is a test."""

_NUMBERS: Final = frozenset({"customer.agentNpn"})
"""Texts of webhooks that the API documents as whole numbers: nothing is odd about one."""

_TRUE_COUNTS: Final = frozenset({*FLAGS, "testCustomer"})
"""Given under two names with different values, these are true."""


def customer_payload(item: Any) -> dict[str, Any] | None:
    """A customer of the API as a webhook has it; None without a usable id.

    >>> customer_payload({"id": "c-1", "callerId": "+15205550117", "dependents": [{"ssn": "..."}]})
    {'event_type': 'customer.updated', 'id': 'c-1', 'phoneNumber': '+15205550117'}
    """
    kept = _kept(item, "customer")
    identity = as_id(kept.get("id"))
    return {"event_type": CUSTOMER, **kept, "id": identity} if identity else None


def call_payload(item: Any, customer: Mapping[str, Any]) -> dict[str, Any] | None:
    """A call of the API as a webhook has it, with its customer's payload inside; None without a usable id.

    The link to its recording is left out: see source.recording.
    """
    kept = _kept(item, "call")
    kept.pop("recordingUrl", None)
    identity = as_id(kept.get("id"))
    if not identity:
        return None
    is_test = any(as_boolean(item.get(mark)) is True for mark in _TEST_MARKS)
    whose = {**customer, **({"testCustomer": True} if is_test else {})}
    whose.pop("event_type", None)
    return {"event_type": CALL, **kept, "id": identity, **_campaign(item), "customer": whose}


def lost(item: Any) -> list[tuple[str, str]]:
    """The fields of a customer of the API whose values are left out because they could hold anything, and what came.

    >>> lost({"id": "c-1", "doNotCall": [True], "callerId": {"value": "+15205550117"}})
    [('customer.doNotCall', 'a list'), ('customer.phoneNumber', 'an object')]
    """
    given = item.items() if isinstance(item, Mapping) and not isinstance(item, Unclear) else ()
    fields = ((_fields("customer").get(name.lower()), value) for name, value in given)
    return [(field.path, json_type(value, field.kind)) for field, value in fields if field and _is_lost(value, field)]


def _is_lost(value: Any, field: Field) -> bool:
    return isinstance(value, Mapping | list) and _sound(value, field) is ABSENT


def _campaign(item: Mapping[str, Any]) -> dict[str, Any]:
    """The campaign of a call, of which the API may say the id alone."""
    whole = item.get("campaign")
    if isinstance(whole, Mapping):
        return {"campaign": _kept(whole, "campaign")}
    named = item.get("campaignId", ABSENT)
    if named is None:
        return {"campaign": None}
    return {"campaign": {"id": as_id(named)}} if as_id(named) else {}


def _kept(item: Any, head: str) -> dict[str, Any]:
    """The catalogue's fields directly below `head` that an object has, under their own names."""
    if not isinstance(item, Mapping) or isinstance(item, Unclear):
        return {}
    given: dict[str, list[Any]] = defaultdict(list)
    for name, value in item.items():
        field = _fields(head).get(name.lower())
        if field is not None and (sound := _sound(value, field)) is not ABSENT:
            own = _last(field.path)
            given[own].insert(0 if name == own else len(given[own]), sound)
    return {own: _chosen(own, values) for own, values in given.items()}


def _last(path: str) -> str:
    return path.rpartition(".")[2]


def _chosen(own: str, values: Sequence[Any]) -> Any:
    """Of the values given for a field, that under its own name first: the first that is not null."""
    raised = [value for value in values if own in _TRUE_COUNTS and as_boolean(value) is True]
    return next((value for value in (*raised, *values) if value is not None), None)


@cache
def _fields(head: str) -> Mapping[str, Field]:
    """Every name that a field below `head` goes by, in small letters -> the field."""
    own = {_last(path): field for path, field in FIELDS.items() if path == f"{head}.{_last(path)}"}
    renamed = {name: own[ours] for name, ours in RENAMED.get(head, {}).items()}
    return {name.lower(): field for name, field in {**own, **renamed}.items()}


def _sound(value: Any, field: Field) -> Any:
    """A field's value without anything the catalogue does not know; ABSENT where nothing is left of it.

    A value of another type is kept, to be reported as odd; but not an object, which could hold anything.
    """
    if value is None:
        return None
    if field.kind is Kind.OBJECT:
        inner = value if isinstance(value, Mapping) else COERCIONS[Kind.OBJECT](value, field)
        return ABSENT if inner is None or isinstance(inner, Unclear) else _kept(inner, field.path)
    if field.kind is Kind.LIST and isinstance(value, list):
        return [part for part in value if not isinstance(part, Mapping | list)]
    return ABSENT if isinstance(value, Mapping | list) else _as_sent(value, field)


def _as_sent(value: Any, field: Field) -> Any:
    """A plain value as a webhook has it."""
    return str(value) if field.path in _NUMBERS and type(value) is int else value
