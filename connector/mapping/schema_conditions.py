"""The grammar of conditions, and the base classes of every block of the format."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    model_validator,
)
from pydantic_core import core_schema

Scalar = StrictStr | StrictBool | StrictInt | StrictFloat | None


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


class Comparison(Block):
    """What a field is compared with; all comparisons must hold. A bare value means `is`, a bare list `in`."""

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
        """List the comparisons written, as (operator, operand)."""
        for name, declared in type(self).model_fields.items():
            if name in self.model_fields_set:
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
