"""The format of a mapping file. Reading, checking and the editor's schema all derive from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, PlainValidator, Tag, ValidationInfo, WithJsonSchema
from pydantic_core import PydanticCustomError

from connector.crm import Crm
from connector.mapping.schema_conditions import Block, Condition, Scalar
from connector.mapping.schema_sources import Entries, Key, MappedField
from connector.model import Mode

EventName = Literal["customer.created", "customer.updated", "call.completed"]


def _known_crm(name: object, info: ValidationInfo) -> Crm:
    """The CRM of that name, among those in the validation's context."""
    known: Mapping[str, Crm] = (info.context or {}).get("crms", {})
    if not isinstance(name, str) or name not in known:
        raise PydanticCustomError("unknown_crm", "unknown CRM", {"expected": " or ".join(map(repr, known))})
    return known[name]


CrmName = Annotated[Crm, PlainValidator(_known_crm), WithJsonSchema({"type": "string"})]
Expected = Annotated[
    Annotated[Literal["none"], Tag("none")] | Annotated[dict[str, Scalar | list[str]], Tag("fields")],
    Discriminator(lambda written: "fields" if isinstance(written, dict) else "none"),
]


Extended = Annotated[
    Annotated[str, Tag("name")] | Annotated[list[str], Field(min_length=1), Tag("names")],
    Discriminator(lambda written: "names" if isinstance(written, list) else "name"),
]
"""One mapping, or several: the later ones add to the first."""


class Raise(Block):
    """When an event raises a flag by itself."""

    when: Condition


class Consent(Block):
    """Where the flags go, what they withhold, and which events raise them."""

    flags: dict[str, str] = Field(default={})
    withhold: dict[str, list[str]] = Field(default={})
    withheld: Literal["leave", "clear"] = "leave"
    skip: dict[str, list[str]] = Field(default={})
    unsubscribe: list[str] = Field(default=[])
    waive: list[str] = Field(default=[])
    raise_: dict[str, Raise] = Field(default={}, alias="raise")


class Record(Block):
    """One CRM object the mapping writes."""

    object: str
    events: list[EventName] | None = None
    when: Condition | None = None
    key: dict[str, Key] = Field(default={})
    unique_key: bool = True
    also_match: list[dict[str, Key]] = Field(default=[])
    mode: Annotated[Mode, Field(strict=False)] = Mode.UPSERT
    fields: dict[str, MappedField]
    associate: list[str] = Field(default=[])


class Test(Block):
    """One of the file's own tests."""

    name: str
    event: EventName
    given: dict[str, Any] = Field(default={})
    expect: dict[str, Expected]


class File(Block):
    """A whole mapping file, merged with everything it extends."""

    version: Literal[1]
    crm: CrmName
    extends: Extended | None = None
    events: list[EventName] | None = None
    test_customers: Literal["drop", "allow"] = "drop"
    filter: Condition | None = None
    consent: Consent = Consent()
    tables: dict[str, Entries] = Field(default={})
    records: dict[str, Record] = Field(min_length=1)
    tests: list[Test] = Field(default=[])


def json_schema() -> dict[str, Any]:
    """Return the format as a JSON Schema, for editors."""
    return File.model_json_schema(by_alias=True)
