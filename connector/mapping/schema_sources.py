"""The grammar of sources: where the value of a field or key comes from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal

from pydantic import Discriminator, Field, StrictBool, StrictFloat, StrictInt, StrictStr, Tag, model_validator
from pydantic_core import PydanticCustomError

from connector.mapping.schema_conditions import Block, Condition, Listed, Scalar, ShortBlock
from connector.mapping.schema_steps import Steps
from connector.model import Rule

SOURCES: Final = ("from", "value", "template", "join", "lookup", "ref", "cases", "count", "first", "last")
SEVERAL: Final = "several_sources"


Fixed = StrictStr | StrictBool | StrictInt | StrictFloat
Entries = dict[str, Scalar]
TableOrName = Annotated[
    Annotated[str, Tag("name")] | Annotated[Entries, Tag("table")],
    Discriminator(lambda written: "table" if isinstance(written, dict) else "name"),
]
WriteRule = Annotated[Rule, Field(strict=False)]
"""An unknown rule is reported as M160."""


class Lookup(Block):
    """A value looked up in the CRM. `return` defaults to the CRM's own id.

    match: fields that must hold a value of the event. where: those that must hold a fixed one.
    """

    object: str
    match: dict[str, str] = Field(default={})
    where: dict[str, Fixed] = Field(default={})
    return_: str = Field(default="", alias="return")
    missing: Literal["keep", "wait", "reject"] = "keep"
    else_: Otherwise | None = Field(default=None, alias="else")

    @model_validator(mode="after")
    def _finds_one(self) -> Lookup:
        if not self.match and all(isinstance(value, bool) for value in self.where.values()):
            hint = "for example  where: { DeveloperName: Medicare_Leads }"
            raise PydanticCustomError("M111", "a lookup needs match:, or text under where:", {"hint": hint})
        if twice := self.match.keys() & self.where.keys():
            problem = f"'{min(twice)}' is under match: and under where:"
            raise PydanticCustomError("M111", "{problem}", {"problem": problem, "hint": "keep one"})
        if any("missing" in step.model_fields_set for place, step in self.steps() if place):
            hint = "write it before else:"
            raise PydanticCustomError("M111", "missing: belongs to the first lookup alone", {"hint": hint})
        return self

    def steps(self) -> Iterator[tuple[tuple[str, ...], Lookup]]:
        """List this look-up and those made where it has no match, each with its place inside this one."""
        yield (), self
        if self.else_ and self.else_.lookup:
            yield from ((("else", "lookup", *place), step) for place, step in self.else_.lookup.steps())

    @property
    def paths(self) -> list[str]:
        """List the event fields whose values are searched for."""
        return [path for _, step in self.steps() for path in step.match.values()]

    @property
    def last(self) -> Scalar:
        """What is taken where nothing has a match; None for nothing."""
        for _, step in self.steps():
            if step.else_ and step.else_.lookup is None:
                return step.else_.value
        return None


class Otherwise(Block):
    """What is taken where a look-up has no match: exactly one of another look-up and a fixed value."""

    lookup: Lookup | None = None
    value: Scalar = None

    @model_validator(mode="after")
    def _one_kind(self) -> Otherwise:
        if (self.lookup is None) == (self.value is None):
            raise PydanticCustomError("M111", "else: has exactly one of: lookup, value")
        return self


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
    format: Steps | None = None
    bands: Entries | None = None

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

    @property
    def read(self) -> list[str]:
        """The event fields whose value it takes."""
        return self.from_ or []

    @property
    def keeps(self) -> bool:
        """Whether its formats leave what tells people and records apart: `first: 1` of a name does not."""
        return all(step.keeps for step in self.format or ())

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
    """One target field. The modifiers apply in this order: when, table, format, bands, default, cut, if_null, write.

    count: how many calls the record had; its `when` says which of them count.
    """

    count: Literal["calls"] | None = None
    first: str | None = None
    last: str | None = None
    when: Condition | None = None
    default: Scalar = None
    cut: bool = False
    if_null: Literal["keep", "clear"] = "keep"
    required: bool = False
    write: WriteRule = Rule.ALWAYS
    order: list[Listed] | None = Field(default=None, min_length=1)
    sensitive: Literal["accepted"] | None = None
    note: str | None = None

    @property
    def read(self) -> list[str]:
        """The event fields whose value it takes, of each of a customer's calls or of the event."""
        return self.from_ or [path for path in (self.first, self.last) if path is not None]


class Key(ShortBlock):
    """What identifies a record. It has no modifier that could give two customers the same key."""

    from_: list[str] | None = Field(default=None, alias="from", min_length=1, max_length=1)
    template: str | None = None
    join: list[str] | None = Field(default=None, min_length=1)
    with_: str = Field(default=", ", alias="with")
    format: Steps | None = None
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
