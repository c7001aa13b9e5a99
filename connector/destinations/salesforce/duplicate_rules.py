"""The duplicate rules of an org. Their action, to allow or to block, is not in the API.

https://developer.salesforce.com/docs/platform/object-reference/references/standard-objects/object-duplicaterule.html
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from pydantic import Field, ValidationError

from connector.destinations.lenient import Entries, Lenient
from connector.destinations.salesforce.api_error import ApiError
from connector.destinations.salesforce.client import Client

QUESTION: Final = "SELECT SobjectType, MasterLabel FROM DuplicateRule WHERE IsActive = true"


class _Rule(Lenient):
    object: str = Field(alias="SobjectType")
    name: str = Field(default="one without a name", alias="MasterLabel")


class _Rules(Lenient):
    records: Entries[_Rule] = Field(default=[])


def active(client: Client, objects: Collection[str]) -> Mapping[str, list[str]] | None:
    """The names of the active rules of each object; None if the user may not see them. Raises DestinationUnusable."""
    reply = client.call("GET", "query", params={"q": QUESTION})
    if isinstance(reply, ApiError):
        return None
    try:
        rules = _Rules.model_validate(reply).records
    except ValidationError:
        return None
    return {name: [rule.name for rule in rules if rule.object == name] for name in objects}
