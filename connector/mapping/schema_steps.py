"""The grammar of steps: what a value goes through, and how far from the event a day may be."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from connector.mapping import formats
from connector.mapping.steps import spans
from connector.mapping.steps.spans import DAYS, Span
from connector.mapping.steps.step import Format, WrongArgumentError

_DAYS: Final = spans.argument(DAYS)


def _step(written: Any) -> Format:
    try:
        return formats.read(written)
    except formats.UnknownFormatError as unknown:
        known = {"problem": str(unknown), "word": unknown.name, "known": list(formats.FORMATS), "hint": unknown.hint}
        raise PydanticCustomError("M121", "{problem}", known) from unknown
    except WrongArgumentError as wrong:
        raise PydanticCustomError("M123", "{problem}", {"problem": str(wrong), "hint": wrong.hint}) from wrong


Steps = Annotated[
    list[Annotated[Format, PlainValidator(_step)]],
    BeforeValidator(lambda written: written if isinstance(written, list) else [written]),
    Field(min_length=1),
    WithJsonSchema(formats.SCHEMA),
]
"""What a value goes through, in this order; a single step is written without the list."""


def _span(written: Any) -> Span:
    try:
        return _DAYS.read(written)  # type: ignore[no-any-return]  # an argument reads what its step takes
    except WrongArgumentError as wrong:
        problem = {"problem": f"'within' takes {_DAYS.expected}", "hint": wrong.hint or "for example  next: 7 months"}
        raise PydanticCustomError("M123", "{problem}", problem) from wrong


SpanOfDays = Annotated[Span, PlainValidator(_span), WithJsonSchema(dict(_DAYS.schema))]
