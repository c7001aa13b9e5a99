"""The grammar of sources: where the value of a field or key comes from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Discriminator, Field, StrictStr, Tag, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from connector.mapping.formats import FORMATS
from connector.mapping.schema_conditions import Block, Condition, Scalar, ShortBlock
from connector.model import Rule

SOURCES: Final = ("from", "value", "template", "join", "lookup", "ref", "cases")
SEVERAL: Final = "several_sources"


def _known_format(name: str) -> str:
    if name not in FORMATS:
        raise PydanticCustomError("M121", "unknown format '{word}'", {"word": name, "known": list(FORMATS)})
    return name


FormatName = Annotated[
    StrictStr, AfterValidator(_known_format), WithJsonSchema({"type": "string", "enum": list(FORMATS)})
]
Entries = dict[str, Scalar]
TableOrName = Annotated[
    Annotated[str, Tag("name")] | Annotated[Entries, Tag("table")],
    Discriminator(lambda written: "table" if isinstance(written, dict) else "name"),
]
WriteRule = Annotated[Rule, Field(strict=False)]
"""An unknown rule is reported as M160."""


class Lookup(Block):
    """A value looked up in the CRM. `return` defaults to the CRM's own id."""

    object: str
    match: dict[str, str] = Field(min_length=1, max_length=1)
    return_: str = Field(default="", alias="return")
    missing: Literal["keep", "wait", "reject"] = "keep"


class Source(ShortBlock):
    """Where a value comes from: exactly one source and its modifiers. A bare word is a field of the event."""

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
            raise PydanticCustomError("M111", "else: comes before another case", {"hint": "move else: to the end"})
        return self

    def sources(self) -> list[str]:
        """List the sources written in this block."""
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
    """One case: `when` with `then`, or the final `else`."""

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
    required: bool = False
    write: WriteRule = Rule.ALWAYS
    sensitive: Literal["accepted"] | None = None
    note: str | None = None


class Key(ShortBlock):
    """What identifies a record. It has no modifier that could give two customers the same key."""

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
        """Return this key as a source."""
        named = {"from": self.from_, "template": self.template, "join": self.join, "format": self.format}
        written = {key: value for key, value in named.items() if value is not None}
        return Source.model_validate(written | {"with": self.with_})
