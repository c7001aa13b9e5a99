"""HubSpot's replies as strict models of the parts we read.

https://developers.hubspot.com/docs/api-reference/crm-objects-v3/guide and .../error-handling
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

Parsed = TypeVar("Parsed", bound=BaseModel)


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


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class Detail(_Strict):
    """One of the errors inside an error."""

    code: str = ""
    context: dict[str, list[str] | str] = Field(default_factory=dict)


class ErrorBody(_Strict):
    """An error answer, or one of the errors of a batch: every part optional."""

    category: str = ""
    message: str = ""
    policy: str = Field(default="", alias="policyName")
    context: dict[str, list[str] | str] = Field(default_factory=dict)
    errors: list[Detail] = Field(default_factory=list)


class Written(_Strict):
    """One record of a batch answer."""

    id: str
    properties: dict[str, str | None] = Field(default_factory=dict)
    trace: str | None = Field(default=None, alias="objectWriteTraceId")


class Batch(_Strict):
    """The answer of a batch read or write; 200 may carry errors just as 207 does."""

    results: list[Written] = Field(default_factory=list)
    errors: list[ErrorBody] = Field(default_factory=list)


class Read(_Strict):
    """The answer of a batch read."""

    results: list[Written]
    errors: list[ErrorBody] = Field(default_factory=list)


class Next(_Strict):
    after: str


class Paging(_Strict):
    next: Next | None = None


class Page(_Strict):
    """One page of a search."""

    results: list[Written]
    paging: Paging | None = None


class Owner(_Strict):
    id: str
    email: str | None = None
    first_name: str | None = Field(default=None, alias="firstName")
    last_name: str | None = Field(default=None, alias="lastName")
    user_id: int | None = Field(default=None, alias="userId")


class Owners(_Strict):
    results: list[Owner]
    paging: Paging | None = None


class End(_Strict):
    id: str | int


class Pair(_Strict):
    start: End = Field(alias="from")
    end: End = Field(alias="to")


class Pairs(_Strict):
    """The answer of a batch of default associations."""

    results: list[Pair] = Field(default_factory=list)


class OptOut(_Strict):
    status: str


class OptOuts(_Strict):
    results: list[OptOut] = Field(default_factory=list)


class PropertyOption(_Strict):
    value: str


class Changes(_Strict):
    read_only: bool = Field(default=False, alias="readOnlyValue")


class PropertyDefinition(_Strict):
    name: str
    type: str
    field_type: str = Field(default="", alias="fieldType")
    options: list[PropertyOption] = Field(default_factory=list)
    unique: bool = Field(default=False, alias="hasUniqueValue")
    refers_to: str | None = Field(default=None, alias="referencedObjectType")
    external: bool = Field(default=False, alias="externalOptions")
    hubspot_defined: bool = Field(default=False, alias="hubspotDefined")
    changes: Changes = Field(default_factory=Changes, alias="modificationMetadata")


class Properties(_Strict):
    results: list[PropertyDefinition]


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
