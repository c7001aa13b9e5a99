"""Read from Salesforce: records by a field's value, and descriptions of objects."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, Final, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ValidationError

from connector.destinations.base import EVERY, Answers, Compare, Found, Narrow, Outcome
from connector.destinations.describing import each
from connector.destinations.salesforce import errors, narrowing, schema, search_rules, values
from connector.destinations.salesforce.abreast import Abreast
from connector.destinations.salesforce.api_error import ApiError
from connector.destinations.salesforce.client import UNREADABLE, Client
from connector.destinations.salesforce.composite import Parts
from connector.destinations.salesforce.rule import REJECTING
from connector.destinations.salesforce.schema import Described, DescribedObject
from connector.destinations.salesforce.search import Query, search
from connector.destinations.salesforce.together import Together
from connector.destinations.salesforce.vendor import SALESFORCE
from connector.errors import DestinationUnusable, PauseReason
from connector.mapping.target import TargetSchema

Model = TypeVar("Model", bound=BaseModel)

_SUBREQUESTS: Final = 10
"""Of at most 25: an object with many fields and picklists has a description of some megabytes."""
_ASK_AGAIN: Final = 60.0
"""Seconds until an object is described again that the org would not describe."""
_OF_THE_DESCRIPTION: Final = frozenset({PauseReason.CONFIGURATION, PauseReason.PERMISSIONS, PauseReason.OUTAGE})
"""Why an org may not describe an object that can be searched."""


class Reader:
    """Reads one account. Every method may raise DestinationUnusable."""

    def __init__(self, client: Client, abreast: Abreast) -> None:
        self._client, self._abreast, self._together = client, abreast, Together(client, "searches")
        self._known: dict[str, DescribedObject] = {}
        self._ask_again: dict[str, float] = {}

    def find(
        self, object: str, field: str, asked: Sequence[str], read: Iterable[str], narrow: Narrow = EVERY
    ) -> Answers:
        """Records whose `field` has one of the values `asked`: each value -> its records, or why they are unknown."""
        searched = {name: self._searched(object, name) for name in (field, *narrow)}
        for name, own in searched.items():
            if own is None or own.filterable is False:
                refused = search_rules.unsearchable(name) if own else search_rules.missing(object, name)
                return dict.fromkeys(asked, refused)
        known = {name: own for name, own in searched.items() if own}
        tests = [narrowing.test(name, known[name], wanted) for name, wanted in narrow.items()]
        if None in tests:  # no record can have that value
            return {value: [] for value in asked}
        own, further = known[field], narrowing.joined(filter(None, tests))
        question = Query(object, field, own.type, own.length, tuple(read), further)
        return search(self._client, self._abreast, self._together, question, asked)

    def comparing(self, object: str, field: str) -> Compare | None:
        """What makes two values of this field equal where a query takes them for the same; None if not known."""
        if object not in self._known:
            self._searched(object, field)
        own = _field(self._known.get(object), field)
        return values.comparing(own.type) if own else None

    def records(self, object: str, field: str, value: str, read: Iterable[str]) -> list[Found]:
        """Records with one value, for a caller that cannot go on without them."""
        answer = self.find(object, field, [value], read)[value]
        if isinstance(answer, Outcome):
            problem = f"{object} records cannot be read: {answer.refusal.cause}: {answer.refusal.action}"
            raise DestinationUnusable("Salesforce", PauseReason.CONFIGURATION, problem)
        return answer

    def describe(self, object: str) -> DescribedObject | None:
        """The object as it is now; None if it is missing or hidden."""
        # https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_sobject_describe.htm
        reply = self._client.call("GET", f"sobjects/{quote(object, safe='')}/describe")
        if isinstance(reply, ApiError) and reply.status == 404:
            return None
        described = _read(DescribedObject, reply, f"the description of {object}")
        self._known[object] = described
        return described

    def describe_all(
        self, objects: Iterable[str]
    ) -> tuple[dict[str, DescribedObject | None], dict[str, DestinationUnusable]]:
        """Several objects as they are now, a few per call; and why some of them cannot be described."""
        # https://developer.salesforce.com/docs/platform/api-rest/guide/resources-composite-composite-post.html
        names = list(dict.fromkeys(objects))
        described: dict[str, DescribedObject | None] = {}
        for start in range(0, len(names) if len(names) > 1 else 0, _SUBREQUESTS):
            described |= self._described(names[start : start + _SUBREQUESTS])
        return each(names, lambda name: described[name] if name in described else self.describe(name))

    def known(self, object: str) -> DescribedObject | None:
        """The object as last described; None if it never was."""
        return self._known.get(object)

    def recall(self, kept: TargetSchema) -> None:
        """Know objects as they were described before, unless they have been described since."""
        self._known = {name: schema.described(own) for name, own in kept.objects.items()} | self._known

    def is_unique(self, object: str, field: str, *, in_any_case: bool = False) -> bool:
        """Whether the field is unique, as last described; False if it never was."""
        own = _field(self._known.get(object), field)
        return own is not None and own.unique is True and not (in_any_case and own.case_sensitive)

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
            for name, part in zip(names, Parts.model_validate(reply, strict=True).parts, strict=False):
                if part.status == 404:
                    described[name] = None
                elif part.status == 200:
                    described[name] = self._known[name] = DescribedObject.model_validate(part.body, strict=True)
        return described

    def _searched(self, object: str, field: str) -> Described | None:
        """The field to search by. The object is described again before a search is refused for it.

        Where the org refuses to describe it, the search itself shows whether it can be made: opt-outs need it.
        """
        own = _field(self._known.get(object), field)
        if own and own.filterable:
            return own
        assumed = own or Described(name=field, type="id" if SALESFORCE.is_id(field) else "string")
        if time.monotonic() < self._ask_again.get(object, 0.0):
            return assumed
        try:
            return _field(self.describe(object), field)
        except DestinationUnusable as error:
            if error.reason not in _OF_THE_DESCRIPTION:
                raise
            self._ask_again[object] = time.monotonic() + _ASK_AGAIN
            return assumed


def _field(described: DescribedObject | None, name: str) -> Described | None:
    fields = described.fields if described else ()
    return next((own for own in fields if own.name.lower() == name.lower()), None)


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
