"""Models of the parts of HubSpot's replies that we read. An invalid part never hides the valid ones.

https://developers.hubspot.com/docs/api-reference/crm-objects-v3/guide and .../error-handling
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel, Field, ValidationError, model_validator

from connector.destinations.hubspot.lenient import Context, Id, OptionValues, Values
from connector.destinations.lenient import Entries, Lenient

Parsed = TypeVar("Parsed", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP reply; status 0 if there was none. Header names are in lower case. broken: the limit it broke."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    broken: str = ""

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def foreign(self) -> bool:
        """Whether somebody else answered: a proxy, a firewall or a maintenance page."""
        return self.body[:1] not in (b"", b"{") and "json" not in self.headers.get("content-type", "")

    @property
    def request_id(self) -> str:
        return self.headers.get("x-hubspot-correlation-id", "")[:64]


class Detail(Lenient):
    """One of the errors inside an error."""

    code: str = ""
    message: str = ""
    within: str = Field(default="", alias="in")
    context: Context = Field(default_factory=dict)


class ErrorBody(Lenient):
    """An error reply, or one of the errors of a batch. Every part is optional. status: HubSpot's word "error"."""

    status: str = ""
    category: str = ""
    message: str = ""
    policy: str = Field(default="", alias="policyName")
    context: Context = Field(default_factory=dict)
    errors: Entries[Detail] = Field(default_factory=list)


class Warned(Lenient):
    """HubSpot's warning about one record that it wrote."""

    context: Context = Field(default_factory=dict)


class Written(Lenient):
    """One record of a batch reply."""

    id: Id
    properties: Values = Field(default_factory=dict)
    trace: str | None = Field(default=None, alias="objectWriteTraceId")
    new: bool | None = None
    warnings: Entries[Warned] = Field(default_factory=list)

    def ignored(self, sent: Iterable[str]) -> frozenset[str]:
        """Those of the properties sent whose new value HubSpot may have ignored, according to its warnings.

        Under which key a warning names a property is known of one kind only, so that any key may; other texts of a
        warning may be values.
        """
        named = {text for warning in self.warnings for texts in warning.context.values() for text in texts}
        return frozenset(named & set(sent))


class Batch(Lenient):
    """The reply to a batch write. A 200 may have errors, just as a 207."""

    results: Entries[Written] = Field(default_factory=list)
    errors: Entries[ErrorBody] = Field(default_factory=list)


class Read(Lenient):
    """The reply to a batch read, whose entries `entries.py` reads."""

    results: list[Any]
    errors: Entries[ErrorBody] = Field(default_factory=list)


class Page(Lenient):
    """One page of a search or of the owners. `entries.py` reads its entries, `cursors.py` where the next one is."""

    results: list[Any]
    paging: Any = None


class Owner(Lenient):
    id: Id
    email: str | None = None
    first_name: str | None = Field(default=None, alias="firstName")
    last_name: str | None = Field(default=None, alias="lastName")
    user_id: int | None = Field(default=None, alias="userId")


class End(Lenient):
    id: Id


class Pair(Lenient):
    start: End = Field(alias="from")
    end: End = Field(alias="to")

    @model_validator(mode="before")
    @classmethod
    def _of_labeled(cls, value: Any) -> Any:
        """Read an association of the labeled endpoint like one of the default endpoint."""
        if not isinstance(value, dict) or "fromObjectId" not in value:
            return value
        return {"from": {"id": value["fromObjectId"]}, "to": {"id": value.get("toObjectId")}}


class Pairs(Lenient):
    """The reply to a batch of associations."""

    results: Entries[Pair] = Field(default_factory=list)


class OptOut(Lenient):
    status: str


class OptOuts(Lenient):
    results: Entries[OptOut] = Field(default_factory=list)


class Changes(Lenient):
    read_only: bool = Field(default=False, alias="readOnlyValue")


class PropertyDefinition(Lenient):
    """A property. Without a type or a word on uniqueness, that is unknown, and stops nothing."""

    name: str
    label: str = ""
    type: str = ""
    field_type: str = Field(default="", alias="fieldType")
    options: OptionValues = Field(default_factory=list)
    has_unique_value: bool | None = Field(default=None, alias="hasUniqueValue")
    refers_to: str | None = Field(default=None, alias="referencedObjectType")
    external: bool = Field(default=False, alias="externalOptions")
    hubspot_defined: bool = Field(default=False, alias="hubspotDefined")
    changes: Changes = Field(default_factory=Changes, alias="modificationMetadata")

    @property
    def unique(self) -> bool:
        """Whether HubSpot says that no two records have the same value."""
        return self.has_unique_value is True


class Properties(Lenient):
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
