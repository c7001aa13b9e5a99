"""Models of the parts of HubSpot's replies that we read. An invalid part never hides the valid ones.

https://developers.hubspot.com/docs/api-reference/crm-objects-v3/guide and .../error-handling
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
)

Parsed = TypeVar("Parsed", bound=BaseModel)
_Item = TypeVar("_Item")

_CONTEXT_AS_TEXT: Final = re.compile(r"(\w+)=(?:\[([^\]]*)\]|([^,}\[\]]*))")
"""HubSpot's reference shows a context as text: "{missingScopes=[scope1, scope2]}"."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP reply; status 0 if there was none. Header names are in lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def request_id(self) -> str:
        return self.headers.get("x-hubspot-correlation-id", "")[:64]


class _Reply(BaseModel):
    """A strictly typed reply. An optional part of the wrong type counts as absent."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    @field_validator("*", mode="wrap")
    @classmethod
    def _absent_if_invalid(cls, value: Any, read: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        try:
            return read(value)
        except ValidationError:
            declared = cls.model_fields[info.field_name or ""]
            if declared.is_required():
                raise
            return declared.get_default(call_default_factory=True)


def _without_invalid_entries(entries: Any, read: ValidatorFunctionWrapHandler) -> Any:
    try:
        return read(entries)
    except ValidationError as error:
        invalid = {problem["loc"][0] for problem in error.errors() if problem["loc"]}
        if not isinstance(entries, list) or not invalid:
            raise
        return read([entry for position, entry in enumerate(entries) if position not in invalid])


def _text(value: Any) -> Any:
    """A number as the text HubSpot would write; anything else unchanged."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _properties(value: Any) -> Any:
    """Every value as text, so that a value of another type does not count as blank."""
    if not isinstance(value, dict):
        return value
    return {name: item if item is None or isinstance(item, str) else json.dumps(item) for name, item in value.items()}


def _context(value: Any) -> Any:
    """The names and numbers in an error's context, as lists of texts; we read nothing else of it.

    >>> _context("{propertyName=[hs_language], id=7}"), _context({"ids": [7, None], "x": {"a": "b"}})
    ({'propertyName': ['hs_language'], 'id': ['7']}, {'ids': ['7']})
    """
    if isinstance(value, str):
        return _context_of_text(value)
    if not isinstance(value, dict):
        return value
    texts = {name: _texts(item) for name, item in value.items()}
    return {name: items for name, items in texts.items() if items}


def _context_of_text(text: str) -> dict[str, list[str]]:
    matches = _CONTEXT_AS_TEXT.finditer(text)
    return {match[1]: [item.strip() for item in (match[2] or match[3] or "").split(",")] for match in matches}


def _texts(value: Any) -> list[str]:
    """The texts and numbers of a list, or of a single value, as texts."""
    items = value if isinstance(value, list) else [value]
    return [text for item in items if isinstance(text := _text(item), str)]


Entries = Annotated[list[_Item], WrapValidator(_without_invalid_entries)]
Id = Annotated[str, BeforeValidator(_text)]
Values = Annotated[dict[str, str | None], BeforeValidator(_properties)]
Context = Annotated[dict[str, list[str]], BeforeValidator(_context)]


class Detail(_Reply):
    """One of the errors inside an error."""

    code: str = ""
    context: Context = Field(default_factory=dict)


class ErrorBody(_Reply):
    """An error reply, or one of the errors of a batch. Every part is optional."""

    category: str = ""
    message: str = ""
    policy: str = Field(default="", alias="policyName")
    context: Context = Field(default_factory=dict)
    errors: Entries[Detail] = Field(default_factory=list)


class Written(_Reply):
    """One record of a batch reply."""

    id: Id
    properties: Values = Field(default_factory=dict)
    trace: str | None = Field(default=None, alias="objectWriteTraceId")


class Batch(_Reply):
    """The reply to a batch write. A 200 may have errors, just as a 207."""

    results: Entries[Written] = Field(default_factory=list)
    errors: Entries[ErrorBody] = Field(default_factory=list)


class Read(_Reply):
    """The reply to a batch read. No entry may be dropped: a record that is missed would be created twice."""

    results: list[Written]
    errors: Entries[ErrorBody] = Field(default_factory=list)


class Next(_Reply):
    after: str


class Paging(_Reply):
    next: Next | None = None


class Page(_Reply):
    """One page of a search. No entry may be dropped, as in `Read`."""

    results: list[Written]
    paging: Paging | None = None


class Owner(_Reply):
    id: Id
    email: str | None = None
    first_name: str | None = Field(default=None, alias="firstName")
    last_name: str | None = Field(default=None, alias="lastName")
    user_id: int | None = Field(default=None, alias="userId")


class Owners(_Reply):
    results: Entries[Owner]
    paging: Paging | None = None


class End(_Reply):
    id: str | int


class Pair(_Reply):
    start: End = Field(alias="from")
    end: End = Field(alias="to")


class Pairs(_Reply):
    """The reply to a batch of default associations."""

    results: Entries[Pair] = Field(default_factory=list)


class OptOut(_Reply):
    status: str


class OptOuts(_Reply):
    results: Entries[OptOut] = Field(default_factory=list)


class PropertyOption(_Reply):
    value: str


class Changes(_Reply):
    read_only: bool = Field(default=False, alias="readOnlyValue")


class PropertyDefinition(_Reply):
    name: str
    type: str
    field_type: str = Field(default="", alias="fieldType")
    options: Entries[PropertyOption] = Field(default_factory=list)
    unique: bool = Field(default=False, alias="hasUniqueValue")
    refers_to: str | None = Field(default=None, alias="referencedObjectType")
    external: bool = Field(default=False, alias="externalOptions")
    hubspot_defined: bool = Field(default=False, alias="hubspotDefined")
    changes: Changes = Field(default_factory=Changes, alias="modificationMetadata")


class Properties(_Reply):
    results: Entries[PropertyDefinition]


def daily_usage(reply: Reply) -> tuple[int, int] | None:
    """Calls used and allowed today, if the reply reports them."""
    header = "x-hubspot-ratelimit-daily"
    limit, left = (reply.headers.get(name, "") for name in (header, f"{header}-remaining"))
    if not (limit.isdecimal() and left.isdecimal() and int(limit) > 0):
        return None
    return max(int(limit) - int(left), 0), int(limit)


def parse(model: type[Parsed], reply: Reply) -> Parsed | None:
    """Parse the body, treating an empty one as an empty object; None if it does not match HubSpot's API."""
    try:
        return model.model_validate_json(reply.body or b"{}")
    except ValidationError:
        return None


def error_body(reply: Reply) -> ErrorBody:
    """The error in a reply, blank if it is not in HubSpot's format."""
    return parse(ErrorBody, reply) or ErrorBody()
