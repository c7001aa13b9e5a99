"""The format of a mapping file: the one grammar, from which reading, checking and the editor's schema all come."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    GetJsonSchemaHandler,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    Tag,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError, core_schema

from connector.mapping.formats import FORMATS
from connector.model import Mode, Rule

Scalar = StrictStr | StrictBool | StrictInt | StrictFloat | None
EventName = Literal["customer.created", "customer.updated", "call.completed"]
SOURCES: Final = ("from", "value", "template", "join", "lookup", "ref", "cases")
SEVERAL: Final = "several_sources"


def _known_format(name: str) -> str:
    if name not in FORMATS:
        raise PydanticCustomError("M121", "unknown format '{word}'", {"word": name, "known": list(FORMATS)})
    return name


FormatName = Annotated[
    StrictStr, AfterValidator(_known_format), WithJsonSchema({"type": "string", "enum": list(FORMATS)})
]
_Entries = dict[str, Scalar]
TableOrName = Annotated[
    Annotated[str, Tag("name")] | Annotated[_Entries, Tag("table")],
    Discriminator(lambda written: "table" if isinstance(written, dict) else "name"),
]
Expected = Annotated[
    Annotated[Literal["none"], Tag("none")] | Annotated[dict[str, Scalar | list[str]], Tag("fields")],
    Discriminator(lambda written: "fields" if isinstance(written, dict) else "none"),
]
WriteRule = Annotated[Rule, Field(strict=False)]
"""An unknown one is M160."""


class Block(BaseModel):
    """A block of the file: a key it does not know is an error."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class _Short(Block):
    """A block that may also be written as one plain value."""

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, inner: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"anyOf": [{"type": "string"}, inner(schema)]}


class Comparison(Block):
    """What a field is compared with; several hold together. A bare value is `is`, a bare list is `in`."""

    is_: Scalar = Field(default=None, alias="is")
    not_: Scalar = Field(default=None, alias="not")
    in_: list[Scalar] = Field(default=[], alias="in")
    not_in: list[Scalar] = []
    more_than: Scalar = None
    at_least: Scalar = None
    less_than: Scalar = None
    at_most: Scalar = None
    contains: Scalar = None
    starts_with: Scalar = None
    ends_with: Scalar = None
    exists: bool | None = None

    @model_validator(mode="before")
    @classmethod
    def _short(cls, written: Any) -> Any:
        match written:
            case dict():
                return written
            case list():
                return {"in": written}
            case _:
                return {"is": written}

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, inner: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        scalar = {"type": ["string", "number", "boolean"]}
        return {"anyOf": [scalar, {"type": "array", "items": scalar}, inner(schema)]}

    def tests(self) -> Iterator[tuple[str, Any]]:
        """The comparisons written, as (operator, what with)."""
        for name, declared in type(self).model_fields.items():
            if name in self.model_fields_set:
                yield declared.alias or name, getattr(self, name)


class Condition(BaseModel):
    """Event fields and what they are compared with; all of it holds together."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True, hide_input_in_errors=True)
    __pydantic_extra__: dict[str, Comparison]

    any: list[Condition] | None = None
    all: list[Condition] | None = None
    not_: Condition | None = Field(default=None, alias="not")

    @property
    def paths(self) -> dict[str, Comparison]:
        """The event fields compared."""
        return self.__pydantic_extra__


class Lookup(Block):
    """A value found in the CRM. `return` defaults to the CRM's own id."""

    object: str
    match: dict[str, str] = Field(min_length=1, max_length=1)
    return_: str = Field(default="", alias="return")
    missing: Literal["keep", "wait", "reject"] = "keep"


