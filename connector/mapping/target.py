"""The part of a CRM's schema that mappings are checked against: the format of the *.describe.json files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from connector.errors import FixConfiguration
from connector.mapping.regular import read_file

_MOST: Final = 64 * 1024 * 1024


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Option(_Frozen):
    """A value that a field offers. label: what people see, where it is not the value. pipeline: of a stage, its own."""

    value: str
    label: str = ""
    pipeline: str = ""


class TargetField(_Frozen):
    """One field of a CRM object. `type`: empty if unknown. `length` in characters.

    options: what a picklist offers, or the only ids that a reference may hold.

    case_sensitive: unique values may differ in letter case alone. native: the CRM's own name of the type, where it
    differs. searchable: whether records can be searched by it.
    pipeline: the field for the pipeline of the stage that this one holds. of_user: whether it holds a user's id.
    refers: the objects whose ids it may hold; none where they are unknown or many.
    coded_in: the field that takes the code of what this one holds by its name on a list of the account. within: the
    field that says what list a value here is on, by name or by code. label: what people see.
    """

    type: str
    length: int | None = None
    required: bool = False
    unique: bool = False
    case_sensitive: bool = False
    writable: bool = True
    sensitive: bool = False
    restricted: bool = False
    options: tuple[Option, ...] = ()
    native: str = ""
    searchable: bool = True
    pipeline: str = ""
    of_user: bool = False
    refers: tuple[str, ...] = ()
    coded_in: str = ""
    within: str = ""
    label: str = ""


class TargetObject(_Frozen):
    fields: dict[str, TargetField]


class TargetSchema(_Frozen):
    """The schema of one CRM account: object name -> fields. unread: why objects are not described that it may have."""

    label: str = ""
    crm: str
    objects: dict[str, TargetObject] = Field(default_factory=dict)
    unread: dict[str, str] = Field(default_factory=dict)


def load(path: Path) -> TargetSchema:
    """Read a saved schema file. Raises FixConfiguration."""
    try:
        return TargetSchema.model_validate_json(read_file(path, _MOST))
    except OSError as error:
        raise FixConfiguration(str(path), f"cannot be read: {error.strerror}") from error
    except ValidationError as error:
        where = ", ".join(".".join(map(str, problem["loc"])) for problem in error.errors())
        raise FixConfiguration(str(path), f"is not a saved schema: {where or 'it is not a JSON object'}") from None


def dump(schema: TargetSchema) -> str:
    """Write a schema as the text of a saved file. The text is stable: it changes only where the CRM does."""
    return json.dumps(schema.model_dump(exclude_defaults=True), ensure_ascii=False, indent=1, sort_keys=True) + "\n"
