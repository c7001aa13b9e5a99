"""Read from Salesforce: records by a field's value, and descriptions of objects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from connector.destinations.base import Found
from connector.destinations.salesforce import errors, values
from connector.destinations.salesforce.abreast import Abreast
from connector.destinations.salesforce.api_error import ApiError
from connector.destinations.salesforce.client import UNREADABLE, Client
from connector.destinations.salesforce.rule import REJECTING
from connector.destinations.salesforce.schema import DescribedObject
from connector.errors import DestinationUnusable, PauseReason

Model = TypeVar("Model", bound=BaseModel)

_MOST_VALUES: Final = 400
_SUBREQUESTS: Final = 25
_LONGEST_QUERY: Final = 14_000
"""URL-encoded bytes. Salesforce rejects a URL, or a URL with its headers, of more than 16,384 bytes."""


class _Page(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")
    done: bool
    records: list[dict[str, Any]]
    more: str = Field(default="", alias="nextRecordsUrl")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")
    body: Any
    status: int = Field(alias="httpStatusCode")


class _Parts(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")
    parts: list[_Part] = Field(alias="compositeResponse")


class Reader:
    """Reads one account. Every method may raise DestinationUnusable."""

    def __init__(self, client: Client, abreast: Abreast) -> None:
        self._client, self._abreast = client, abreast
        self._known: dict[str, DescribedObject] = {}

    def find(self, object: str, field: str, asked: Sequence[str], read: Iterable[str]) -> dict[str, list[Found]]:
        """Records whose `field` has one of the values `asked`: each value -> its records."""
        holders: dict[str, list[Found]] = {value: [] for value in asked}
        kind, wanted = self._kind(object, field), list(read)
        literals = {text for value in holders if (text := values.literal(kind, value)) is not None}
        spellings: dict[str, list[str]] = {}
        for value in holders:
            spellings.setdefault(values.normal(value).lower(), []).append(value)
        for record in self._records(object, field, sorted(literals), wanted):
            holder = Found(str(record.get("id")), {name: _blank_is_none(record.get(name.lower())) for name in wanted})
            for value in spellings.get(values.normal(record.get(field.lower())).lower(), ()):
                holders[value].append(holder)
        return holders

    def describe(self, object: str) -> DescribedObject | None:
        """The object as it is now; None if it is missing or hidden."""
        # https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_sobject_describe.htm
        reply = self._client.call("GET", f"sobjects/{quote(object, safe='')}/describe")
        if isinstance(reply, ApiError) and reply.status == 404:
            return None
        described = _read(DescribedObject, reply, f"the description of {object}")
        self._known[object] = described
        return described

    def describe_all(self, objects: Iterable[str]) -> dict[str, DescribedObject | None]:
        """Several objects as they are now, 25 per call."""
        # https://developer.salesforce.com/docs/platform/api-rest/guide/resources-composite-composite-post.html
        names = list(dict.fromkeys(objects))
        described: dict[str, DescribedObject | None] = {}
        for start in range(0, len(names) if len(names) > 1 else 0, _SUBREQUESTS):
            described |= self._described(names[start : start + _SUBREQUESTS])
        return {name: described[name] if name in described else self.describe(name) for name in names}

    def known(self, object: str) -> DescribedObject | None:
        """The object as last described; None if it never was."""
        return self._known.get(object)

    def has(self, object: str, field: str, *, writable: bool = False) -> bool:
        """Whether the object has this field, describing it if it never was."""
        described = self._known.get(object) or self.describe(object)
        fields = described.fields if described else ()
        return any(own.name.lower() == field.lower() and (own.updateable or not writable) for own in fields)

    def _described(self, names: list[str]) -> dict[str, DescribedObject | None]:
        """Describe objects in one composite call; those whose part of the reply is unusable are left out."""
        urls = [f"{self._client.base}sobjects/{quote(name, safe='')}/describe" for name in names]
        asked = [{"method": "GET", "url": url, "referenceId": f"describe{n}"} for n, url in enumerate(urls)]
        reply = self._client.call("POST", "composite", json={"allOrNone": False, "compositeRequest": asked})
        described: dict[str, DescribedObject | None] = {}
        with suppress(ValidationError):  # objects left out are described one by one, and that call reports errors
            for name, part in zip(names, _Parts.model_validate(reply, strict=True).parts, strict=False):
                if part.status == 404:
                    described[name] = None
                elif part.status == 200:
                    described[name] = self._known[name] = DescribedObject.model_validate(part.body, strict=True)
        return described

    def _kind(self, object: str, field: str) -> str:
        """The type of a field. The object is described again before the field is reported missing."""
        kind = _type(self._known.get(object), field) or _type(self.describe(object), field)
        if not kind:
            problem = f"{object}.{field} is missing or hidden from the connector's user"
            raise DestinationUnusable("Salesforce", PauseReason.CONFIGURATION, problem)
        return kind

    def _records(self, object: str, field: str, literals: list[str], read: list[str]) -> list[dict[str, Any]]:
        names = ", ".join(dict.fromkeys(["Id", field, *read]))
        head = " ".join(("SELECT", names, "FROM", object, "WHERE", field, "IN ("))
        room = max(_LONGEST_QUERY - len(quote(head)), 1_000)
        portions = values.portions(literals, _MOST_VALUES, room)
        queries = [partial(self._query, f"{head}{','.join(portion)})", object) for portion in portions]
        return [record for answer in self._abreast(queries) for record in answer]

    def _query(self, soql: str, object: str) -> list[dict[str, Any]]:
        """All records of a query, with field names in lower case."""
        # https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_query.htm
        reply = self._client.call("GET", "query/", params={"q": soql})
        records: list[dict[str, Any]] = []
        while True:
            page = _read(_Page, reply, f"{object} records")
            records += ({name.lower(): value for name, value in record.items()} for record in page.records)
            if page.done or not page.more:
                return records
            reply = self._client.call("GET", f"query/{page.more.rpartition('/query/')[2]}")


def _type(described: DescribedObject | None, field: str) -> str:
    fields = described.fields if described else ()
    return next((own.type for own in fields if own.name.lower() == field.lower()), "")


def _blank_is_none(value: Any) -> Any:
    return None if value == "" else value


def _read(model: type[Model], reply: Any, thing: str) -> Model:
    """Parse a reply. Raises DestinationUnusable for an error or an unexpected form."""
    if isinstance(reply, ApiError) and reply.code != UNREADABLE:
        rule = errors.rule_for(reply)
        reason = PauseReason.CONFIGURATION if rule.kind in REJECTING else PauseReason.OUTAGE
        raise DestinationUnusable("Salesforce", reason, f"{thing} cannot be read: {errors.described(reply, rule)}")
    with suppress(ValidationError):  # its text repeats the reply, so it must not become our error's context
        return model.model_validate(reply, strict=True)
    problem = f"Salesforce returned {thing} in a format we cannot read"
    raise DestinationUnusable("Salesforce", PauseReason.OUTAGE, problem)