class Source(_Short):
    """Where a value comes from: exactly one source, and what is made of it. A bare word is a field of the event."""

    from_: list[str] | None = Field(default=None, alias="from", min_length=1)
    value: Scalar = None
    template: str | None = None
    join: list[str] | None = Field(default=None, min_length=1)
    with_: str = Field(default=", ", alias="with")
    lookup: Lookup | None = None
    ref: str | None = None
    cases: list[Case] | None = Field(default=None, min_length=1)
    table: TableOrName | None = None
    format: FormatName | None = None

    @model_validator(mode="before")
    @classmethod
    def _short(cls, written: Any) -> Any:
        match written:
            case str():
                return {"from": [written]}
            case dict():
                return written | {"from": [written["from"]]} if isinstance(written.get("from"), str) else written
            case _:
                raise PydanticCustomError("M111", "expected a field of the event or a block", {"hint": _FIXED})

    @model_validator(mode="after")
    def _one_source(self) -> Source:
        named = self.sources()
        hint = "write exactly one of: " + ", ".join(SOURCES)
        if not named:
            raise PydanticCustomError("M111", "no source", {"hint": hint})
        if len(named) > 1:
            problem = f"more than one source: {', '.join(named)}"
            raise PydanticCustomError(SEVERAL, "{problem}", {"problem": problem, "hint": hint})
        if self.cases and any(case.else_ for case in self.cases[:-1]):
            raise PydanticCustomError("M111", "else: comes before another case", {"hint": "write else: last"})
        return self

    def sources(self) -> list[str]:
        """The sources written in this block."""
        return [
            declared.alias or name
            for name, declared in type(self).model_fields.items()
            if name in self.model_fields_set and (declared.alias or name) in SOURCES
        ]

    def branches(self) -> Iterator[Source]:
        """List the sources its cases choose between."""
        for case in self.cases or ():
            yield from (inner for inner in (case.then, case.else_) if inner is not None)

    def nested(self) -> Iterator[Source]:
        """List this source and every source inside its cases."""
        yield self
        for inner in self.branches():
            yield from inner.nested()


_FIXED = "for fixed text write  value: ..."


class Case(Block):
    """One case: `when` with `then`, or the last one's `else`."""

    when: Condition | None = None
    then: Source | None = None
    else_: Source | None = Field(default=None, alias="else")

    @model_validator(mode="after")
    def _one_kind(self) -> Case:
        if (self.when is None or self.then is None or self.else_ is not None) and (
            self.else_ is None or self.when is not None or self.then is not None
        ):
            raise PydanticCustomError("M111", "a case is either when: with then:, or else: alone")
        return self


class MappedField(Source):
    """One target field. The modifiers apply in this order: when, table, format, default, cut, if_null, write."""

    when: Condition | None = None
    default: Scalar = None
    cut: bool = False
    if_null: Literal["keep", "clear"] = "keep"
    write: WriteRule = Rule.ALWAYS
    sensitive: Literal["accepted"] | None = None
    note: str | None = None


class Key(_Short):
    """What identifies a record: it has no modifier that could give two customers the same key."""

    from_: list[str] | None = Field(default=None, alias="from", min_length=1, max_length=1)
    template: str | None = None
    join: list[str] | None = Field(default=None, min_length=1)
    with_: str = Field(default=", ", alias="with")
    format: FormatName | None = None
    cut: bool = False
    sensitive: Literal["accepted"] | None = None
    note: str | None = None

    _short = model_validator(mode="before")(Source._short.__func__)

    @model_validator(mode="after")
    def _one_source(self) -> Key:
        if len({"from_", "template", "join"} & self.model_fields_set) != 1:
            raise PydanticCustomError("M111", "a key has exactly one of: from, template, join")
        return self

    def as_source(self) -> Source:
        """The same, as a source."""
        named = {"from": self.from_, "template": self.template, "join": self.join, "format": self.format}
        written = {key: value for key, value in named.items() if value is not None}
        return Source.model_validate(written | {"with": self.with_})


class Consent(Block):
    """Where the flags go and what they keep back."""

    flags: dict[str, str] = {}
    withhold: dict[str, list[str]] = {}
    withheld: Literal["leave", "clear"] = "leave"
    skip: dict[str, list[str]] = {}
    unsubscribe: list[str] = []
    waive: list[str] = []


class Record(Block):
    """One CRM object the mapping makes."""

    object: str
    events: list[EventName] | None = None
    when: Condition | None = None
    key: dict[str, Key] = {}
    unique_key: bool = True
    also_match: list[dict[str, Key]] = []
    mode: Annotated[Mode, Field(strict=False)] = Mode.UPSERT
    fields: dict[str, MappedField]
    associate: list[str] = []


class Test(Block):
    """One of the file's own tests."""

    name: str
    event: EventName
    given: dict[str, Any] = {}
    expect: dict[str, Expected]


class File(Block):
    """A whole mapping file, everything it extends merged in."""

    version: Literal[1]
    crm: Literal["salesforce", "hubspot"]
    extends: str | None = None
    events: list[EventName] | None = None
    test_customers: Literal["drop", "allow"] = "drop"
    filter: Condition | None = None
    consent: Consent = Consent()
    tables: dict[str, _Entries] = {}
    records: dict[str, Record] = Field(min_length=1)
    tests: list[Test] = []


def json_schema() -> dict[str, Any]:
    """The format as a JSON Schema, for editors."""
    return File.model_json_schema(by_alias=True)
