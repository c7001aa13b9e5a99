"""HubSpot's replies as models of the parts we read: entry by entry, so that one odd part never hides the others.

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
"""HubSpot's own reference prints a context as text: "{missingScopes=[scope1, scope2]}"."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP answer; status 0 when there was none. Header names in lower case."""

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
    """Strict about types. A part that is optional to us and of another type counts as absent."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    @field_validator("*", mode="wrap")
    @classmethod
    def _absent_where_odd(cls, value: Any, read: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        try:
            return read(value)
        except ValidationError:
            declared = cls.model_fields[info.field_name or ""]
            if declared.is_required():
                raise
            return declared.get_default(call_default_factory=True)


def _without_odd_entries(entries: Any, read: ValidatorFunctionWrapHandler) -> Any:
    try:
        return read(entries)
    except ValidationError as error:
        odd = {problem["loc"][0] for problem in error.errors() if problem["loc"]}
        if not isinstance(entries, list) or not odd:
            raise
        return read([entry for place, entry in enumerate(entries) if place not in odd])


def _text(value: Any) -> Any:
    """A number as HubSpot would spell it in text."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _properties(value: Any) -> Any:
    """Every value as text: one of another type is not blank."""
    if not isinstance(value, dict):
        return value
    return {name: held if held is None or isinstance(held, str) else json.dumps(held) for name, held in value.items()}


def _context(value: Any) -> Any:
    """What names something in an error's context; the rest of it says nothing we read.

    >>> _context("{propertyName=[hs_language], id=7}"), _context({"ids": [7, None], "x": {"a": "b"}})
    ({'propertyName': ['hs_language'], 'id': ['7']}, {'ids': ['7']})
    """
    if isinstance(value, str):
        matches = _CONTEXT_AS_TEXT.finditer(value)
        return {found[1]: [item.strip() for item in (found[2] or found[3] or "").split(",")] for found in matches}
    if not isinstance(value, dict):
        return value
    lists = {name: held if isinstance(held, list) else [held] for name, held in value.items()}
    texts = {name: [item for held in items if isinstance(item := _text(held), str)] for name, items in lists.items()}
    return {name: items for name, items in texts.items() if items}


Entries = Annotated[list[_Item], WrapValidator(_without_odd_entries)]
Id = Annotated[str, BeforeValidator(_text)]
Values = Annotated[dict[str, str | None], BeforeValidator(_properties)]
Context = Annotated[dict[str, list[str]], BeforeValidator(_context)]


class Detail(_Reply):
    """One of the errors inside an error."""

    code: str = ""
    context: Context = Field(default_factory=dict)


class ErrorBody(_Reply):
    """An error answer, or one of the errors of a batch: every part optional."""

    category: str = ""
    message: str = ""
    policy: str = Field(default="", alias="policyName")
    context: Context = Field(default_factory=dict)
    errors: Entries[Detail] = Field(default_factory=list)


class Written(_Reply):
    """One record of a batch answer."""

    id: Id
    properties: Values = Field(default_factory=dict)
    trace: str | None = Field(default=None, alias="objectWriteTraceId")


class Batch(_Reply):
    """The answer of a batch read or write; 200 may carry errors just as 207 does."""

    results: Entries[Written] = Field(default_factory=list)
    errors: Entries[ErrorBody] = Field(default_factory=list)


class Read(_Reply):
    """The answer of a batch read. No entry is left out: a record that is missed would be made a second time."""

    results: list[Written]
    errors: Entries[ErrorBody] = Field(default_factory=list)


class Next(_Reply):
    after: str


class Paging(_Reply):
    next: Next | None = None


class Page(_Reply):
    """One page of a search. No entry is left out, as in `Read`."""

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
    """The answer of a batch of default associations."""

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
    """Calls used and allowed today, where the reply tells."""
    head = "x-hubspot-ratelimit-daily"
    limit, left = (reply.headers.get(name, "") for name in (head, f"{head}-remaining"))
    if not (limit.isdecimal() and left.isdecimal() and int(limit) > 0):
        return None
    return max(int(limit) - int(left), 0), int(limit)


def parse(model: type[Parsed], reply: Reply) -> Parsed | None:
    """The reply's body by its model, an empty body as an empty object; None when it is not what HubSpot's API says."""
    try:
        return model.model_validate_json(reply.body or b"{}")
    except ValidationError:
        return None


def error_body(reply: Reply) -> ErrorBody:
    """The error a reply tells, blank when it is none of HubSpot's own."""
    return parse(ErrorBody, reply) or ErrorBody()
