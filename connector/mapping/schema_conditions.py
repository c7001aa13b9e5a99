"""The grammar of conditions, and the base classes of every block of the format."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any

from pydantic import (
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
    model_validator,
)
from pydantic_core import PydanticCustomError, core_schema

from connector.mapping.schema_steps import SpanOfDays, Steps

Scalar = StrictStr | StrictBool | StrictInt | StrictFloat | None
Listed = StrictStr | StrictInt
"""A value of a list that a field moves along."""


class Block(BaseModel):
    """A block of the file; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class ShortBlock(Block):
    """A block that may also be written as a single plain value."""

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, inner: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"anyOf": [{"type": "string"}, inner(schema)]}


class Within(Block):
    """How far from the day of the event a day may be: that day, and those before it or after it."""

    next: SpanOfDays | None = None
    last: SpanOfDays | None = None

    @model_validator(mode="before")
    @classmethod
    def _block(cls, written: Any) -> Any:
        if isinstance(written, dict):
            return written
        raise PydanticCustomError("M111", "expected a block", {"hint": "for example  within: { next: 7 months }"})

    @model_validator(mode="after")
    def _one_way(self) -> Within:
        if (self.next is None) == (self.last is None):
            raise PydanticCustomError("M111", "within has exactly one of: next, last")
        return self

    def holds(self, day: date, today: date) -> bool:
        """Whether a day is within it."""
        try:
            if self.next is not None:
                return today <= day <= self.next.after(today)
            return self.last is not None and self.last.after(today, -1) <= day <= today
        except (ValueError, OverflowError):  # the calendar ends there
            return False


class OtherField(Block):
    """Another field of the event, with whose value one is compared."""

    field: str


ScalarOrField = Annotated[
    Annotated[Scalar, Tag("value")] | Annotated[OtherField, Tag("another field")],
    Discriminator(lambda written: "another field" if isinstance(written, dict | OtherField) else "value"),
]


class Comparison(Block):
    """What a field is compared with; all comparisons must hold. A bare value means `is`, a bare list `in`.

    format: what its value goes through first.
    """

    is_: Scalar = Field(default=None, alias="is")
    not_: Scalar = Field(default=None, alias="not")
    in_: list[Scalar] = Field(default=[], alias="in")
    not_in: list[Scalar] = []
    more_than: Scalar = None
    at_least: Scalar = None
    less_than: Scalar = None
    at_most: Scalar = None
    contains: ScalarOrField = None
    starts_with: Scalar = None
    ends_with: Scalar = None
    exists: bool | None = None
    within: Within | None = None
    format: Steps | None = None

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
        """List the comparisons written, as (operator, operand)."""
        for name, declared in type(self).model_fields.items():
            if name in self.model_fields_set and name != "format":
                yield declared.alias or name, getattr(self, name)


class Condition(BaseModel):
    """Event fields and what they are compared with; all of it must hold."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True, hide_input_in_errors=True)
    __pydantic_extra__: dict[str, Comparison]

    any: list[Condition] | None = None
    all: list[Condition] | None = None
    not_: Condition | None = Field(default=None, alias="not")

    @property
    def paths(self) -> dict[str, Comparison]:
        """Return the comparisons by event field."""
        return self.__pydantic_extra__
