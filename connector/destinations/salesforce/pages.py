"""Read a query's answer page by page, also one whose pages never end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from connector.destinations.salesforce.api_error import ApiError
from connector.destinations.salesforce.client import Client

PAGES: Final = 100
"""The most pages of one answer. One page has 200 records or more, and a query asks for the holders of 400 values."""


class Pages:
    """The replies of a query, page by page; the last one may be an ApiError.

    complete: whether the answer came to its end. What a shorter one lacks may exist. first: the first reply, if known.
    """

    def __init__(self, client: Client, resource: str, soql: str, first: Any = None) -> None:
        self._client, self._resource, self._soql, self._first = client, resource, soql, first
        self.complete = False

    def __iter__(self) -> Iterator[Any]:
        # https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_query.htm
        reply = self._first or self._client.call("GET", f"{self._resource}/", params={"q": self._soql})
        seen: set[str] = set()
        while True:
            yield reply
            if isinstance(reply, ApiError) or not isinstance(reply, dict):
                return
            more = reply.get("nextRecordsUrl")
            if not isinstance(more, str) or not more:
                self.complete = reply.get("done") is not False
                return
            if more in seen or len(seen) + 1 == PAGES:
                return
            seen.add(more)
            reply = self._client.call("GET", f"query/{more.rpartition('/query/')[2]}")
