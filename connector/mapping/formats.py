"""The registry of everything `format:` knows, and how it is read.

A step never raises for a value it cannot read: a phone number typed by hand must not stop an event. Each documents
what becomes of one. It sees nothing but the value and, at most, the customer's time zone: a replay gives the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from connector.mapping.steps import calendar, contact, dates, lengths, names, numbers, patterns, texts
from connector.mapping.steps.step import Format, Step, WrongArgumentError
from connector.mapping.tree_builder import scalar

FORMATS: Final[Mapping[str, Step]] = {
    step.name: step
    for family in (dates, calendar, patterns, numbers, texts, names, lengths, contact)
    for step in family.STEPS
}


_OTHER_WORDS: Final = {
    "phone": ("national", "e164", "ten_digits"),
    "phonenumber": ("national", "e164", "ten_digits"),
    "tel": ("national", "e164", "ten_digits"),
    "uppercase": ("upper",),
    "caps": ("upper",),
    "lowercase": ("lower",),
    "proper": ("title",),
    "capitalize": ("title",),
    "titlecase": ("title",),
    "zip": ("zip5",),
    "zipcode": ("zip5",),
    "string": ("text",),
    "timestamp": ("datetime", "epoch_ms"),
    "time": ("datetime", "epoch_ms"),
    "numbers": ("digits",),
    "number": ("digits", "round"),
    "years": ("age",),
    "truncate": ("excerpt", "first"),
    "left": ("first",),
    "right": ("last",),
    "substitute": ("replace",),
}
"""What other products call them."""


class UnknownFormatError(Exception):
    """No step has this name. hint: how it is written, if it is one and what it takes."""

    def __init__(self, name: str) -> None:
        super().__init__(f"unknown format '{name[:40]}'")
        self.name = name
        word, _, argument = name.partition(" ")
        self.hint = f"write  {word}: {argument}" if word in FORMATS and argument else ""
        if patterns.parts_of(name):
            self.hint = f"write  pattern: {name}"
        if other := _OTHER_WORDS.get(name.strip("() ").lower()):
            self.hint = f"it is one of: {', '.join(other)}" if len(other) > 1 else f"did you mean '{other[0]}'?"


def read(written: Any) -> Format:
    """Read one step: a word, or a block of one word and its argument. Raises for anything else."""
    match written:
        case Format():
            return written
        case str():
            return _step(written).with_argument(None)
        case dict() if len(written) == 1:
            ((name, argument),) = written.items()
            if name == "date" and patterns.parts_of(argument):
                raise WrongArgumentError("'date' takes nothing after it", f"write  pattern: {argument}")
            return _step(name).with_argument(argument)
        case dict():
            raise WrongArgumentError("expected one step in a block", "several steps are a list:  format: [trim, upper]")
        case _:
            raise WrongArgumentError("expected the name of a format", "for example  format: trim")


def in_template(text: str) -> Format:
    """Read one step as a template spells it, `word` or `word: argument`. Raises as `read` does."""
    name, colon, argument = text.partition(":")
    return read({name.strip(): scalar(argument.strip())} if colon else text)


def _schema() -> dict[str, Any]:
    alone = [step for step in FORMATS.values() if step.plain]
    words = {"enum": [step.name for step in alone], "enumDescriptions": [step.about for step in alone]}
    written = {
        step.name: {**step.argument.schema, "description": step.about} for step in FORMATS.values() if step.argument
    }
    block = {"type": "object", "properties": written, "additionalProperties": False, "maxProperties": 1}
    step = {"anyOf": [words, block]}
    return {"anyOf": [words, block, {"type": "array", "items": step, "minItems": 1}]}


SCHEMA: Final = _schema()
"""The value of `format:` as a JSON Schema, for editors."""


def _step(name: str) -> Step:
    if name not in FORMATS:
        raise UnknownFormatError(name)
    return FORMATS[name]
